#include "support/fake_bucket.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"

namespace barman::test {
namespace {

constexpr std::uint64_t kPageSize = 1000;
constexpr std::uint64_t kSegmentsOfDirectory = 256;
constexpr const char* kBackups = "path/main/base/";
constexpr const char* kWals = "path/main/wals/";
// Of each backup, in the order of a listing.
constexpr std::array<const char*, 4> kNames = {"backup.info", "backup_manifest", "data.tar",
                                               "index/data"};
constexpr const char* kHeaders =
    "Last-Modified: Sun, 29 Nov 2026 10:00:00 GMT\r\nETag: \"0123456789abcdef\"\r\n";

std::string http_answer(int status, const std::string& headers, const std::string& body) {
  return fmt::format("HTTP/1.1 {} Answer\r\n{}Content-Length: {}\r\n\r\n{}", status, headers,
                     body.size(), body);
}

std::string decoded(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      result += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      result += text[i];
    }
  }
  return result;
}

// Of "a=1&b=2".
std::string parameter(const std::string& query, const std::string& name) {
  for (const std::string& part : split(query, '&')) {
    if (part.starts_with(name + "=")) return decoded(part.substr(name.size() + 1));
  }
  return "";
}

}  // namespace

FakeBucket::FakeBucket(Size size, std::vector<Upload> uploads)
    : size_(size), uploads_(std::move(uploads)), proxy_(0) {
  proxy_.rewrite([this](const std::string& head) { return answer(head); },
                 [](const std::string& head) { return head; });
}

std::vector<std::string> FakeBucket::aborted() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> keys = aborted_;
  std::sort(keys.begin(), keys.end());
  return keys;
}

std::string FakeBucket::list_uploads(const std::string& prefix) const {
  std::string text = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>";
  const std::lock_guard lock(mutex_);
  for (const Upload& upload : uploads_) {
    if (!upload.key.starts_with(prefix)) continue;
    const std::time_t begun = std::time(nullptr) - std::chrono::seconds(upload.age).count();
    std::tm parts{};
    gmtime_r(&begun, &parts);
    std::array<char, 32> time{};
    std::strftime(time.data(), time.size(), "%Y-%m-%dT%H:%M:%S.000Z", &parts);
    text += fmt::format(
        "<Upload><Key>{0}</Key><UploadId>{0}</UploadId><Initiated>{1}</Initiated></Upload>",
        upload.key, time.data());
  }
  return http_answer(200, "", text + "</ListMultipartUploadsResult>");
}

FakeBucket::Counts FakeBucket::take_counts() {
  return {.pages = pages_.exchange(0), .infos = infos_.exchange(0), .others = others_.exchange(0)};
}

