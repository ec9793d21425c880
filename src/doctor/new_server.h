// The section of a new server, and what its PostgreSQL needs beforehand. Pure.
#pragma once

#include <string>
#include <vector>

namespace barman::doctor {

struct NewServer {
  std::string name;
  std::string host;
  std::string port = "5432";
  std::string database = "postgres";
  std::string user = "barman";
  std::string streaming_user = "streaming_barman";
  // "postgres" or "rsync".
  std::string method = "postgres";
  // Of `rsync`: the user of ssh there.
  std::string ssh_user = "postgres";
  std::string retention_policy = "RECOVERY WINDOW OF 7 DAYS";
  std::string slot_name = "barman";
};

// The file of that server, with a line for each setting.
std::string section_text(const NewServer& server);

// What is done on the host of PostgreSQL and for passwords here, as text with the lines to paste.
// `own_address` is this host's, "" when it is not known.
std::vector<std::string> preparation(const NewServer& server, const std::string& own_address);

}  // namespace barman::doctor
