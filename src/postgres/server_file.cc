#include "postgres/server_file.h"

#include <new>

#include "postgres/libpq_handle.h"

namespace barman::postgres {

std::optional<std::string> read_server_file(Connection& connection, const std::string& path,
                                            std::uint64_t limit_bytes) {
  const ResultHandle result = execute(connection, "SELECT pg_read_binary_file($1, 0, $2, true)",
                                      {path, std::to_string(limit_bytes)});
  const std::optional<std::string> text = find_text(result.get(), 0, 0);
  if (!text) return std::nullopt;
  struct FreeBytes {
    void operator()(unsigned char* bytes) const noexcept { PQfreemem(bytes); }
  };
  std::size_t size = 0;
  const std::unique_ptr<unsigned char, FreeBytes> bytes(
      PQunescapeBytea(reinterpret_cast<const unsigned char*>(text->c_str()), &size));
  if (bytes == nullptr) throw std::bad_alloc();
  return std::string(bytes.get(), bytes.get() + size);
}

}  // namespace barman::postgres
