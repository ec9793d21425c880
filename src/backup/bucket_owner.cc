#include "backup/bucket_owner.h"

#include <fmt/format.h>

#include "base/error.h"

namespace barman::backup {

void require_bucket_owner(const server::Server& server, std::string_view action) {
  if (server.config().active || !server.config().has_cloud_basebackups()) return;
  throw Error(
      ErrorKind::config,
      fmt::format(
          "cannot {} of server '{}' here: it is inactive on this host, and another host may "
          "be at work in its bucket",
          action, server.name()),
      "Do it on the host where the server is active. If that is lost for good, set active = true "
      "here, and run 'barman rebuild-catalogue'.");
}

}  // namespace barman::backup
