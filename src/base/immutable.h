// Storage that lets nothing be changed for a time after it was written (WORM): what it says when it
// is asked to. `chattr +i` and S3-backed file systems say EPERM, appliances EACCES or EROFS.
#pragma once

#include <cerrno>

namespace barman {

constexpr bool means_immutable(int error_number) {
  return error_number == EPERM || error_number == EACCES || error_number == EROFS;
}

}  // namespace barman
