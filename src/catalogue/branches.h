// The branches of time in one WAL archive (docs/branches.md). A recovery that stops early begins a
// new timeline, and what the old one wrote behind that point is abandoned: the archive is a tree.
// Numbers say nothing about descent, only timeline history files do. One branch lives: it leads to
// the present, the timeline on which WAL was archived last. Pure; archive/read_branches.h reads.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "catalogue/backup_info.h"
#include "postgres/timeline_history.h"
#include "wal/lsn.h"
#include "wal/wal_file_name.h"

namespace barman::catalogue {

// Where a backup lies, seen from the present.
struct Standing {
  enum class Kind {
    living,     // recovery from it reaches the present
    abandoned,  // it ended on a branch, or on a part of one, that the present does not come from
    unknown,    // a history file that would tell is missing or damaged, or nothing is archived
  };
  Kind kind = Kind::living;
  // abandoned: where its branch and the one that lives part, and the two timelines that go on from
  // there. They differ from `parting_timeline` unless they are its own continuation.
  wal::Lsn parting_lsn;
  wal::TimelineId parting_timeline;
  wal::TimelineId backup_branch;
  wal::TimelineId living_branch;
  // unknown: why.
  std::string reason;

  bool is_living() const { return kind == Kind::living; }
  bool is_abandoned() const { return kind == Kind::abandoned; }
};

// "abandoned at 0/3000158, where timeline 1 went on as timeline 2"; "" for what is living.
std::string describe_standing(const Standing& standing);

struct Branches {
  // Of the archived history files that can be read.
  std::map<wal::TimelineId, postgres::TimelineHistory> histories;
  // Why the others cannot.
  std::map<wal::TimelineId, std::string> damaged;
  // Of those: encrypted, and this host has no passphrase. Nothing is wrong with them.
  std::set<wal::TimelineId> locked;
  // The greatest name of an archived segment of each timeline that has one.
  std::map<wal::TimelineId, std::string> last_segments;
  // Of the file that was archived last.
  std::optional<wal::TimelineId> newest_archived;
  // What the server itself says, when it was asked: it need not be archived yet.
  std::optional<wal::TimelineId> live_timeline;
  wal::SegmentSize segment_size;

  // The timeline on which the cluster is now, as far as the archive knows: that of the file
  // archived last, unless all its WAL lies on the way to a newer one. nullopt: nothing is archived.
  std::optional<wal::TimelineId> present() const;
  Standing standing_of(const BackupInfo& backup) const;
  // Whether the backup counts when the question is what can be recovered now: it reaches the
  // present, or nothing is archived that would tell what the present is.
  bool counts(const BackupInfo& backup) const;

  // Whether the end of `backup` lies on the way to `timeline`.
  bool descends_from(wal::TimelineId timeline, const BackupInfo& backup) const;
  // All timelines with WAL that do, the highest first; that of the backup is always one of them.
  std::vector<wal::TimelineId> descendants_of(const BackupInfo& backup) const;
  // Of a timeline without a history file: one without ancestors.
  postgres::TimelineHistory history_of(wal::TimelineId timeline) const;
  // Why the history of a timeline is not known: its file is not archived, or damaged. "" when it is
  // known; the first timeline needs none.
  std::string history_problem(wal::TimelineId timeline) const;
  // What PostgreSQL takes for "latest": it asks for the history files of consecutive timelines,
  // beginning after its own, until one is missing. It reads only the last of them.
  wal::TimelineId latest_as_postgres_sees_it(wal::TimelineId from) const;
};

// Branches for a picture: every timeline of the archive, with where it came from.
struct BranchRow {
  wal::TimelineId timeline;
  // nullopt: it is a root, or its history is not known.
  std::optional<wal::TimelineId> parent;
  wal::Lsn forked_at;
  std::size_t depth = 0;  // below its root
  bool is_on_living_path = false;
  bool is_present = false;
  // Where the living branch left it.
  std::optional<wal::Lsn> left_at;
  wal::TimelineId left_for;
  std::string last_segment;  // "" = none
  std::string history_problem;
  // Complete backups that end on it, in the order of their LSN; those behind `left_at` apart.
  std::vector<BackupId> backups;
  std::vector<BackupId> abandoned_backups;
};

// Depth first, each parent before its children, children by where they fork.
std::vector<BranchRow> draw_branches(const Branches& branches,
                                     const std::vector<BackupInfo>& backups);

// Of a segment: "timeline 1 was left at 0/3000158 for timeline 2", "timeline 2 is abandoned"; ""
// for what leads to the present.
std::string describe_abandoned(const std::vector<BranchRow>& rows, const wal::Segment& segment,
                               wal::SegmentSize size);

}  // namespace barman::catalogue
