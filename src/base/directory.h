// What lies in directories. To be unable to tell is an error here, never "nothing": SystemError
// with the path for EACCES, EIO, ESTALE and whatever else. Entries that vanish meanwhile are left
// out.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/fd.h"

namespace barman {

// What it means that there is no such directory. With `is_empty`, something else that has its name,
// and a link that leads nowhere, are errors all the same: something was there, or is elsewhere.
// `or_other_is_empty` is for directories that belong to somebody else, who may have anything there.
enum class IfAbsent { is_empty, or_other_is_empty, is_error };

// False when there is nothing of that name; throws where listing it would, but looks at it only.
bool is_directory_there(const std::filesystem::path& directory);

// The names in it, ascending.
std::vector<std::string> list_directory(const std::filesystem::path& directory,
                                        IfAbsent if_absent = IfAbsent::is_empty);
// The same of an open one; `path` is for the error only.
std::vector<std::string> list_directory(const Fd& directory, const std::filesystem::path& path);

// A link is a link, wherever it leads.
enum class EntryKind { file, directory, link, other };
struct DirectoryEntry {
  std::string name;
  EntryKind kind = EntryKind::other;
};
// With their kinds, for which most file systems need not look at each file.
std::vector<DirectoryEntry> list_entries(const std::filesystem::path& directory,
                                         IfAbsent if_absent = IfAbsent::is_empty);
// Whether it is a file, or a link that leads to one.
bool leads_to_file(const std::filesystem::path& directory, const DirectoryEntry& entry);

// Everything below it, by name, each directory before what it contains; links are not followed, and
// memory is that of the directories on the way. The visitor says for a directory whether to enter
// it.
enum class Descend { no, yes };
using PathVisitor = std::function<Descend(const std::filesystem::path& path, EntryKind kind)>;
void walk_directory(const std::filesystem::path& directory, const PathVisitor& visitor);

}  // namespace barman
