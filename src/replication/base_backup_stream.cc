// docs/formats/replication_messages.md
#include "replication/base_backup_stream.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "base/worker_pool.h"
#include "postgres/backup_manifest.h"
#include "postgres/libpq_handle.h"
#include "postgres/versions.h"
#include "replication/copy_session.h"
#include "replication/messages.h"

namespace barman::replication {
namespace {

constexpr int kFirstVersionWithManifest = postgres::kVersion13;
// Options in parentheses, and one COPY of typed messages for everything.
constexpr int kFirstVersionWithTypedMessages = postgres::kVersion15;
constexpr std::string_view kDataCorrupted = "XX001";
constexpr std::string_view kWrongState = "55000";
// How long the receiver waits for more before it hands on an incomplete batch.
constexpr std::chrono::milliseconds kBatchDelay{5};
// While data flows, more is let arrive before the receiver looks again: else it would be woken for
// every 32 KiB that the server writes.
constexpr std::chrono::microseconds kGatherDelay{100};
// Messages are allocated by libpq in one thread and freed in another. What is freed stays with the
// process up to this size, else most of it would be returned to the kernel and asked for again.
constexpr int kKeptFreeBytes = 16 << 20;
constexpr std::size_t kUploadSize = std::size_t{256} << 10;
constexpr std::chrono::minutes kUploadTimeout{1};

// Of the archives that the server sends.
std::string archive_extension(const BaseBackupRequest& request) {
  std::string extension = ".tar";
  if (request.compression) extension += compression::file_extension(request.compression->algorithm);
  return extension;
}

// As a string constant of the replication grammar.
std::string quote_literal(std::string_view text) {
  return "'" + replace_all(std::string(text), "'", "''") + "'";
}

bool sends_manifest(const BaseBackupRequest& request, int server_version) {
  return request.manifest_checksums && server_version >= kFirstVersionWithManifest;
}

std::string old_syntax(const BaseBackupRequest& request, int server_version) {
  std::string command = "BASE_BACKUP LABEL " + quote_literal(request.label) + " PROGRESS";
  if (request.checkpoint == CheckpointMode::fast) command += " FAST";
  if (request.archive_wait == WaitForArchive::no) command += " NOWAIT";
  if (request.max_rate.is_set())
    command += fmt::format(" MAX_RATE {}", request.max_rate.kib_per_second);
  if (request.tablespace_map == TablespaceMap::yes) command += " TABLESPACE_MAP";
  if (sends_manifest(request, server_version))
    command += fmt::format(" MANIFEST 'yes' MANIFEST_CHECKSUMS '{}'",
                           postgres::manifest_algorithm_name(*request.manifest_checksums));
  return command;
}

std::string compression_detail(const ServerCompression& compression) {
  std::vector<std::string> details;
  if (compression.level) details.push_back(fmt::format("level={}", *compression.level));
  if (compression.worker_count)
    details.push_back(fmt::format("workers={}", *compression.worker_count));
  return join(details, ",");
}

std::string new_syntax(const BaseBackupRequest& request) {
  std::vector<std::string> options = {"LABEL " + quote_literal(request.label), "PROGRESS"};
  if (request.checkpoint == CheckpointMode::fast) options.emplace_back("CHECKPOINT 'fast'");
  if (request.archive_wait == WaitForArchive::no) options.emplace_back("WAIT 0");
  if (request.max_rate.is_set())
    options.push_back(fmt::format("MAX_RATE {}", request.max_rate.kib_per_second));
  if (request.tablespace_map == TablespaceMap::yes) options.emplace_back("TABLESPACE_MAP");
  if (request.manifest_checksums) {
    options.emplace_back("MANIFEST 'yes'");
    options.push_back(fmt::format("MANIFEST_CHECKSUMS '{}'",
                                  postgres::manifest_algorithm_name(*request.manifest_checksums)));
  }
  if (request.parent_manifest) options.emplace_back("INCREMENTAL");
  if (request.compression) {
    options.push_back("COMPRESSION " +
                      quote_literal(compression::to_text(request.compression->algorithm)));
    const std::string detail = compression_detail(*request.compression);
    if (!detail.empty()) options.push_back("COMPRESSION_DETAIL " + quote_literal(detail));
  }
  options.emplace_back("TARGET 'client'");
  return fmt::format("BASE_BACKUP ({})", join(options, ", "));
}

void send_query(PGconn* handle, const std::string& command) {
  if (PQsendQuery(handle, command.c_str()) == 0)
    throw Error(ErrorKind::connection, postgres::last_message(handle));
}

void expect_status(const postgres::ResultHandle& result, ExecStatusType expected,
                   const char* what) {
  const ExecStatusType status =
      result == nullptr ? PGRES_EMPTY_QUERY : PQresultStatus(result.get());
  if (status == expected) return;
  throw Error(ErrorKind::corrupt,
              fmt::format("unexpected answer to BASE_BACKUP: {} instead of {}",
                          result == nullptr ? "nothing" : PQresStatus(status), what));
}

std::pair<wal::Lsn, wal::TimelineId> read_position(const postgres::ResultHandle& result) {
  expect_status(result, PGRES_TUPLES_OK, "a WAL position");
  const std::string lsn_text = postgres::get_text(result.get(), 0, 0);
  const auto lsn = wal::parse_lsn(lsn_text);
  const auto timeline = parse_integer(postgres::get_text(result.get(), 0, 1));
  if (!lsn || !timeline || *timeline <= 0 || *timeline > UINT32_MAX)
    throw Error(
        ErrorKind::corrupt,
        fmt::format("unexpected WAL position in the answer to BASE_BACKUP: \"{}\"", lsn_text));
  return {*lsn, {static_cast<std::uint32_t>(*timeline)}};
}

// Of the second answer: NULL is given as nullopt.
std::uint64_t parse_count(const std::string& text, std::uint64_t greatest, const char* what) {
  const auto value = parse_integer(text);
  if (value && *value >= 0 && static_cast<std::uint64_t>(*value) <= greatest)
    return static_cast<std::uint64_t>(*value);
  throw Error(ErrorKind::corrupt,
              fmt::format("unexpected {} in the answer to BASE_BACKUP: \"{}\"", what, text));
}

std::vector<BackupArchive> read_archives(const postgres::ResultHandle& result) {
  constexpr std::uint64_t kGreatestSizeKib = std::uint64_t{1} << 50;
  expect_status(result, PGRES_TUPLES_OK, "the list of tablespaces");
  std::vector<BackupArchive> archives;
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    BackupArchive archive;
    if (const auto oid = postgres::find_text(result.get(), row, 0))
      archive.oid = static_cast<std::uint32_t>(parse_count(*oid, UINT32_MAX, "OID"));
    archive.location = postgres::find_text(result.get(), row, 1).value_or("");
    if (const auto size_kib = postgres::find_text(result.get(), row, 2))
      archive.size_bytes = parse_count(*size_kib, kGreatestSizeKib, "size") * 1024;
    archives.push_back(std::move(archive));
  }
  require_announcement(archives);
  return archives;
}

// What the user can do about a refusal, where the server does not say.
std::string hint_for(const postgres::SqlError& error, const std::string& user) {
  if (!error.hint().empty()) return error.hint();
  if (error.sqlstate() == "42501")
    return fmt::format("Grant the attribute with: ALTER ROLE {} REPLICATION.", user);
  if (error.sqlstate() == kWrongState)
    return "Check that wal_level is 'replica' or higher on the server.";
  return {};
}

}  // namespace

