// Errors: exceptions for everything that ends a command, a job or an attempt.
//
// One root type. `kind` decides the exit code and whether a retry makes sense; nobody inspects
// messages. Message style: lower case, names the object in quotes, no full stop. `hint` is one
// imperative sentence: what the user does next. in_context() adds frames on the way up and keeps
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

 private:
  ErrorKind kind_;
  std::string message_;
  std::string hint_;
  std::vector<std::string> context_;
};

// A failed system call: "<message>: <strerror>".
class SystemError : public Error {
 public:
  SystemError(int error_number, const std::string& message);
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
