#include "backup/rsync_output.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"

namespace barman::backup {
namespace {

constexpr std::size_t kPermissionLetters = 10;
constexpr std::size_t kReportLetters = 11;

// rsync(1), EXIT VALUES.
constexpr int kProtocolMismatch = 2;
constexpr int kSocketFailure = 10;
constexpr int kPartialTransfer = 23;
constexpr int kVanishedFiles = 24;
constexpr int kTimeout = 30;
constexpr int kNoProgram = 127;
constexpr int kNoConnection = 255;
constexpr std::size_t kShownLines = 4;

bool is_octal(char letter) { return letter >= '0' && letter <= '7'; }

mode_t mode_of(std::string_view letters) {
  mode_t mode = 0;
  for (std::size_t i = 0; i < 9; ++i) {
    const char letter = letters[i];
    if (letter != '-' && letter != 'S' && letter != 'T') mode |= mode_t{0400} >> i;
  }
  return mode;
}

std::optional<std::time_t> time_of(std::string_view date, std::string_view time) {
  if (date.size() != 10 || time.size() != 8) return std::nullopt;
  const auto number = [](std::string_view text) { return parse_integer(text); };
  const std::array parts = {number(date.substr(0, 4)), number(date.substr(5, 2)),
                            number(date.substr(8, 2)), number(time.substr(0, 2)),
                            number(time.substr(3, 2)), number(time.substr(6, 2))};
  if (std::any_of(parts.begin(), parts.end(), [](const auto& part) { return !part; })) {
    return std::nullopt;
  }
  std::tm broken = {};
  broken.tm_year = static_cast<int>(*parts[0]) - 1900;
  broken.tm_mon = static_cast<int>(*parts[1]) - 1;
  broken.tm_mday = static_cast<int>(*parts[2]);
  broken.tm_hour = static_cast<int>(*parts[3]);
  broken.tm_min = static_cast<int>(*parts[4]);
  broken.tm_sec = static_cast<int>(*parts[5]);
  return ::timegm(&broken);
}

// The next word, and the blanks before it, are taken away.
std::string_view take_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(word.size());
  return word;
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

constexpr std::string_view kDeadLink = "symlink has no referent: ";

enum class Complaint { none, gone, closed, moving, other };

Complaint judge_line(std::string_view line) {
  const bool is_gone =
      has(line, "No such file or directory (2)") &&
      (has(line, "link_stat ") || has(line, "opendir ") || has(line, "change_dir ") ||
       has(line, "send_files failed to open ") || has(line, "readlink_stat("));
  if (is_gone) return Complaint::gone;
  // The other side ends at once when there is nothing of what was asked for.
  if (has(line, "[Receiver] write error: Broken pipe (32)")) return Complaint::closed;
  if (line.starts_with("file has vanished: ") || has(line, "(code 23) at ") ||
      has(line, "(code 24) at ") || line.starts_with(kDeadLink)) {
    return Complaint::none;
  }
  // A file that was cut while it was read; its checksum makes rsync read it again.
  if (has(line, "read errors mapping ") && has(line, "(61)")) return Complaint::none;
  if (has(line, "failed verification -- update")) {
    return line.starts_with("WARNING: ") ? Complaint::none : Complaint::moving;
  }
  return Complaint::other;
}

Complaint judge_line(const RsyncEnd& end, const std::string& line) {
  if (strip(line).empty() || end.noise.count(line) > 0) return Complaint::none;
  return judge_line(line);
}

std::vector<std::string> complaints_of(const RsyncEnd& end) {
  std::vector<std::string> lines;
  for (const std::string& line : split(end.errors, '\n')) {
    const bool is_said_of_every_host = line.starts_with("Warning: Permanently added ");
    if (judge_line(end, line) == Complaint::other && !is_said_of_every_host) {
      lines.emplace_back(strip(line));
    }
  }
  return lines;
}

// Which exit code it is depends on which of the two processes, ssh or rsync, has ended first.
bool has_no_program(const RsyncEnd& end) {
  return end.exit_code == kNoProgram || has(end.errors, "rsync: not found") ||
         has(end.errors, "rsync: command not found");
}

bool has_no_connection(const RsyncEnd& end) {
  return end.exit_code == kNoConnection || end.exit_code == kSocketFailure ||
         end.exit_code == kTimeout || has(end.errors, "connection unexpectedly closed");
}

std::string reason_of_end(const RsyncEnd& end) {
  std::vector<std::string> lines = complaints_of(end);
  const std::size_t count = lines.size();
  if (count > kShownLines) {
    lines.resize(kShownLines);
    lines.push_back(fmt::format("and {} more lines", count - kShownLines));
  }
  return mask_passwords(join(lines, "; "));
}

}  // namespace

std::string unescape_rsync_name(std::string_view text) {
  std::string name;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view rest = text.substr(i);
    if (rest.size() >= 5 && rest.starts_with("\\#") && is_octal(rest[2]) && is_octal(rest[3]) &&
        is_octal(rest[4])) {
      const int byte = (rest[2] - '0') * 64 + (rest[3] - '0') * 8 + (rest[4] - '0');
      name += static_cast<char>(static_cast<unsigned char>(byte));
      i += 4;
    } else {
      name += text[i];
    }
  }
  return name;
}

