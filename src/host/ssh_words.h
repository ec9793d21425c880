// What ssh gets from us in a command line of the user, "ssh -p 22 postgres@db": behind its first
// word, since a command there may follow ("ssh db nice").
//
// A handshake takes a quarter of a second and more, and a restore onto another host makes a dozen
// short calls: these share one connection (ControlMaster of ssh_config(5)), which is of this
// process alone and ends with it. Streams of files have each a connection of their own, with a
// cipher that is quick here (host/ssh_ciphers.h). A host that does not answer, or answers no more,
// is given up after 30 and 45 seconds.
//
// Only where the first word is ssh and the others are words for any shell: anything else is the
// user's, and gets nothing. What the user has set stays: ciphers, limits and a ControlPath.
#pragma once

#include <string>

namespace barman::host {

// Words of a shell, each with a blank before it; empty where there is nothing to say.
struct SshWords {
  std::string streams;
  std::string calls;
};

// Asks ssh for its configuration (`ssh -G`, no connection) the first time that this process meets a
// command. Throws nothing: without a safe directory for the socket each call connects by itself.
SshWords ssh_words(const std::string& ssh_command);

// "ssh -p 22 postgres@db", " -o A=b" -> "ssh -o A=b -p 22 postgres@db"
std::string with_words(const std::string& ssh_command, const std::string& words);

}  // namespace barman::host
