#include <gtest/gtest.h>

#include "support/privileges.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (!GTEST_FLAG_GET(list_tests)) barman::test::become_unprivileged();
  const int result = RUN_ALL_TESTS();
  barman::test::forget_root();
  return result;
}
