#include "backup/rsync_copy.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <set>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/worker_pool.h"

namespace barman::backup {
namespace {

namespace fs = std::filesystem;

using RsyncClock = std::chrono::steady_clock;

constexpr std::uint64_t kMostNames = 100'000;
constexpr std::uint64_t kMostBytes = std::uint64_t{10} << 30;
// What a file costs beside its bytes, in bytes.
constexpr std::uint64_t kCostOfFile = std::uint64_t{32} << 10;
constexpr int kPageRounds = 3;
constexpr std::chrono::milliseconds kTurnStep{50};

double seconds_from(RsyncClock::time_point begun) {
  return std::chrono::duration<double>(RsyncClock::now() - begun).count();
}

bool is_copied_with_parents(const std::function<bool(std::string_view)>& is_copied,
                            std::string_view path) {
  for (std::size_t slash = path.find('/'); slash != std::string_view::npos;
       slash = path.find('/', slash + 1)) {
    if (!is_copied(path.substr(0, slash))) return false;
  }
  return is_copied(path);
}

void make_copied_directory(const fs::path& path, mode_t mode) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    throw_errno(fmt::format("cannot create directory \"{}\"", path.string()));
  }
  if (::chmod(path.c_str(), (mode & 07777U) | 0700U) != 0) {
    throw_errno(fmt::format("cannot set permissions of \"{}\"", path.string()));
  }
}

void sync_every_file(const fs::path& directory) {
  for (const std::string& name : list_directory(directory)) {
    const fs::path path = directory / name;
    const auto status = find_status(path, Links::refuse);
    if (status && S_ISDIR(status->st_mode)) sync_every_file(path);
    if (status && S_ISREG(status->st_mode)) sync_fd(open_file(path, O_RDONLY), path);
  }
  sync_directory(directory);
}

enum class Comparison { by_time, by_checksum };

}  // namespace

struct RsyncCopy::Bucket {
  Bucket(Comparison how, std::size_t own_number, const fs::path& directory)
      : comparison(how), number(own_number), names(directory) {}

  const Comparison comparison;
  // Among those of its tree.
  const std::size_t number;
  NameList names;
  // Of these, what no reference has.
  std::uint64_t sent_bytes = 0;
};

struct RsyncCopy::ListedTree {
  RsyncTree tree;
  std::size_t first_step = 0;
  std::vector<std::unique_ptr<Bucket>> buckets;

  std::size_t step_of(Comparison comparison) const {
    return first_step + (comparison == Comparison::by_time ? 2 : 3);
  }
  std::string describe(Comparison comparison) const {
    return fmt::format("files of {}, by {}", tree.label,
                       comparison == Comparison::by_time ? "time" : "checksum");
  }

  // Filled by the workers.
  std::mutex mutex;
  std::optional<RsyncClock::time_point> begun;
  RsyncTreeTimes times;
  std::atomic<bool> has_arrived = false;
};

struct RsyncCopy::Judged {
  // By checksum: a reference has a file of the same size and second, and that was changed so late
  // that the reference may have an earlier state.
  Comparison comparison = Comparison::by_time;
  // No reference has it, or it has changed.
  bool is_sent = true;
};

// Deals files into lists, the next one into the list with the least to do.
class RsyncCopy::Dealer {
 public:
  Dealer(ListedTree& tree, const fs::path& directory, std::size_t list_count)
      : tree_(tree), directory_(directory), list_count_(list_count) {}

  void deal(const ListedFile& file, const Judged& judged) {
    const Comparison comparison = judged.comparison;
    std::vector<Bucket*>& open = comparison == Comparison::by_time ? by_time_ : by_checksum_;
    std::erase_if(open, [](const Bucket* bucket) {
      return bucket->names.count() >= kMostNames || bucket->names.size_bytes() >= kMostBytes;
    });
    if (open.size() < list_count_) {
      tree_.buckets.push_back(
          std::make_unique<Bucket>(comparison, tree_.buckets.size(), directory_));
      open.push_back(tree_.buckets.back().get());
      add(*open.back(), file, judged);
      return;
    }
    Bucket* const least = *std::min_element(open.begin(), open.end(), [](auto* a, auto* b) {
      return a->names.size_bytes() < b->names.size_bytes();
    });
    add(*least, file, judged);
  }