std::string base_backup_command(const BaseBackupRequest& request, int server_version) {
  return server_version >= kFirstVersionWithTypedMessages ? new_syntax(request)
                                                          : old_syntax(request, server_version);
}

// The thread that reads from the connection. It classifies nothing that it need not: what a message
// means is found out by the thread that delivers it.
class BaseBackupStream::Receiver {
 public:
  struct Item {
    enum class Kind { typed_message, part_begin, content, notice, warning, end };
    Kind kind = Kind::content;
    CopyMessage message;
    std::string text;
  };
  using Batch = std::vector<Item>;

  Receiver(BaseBackupStream& stream)
      : stream_(stream),
        handle_(postgres::handle_of(stream.connection_)),
        socket_(::dup(PQsocket(handle_))),
        batches_(kQueueCapacity) {
    if (!socket_.is_open()) throw_errno("cannot duplicate the connection's socket");
  }

  // Runs in the receiver's thread. The batches end with Item::Kind::end, unless it throws.
  void run() {
    try {
      receive();
    } catch (...) {
      batches_.close();
      throw;
    }
    batches_.close();
  }
  std::optional<Batch> next_batch() { return batches_.pop(); }
  // Wakes the receiver, wherever it waits, to give up. From another thread than run().
  void abandon() {
    batches_.close();
    ::shutdown(socket_.get(), SHUT_RDWR);
  }
  const BackupEnd& end() const { return end_; }

