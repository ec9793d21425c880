// Strings of JSON documents that are written without a document in memory.
#pragma once

#include <string>
#include <string_view>

namespace barman {

enum class JsonCharacters {
  // As Python's json.dumps(): what is not printable ASCII as \uXXXX; a byte that is not UTF-8
  // becomes
  // the lone surrogate U+DC80..U+DCFF, as Python's surrogateescape does.
  ascii,
  // As PostgreSQL's manifests: UTF-8 as it is; the caller has asked is_utf8().
  utf8,
};

// With its quotes.
void append_json_string(std::string& out, std::string_view text,
                        JsonCharacters characters = JsonCharacters::ascii);
std::string json_string(std::string_view text, JsonCharacters characters = JsonCharacters::ascii);

}  // namespace barman