 private:
  static void add(Bucket& bucket, const ListedFile& file, const Judged& judged) {
    bucket.names.add(file.name, file.size_bytes + kCostOfFile);
    if (judged.is_sent) bucket.sent_bytes += file.size_bytes;
  }

  ListedTree& tree_;
  const fs::path& directory_;
  const std::size_t list_count_;
  std::vector<Bucket*> by_time_;
  std::vector<Bucket*> by_checksum_;
};

RsyncCopy::RsyncCopy(RsyncRun& run, const RsyncCopyOptions& options, const fs::path& root,
                     CopySteps& steps, Progress& progress, const Interrupt& interrupt,
                     std::function<void()> require_going_on)
    : run_(run),
      options_(options),
      root_(root),
      file_system_(root),
      steps_(steps),
      progress_(progress),
      interrupt_(interrupt),
      require_going_on_(std::move(require_going_on)) {}

RsyncCopy::~RsyncCopy() = default;

RsyncCopy::Judged RsyncCopy::judge(const RsyncTree& tree, const ListedFile& file) const {
  Judged judged;
  for (const ReferenceTree& reference : tree.references) {
    const auto status = find_status(reference.directory / file.name, Links::refuse);
    if (!status || !S_ISREG(status->st_mode)) continue;
    if (static_cast<std::uint64_t>(status->st_size) != file.size_bytes ||
        status->st_mtim.tv_sec != file.modified) {
      continue;
    }
    judged.is_sent = false;
    if (!reference.horizon || file.modified >= *reference.horizon) {
      judged.comparison = Comparison::by_checksum;
    }
  }
  return judged;
}

bool RsyncCopy::list_tree(const RsyncTree& tree) {
  const auto begun = RsyncClock::now();
  auto listed = std::make_unique<ListedTree>();
  listed->tree = tree;
  listed->times.label = tree.label;
  listed->first_step = steps_.take(kStepsOfTree);
  bool has_root = false;
  steps_.run(listed->first_step, "list of " + tree.label, [&] {
    // They are made as they are listed.
    steps_.run(listed->first_step + 1, "directories of " + tree.label,
               [&] { has_root = list(tree, *listed); });
  });
  listed->times.analysis_seconds = seconds_from(begun);
  if (has_root) trees_.push_back(std::move(listed));
  return has_root;
}

bool RsyncCopy::list(const RsyncTree& tree, ListedTree& listed) {
  bool has_root = false;
  const auto list_once = [&] {
    has_root = false;
    listed.buckets.clear();
    Dealer dealer(listed, root_, options_.worker_count);
    run_.list(tree.source, tree.filters, [&](const ListedFile& file) {
      if (file.name == "." && file.type == ListedFile::Type::directory) {
        has_root = true;
        make_copied_directory(tree.destination, file.mode);
        return;
      }
      if (!is_copied_with_parents(tree.is_copied, file.name)) return;
      listed.times.has_copied_names = true;
      if (file.type == ListedFile::Type::directory) {
        make_copied_directory(tree.destination / file.name, file.mode);
      } else if (file.type == ListedFile::Type::file) {
        dealer.deal(file, judge(tree, file));
      } else {
        log::warning(log::kBackupComponent,
                     "\"{}/{}\" is neither a file nor a directory, and left out", tree.source,
                     file.name);
      }
    });
  };
  take_turn();
  retry(options_.retries, interrupt_, list_once, [&](const Error& error, std::int64_t attempt) {
    require_going_on_();
    log::warning(log::kBackupComponent, "attempt {} to list \"{}\" failed: {}", attempt + 1,
                 tree.source, error.describe());
  });
  return has_root;
}