 private:
  using Kind = Item::Kind;

  void receive() {
    const NoticeScope notices(stream_.connection_, [this](const Notice& notice) {
      add({.kind = notice.is_warning ? Kind::warning : Kind::notice, .text = notice.text});
      hand_over();
    });
    const int version = stream_.connection_.server_version();
    if (version >= kFirstVersionWithTypedMessages) {
      receive_copy(Kind::typed_message);
    } else {
      std::size_t part_count = stream_.begin_.archives.size();
      if (sends_manifest(stream_.request_, version)) ++part_count;
      for (std::size_t part = 0; part < part_count; ++part) {
        add({.kind = Kind::part_begin});
        receive_copy(Kind::content);
      }
    }
    receive_end();
    add({.kind = Kind::end});
    hand_over();
  }

  void receive_copy(Kind kind) {
    // Long silences happen here: the next COPY may begin after a wait for archiving only.
    hand_over();
    expect_status(next_result(), PGRES_COPY_OUT, "COPY");
    while (true) {
      CopyMessage message;
      switch (read_copy(handle_, message)) {
        case CopyRead::message:
          add({.kind = kind, .message = std::move(message)});
          if (batch_size_ >= kBatchSize) hand_over();
          break;
        case CopyRead::nothing:
          wait();
          break;
        case CopyRead::end:
          return;
      }
    }
  }

  void receive_end() {
    std::tie(end_.lsn, end_.timeline) = read_position(next_result());
    try {
      expect_status(next_result(), PGRES_COMMAND_OK, "the end of the command");
    } catch (const postgres::SqlError& error) {
      // All data is here; what the failed checksums mean is decided by the caller.
      if (error.sqlstate() != kDataCorrupted) throw;
      end_.checksum_failure = error.message();
    }
    while (next_result() != nullptr) {
    }
  }

  postgres::ResultHandle next_result() {
    return wait_for_result(stream_.connection_, stream_.request_.silence, stream_.interrupt_);
  }

  void wait() {
    if (!batch_.empty()) {
      std::this_thread::sleep_for(kGatherDelay);
      if (wait_for_input(handle_, kBatchDelay, stream_.interrupt_) == WaitResult::ready) return;
      hand_over();
    }
    wait_patiently(handle_, stream_.request_.silence, stream_.interrupt_);
  }

  void add(Item item) {
    batch_size_ += item.message.size_bytes;
    batch_.push_back(std::move(item));
  }

  // After abandon() the items are dropped, and the socket fails soon.
  void hand_over() {
    if (batch_.empty()) return;
    batches_.push(std::exchange(batch_, {}));
    batch_.reserve(kBatchSize / 32768 + 2);
    batch_size_ = 0;
  }

  BaseBackupStream& stream_;
  PGconn* handle_;
  const Fd socket_;
  BoundedQueue<Batch> batches_;
  Batch batch_;
  std::size_t batch_size_ = 0;
  BackupEnd end_;
};

