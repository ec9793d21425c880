// A connection of a test to PostgreSQL, and the rows it answers.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace barman::test {

// Values as PostgreSQL prints them; NULL is "(null)".
using Row = std::vector<std::string>;
using Rows = std::vector<Row>;

class Session {
 public:
  // Throws Error `connection`.
  explicit Session(const std::string& conninfo);

  // Any statement, several separated by ';' too. Throws Error `remote` with PostgreSQL's message.
  Rows query(const std::string& sql);
  // The first value of the first row.
  std::string value(const std::string& sql);

 private:
  struct Closer {
    void operator()(void* connection) const;
  };
  std::unique_ptr<void, Closer> connection_;
};

}  // namespace barman::test
