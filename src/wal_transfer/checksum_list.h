// The list of checksums in a put-wal stream: lines "<hex> *<name>"
// or "<hex>  <name>", as sha256sum(1) and md5sum(1) write them. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace barman::wal_transfer {

struct ChecksumList {
  // Lower-case hex digits by name, without "./" in front of it. Of a name that is there twice, the
  // last line counts.
  std::map<std::string, std::string> checksums;
  // Others, for a message: cut off where they are long.
  std::vector<std::string> bad_lines;
};

ChecksumList parse_checksum_list(std::string_view text);

}  // namespace barman::wal_transfer
