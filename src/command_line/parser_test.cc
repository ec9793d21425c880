#include "command_line/parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "command_line/help.h"

namespace barman::command_line {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Words = std::vector<std::string>;

ProgramSpec tool(Reading reading) {
  return {
      .name = "tool",
      .summary = "do something",
      .version = "tool 1",
      .help_style = reading == Reading::getopt ? HelpStyle::brief : HelpStyle::full,
      .reading = reading,
      .arguments =
          {.options =
               {{.names = {"help"}, .short_names = "h", .kind = ValueKind::help, .help = "help"},
                {.names = {"version"},
                 .short_names = "V",
                 .kind = ValueKind::version,
                 .help = "version"},
                {.names = {"user"},
                 .short_names = "U",
                 .kind = ValueKind::text,
                 .help = "who",
                 .metavar = "USER"},
                {.names = {"verbose"},
                 .short_names = "v",
                 .help = "more",
                 .repetition = Repetition::accumulate,
                 .group = "output"},
                {.names = {"quiet"}, .short_names = "q", .help = "less", .group = "output"},
                {.names = {"parallel"},
                 .short_names = "p",
                 .kind = ValueKind::non_negative,
                 .help = "how many",
                 .metavar = "N"}},
           .positionals = {{.key = "host", .metavar = "HOST", .help = "where"},
                           {.key = "name", .metavar = "NAME", .help = "which"}}},
      .example = "x = 'tool'"};
}

std::string refusal_of(Reading reading, const Words& words) {
  const ProgramSpec program = tool(reading);
  try {
    parse_line(program, words);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

class OfOneProgram : public testing::TestWithParam<Reading> {};
INSTANTIATE_TEST_SUITE_P(Reading, OfOneProgram,
                         testing::Values(Reading::argparse, Reading::getopt));

TEST_P(OfOneProgram, OptionsMayStandAnywhere) {
  const ProgramSpec program = tool(GetParam());
  const ParsedLine line = parse_line(program, {"there", "-U", "a", "-vv", "it", "--us=b", "-v"});
  EXPECT_EQ(line.request, Request::run);
  EXPECT_EQ(line.command, nullptr);
  EXPECT_EQ(line.arguments.get("host"), "there");
  EXPECT_EQ(line.arguments.get("name"), "it");
  EXPECT_EQ(line.arguments.find("user"), "b");
  EXPECT_EQ(line.arguments.list("verbose").size(), 3U);
  EXPECT_FALSE(line.arguments.is_set("quiet"));
  EXPECT_EQ(line.arguments.find_integer("parallel"), std::nullopt);
  EXPECT_THROW(static_cast<void>(line.arguments.find("usr")), Error);
}

TEST_P(OfOneProgram, HelpAndVersionNeedNothingElse) {
  const ProgramSpec program = tool(GetParam());
  EXPECT_EQ(parse_line(program, {"-h"}).request, Request::help);
  EXPECT_EQ(parse_line(program, {"there", "--vers"}).request, Request::version);
  EXPECT_EQ(parse_line(program, {"-V", "-h", "--what"}).request, Request::version);
}

TEST_P(OfOneProgram, TwoDashesEndOptions) {
  const ProgramSpec program = tool(GetParam());
  const ParsedLine line = parse_line(program, {"there", "--", "-V"});
  EXPECT_EQ(line.arguments.get("name"), "-V");
}

TEST_P(OfOneProgram, WhatIsMissingIsNamed) {
  EXPECT_EQ(refusal_of(GetParam(), {"there"}), "the following arguments are required: NAME");
  EXPECT_EQ(refusal_of(GetParam(), {}), "the following arguments are required: HOST, NAME");
}

TEST(ParseLine, TellsMistakesAsArgparseDoes) {
  constexpr auto kReading = Reading::argparse;
  EXPECT_EQ(refusal_of(kReading, {"a", "b", "--user"}),
            "argument --user/-U: expected one argument");
  EXPECT_EQ(refusal_of(kReading, {"a", "b", "-U", "-v"}),
            "argument --user/-U: expected one argument");
  EXPECT_EQ(refusal_of(kReading, {"a", "--what", "b", "c", "d"}),
            "unrecognized arguments: --what c d");
  EXPECT_EQ(refusal_of(kReading, {"a", "b", "--quiet=1"}),
            "argument --quiet/-q: ignored explicit argument '1'");
  EXPECT_EQ(refusal_of(kReading, {"a", "b", "--ver"}),
            "ambiguous option: --ver could match --version, --verbose");
  EXPECT_EQ(refusal_of(kReading, {"-p", "x"}),
            "argument --parallel/-p: 'x' is not a valid non negative integer");
  EXPECT_EQ(refusal_of(kReading, {"a", "b", "-q", "-v"}),
            "argument --quiet/-q: not allowed with argument --verbose/-v");
}

TEST(ParseLine, TellsMistakesAsGetoptDoes) {
  constexpr auto kReading = Reading::getopt;
  EXPECT_EQ(refusal_of(kReading, {"a", "b", "--use"}), "argument --use: expected one argument");
  EXPECT_EQ(refusal_of(kReading, {"a", "b", "-vU"}), "argument -vU: expected one argument");
  EXPECT_EQ(refusal_of(kReading, {"a", "b", "-U", "-v"}), "accepted");
  EXPECT_EQ(refusal_of(kReading, {"a", "--what", "b", "c", "d"}), "unrecognized arguments: --what");
  EXPECT_EQ(refusal_of(kReading, {"a", "b", "-vx"}), "unrecognized arguments: -vx");
  EXPECT_EQ(refusal_of(kReading, {"a", "b", "c", "d"}), "unrecognized arguments: c");
  EXPECT_EQ(refusal_of(kReading, {"a", "b", "--quiet=1"}), "unrecognized arguments: --quiet=1");
  EXPECT_EQ(refusal_of(kReading, {"a", "b", "--ver"}), "unrecognized arguments: --ver");
  EXPECT_EQ(refusal_of(kReading, {"-p", "x"}), "the following arguments are required: HOST, NAME");
  EXPECT_EQ(refusal_of(kReading, {"a", "b", "-p", "x", "--par=2"}), "accepted");
  EXPECT_EQ(refusal_of(kReading, {"a", "b", "-p", "x"}),
            "argument --parallel: 'x' is not a valid non negative integer");
  EXPECT_EQ(refusal_of(kReading, {"a", "b", "-q", "-v"}),
            "argument --quiet: not allowed with argument --verbose");
}

TEST(ParseLine, TakesSeveralValuesBehindOneName) {
  ProgramSpec program = tool(Reading::argparse);
  program.arguments.options.push_back({.names = {"tags"},
                                       .kind = ValueKind::text,
                                       .help = "tags",
                                       .metavar = "TAGS",
                                       .repetition = Repetition::several_values});
  ParsedLine line = parse_line(program, {"--tags", "a,b", "c,d", "-U", "x", "there", "it"});
  EXPECT_THAT(line.arguments.list("tags"), ElementsAre("a,b", "c,d"));
  EXPECT_EQ(line.arguments.get("name"), "it");
  line = parse_line(program, {"--tags", "a,b", "--", "there", "it"});
  EXPECT_THAT(line.arguments.list("tags"), ElementsAre("a,b"));
  line = parse_line(program, {"--tags=a,b", "there", "it"});
  EXPECT_THAT(line.arguments.list("tags"), ElementsAre("a,b"));
  EXPECT_THAT(usage_text(program), HasSubstr("[--tags TAGS [TAGS ...]]"));
}

TEST(Help, OfAProgramWithoutCommandsHasTwoStyles) {
  const std::string brief = help_text(tool(Reading::getopt));
  EXPECT_THAT(brief, HasSubstr("usage: tool [options] HOST NAME\n"));
  EXPECT_THAT(brief, HasSubstr("Do something. For postgresql.conf:\n  x = 'tool'\n"));
  EXPECT_THAT(brief, HasSubstr("-p, --parallel N"));
  const std::string full = help_text(tool(Reading::argparse));
  EXPECT_THAT(full, testing::StartsWith("usage: tool [-h] [-V] [-U USER] [-v] [-q] [-p N] HOST "
                                        "NAME\n\nDo something\n\narguments:\n"));
  EXPECT_THAT(full, HasSubstr("\n  -p N, --parallel N          how many\n"));
}

}  // namespace
}  // namespace barman::command_line
