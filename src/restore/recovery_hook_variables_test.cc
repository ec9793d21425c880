#include "restore/recovery_hook_variables.h"

#include <gtest/gtest.h>

namespace barman::restore {
namespace {

TEST(RecoveryHookVariables, WriteTheGivenOptionsAsPythonWritesJson) {
  RestoreRequest request;
  EXPECT_EQ(recover_options_json(request), "");
  request.target.name = "before \"it\"\n\x01\xff é";
  request.target.timeline = wal::parse_timeline_target("2");
  request.target.exclusive = true;
  EXPECT_EQ(recover_options_json(request),
            R"({"exclusive": true, "target_name": "before \"it\"\n\u0001\udcff \u00e9", )"
            R"("target_tli": 2})");
  request.target = {};
  request.target.timeline = wal::parse_timeline_target("latest");
  EXPECT_EQ(recover_options_json(request), R"({"target_tli": "latest"})");
}

}  // namespace
}  // namespace barman::restore