std::optional<ListedFile> parse_listed_file(std::string_view line) {
  if (line.size() < kPermissionLetters + 2 || line[kPermissionLetters] != ' ') return std::nullopt;
  const std::string_view letters = line.substr(0, kPermissionLetters);
  if (letters.find_first_not_of("-dlcbpsrwxStTS") != std::string_view::npos) return std::nullopt;
  std::string_view rest = line.substr(kPermissionLetters);
  const auto size = parse_integer(take_word(rest));
  const std::string_view date = take_word(rest);
  const auto modified = time_of(date, take_word(rest));
  if (!size || *size < 0 || !modified || rest.size() < 2) return std::nullopt;
  ListedFile file;
  if (letters.front() == '-') file.type = ListedFile::Type::file;
  if (letters.front() == 'd') file.type = ListedFile::Type::directory;
  file.mode = mode_of(letters.substr(1));
  file.size_bytes = static_cast<std::uint64_t>(*size);
  file.modified = *modified;
  file.name = unescape_rsync_name(rest.substr(1));
  return file;
}

std::optional<ReportedFile> parse_reported_file(std::string_view line) {
  if (line.size() < kReportLetters + 2 || line[kReportLetters] != ' ') return std::nullopt;
  constexpr std::string_view kActions = ">ch.";
  const std::size_t action = kActions.find(line[0]);
  if (action == std::string_view::npos ||
      std::string_view("fdLDS").find(line[1]) == std::string_view::npos) {
    return std::nullopt;
  }
  std::string_view rest = line.substr(kReportLetters);
  const auto size = parse_integer(take_word(rest));
  const auto transferred = parse_integer(take_word(rest));
  if (!size || *size < 0 || !transferred || rest.size() < 2) return std::nullopt;
  return ReportedFile{.action = static_cast<ReportedFile::Action>(action),
                      .is_file = line[1] == 'f',
                      .size_bytes = static_cast<std::uint64_t>(*size),
                      .name = unescape_rsync_name(rest.substr(1))};
}

RsyncVerdict judge(const RsyncEnd& end) {
  if (end.exit_code == 0 || end.exit_code == kVanishedFiles) return RsyncVerdict::done;
  if (end.exit_code != kPartialTransfer) return RsyncVerdict::failed;
  bool is_moving = false;
  bool is_closed = false;
  bool is_gone = false;
  for (const std::string& line : split(end.errors, '\n')) {
    switch (judge_line(end, line)) {
      case Complaint::none:
        break;
      case Complaint::gone:
        is_gone = true;
        break;
      case Complaint::closed:
        is_closed = true;
        break;
      case Complaint::moving:
        is_moving = true;
        break;
      case Complaint::other:
        return RsyncVerdict::failed;
    }
  }
  if (is_closed && !is_gone) return RsyncVerdict::failed;
  return is_moving ? RsyncVerdict::again : RsyncVerdict::done;
}

