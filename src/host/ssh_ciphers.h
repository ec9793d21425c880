// Which cipher ssh uses for WAL and for files. Its default is chacha20-poly1305, with which a
// connection carries little more than 300 MB/s; AES in GCM carries nearly twice as much where the
// processor has instructions for AES (docs/performance.md). Only the order changes: what
// ssh_config(5) does not allow is not used.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/ssh_target.h"

namespace barman::host {

// "a,aes128-gcm@openssh.com,b" -> "aes128-gcm@openssh.com,a,b"
std::string with_gcm_first(std::string_view ciphers);
// Empty when that changes nothing, or the processor has no instructions for AES.
std::string quicker_ciphers(std::string_view configured);

// Words for ssh itself, for a new connection. Asks the ssh client for its configuration (some
// milliseconds, no connection); empty when that is no help.
std::vector<std::string> cipher_options(const SshTarget& target);

}  // namespace barman::host
