// Backups on storage that lets nothing be changed or removed for a time (worm_mode). Deleting one
// too early is refused by the storage, file by file; such a backup is left as it was, unless a part
// of it has gone already.
#pragma once

#include "base/error.h"
#include "catalogue/backup_id.h"
#include "server/server.h"

namespace barman::backup {

// Tried again by the next retention run, or when the user asks again.
class StillImmutable final : public Error {
 public:
  // `refusal` is what the storage has said; is_whole: nothing of the backup has been removed.
  StillImmutable(const server::Server& server, const catalogue::BackupId& id, bool is_whole,
                 const Error& refusal);
  bool is_whole() const noexcept { return is_whole_; }

 private:
  bool is_whole_;
};

// Removes the files of a backup, first the one that was written last, which becomes mutable last:
// when that one is refused, nothing is gone. Throws StillImmutable, and other errors as
// remove_tree().
void remove_immutable_files(const server::Server& server, const catalogue::BackupId& id);

// With aws_check_object_lock or aws_object_lock_mode: asks the bucket about each object before one
// of them goes. Throws StillImmutable naming the first that is locked.
void require_unlocked(const server::Server& server, const catalogue::BackupId& id);

}  // namespace barman::backup