std::vector<std::string> dead_links_of(const RsyncEnd& end) {
  std::vector<std::string> links;
  for (const std::string& line : split(end.errors, '\n')) {
    if (!line.starts_with(kDeadLink)) continue;
    std::string_view link = strip(std::string_view(line).substr(kDeadLink.size()));
    if (link.size() > 1 && link.front() == '"' && link.back() == '"') {
      link = link.substr(1, link.size() - 2);
    }
    links.push_back(unescape_rsync_name(link));
  }
  return links;
}

Error rsync_error(const RsyncEnd& end, const RsyncPlaces& places) {
  const std::string reason = reason_of_end(end);
  const auto text = [&](const std::string& what) {
    return reason.empty() ? what : fmt::format("{}: {}", what, reason);
  };
  const std::string try_it =
      fmt::format("Try {} by hand, as the user that runs barman.", places.option);
  if (has_no_program(end)) {
    if (has(end.errors, "env: ")) {
      return {ErrorKind::config, text("there is no rsync on this host"),
              "Install rsync, or correct path_prefix."};
    }
    return {ErrorKind::config, text(fmt::format("there is no rsync on {}", places.remote)),
            "Install rsync there, where the PATH of the ssh session leads to it."};
  }
  if (end.exit_code == kProtocolMismatch) {
    return {ErrorKind::config,
            text(fmt::format("what comes from {} is not rsync's", places.remote)),
            fmt::format("Run {} with the command \"true\" behind it: nothing may be printed. Let "
                        ".bashrc and the like be silent in sessions without a terminal.",
                        places.option)};
  }
  if (has(end.errors, "change_dir ") && has(end.errors, "(code 3) at ")) {
    return {ErrorKind::config, text(fmt::format("there is no such directory on {}", places.remote)),
            fmt::format("Correct {} or conninfo, so that both lead to the same server.",
                        places.option)};
  }
  // Of rrsync, when its directory is another one than "/". It ends the connection then.
  if (has(end.errors, "has been disabled on this server")) {
    return {ErrorKind::permission,
            text(fmt::format("the key for {} allows rsync for one directory only, where no links "
                             "are followed",
                             places.remote)),
            "Write restrict,command=\"rrsync -ro /\" before the key in authorized_keys there: "
            "tablespaces and other links of a data directory lead out of it."};
  }
  if (has(end.errors, "reading from write-only server")) {
    return {ErrorKind::permission,
            text(fmt::format("the key for {} may write only", places.remote)),
            "Write restrict,command=\"rrsync -ro /\" before the key in authorized_keys there."};
  }
  if (has_no_connection(end)) {
    return {ErrorKind::connection,
            text(fmt::format("cannot reach {}, or the connection was cut", places.remote)),
            fmt::format("{} With -v added ssh tells more. Nothing that has arrived whole is copied "
                        "again by the next backup.",
                        try_it)};
  }
  const std::string what = fmt::format("rsync has ended with exit code {}", end.exit_code);
  if (has(end.errors, "Permission denied (13)")) {
    return {ErrorKind::permission, text(what),
            fmt::format("Let {} log in as the user that runs PostgreSQL, so that every file of it "
                        "can be read.",
                        places.option)};
  }
  if (has(end.errors, "No space left on device") || has(end.errors, "Disk quota exceeded")) {
    return {ErrorKind::io, text(what), "Free space in the catalogue, and take the backup again."};
  }
  return {
      ErrorKind::remote, text(what),
      fmt::format("{} Nothing that has arrived whole is copied again by the next backup.", try_it)};
}

std::string rsync_pattern(std::string_view name) {
  if (name.find_first_of("*?[") == std::string_view::npos) return std::string(name);
  std::string pattern;
  for (const char letter : name) {
    if (std::string_view("*?[\\").find(letter) != std::string_view::npos) pattern += '\\';
    pattern += letter;
  }
  return pattern;
}

std::string rsync_path(std::string_view path) {
  std::string escaped;
  for (const char letter : path) {
    if (std::string_view("*?[]").find(letter) != std::string_view::npos) escaped += '\\';
    escaped += letter;
  }
  return escaped;
}

std::string rsync_shell_word(std::string_view word) {
  return "'" + replace_all(std::string(word), "'", "''") + "'";
}

}  // namespace barman::backup
