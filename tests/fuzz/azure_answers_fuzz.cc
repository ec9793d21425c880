// What Azure and Google answer, and the texts that hold their credentials: read or refused. The
// first byte says which.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/error.h"
#include "fuzz_target.h"
#include "object_store/azure_answers.h"
#include "object_store/azure_keys.h"
#include "object_store/google_keys.h"

namespace {

using namespace barman::object_store;

void read_azure_text(std::uint8_t kind, const std::string& text) {
  switch (kind % 5) {
    case 0: {
      const ListedPage page = parse_azure_page(text);
      if (page.is_truncated && page.next_token.empty()) std::abort();
      return;
    }
    case 1:
      parse_azure_error(text);
      return;
    case 2: {
      const auto token = parse_access_token(text, barman::Timestamp{});
      // It becomes a header.
      if (token && token->token.find_first_of("\r\n") != std::string::npos) std::abort();
      return;
    }
    case 3:
      if (parse_google_account(text, "file").type.empty()) std::abort();
      return;
    default:
      if (parse_azure_connection(text).blob_endpoint.empty()) std::abort();
  }
}

}  // namespace

BARMAN_FUZZ_TARGET(azure_answers) {
  if (size == 0) return 0;
  try {
    read_azure_text(data[0], std::string(reinterpret_cast<const char*>(data) + 1, size - 1));
  } catch (const barman::Error& error) {
    const bool is_told =
        error.kind() == barman::ErrorKind::corrupt || error.kind() == barman::ErrorKind::config;
    if (!is_told) std::abort();
  }
  return 0;
}
