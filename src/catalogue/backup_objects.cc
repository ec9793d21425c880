#include "catalogue/backup_objects.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "pipeline/relative_path.h"

namespace barman::catalogue {
namespace {

bool has_index(const BackupObjects& objects, const BucketArchiveName& name) {
  return std::ranges::find(objects.other_names, format_index_name(name)) !=
         objects.other_names.end();
}

}  // namespace

std::vector<std::uint32_t> trees_of(const BackupInfo& backup) {
  std::vector<std::uint32_t> oids;
  for (const Tablespace& tablespace : backup.tablespaces) {
    if (tablespace.location != pipeline::in_place_location(tablespace.oid)) {
      oids.push_back(tablespace.oid);
    }
  }
  oids.push_back(0);
  return oids;
}

std::string find_archive_problem(const BackupObjects& objects, std::uint32_t tablespace_oid,
                                 std::string_view place) {
  std::multiset<std::uint32_t> numbers;
  for (const StoredArchive& archive : objects.archives) {
    if (archive.name.tablespace_oid == tablespace_oid) numbers.insert(archive.name.number);
  }
  const std::uint32_t last = numbers.empty() ? 0 : *numbers.rbegin();
  const auto name_of = [&](std::uint32_t number) {
    return BucketArchiveName{.tablespace_oid = tablespace_oid, .number = number};
  };
  for (std::uint32_t number = 0; number <= last || has_index(objects, name_of(number)); ++number) {
    const std::size_t count = numbers.count(number);
    if (count == 1) continue;
    return fmt::format("{} \"{}{}\"",
                       count == 0 ? "lacks the archive" : "has two forms of the archive", place,
                       format_archive_name(name_of(number)));
  }
  return {};
}

std::string find_archive_problem(const BackupInfo& backup, const BackupObjects& objects) {
  std::string problem = find_archive_problem(objects, 0, "");
  for (const std::uint32_t oid : trees_of(backup)) {
    if (problem.empty()) problem = find_archive_problem(objects, oid, "");
  }
  return problem;
}

}  // namespace barman::catalogue
