#include "server/receiver_unit.h"

#include <sys/stat.h>

#include <cstdlib>

#include <gtest/gtest.h>

#include "base/test_support.h"
#include "server/server.h"

namespace barman::server {
namespace {

namespace fs = std::filesystem;

// A host with systemd whose systemctl writes down what it is asked for.
class ReceiverUnit : public ::testing::Test {
 protected:
  ReceiverUnit() {
    fs::create_directories(host_.runtime_directory);
    put_file(root() / "systemctl", "#!/bin/sh\necho \"$@\" >> " + (root() / "calls").string() +
                                       "\ncase $3 in *broken*) echo no such unit; exit 5;; esac\n");
    EXPECT_EQ(::chmod((root() / "systemctl").c_str(), 0755), 0);
    put_file(root() / ".barman.conf", "[barman]\n");
    const char* home = std::getenv("HOME");
    if (home != nullptr) old_home_ = home;
    EXPECT_EQ(::setenv("HOME", root().c_str(), 1), 0);
  }
  ~ReceiverUnit() override {
    if (old_home_) {
      ::setenv("HOME", old_home_->c_str(), 1);
    } else {
      ::unsetenv("HOME");
    }
  }
  ReceiverUnit(const ReceiverUnit&) = delete;
  ReceiverUnit& operator=(const ReceiverUnit&) = delete;

  fs::path root() const { return home_.path(); }
  Server make(const std::string& name, const fs::path& configuration) {
    config::ServerConfig config;
    config.name = name;
    config.backup_directory = (root() / "main").string();
    config::GlobalConfig global;
    global.barman_lock_directory = root().string();
    return {config, global, {.configuration_path = configuration}};
  }

  TemporaryDirectory home_;
  std::optional<std::string> old_home_;
  SystemdHost host_ = {.runtime_directory = root() / "systemd",
                       .processes = root() / "proc",
                       .systemctl = (root() / "systemctl").string()};
};

TEST_F(ReceiverUnit, IsForTheDefaultConfigurationOnly) {
  EXPECT_EQ(find_receiver_unit(make("main", root() / ".barman.conf"), host_),
            "barman-receive-wal@main.service");
  put_file(root() / "other.conf", "[barman]\n");
  EXPECT_EQ(find_receiver_unit(make("main", root() / "other.conf"), host_), std::nullopt);
  EXPECT_EQ(find_receiver_unit(make("a b", root() / ".barman.conf"), host_), std::nullopt);
  EXPECT_EQ(find_receiver_unit(make("-a", root() / ".barman.conf"), host_), std::nullopt);
  fs::remove(host_.runtime_directory);
  EXPECT_EQ(find_receiver_unit(make("main", root() / ".barman.conf"), host_), std::nullopt);
}

TEST_F(ReceiverUnit, IsFoundInTheControlGroupOfAProcess) {
  put_file(root() / "proc" / "1" / "cgroup",
           "0::/system.slice/system-x.slice/barman-receive-wal@main.service\n");
  put_file(root() / "proc" / "2" / "cgroup", "0::/user.slice/session-1.scope\n");
  EXPECT_EQ(find_unit_of_process(1, host_), "barman-receive-wal@main.service");
  EXPECT_EQ(find_unit_of_process(2, host_), std::nullopt);
  EXPECT_EQ(find_unit_of_process(3, host_), std::nullopt);
}

TEST_F(ReceiverUnit, IsStartedAndStoppedBySystemctl) {
  EXPECT_TRUE(control_unit("u.service", UnitAction::start, host_));
  EXPECT_TRUE(control_unit("u.service", UnitAction::stop, host_));
  EXPECT_FALSE(control_unit("broken.service", UnitAction::start, host_));
  EXPECT_EQ(get_file(root() / "calls"),
            "--no-ask-password start u.service\n--no-ask-password stop u.service\n"
            "--no-ask-password start broken.service\n");
  host_.systemctl = "/nowhere/systemctl";
  EXPECT_FALSE(control_unit("u.service", UnitAction::start, host_));
}

}  // namespace
}  // namespace barman::server
