// Makes the index of an archive that has none, by reading it once.
#pragma once

#include "base/interrupt.h"
#include "stored/archive_file.h"
#include "stored/archive_index.h"

namespace barman::stored {

// The index is kept beside the archive when the directory can be written, else in a file without a
// name in the temporary directory, which goes with the index (and with the process, however it
// ends). It has frames when the archive is a row of small ones. Throws `corrupt` naming the
// archive.
ArchiveIndex scan_archive(const ArchiveFile& archive, const Interrupt& interrupt);

}  // namespace barman::stored
