// The messages of a base backup, on the way from the protocol to a tree of files. The input says
// what is wrong with them (backup/stream_model.h) and how they are cut into pieces; the model says
// what must be DONE: a backup without a defect, and nothing else. Bytes that are changed at random
// may be told or may not matter, but what is DONE then has every file as the server had it.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <span>

#include "backup/stream_model.h"
#include "base/durable.h"
#include "base/error.h"
#include "fuzz_target.h"

namespace {

namespace fs = std::filesystem;
using barman::backup::Defect;
using barman::backup::StreamModel;
using barman::catalogue::StoredForm;

// Data messages in pieces, with progress between them.
std::vector<std::string> cut(const std::vector<std::string>& messages, std::size_t step) {
  std::vector<std::string> pieces;
  for (const std::string& message : messages) {
    if (message.front() != 'd' || message.size() == 1) {
      pieces.push_back(message);
      continue;
    }
    for (std::size_t at = 1; at < message.size(); at += step) {
      pieces.push_back("d" + message.substr(at, step));
      if (at % 3 == 0) pieces.push_back(std::string("p\0\0\0\0\0\0\0\1", 9));
    }
  }
  return pieces;
}

// Three bytes: message, place, value.
bool change(std::vector<std::string>& messages, std::span<const std::uint8_t> input) {
  bool is_changed = false;
  for (; input.size() >= 3; input = input.subspan(3)) {
    std::string& message = messages[input[0] % messages.size()];
    const std::size_t place = std::size_t{input[1]} * 37 % message.size();
    is_changed = is_changed || input[2] != 0;
    message[place] = static_cast<char>(message[place] ^ static_cast<char>(input[2]));
  }
  return is_changed;
}

void require_same_files(const StreamModel& model, const fs::path& directory) {
  for (const auto& [path, content] : model.files()) {
    const std::string separate = "pg_tblspc/16384/";
    const fs::path place = path.starts_with(separate)
                               ? directory / "16384" / path.substr(separate.size())
                               : directory / "data" / path;
    if (barman::read_file(place) != content) std::abort();
  }
}

}  // namespace

BARMAN_FUZZ_TARGET(base_backup) {
  if (size < 3) return 0;
  const std::span input(data, size);
  const fs::path directory =
      fs::path("/dev/shm") / ("barman-fuzz-" + std::to_string(::getpid())) / "backup";
  barman::remove_tree(directory.parent_path());
  barman::make_directories(directory);
  std::set<Defect> defects;
  const std::size_t defect_count = input[0] % 4;
  for (std::size_t index = 0; index < defect_count && index + 2 < size; ++index)
    defects.insert(static_cast<Defect>(input[index + 2] % static_cast<int>(Defect::count)));
  const StoredForm form = (input[0] & 4U) != 0 ? StoredForm::tar : StoredForm::plain;
  const StreamModel model(defects);
  std::vector<std::string> messages = cut(model.messages(), std::size_t{input[1]} * 16 + 16);
  const bool is_changed =
      (input[0] & 8U) != 0 && change(messages, input.subspan(std::min(size, defect_count + 2)));
  bool is_done = false;
  try {
    receive_messages(messages, model, form, directory);
    is_done = true;
  } catch (const barman::Error&) {
    // Refusing is right, where something is wrong.
  }
  if (!is_changed && is_done != defects.empty()) std::abort();
  if (is_done && form == StoredForm::plain) require_same_files(model, directory);
  // Nothing but the data directory and the tablespace that was announced.
  for (const auto& entry : fs::directory_iterator(directory.parent_path()))
    if (entry.path() != directory) std::abort();
  barman::remove_tree(directory.parent_path());
  return 0;
}
