// What each of our programs does before anything else, and what its child processes do not inherit.
#pragma once

#include <string_view>

namespace barman {

// Before any file is opened or thread started:
// - Standard descriptors that the caller has closed lead to /dev/null, lest a file or socket become
//   stdout or stderr; opened for reading, so that what is written there fails as it would have.
// - The limit of open files is raised as far as the system allows (chains with many archives).
// - A file that grows beyond `ulimit -f` is an error of the write (EFBIG), not the end without a
//   word that SIGXFSZ is.
void prepare_program();

// Writes all of a short text; false when it could not be delivered (errno tells). Waits for a pipe.
bool write_plainly(int fd, std::string_view text);

}  // namespace barman
