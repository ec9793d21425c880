// Errors: exceptions for everything that ends a command, a job or an attempt.
//
// One root type. `kind` is what programs look at: whether it is told as ERROR or EXCEPTION, whether
// a caller goes on without, tries again, or passes it on (always, when the user has interrupted);
// nobody decides by the text. Exit codes are the commands', 1 unless they say otherwise. Message
// style: lower case, names the object in quotes, no full stop; where Barman has a message for the
// same, it is that one. `hint` is what the user does next, in one or two imperative sentences; it
// is empty where the message says it. in_context() adds frames on the way up and keeps
// the dynamic type; to do so it changes the exception, which therefore belongs to one thread: an
// exception_ptr may go to another thread, never to several.
#pragma once

#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace barman {

enum class ErrorKind {
  usage,
  config,
  not_found,
  conflict,
  permission,
  connection,
  io,
  corrupt,
  remote,
  interrupted,
  internal,
};

class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message, std::string hint = {})
      : kind_(kind), message_(std::move(message)), hint_(std::move(hint)) {}

  ErrorKind kind() const noexcept { return kind_; }
  const std::string& message() const noexcept { return message_; }
  const std::string& hint() const noexcept { return hint_; }
  const std::vector<std::string>& context() const noexcept { return context_; }
  const char* what() const noexcept override { return message_.c_str(); }

  void push_context(std::string frame) { context_.push_back(std::move(frame)); }
  // The message with its context frames, outermost first: "restoring 'x': cannot open \"y\": …".
  std::string describe() const;
  // As people are told at the end: what describe() says and, in a line of its own, "HINT: <hint>".
  std::string describe_with_hint() const;
  // "\nHINT: <hint>", to be put behind a message; "" without a hint.
  std::string hint_line() const;

 private:
  ErrorKind kind_;
  std::string message_;
  std::string hint_;
  std::vector<std::string> context_;
};

// A failed system call: "<message>: <strerror>". A full, read-only or failing disk, what this user
// may not do, and a file in the place of a directory bring their hints.
class SystemError : public Error {
 public:
  SystemError(int error_number, const std::string& message);
  SystemError(int error_number, const std::string& message, std::string hint);
  int error_number() const noexcept { return error_number_; }

 private:
  int error_number_;
};

// Throws SystemError for the current errno.
[[noreturn]] void throw_errno(const std::string& message);

// The text of errno value `error_number`, thread-safe.
std::string errno_text(int error_number);

template <typename Function>
decltype(auto) in_context(const std::string& frame, Function&& function) {
  try {
    return std::forward<Function>(function)();
  } catch (Error& error) {
    error.push_context(frame);
    throw;
  }
}

}  // namespace barman