bool RsyncCopy::has_names_still(const RsyncTree& tree) {
  bool has_names = false;
  take_turn();
  run_.list(tree.source, tree.filters, [&](const ListedFile& file) {
    has_names = has_names || (file.name != "." && tree.is_copied(file.name));
  });
  return has_names;
}

void RsyncCopy::take_turn() {
  const auto may_start = [&] {
    const std::lock_guard lock(turn_mutex_);
    const auto now = RsyncClock::now();
    if (now - batch_begun_ >= options_.batch_period) {
      batch_begun_ = now;
      started_in_batch_ = 0;
    }
    if (started_in_batch_ >= std::max<std::int64_t>(options_.batch_size, 1)) return false;
    ++started_in_batch_;
    return true;
  };
  while (!may_start()) {
    require_going_on_();
    std::this_thread::sleep_for(kTurnStep);
  }
}

void RsyncCopy::get(NameList& names, const RsyncTransfer& transfer,
                    const RsyncRun::OnFile& on_file) {
  if (names.count() <= options_.names_of_run) {
    get_with_retries(names, transfer, on_file);
    return;
  }
  NameList part(root_);
  const auto get_part = [&] {
    if (part.count() == 0) return;
    get_with_retries(part, transfer, on_file);
    part = NameList(root_);
  };
  names.for_each([&](const std::string& name) {
    part.add(name, 0);
    if (part.count() == options_.names_of_run) get_part();
  });
  get_part();
}

void RsyncCopy::get_with_retries(NameList& names, const RsyncTransfer& transfer,
                                 const RsyncRun::OnFile& on_file) {
  RsyncTransfer next = transfer;
  retry(
      options_.retries, interrupt_,
      [&] {
        take_turn();
        run_.get(names, next, on_file);
      },
      [&](const Error& error, std::int64_t attempt) {
        require_going_on_();
        if (has_failed_) throw error;
        log::warning(log::kBackupComponent, "attempt {} to copy {} files from \"{}\" failed: {}",
                     attempt + 1, names.count(), transfer.source, error.describe());
        next.is_repeated = true;
      });
}

// What is wrong was perhaps read while PostgreSQL wrote it: the file is read again.
void RsyncCopy::settle_pages(const ListedTree& tree, std::vector<std::string> suspects) {
  for (int round = 1; !suspects.empty(); ++round) {
    NameList names(root_);
    for (const std::string& name : suspects) names.add(name, 0);
    std::set<std::string> still_there;
    get(names,
        {.source = tree.tree.source,
         .destination = tree.tree.destination,
         .options = {"--ignore-times"},
         .is_repeated = true},
        [&](const ReportedFile& file) { still_there.insert(file.name); });
    std::vector<std::string> damaged;
    for (const std::string& name : still_there) {
      const std::vector<std::uint32_t> blocks =
          check_copied_file(tree.tree.destination / name, tree.tree.prefix + name, options_.checks,
                            require_going_on_);
      if (blocks.empty()) continue;
      damaged.push_back(name);
      if (round < kPageRounds) continue;
      for (const std::uint32_t block : blocks) damage_.add(tree.tree.prefix + name, block);
    }
    if (round == kPageRounds) return;
    suspects = std::move(damaged);
  }
}

void RsyncCopy::check_arrived(const ListedTree& tree, const std::string& name,
                              std::set<std::string>& suspects) const {
  const bool is_good = check_copied_file(tree.tree.destination / name, tree.tree.prefix + name,
                                         options_.checks, require_going_on_)
                           .empty();
  if (!is_good) suspects.insert(name);
}

