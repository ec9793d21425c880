// The content of a file of a backup, read once from its beginning to its end and compared with what
// is known of it. Every destination of a restore gets its bytes through here.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/fd.h"
#include "base/interrupt.h"
#include "copy/copy_task.h"

namespace barman::copy {

// This thread's own; fit for O_DIRECT.
MutableBytes worker_buffer();

Error wrong_size(const CopyTask& task, std::uint64_t found_bytes);

std::unique_ptr<stored::ContentFile> open_source(const CopyTask& task);

DigestAlgorithm algorithm_for(const CopyTask& task);

// `take` gets pieces of worker_buffer(). Throws `corrupt` at the end when size or checksum are not
// those of the task: whoever took the bytes must not call them complete before.
void read_verified(stored::ContentFile& source, const CopyTask& task, const Interrupt& interrupt,
                   const std::function<void(Bytes, std::uint64_t offset)>& take);

// Whether a file elsewhere, read once from its beginning on, is the copy that the task would make,
// by its checksums where there are some; what they do not tell is read from the backup. The CRC-32C
// of a right one where the task wants it (0 otherwise); nullopt when it is not right.
std::optional<std::uint32_t> judge_copy(const CopyTask& task, stored::ContentFile& copy,
                                        const Interrupt& interrupt);

}  // namespace barman::copy
