// A chain of backups that cannot be read at random, on its way into a data directory: the files of
// the newest backup that differ from what is written are taken here while it is read through, then
// the older backups are read, each once (chain_pass.h). A restore and a consolidation share this.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/interrupt.h"
#include "base/progress.h"
#include "copy/chain_pass.h"
#include "copy/copy_task.h"
#include "copy/file_copier.h"
#include "stored/backup_chain.h"

namespace barman::copy {

class PassedChain {
 public:
  // `older`: newest first, without the newest backup, whose `backup_label` this is.
  PassedChain(std::vector<stored::ChainMember> older, std::string backup_label,
              std::size_t worker_count, Progress& progress, const Interrupt& interrupt);

  struct Place {
    std::filesystem::path directory;  // where the files of the tree go
    bool is_data_directory = false;
  };
  // A file of the newest backup. False when it is written as it stands, which is the caller's work.
  bool take(const TaskOrigin& origin, const Place& place, const stored::Entry& entry,
            const stored::ContentOpener& open, FileCopier& copier);
  // After the last file of the newest backup. All files are complete and durable when it returns.
  void read_older(CombinedManifest& combined);

 private:
  bool take_outside_of_relations(const TaskOrigin& origin, const Place& place,
                                 const stored::Entry& entry, FileCopier& copier) const;
  void offer_tree(const stored::ChainMember& member, const stored::BackupTree& tree);

  const std::vector<stored::ChainMember> older_;
  const std::string label_;
  ChainPass pass_;
};

}  // namespace barman::copy