// One an hour.
std::string FakeBucket::backup_id(unsigned number) const {
  constexpr std::time_t kBegin = 1'700'000'000;
  constexpr std::time_t kHour = 3600;
  const std::time_t time = kBegin + kHour * static_cast<std::time_t>(number);
  std::tm parts{};
  gmtime_r(&time, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%S", &parts);
  return text.data();
}

std::string FakeBucket::wal_name(unsigned number) const {
  return fmt::format("00000001{:08X}{:08X}", number / kSegmentsOfDirectory,
                     number % kSegmentsOfDirectory);
}

std::string FakeBucket::backup_info(unsigned number) const {
  const std::uint64_t segment = std::uint64_t{size_.wals} * number / std::max(size_.backups, 1U);
  const std::string wal = wal_name(static_cast<unsigned>(segment));
  const std::string lsn =
      fmt::format("{:X}/{:X}", segment / kSegmentsOfDirectory,
                  segment % kSegmentsOfDirectory * (std::uint64_t{16} << 20) + 40);
  const std::string id = backup_id(number);
  const std::string time = fmt::format("{}-{}-{} {}:{}", id.substr(0, 4), id.substr(4, 2),
                                       id.substr(6, 2), id.substr(9, 2), id.substr(11, 2));
  return fmt::format(
      "backup_label=None\nbegin_offset=40\nbegin_time={0}:01+00:00\nbegin_wal={1}\nbegin_xlog={2}\n"
      "children_backup_ids=None\ncluster_size=23506633\ncompression=None\nconfig_file=None\n"
      "copy_stats=None\ndata_checksums=on\ndeduplicated_size=1000\nencryption=None\nend_offset="
      "312\n"
      "end_time={0}:02+00:00\nend_wal={1}\nend_xlog={2}\nerror=None\nhba_file=None\n"
      "ident_file=None\nincluded_files=None\nmode=postgres\nparent_backup_id=None\n"
      "pgdata=/srv/data\nserver_name=main\nsize=1000\nstatus=DONE\nsummarize_wal=None\n"
      "systemid=7710433670035413314\ntablespaces=None\ntimeline=1\nversion=150020\n"
      "xlog_segment_size=16777216\n",
      time, wal, lsn);
}

std::string FakeBucket::key_at(std::uint64_t index) const {
  const std::uint64_t of_backups = std::uint64_t{size_.backups} * kNames.size();
  if (index < of_backups) {
    return fmt::format("{}{}/{}", kBackups, backup_id(static_cast<unsigned>(index / kNames.size())),
                       kNames.at(index % kNames.size()));
  }
  const std::string name = wal_name(static_cast<unsigned>(index - of_backups));
  return fmt::format("{}{}/{}.gz", kWals, name.substr(0, 16), name);
}

std::uint64_t FakeBucket::first_at_or_behind(std::string_view key) const {
  std::uint64_t low = 0;
  std::uint64_t high = std::uint64_t{size_.backups} * kNames.size() + size_.wals;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (key_at(middle) < key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

std::string FakeBucket::listing(const std::string& query) {
  ++pages_;
  const std::string prefix = parameter(query, "prefix");
  const std::string token = parameter(query, "continuation-token");
  std::uint64_t index = token.empty()
                            ? first_at_or_behind(prefix)
                            : static_cast<std::uint64_t>(parse_integer(token).value_or(0));
  const std::uint64_t end = std::uint64_t{size_.backups} * kNames.size() + size_.wals;
  std::string objects;
  std::uint64_t count = 0;
  for (; index < end && count < kPageSize; ++index, ++count) {
    const std::string key = key_at(index);
    if (!key.starts_with(prefix)) break;
    objects += fmt::format(
        "<Contents><Key>{}</Key><LastModified>2026-11-29T10:00:00.000Z</LastModified>"
        "<ETag>\"0123\"</ETag><Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>",
        key, key.ends_with("backup.info") ? 800 : 4'000'000);
  }
  const bool goes_on = index < end && key_at(index).starts_with(prefix);
  return http_answer(
      200, "Content-Type: application/xml\r\n",
      fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult><Name>big</Name>"
                  "<EncodingType>url</EncodingType><KeyCount>{}</KeyCount>"
                  "<IsTruncated>{}</IsTruncated>{}{}</ListBucketResult>",
                  count, goes_on,
                  goes_on ? fmt::format("<NextContinuationToken>{}</NextContinuationToken>", index)
                          : std::string(),
                  objects));
}

std::string FakeBucket::object(const std::string& method, const std::string& key) {
  const std::uint64_t index = first_at_or_behind(key);
  const std::uint64_t of_backups = std::uint64_t{size_.backups} * kNames.size();
  const bool is_there = index < of_backups + size_.wals && key_at(index) == key;
  const bool is_info = is_there && index < of_backups && index % kNames.size() == 0;
  if (is_info && method == "GET") {
    ++infos_;
  } else {
    ++others_;
  }
  if (method == "PUT") return http_answer(200, kHeaders, "");
  if (method == "DELETE") return http_answer(204, "", "");
  if (method == "POST") return http_answer(200, "", "<DeleteResult></DeleteResult>");
  if (!is_there) {
    return method == "HEAD" ? http_answer(404, "", "") : StoreProxy::error_answer(404, "NoSuchKey");
  }
  const std::string content =
      is_info ? backup_info(static_cast<unsigned>(index / kNames.size())) : std::string("x");
  if (method == "HEAD") {
    return fmt::format("HTTP/1.1 200 Answer\r\n{}Content-Length: {}\r\n\r\n", kHeaders,
                       content.size());
  }
  return http_answer(206,
                     fmt::format("{}Content-Range: bytes 0-{}/{}\r\n", kHeaders, content.size() - 1,
                                 content.size()),
                     content);
}

std::string FakeBucket::answer(const std::string& head) {
  const std::vector<std::string> words = split_blanks(head.substr(0, head.find("\r\n")));
  const std::size_t mark = words[1].find('?');
  const std::string path = decoded(words[1].substr(0, mark));
  const std::string query = mark == std::string::npos ? "" : words[1].substr(mark + 1);
  // "/BUCKET/KEY"
  const std::size_t slash = path.find('/', 1);
  const std::string key = slash == std::string::npos ? "" : path.substr(slash + 1);
  if (words[0] == "GET" && parameter(query, "list-type") == "2") return listing(query);
  if (words[0] == "GET" && key.empty()) {
    ++others_;
    return list_uploads(parameter(query, "prefix"));
  }
  if (key.empty() && words[0] != "POST") {
    ++others_;
    return http_answer(200, "", "");
  }
  if (words[0] == "DELETE" && !parameter(query, "uploadId").empty()) {
    ++others_;
    const std::lock_guard lock(mutex_);
    aborted_.push_back(key);
    return http_answer(204, "", "");
  }
  return object(words[0], key);
}

}  // namespace barman::test