// Turns the receiver's items into calls of the visitor.
class BaseBackupStream::Delivery {
 public:
  Delivery(BaseBackupStream& stream, BaseBackupVisitor& visitor)
      : stream_(stream),
        visitor_(visitor),
        sequence_(stream.begin_.archives,
                  sends_manifest(stream.request_, stream.connection_.server_version())
                      ? ManifestUse::required
                      : ManifestUse::none,
                  archive_extension(stream.request_), visitor) {}

  // True when the stream was complete.
  bool run(Receiver& receiver) {
    while (auto batch = receiver.next_batch())
      for (Receiver::Item& item : *batch)
        if (!deliver(item)) return true;
    return false;
  }

 private:
  using Kind = Receiver::Item::Kind;

  bool deliver(const Receiver::Item& item) {
    switch (item.kind) {
      case Kind::typed_message:
        sequence_.take(decode_backup_message(item.message.bytes()));
        break;
      case Kind::part_begin:
        sequence_.begin_part();
        break;
      case Kind::content:
        sequence_.take_data(item.message.bytes());
        break;
      case Kind::warning:
        visitor_.on_warning(item.text);
        [[fallthrough]];
      case Kind::notice:
        stream_.notices_.push_back(item.text);
        visitor_.on_notice(item.text);
        break;
      case Kind::end:
        sequence_.finish();
        return false;
    }
    return true;
  }

  BaseBackupStream& stream_;
  BaseBackupVisitor& visitor_;
  BackupSequence sequence_;
};

BaseBackupStream::BaseBackupStream(postgres::Connection& connection, BaseBackupRequest request,
                                   Interrupt interrupt)
    : connection_(connection), request_(std::move(request)), interrupt_(std::move(interrupt)) {}

const BackupBegin& BaseBackupStream::begin() {
  const NoticeScope notices(connection_,
                            [this](const Notice& notice) { notices_.push_back(notice.text); });
  try {
    if (request_.parent_manifest) upload_manifest(*request_.parent_manifest);
    start();
  } catch (const postgres::SqlError& error) {
    // The server's text stays; what to do is added.
    throw postgres::SqlError(error.sqlstate(), error.message(),
                             hint_for(error, connection_.user()));
  }
  return begin_;
}

// The server parses the manifest at the end, and answers then.
void BaseBackupStream::upload_manifest(const std::filesystem::path& path) {
  PGconn* handle = postgres::handle_of(connection_);
  const Fd file = open_file(path, O_RDONLY);
  send_query(handle, "UPLOAD_MANIFEST");
  expect_status(wait_for_result(connection_, request_.silence, interrupt_), PGRES_COPY_IN, "COPY");
  std::vector<std::byte> buffer(kUploadSize);
  while (const std::size_t size = read_full(file, buffer, path)) {
    interrupt_.throw_if_requested();
    write_copy(handle, Bytes(buffer).first(size), kUploadTimeout);
  }
  end_copy(handle, kUploadTimeout);
  expect_status(wait_for_result(connection_, request_.silence, interrupt_), PGRES_COMMAND_OK,
                "the end of the upload");
  while (wait_for_result(connection_, request_.silence, interrupt_) != nullptr) {
  }
}

void BaseBackupStream::start() {
  send_query(postgres::handle_of(connection_),
             base_backup_command(request_, connection_.server_version()));
  std::tie(begin_.lsn, begin_.timeline) =
      read_position(wait_for_result(connection_, request_.silence, interrupt_));
  begin_.archives = read_archives(wait_for_result(connection_, request_.silence, interrupt_));
}

BackupEnd BaseBackupStream::receive(BaseBackupVisitor& visitor) {
  ::mallopt(M_TRIM_THRESHOLD, kKeptFreeBytes);
  Receiver receiver(*this);
  WorkerPool thread(1);
  thread.submit([&receiver] { receiver.run(); });
  bool is_complete = false;
  try {
    is_complete = Delivery(*this, visitor).run(receiver);
  } catch (...) {
    // The receiver may be waiting for the server or for room in the queue.
    receiver.abandon();
    throw;
  }
  thread.wait();
  if (!is_complete) throw Error(ErrorKind::internal, "the base backup ended without its end");
  require_end(begin_, receiver.end());
  return receiver.end();
}

}  // namespace barman::replication
