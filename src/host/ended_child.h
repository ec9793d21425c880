// A Ctrl-C of the terminal reaches the programs that were started here, too, and may end them
// before it is seen here.
#pragma once

#include "base/interrupt.h"

namespace barman::host {

// Throws `interrupted` when a program has ended with this code because of an interrupt; waits a
// moment for it after a code that says so.
void throw_if_interrupted_too(int exit_code, const Interrupt& interrupt);

}  // namespace barman::host
