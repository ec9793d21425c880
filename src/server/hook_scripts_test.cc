#include "server/hook_scripts.h"

#include <unistd.h>

#include <gtest/gtest.h>

#include "base/durable.h"

namespace barman::server {
namespace {

class HookScriptsTest : public testing::Test {
 protected:
  std::filesystem::path directory_ = std::filesystem::path(testing::TempDir()) /
                                     ("hook_scripts_test." + std::to_string(::getpid()));
  std::filesystem::path output_ = directory_ / "output";
  config::ServerConfig config_;

  void SetUp() override { make_directories(directory_); }
  void TearDown() override { remove_tree(directory_); }
  HookScripts scripts() const {
    return {config_,
            {.server_name = "main",
             .configuration_path = "/etc/barman.conf",
             .path_prefix = std::nullopt},
            HookKind::backup,
            Interrupt()};
  }
};

TEST_F(HookScriptsTest, PassTheirVariables) {
  config_.pre_backup_script =
      "echo $BARMAN_SERVER $BARMAN_PHASE $BARMAN_HOOK $BARMAN_RETRY $BARMAN_BACKUP_ID > " +
      output_.string() + "; exit 1";
  scripts().run_pre({{"BARMAN_BACKUP_ID", "20261121T014237"}});
  EXPECT_EQ(read_file(output_), "main pre backup_script 0 20261121T014237\n");
}

TEST_F(HookScriptsTest, PreRetryScriptCanStopTheEvent) {
  config_.pre_backup_retry_script = "exit 63";
  EXPECT_THROW(scripts().run_pre({}), HookAborted);
  config_.pre_backup_retry_script = "exit 62";
  EXPECT_NO_THROW(scripts().run_pre({}));
}

TEST_F(HookScriptsTest, PostScriptsSeeTheError) {
  config_.post_backup_retry_script =
      "echo retry $BARMAN_ERROR >> " + output_.string() + "; exit 63";
  config_.post_backup_script = "echo plain $BARMAN_ERROR >> " + output_.string();
  scripts().run_post({}, "disk full");
  EXPECT_EQ(read_file(output_), "retry disk full\nplain disk full\n");
}

}  // namespace
}  // namespace barman::server
