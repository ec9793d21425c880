#include "support/two_hosts.h"

#include <unistd.h>

#include <chrono>
#include <filesystem>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "support/eventually.h"
#include "support/privileges.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

// Several hosts of PostgreSQL on a machine that may be busy.
constexpr std::chrono::seconds kSetupTimeout{600};
constexpr std::chrono::seconds kHostCommandTimeout{300};

std::vector<std::string> as_real_root(std::vector<std::string> argv) {
  std::vector<std::string> words = {"setpriv",        "--reuid=0",        "--regid=0",
                                    "--clear-groups", "--pdeathsig=KILL", "--"};
  words.insert(words.end(), argv.begin(), argv.end());
  return words;
}

}  // namespace

std::string TwoHosts::postgres_major() {
  for (const char* const major : {"15", "17"}) {
    if (fs::exists(fs::path("/usr/lib/postgresql") / major / "bin/postgres")) return major;
  }
  return "";
}

bool TwoHosts::is_available() {
  if (!has_root() || postgres_major().empty()) return false;
  if (!fs::exists("/usr/sbin/ip") && !fs::exists("/sbin/ip")) return false;
  const ActAsRoot as_root;
  return run_command(
             {.argv = as_real_root(
                  {"unshare", "--net", "--mount", "--uts", "--pid", "--fork", "sh", "-c",
                   "mount -t tmpfs tmpfs /mnt && mkdir /mnt/u /mnt/w /mnt/r && mount -t overlay -o "
                   "lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w overlay /mnt/r && ip link add lan "
                   "type bridge"})})
             .exit_code == 0;
}

TwoHosts::TwoHosts(const std::string& setup, const std::vector<std::string>& hosts)
    : directory_("barman-hosts", TempDir::Keep::never) {
  const fs::path list = directory_.path() / "hosts";
  std::vector<std::string> argv = {BARMAN_REPOSITORY "/scripts/two-hosts", list.string(),
                                   barman_program().parent_path().string(), setup};
  argv.insert(argv.end(), hosts.begin(), hosts.end());
  {
    const ActAsRoot as_root;
    // The kernel lets no signal of a dying process of another user through to it: it looks itself.
    maker_.emplace(CommandRequest{.argv = as_real_root(argv),
                                  .environment = {{"TWO_HOSTS_OWNER", std::to_string(getpid())}}});
  }
  const bool is_decided =
      eventually([&] { return fs::exists(list) || !maker_->is_running(); }, kSetupTimeout);
  if (!is_decided || !fs::exists(list)) {
    const std::string told = maker_->out() + maker_->err();
    const ActAsRoot as_root;
    maker_.reset();
    throw Error(ErrorKind::internal, "the set-up \"" + setup + "\" fails: " + told);
  }
  for (const std::string& line : split(read_text(list), '\n')) {
    const std::vector<std::string> words = split_blanks(line);
    if (words.size() == 2) pids_.emplace(words[0], words[1]);
  }
}

TwoHosts::~TwoHosts() {
  const ActAsRoot as_root;
  maker_.reset();
}

CommandResult TwoHosts::run(const std::string& user, const std::string& host,
                            const std::string& command, const std::string& input) const {
  const auto pid = pids_.find(host);
  if (pid == pids_.end()) throw Error(ErrorKind::not_found, "the page has no host " + host);
  const ActAsRoot as_root;
  return run_command(
      {.argv = as_real_root({"nsenter", "-a", "-t", pid->second, "--", "runuser", "-l", user, "-s",
                             "/bin/bash", "-c", "exec 2>&1\n" + command}),
       .input = input,
       .timeout = kHostCommandTimeout});
}

}  // namespace barman::test
