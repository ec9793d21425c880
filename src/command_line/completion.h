// Completion scripts for shells, made from the table of a program.
//
// Of a program without commands the script stands alone. Of one with commands it begins with the
// program's own text (ProgramSpec::completion), which has functions for what only the program can
// tell while the user types; PROGRAM is the name with '-' as '_':
// - bash: `_PROGRAM_offer WORDS WORD`, and `_PROGRAM_positional KIND WORD FIRST_ARGUMENT` for every
//   kind of words (OptionSpec::words, PositionalSpec::words)
// - zsh: `_PROGRAM_KIND`, but for files
// - fish: `__PROGRAM_KIND`, `__PROGRAM_argument_count N`, `__PROGRAM_argument_count_from N`
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "command_line/program_spec.h"

namespace barman::command_line {

enum class Shell { bash, zsh, fish };
// nullopt for any other.
std::optional<Shell> find_shell(std::string_view name);

std::string completion_script(const ProgramSpec& program, Shell shell);

// The two forms of it. Internal to command_line/.
std::string completion_of_commands(const ProgramSpec& program, Shell shell);
std::string completion_of_options(const ProgramSpec& program, Shell shell);

// "--wait", "-w"
std::vector<std::string> spellings(const OptionSpec& option);
// "barman_wal_archive", for names of shell functions.
std::string shell_identifier(const ProgramSpec& program);
// Text inside '[...]' of an _arguments specification of zsh in single quotes.
std::string zsh_text(std::string_view text);
// A word of fish, with its quotes.
std::string fish_text(std::string_view text);

}  // namespace barman::command_line
