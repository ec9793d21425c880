// An `ssh` that connects to nowhere: like the real one it joins its words, and a shell takes the
// line apart again.
#pragma once

#include <filesystem>
#include <string>

#include "base/test_support.h"
#include "base/text.h"
#include "host/host.h"

namespace barman::host {

class FakeSsh {
 public:
  FakeSsh() {
    put_file(program(),
             "#!/bin/sh\n[ \"$1\" = away ] && { echo 'no route to away' >&2; exit 255; }\n"
             "shift\nprintf '%s' \"$*\" > \"$0.sent\"\nexec sh -c \"$*\"\n");
    std::filesystem::permissions(program(), std::filesystem::perms::owner_all);
  }

  SshHost host(const std::string& name = "there") const {
    return SshHost({.command = shell_quote(program().string()) + " " + name,
                    .title = "the other host",
                    .option = "ssh_command"});
  }
  // The line that came over the wire last.
  std::string sent() const { return get_file(program().string() + ".sent"); }
  const std::filesystem::path& directory() const { return directory_.path(); }

 private:
  std::filesystem::path program() const { return directory_.path() / "ssh"; }

  TemporaryDirectory directory_;
};

}  // namespace barman::host
