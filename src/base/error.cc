#include "base/error.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/hint.h"

namespace barman {
namespace {

ErrorKind kind_of(int error_number) {
  switch (error_number) {
    case ENOENT:
      return ErrorKind::not_found;
    case EACCES:
    case EPERM:
      return ErrorKind::permission;
    case EEXIST:
      return ErrorKind::conflict;
    default:
      return ErrorKind::io;
  }
}

// Where the reason itself tells what to do next, whatever was tried.
std::string next_step_of(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return "Free space or inodes there (the quota counts, too), or enlarge it; then do it again.";
    case EROFS:
      return "Find out why it is read-only (a damaged disk? 'dmesg' tells), and make it writable.";
    case EACCES:
      return "Run it as the user whose files these are, or give this one ('id -un') the right: "
             "'namei -l' with that path shows whose each part of it is.";
    case ENOTDIR:
      return "A part of that path is no directory: look at who has put it there, and move it away.";
    case EIO:
      return "Look at the disk, or the network that it is behind: 'dmesg' tells more.";
    default:
      return "";
  }
}

}  // namespace

std::string Error::describe() const {
  std::string text;
  for (auto frame = context_.rbegin(); frame != context_.rend(); ++frame) text += *frame + ": ";
  return text + message_;
}

std::string Error::describe_with_hint() const { return with_hint(describe(), hint_); }

std::string Error::hint_line() const { return with_hint("", hint_); }

std::string with_hint(std::string message, std::string_view hint) {
  if (!hint.empty()) message.append("\n").append(hint_alone(hint));
  return message;
}

std::string hint_alone(std::string_view hint) { return "HINT: " + std::string(hint); }

std::string with_hint_inside(std::string message, std::string_view hint) {
  if (hint.empty()) return message;
  const bool is_sentence = message.ends_with('?') || message.ends_with('.');
  return message.append(is_sentence ? " " : ". ").append(hint);
}

std::string errno_text(int error_number) {
  char buffer[256] = {};
  // The GNU variant: it may return a static text instead of filling the buffer.
  return ::strerror_r(error_number, buffer, sizeof buffer);
}

SystemError::SystemError(int error_number, const std::string& message)
    : SystemError(error_number, message, next_step_of(error_number)) {}

SystemError::SystemError(int error_number, const std::string& message, std::string hint)
    : Error(kind_of(error_number), message + ": " + errno_text(error_number), std::move(hint)),
      error_number_(error_number) {}

void throw_errno(const std::string& message) {
  const int error_number = errno;
  throw SystemError(error_number, message);
}

}  // namespace barman
