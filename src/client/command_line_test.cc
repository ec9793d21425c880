#include "client/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace barman::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const ClientProgram kProgram = {.name = "tool",
                                .summary = "do something",
                                .example = "x = 'tool'",
                                .options = {{'U', "user", "USER", "who"},
                                            {0, "port", "PORT", "where"},
                                            {'t', "test", "", "only test"},
                                            {'p', "parallel", "N", "how many"}},
                                .positionals = {{"HOST", "where"}, {"NAME", "which"}}};

std::string refusal_of(const std::vector<std::string>& arguments) {
  try {
    parse_client_line(kProgram, arguments);
  } catch (const ClientUsageError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(ClientCommandLine, OptionsMayStandAnywhere) {
  const ClientArguments line =
      parse_client_line(kProgram, {"host", "-U", "a", "--test", "name", "--user=b"});
  EXPECT_THAT(line.positionals, ElementsAre("host", "name"));
  EXPECT_EQ(line.find("user"), "b");
  EXPECT_TRUE(line.has("test"));
  EXPECT_FALSE(line.has("port"));
  EXPECT_EQ(line.value_or("port", "22"), "22");
  EXPECT_EQ(line.number_or("parallel", 7), 7);
}

TEST(ClientCommandLine, TellsWhatIsWrong) {
  EXPECT_EQ(refusal_of({"host"}), "the following arguments are required: NAME");
  EXPECT_EQ(refusal_of({}), "the following arguments are required: HOST, NAME");
  EXPECT_EQ(refusal_of({"host", "name", "more"}), "unrecognized arguments: more");
  EXPECT_THAT(refusal_of({"host", "name", "--what"}), HasSubstr("--what"));
  EXPECT_THAT(refusal_of({"host", "name", "--user"}), HasSubstr("expected one argument"));
  const ClientArguments line = parse_client_line(kProgram, {"host", "name", "-p", "x"});
  EXPECT_THROW(static_cast<void>(line.number_or("parallel", 0)), ClientUsageError);
}

TEST(ClientCommandLine, HelpAndVersionNeedNothingElse) {
  EXPECT_EQ(parse_client_line(kProgram, {"-h"}).request, ClientArguments::Request::help);
  EXPECT_EQ(parse_client_line(kProgram, {"--version"}).request, ClientArguments::Request::version);
  EXPECT_THAT(kProgram.help(), HasSubstr("usage: tool [options] HOST NAME\n"));
  EXPECT_THAT(kProgram.help(), HasSubstr("Do something. For postgresql.conf:\n  x = 'tool'\n"));
  EXPECT_THAT(kProgram.help(), HasSubstr("-p, --parallel N"));
}

}  // namespace
}  // namespace barman::client
