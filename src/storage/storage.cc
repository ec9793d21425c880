#include "storage/storage.h"

#include <fmt/format.h>

#include "base/error.h"
#include "pipeline/relative_path.h"

namespace barman::storage {

void require_key(std::string_view key, const std::string& teller) {
  if (pipeline::is_safe_relative_path(key) && !key.ends_with(kTemporarySuffix)) return;
  throw Error(ErrorKind::corrupt, fmt::format("{} cannot hold the name \"{}\"", teller, key),
              "A name is a relative path without \"..\", and does not end in \".tmp\".");
}

void require_prefix(std::string_view prefix, const std::string& teller) {
  const std::size_t slash = prefix.rfind('/');
  if (slash == std::string_view::npos) return;
  if (pipeline::is_safe_relative_path(prefix.substr(0, slash))) return;
  throw Error(ErrorKind::corrupt,
              fmt::format("{} cannot list names that begin with \"{}\"", teller, prefix),
              "A name is a relative path without \"..\".");
}

}  // namespace barman::storage
