// The steps of a copy, as the log tells them to who watches it: "Copy step 3 of 9: [bucket 0]
// starting files of pgdata, by time". Thread-safe.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>

namespace barman::backup {

class CopySteps {
 public:
  explicit CopySteps(std::size_t count) : count_(count) {}

  // The number of the first of the next steps.
  std::size_t take(std::size_t count) { return next_.fetch_add(count); }
  // Does it, and tells when it begins and ends. Without a bucket it is one of the whole copy.
  void run(std::size_t step, const std::string& what, const std::function<void()>& action) const {
    run(step, std::nullopt, what, action);
  }
  void run(std::size_t step, std::optional<std::size_t> bucket, const std::string& what,
           const std::function<void()>& action) const;
  // There is nothing to do in it.
  void skip(std::size_t step, const std::string& what) const;

 private:
  void tell(std::size_t step, std::optional<std::size_t> bucket, const std::string& event,
            const std::string& what) const;

  const std::size_t count_;
  std::atomic<std::size_t> next_ = 1;
};

}  // namespace barman::backup