void RsyncCopy::copy_bucket(ListedTree& tree, Bucket& bucket) {
  RsyncTransfer transfer{.source = tree.tree.source,
                         .destination = tree.tree.destination,
                         .options = {},
                         .limit = tree.tree.limit,
                         .sent_bytes = bucket.sent_bytes};
  if (transfer.limit.is_set()) {
    const std::uint64_t at_once = std::min(options_.worker_count, tree.buckets.size());
    transfer.limit.kib_per_second =
        std::max<std::uint64_t>(transfer.limit.kib_per_second / at_once, 1);
  }
  for (const ReferenceTree& reference : tree.tree.references) {
    transfer.options.push_back(
        (options_.reuse == config::ReuseBackup::link ? "--link-dest=" : "--copy-dest=") +
        reference.directory.string());
  }
  if (bucket.comparison == Comparison::by_checksum) transfer.options.emplace_back("--checksum");
  std::set<std::string> suspects;
  // rsync gives a file its time behind the report of it, and before the report of the next one.
  std::optional<std::string> arrived;
  get(bucket.names, transfer, [&](const ReportedFile& file) {
    if (!file.is_file) return;
    tree.has_arrived = true;
    progress_.advance(file.size_bytes);
    if (file.action == ReportedFile::Action::linked) return;
    if (arrived) check_arrived(tree, *arrived, suspects);
    arrived = file.name;
  });
  if (arrived) check_arrived(tree, *arrived, suspects);
  settle_pages(tree, {suspects.begin(), suspects.end()});
}

void RsyncCopy::work(ListedTree& tree, Bucket& bucket) {
  const auto begun = RsyncClock::now();
  {
    const std::lock_guard lock(tree.mutex);
    if (!tree.begun) tree.begun = begun;
  }
  try {
    steps_.run(tree.step_of(bucket.comparison), bucket.number, tree.describe(bucket.comparison),
               [&] { copy_bucket(tree, bucket); });
  } catch (...) {  // copy_trees() throws the first one; the other workers end soon.
    const std::lock_guard lock(turn_mutex_);
    if (!has_failed_) failure_ = std::current_exception();
    has_failed_ = true;
    run_.end_all();
    return;
  }
  const std::lock_guard lock(tree.mutex);
  tree.times.serial_seconds += seconds_from(begun);
  tree.times.copy_seconds = seconds_from(*tree.begun);
}

void RsyncCopy::copy_trees() {
  WorkerPool workers(options_.worker_count);
  for (const auto& listed : trees_) {
    for (const Comparison comparison : {Comparison::by_time, Comparison::by_checksum}) {
      const bool is_needed =
          std::any_of(listed->buckets.begin(), listed->buckets.end(),
                      [&](const auto& bucket) { return bucket->comparison == comparison; });
      if (!is_needed) steps_.skip(listed->step_of(comparison), listed->describe(comparison));
    }
    for (const auto& bucket : listed->buckets) {
      workers.submit([this, tree = listed.get(), next = bucket.get()] {
        if (!has_failed_) work(*tree, *next);
      });
    }
  }
  workers.wait();
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  for (const auto& listed : trees_) {
    if (!listed->buckets.empty() && !listed->has_arrived) {
      listed->times.has_copied_names = has_names_still(listed->tree);
    }
    times_.push_back(listed->times);
  }
}

bool RsyncCopy::copy_file(const std::string& source, const fs::path& destination) {
  const fs::path path(source);
  // What is here may be a link to a file of another backup.
  if (::unlink(destination.c_str()) != 0 && errno != ENOENT) {
    throw_errno(fmt::format("cannot remove \"{}\"", destination.string()));
  }
  NameList names(root_);
  names.add(path.filename().string(), 0);
  get_with_retries(names,
                   {.source = path.parent_path().string(),
                    .destination = destination.parent_path(),
                    .options = {}},
                   [](const ReportedFile&) {});
  return find_status(destination).has_value();
}

void RsyncCopy::make_durable() {
  if (file_system_.covers(open_file(root_, O_RDONLY | O_DIRECTORY), root_)) {
    file_system_.sync();
  } else {
    sync_every_file(root_);
  }
}

}  // namespace barman::backup
