// The umask of this process.
#pragma once

#include <sys/types.h>

namespace barman {

// Where the system does not tell it, all that it could take away. umask(2) tells it only by
// changing it, which other threads would notice.
mode_t current_umask();

}  // namespace barman
