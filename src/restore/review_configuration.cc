#include "restore/review_configuration.h"

#include <sys/stat.h>

#include <algorithm>
#include <deque>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "restore/recovery_settings.h"

namespace barman::restore {
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kLastFile = "postgresql.auto.conf";

mode_t mode_of(const fs::path& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) throw_errno("cannot look at \"" + path.string() + "\"");
  return status.st_mode & 07777;
}

// The mode is that of the cluster, whatever the umask of this process.
void write_with_mode(const fs::path& path, std::string_view content, mode_t mode) {
  AtomicFile file(path, mode);
  file.write(content);
  if (::fchmod(file.fd().get(), mode) != 0) {
    throw_errno(fmt::format("cannot set permissions of \"{}\"", path.string()));
  }
  file.commit();
}

class Reviewer {
 public:
  explicit Reviewer(const ConfigurationRequest& request) : request_(request) {}

  ConfigurationReview run() {
    for (const std::string& file : request_.files) enqueue(file);
    while (!pending_.empty()) {
      const std::string file = pending_.front();
      pending_.pop_front();
      review(file);
    }
    if (!request_.settings.empty() && !has_written_settings_) {
      // A name of the user's may have a directory that the backup does not have.
      make_directories((request_.data_directory / request_.settings_file).parent_path(), 0700);
      write_with_mode(request_.data_directory / request_.settings_file, request_.settings,
                      request_.file_mode);
    }
    return std::move(result_);
  }

 private:
  void enqueue(const std::string& file) {
    if (seen_.insert(file).second) pending_.push_back(file);
  }

  void review(const std::string& file) {
    const fs::path path = request_.data_directory / file;
    const std::optional<struct stat> status = find_status(path);
    if (!status || !S_ISREG(status->st_mode)) return;
    const std::string original = read_file(path);
    ReviewedSettings reviewed = review_settings(original, file, request_.rules);
    if (file == request_.settings_file) {
      reviewed.content = append_settings(reviewed.content, request_.settings);
      has_written_settings_ = true;
    }
    if (request_.rules.scope == ReviewScope::all || !reviewed.changes.empty()) {
      const mode_t mode = mode_of(path);
      // A copy, not a rename: at each moment there is a complete file under the usual name.
      write_with_mode(path.string() + ".origin", original, mode);
      write_with_mode(path, reviewed.content, mode);
    }
    note_hot_standby(reviewed.hot_standby);
    for (SettingNote& note : reviewed.changes) result_.changes.push_back(std::move(note));
    for (SettingNote& note : reviewed.warnings) result_.warnings.push_back(std::move(note));
    for (const IncludeDirective& include : reviewed.includes) follow(file, include);
  }

  // Includes come last here, and PostgreSQL reads postgresql.auto.conf behind everything else.
  void note_hot_standby(const std::optional<SettingNote>& setting) {
    if (!setting || has_final_hot_standby_) return;
    has_final_hot_standby_ = setting->file == kLastFile;
    result_.hot_standby_off = is_off(setting->value.value_or("")) ? setting : std::nullopt;
  }

  // Includes that lead out of the data directory belong to the host; they are reported only.
  void follow(const std::string& from, const IncludeDirective& include) {
    if (include.path.empty()) return;
    const fs::path& home =
        request_.final_directory.empty() ? request_.data_directory : request_.final_directory;
    fs::path target(include.path);
    if (target.is_relative()) target = (home / from).parent_path() / target;
    const fs::path relative = target.lexically_normal().lexically_relative(home.lexically_normal());
    if (relative.empty() || *relative.begin() == "..") return;
    if (include.kind == IncludeKind::file) {
      enqueue(relative.string());
      return;
    }
    if (request_.rules.places == FilePlaces::data_directory) {
      make_directories(request_.data_directory / relative, 0700);
    }
    for (const std::string& name : list_directory(request_.data_directory / relative)) {
      if (name.front() == '.' || !name.ends_with(".conf")) continue;
      enqueue((relative / name).lexically_normal().string());
    }
  }

  const ConfigurationRequest& request_;
  ConfigurationReview result_;
  std::deque<std::string> pending_;
  std::set<std::string> seen_;
  bool has_written_settings_ = false;
  bool has_final_hot_standby_ = false;
};

}  // namespace

ConfigurationReview review_configuration(const ConfigurationRequest& request) {
  return Reviewer(request).run();
}

std::vector<std::string> list_missing_configuration(const fs::path& data_directory) {
  std::vector<std::string> missing;
  for (const char* const name :
       {"postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf"}) {
    if (!find_status(data_directory / name)) missing.emplace_back(name);
  }
  return missing;
}

}  // namespace barman::restore
