// What S3 and STS answer: read or refused as damaged. The first byte says what was asked.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/error.h"
#include "fuzz_target.h"
#include "object_store/aws_answers.h"
#include "object_store/aws_credentials.h"
#include "object_store/aws_sso.h"
#include "object_store/wire_text.h"

namespace {

using namespace barman::object_store;

void read_answer(std::uint8_t question, std::string_view body) {
  switch (question % 8) {
    case 0: {
      const ListedPage page = parse_listed_page(body);
      if (page.is_truncated && page.next_token.empty()) std::abort();
      return;
    }
    case 1: {
      const UploadsPage page = parse_uploads_page(body);
      if (page.is_truncated && page.next_key.empty()) std::abort();
      return;
    }
    case 2:
      if (parse_upload_id(body).empty()) std::abort();
      return;
    case 3:
      parse_failed_deletions(body);
      return;
    case 4:
      if (parse_session_keys(body).keys.secret_key.empty()) std::abort();
      return;
    case 5: {
      const auto keys = parse_json_keys(std::string(body));
      if (keys && keys->keys.access_key.empty()) std::abort();
      return;
    }
    case 6: {
      // A key in a request is the key that a store reads.
      const std::string key(body);
      if (percent_decoded(percent_encoded(key)) != key) std::abort();
      if (base64_decoded(base64(key)) != key) std::abort();
      form_decoded(key);
      return;
    }
    default: {
      find_aws_error(body);
      const auto keys = parse_sso_keys(std::string(body));
      if (keys && keys->keys.secret_key.empty()) std::abort();
      const VersionsPage page = parse_versions_page(body);
      if (page.is_truncated && page.next_key.empty()) std::abort();
    }
  }
}

}  // namespace

BARMAN_FUZZ_TARGET(aws_answers) {
  if (size == 0) return 0;
  try {
    read_answer(data[0], std::string_view(reinterpret_cast<const char*>(data), size).substr(1));
  } catch (const barman::Error& error) {
    if (error.kind() != barman::ErrorKind::corrupt) std::abort();
  }
  return 0;
}
