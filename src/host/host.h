// A machine on which programs run: this one, or another one through a command of the user
// ("ssh barman@primary"). Programs are argument vectors everywhere; what the shells in between need
// is done here. Nothing but a shell is needed there.
//
// A new kind of host is one more implementation of Host and one line where it is chosen.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/interrupt.h"
#include "base/process.h"
#include "host/ssh_words.h"

namespace barman::host {

struct HostAnswer {
  // Of the program, 128 + n when it was ended by signal n; with ssh also 255 when there is no
  // connection, and 127 when there is no such program.
  int exit_code = 0;
  // In a file without a name, from its beginning on: answers can be long, memory must not be.
  Fd output;
  // The beginning of its error output; passwords masked.
  std::string error;

  // ": no such file", or nothing.
  std::string reason() const { return error.empty() ? "" : ": " + error; }
  std::string read_output() const;
};

// Of output that is not what was expected: "it is empty", or "it begins with" and its first line.
std::string describe_beginning(std::string_view output);
// The first bytes of an output, enough for that.
std::string read_beginning(const Fd& output);

class Host {
 public:
  virtual ~Host() = default;

  // What is started here, for these to run there.
  virtual std::vector<std::string> command(const std::vector<std::string>& argv) const = 0;
  // The same for calls that are short, or say little.
  virtual std::vector<std::string> call_command(const std::vector<std::string>& argv) const {
    return command(argv);
  }
  // For messages: "the primary node".
  virtual std::string title() const = 0;
  // How it is reached, passwords masked: "ssh barman@primary".
  virtual std::string describe() const = 0;
  // What the user does when it is not reached.
  virtual std::string hint() const = 0;
  // The same when something else is printed than what the program that was asked for prints: a
  // login shell that talks, or another program in its place.
  virtual std::string silence_hint() const { return hint(); }

  // What the user does after a program there has failed, which said this.
  std::string next_step(const std::string& said) const;

  // Runs beside us. Throws SystemError when nothing can be started here.
  ChildProcess start(const std::vector<std::string>& argv,
                     const ChildProcess::Streams& streams) const;
  // For what says little.
  ChildProcess start_call(const std::vector<std::string>& argv,
                          const ChildProcess::Streams& streams) const;
  // Runs to the end; its input is this descriptor, or nothing. Throws `interrupted`.
  HostAnswer run(const std::vector<std::string>& argv, const Interrupt& interrupt,
                 int standard_input = -1) const;
};

class LocalHost final : public Host {
 public:
  std::vector<std::string> command(const std::vector<std::string>& argv) const override;
  std::string title() const override;
  std::string describe() const override;
  std::string hint() const override;
};

struct SshRoute {
  // A command line of the user, which gets the remote command as further words: "ssh -p 22 b@h".
  std::string command;
  // "the primary node"
  std::string title;
  // Where the command was given: "primary_ssh_command".
  std::string option;
  // Of ours, behind the user's command, and in no message.
  SshWords words = {};
};

class SshHost final : public Host {
 public:
  explicit SshHost(SshRoute route) : route_(std::move(route)) {}

  // Two shells take the words apart, ours and the remote one.
  std::vector<std::string> command(const std::vector<std::string>& argv) const override;
  std::vector<std::string> call_command(const std::vector<std::string>& argv) const override;
  std::string title() const override { return route_.title; }
  std::string describe() const override;
  std::string hint() const override;
  std::string silence_hint() const override;

 private:
  std::vector<std::string> there(const std::string& words,
                                 const std::vector<std::string>& argv) const;

  SshRoute route_;
};

// The beginning of what a program said on its error output, passwords masked.
std::string read_error_text(const Fd& file);

}  // namespace barman::host
