// For tests: a Reporter whose two streams are kept in memory.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <functional>
#include <string>

#include "base/error.h"
#include "base/fd.h"
#include "output/reporter.h"

namespace barman::output {

class CapturedOutput {
 public:
  explicit CapturedOutput(const ReporterOptions& options = {})
      : reporter_(redirected(options, out_.get(), err_.get())) {}

  Reporter& reporter() { return reporter_; }
  // What was written so far.
  std::string out() const { return content(out_); }
  std::string err() const { return content(err_); }

 private:
  static ReporterOptions redirected(ReporterOptions options, int out, int err) {
    options.stdout_fd = out;
    options.stderr_fd = err;
    return options;
  }
  static std::string content(const Fd& file) {
    std::string text(static_cast<std::size_t>(::lseek(file.get(), 0, SEEK_END)), '\0');
    text.resize(static_cast<std::size_t>(::pread(file.get(), text.data(), text.size(), 0)));
    return text;
  }

  static Fd memory_file() {
    Fd file(::memfd_create("output", MFD_CLOEXEC));
    if (file.get() < 0) throw_errno("cannot create a file in memory");
    return file;
  }

  Fd out_ = memory_file();
  Fd err_ = memory_file();
  Reporter reporter_;
};

// What `write` sends to stdout, with what follows at the end.
inline std::string captured(OutputFormat format, const std::function<void(Reporter&)>& write) {
  CapturedOutput output({.format = format});
  write(output.reporter());
  output.reporter().finish();
  return output.out();
}

}  // namespace barman::output
