#include "object_store/aws_answers.h"

#include <pugixml.hpp>

#include <charconv>

#include <fmt/format.h>

#include "base/error.h"
#include "object_store/wire_text.h"

namespace barman::object_store {
namespace {

// What takes part in a name of XML may have the prefix of a namespace.
std::string_view local_name(const pugi::xml_node& node) {
  const std::string_view name = node.name();
  const std::size_t colon = name.find(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

pugi::xml_node child(const pugi::xml_node& node, std::string_view name) {
  return node.find_child([&](const pugi::xml_node& each) { return local_name(each) == name; });
}

std::string text_of(const pugi::xml_node& node, std::string_view name) {
  return child(node, name).text().get();
}

bool is_set_true(const pugi::xml_node& node, std::string_view name) {
  return text_of(node, name) == "true";
}

pugi::xml_document parse_document(std::string_view xml) {
  pugi::xml_document document;
  // Without declarations of types: nothing outside is looked at, nothing is expanded.
  const pugi::xml_parse_result result =
      document.load_buffer(xml.data(), xml.size(), pugi::parse_default, pugi::encoding_utf8);
  if (!result) {
    throw Error(ErrorKind::corrupt,
                fmt::format("the object store answers with XML that cannot be read: {} at byte {}",
                            result.description(), result.offset));
  }
  return document;
}

// The root, which must have that name.
pugi::xml_node root_of(const pugi::xml_document& document, std::string_view name) {
  const pugi::xml_node root = document.document_element();
  if (local_name(root) != name) {
    throw Error(ErrorKind::corrupt, fmt::format("the object store answers with <{}> where <{}> "
                                                "belongs",
                                                local_name(root), name));
  }
  return root;
}

std::uint64_t size_of(const pugi::xml_node& node, std::string_view name) {
  const std::string text = text_of(node, name);
  std::uint64_t size = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (code != std::errc() || end != text.data() + text.size()) {
    throw Error(ErrorKind::corrupt,
                fmt::format("the object store tells the size of an object as \"{}\"", text));
  }
  return size;
}

Timestamp time_of(const pugi::xml_node& node, std::string_view name) {
  const std::string text = text_of(node, name);
  const auto time = parse_timestamp(text);
  if (!time) {
    throw Error(ErrorKind::corrupt,
                fmt::format("the object store tells the time of an object as \"{}\"", text));
  }
  return time->time;
}

// Names are encoded only when the answer says so.
class NameDecoder {
 public:
  explicit NameDecoder(const pugi::xml_node& root)
      : is_encoded_(text_of(root, "EncodingType") == "url") {}
  std::string operator()(const std::string& name) const {
    return is_encoded_ ? form_decoded(name) : name;
  }

 private:
  bool is_encoded_;
};

void append_element(std::string& xml, std::string_view name, std::string_view text) {
  xml.append("<").append(name).append(">");
  for (const char c : text) {
    switch (c) {
      case '&':
        xml += "&amp;";
        break;
      case '<':
        xml += "&lt;";
        break;
      case '>':
        xml += "&gt;";
        break;
      case '"':
        xml += "&quot;";
        break;
      case '\r':
        xml += "&#13;";
        break;
      case '\n':
        xml += "&#10;";
        break;
      case '\t':
        xml += "&#9;";
        break;
      default:
        xml += c;
    }
  }
  xml.append("</").append(name).append(">");
}

constexpr std::string_view kXmlBeginning = R"(<?xml version="1.0" encoding="UTF-8"?>)";
constexpr std::string_view kS3Namespace = R"( xmlns="http://s3.amazonaws.com/doc/2006-03-01/")";

}  // namespace

std::optional<AwsErrorAnswer> find_aws_error(std::string_view xml) {
  pugi::xml_document document;
  if (!document.load_buffer(xml.data(), xml.size(), pugi::parse_default, pugi::encoding_utf8)) {
    return std::nullopt;
  }
  const pugi::xml_node root = document.document_element();
  // S3 has <Error>, STS has <ErrorResponse><Error>.
  const pugi::xml_node error = local_name(root) == "Error" ? root : child(root, "Error");
  if (!error || (local_name(root) != "Error" && local_name(root) != "ErrorResponse")) {
    return std::nullopt;
  }
  AwsErrorAnswer answer{.code = text_of(error, "Code"),
                        .message = text_of(error, "Message"),
                        .request_id = text_of(error, "RequestId"),
                        .region = text_of(error, "Region"),
                        .endpoint = text_of(error, "Endpoint")};
  if (answer.request_id.empty()) answer.request_id = text_of(root, "RequestId");
  return answer;
}

ListedPage parse_listed_page(std::string_view xml) {
  const pugi::xml_document document = parse_document(xml);
  const pugi::xml_node root = root_of(document, "ListBucketResult");
  const NameDecoder decode(root);
  ListedPage page{.is_truncated = is_set_true(root, "IsTruncated"),
                  .next_token = text_of(root, "NextContinuationToken")};
  for (const pugi::xml_node& node : root.children()) {
    if (local_name(node) == "Contents") {
      const Timestamp time = time_of(node, "LastModified");
      page.objects.push_back({.key = decode(text_of(node, "Key")),
                              .size_bytes = size_of(node, "Size"),
                              .mtime_seconds = time.seconds(),
                              .mtime_nanoseconds = time.microseconds % 1'000'000 * 1000});
    } else if (local_name(node) == "CommonPrefixes") {
      page.directories.push_back(decode(text_of(node, "Prefix")));
    }
  }
  if (page.is_truncated && page.next_token.empty()) {
    throw Error(ErrorKind::corrupt,
                "the object store says that its listing goes on, but not where");
  }
  return page;
}

UploadsPage parse_uploads_page(std::string_view xml) {
  const pugi::xml_document document = parse_document(xml);
  const pugi::xml_node root = root_of(document, "ListMultipartUploadsResult");
  const NameDecoder decode(root);
  UploadsPage page{.is_truncated = is_set_true(root, "IsTruncated"),
                   .next_key = decode(text_of(root, "NextKeyMarker")),
                   .next_id = text_of(root, "NextUploadIdMarker")};
  for (const pugi::xml_node& node : root.children()) {
    if (local_name(node) != "Upload") continue;
    page.uploads.push_back({.key = decode(text_of(node, "Key")),
                            .id = text_of(node, "UploadId"),
                            .begun = time_of(node, "Initiated")});
  }
  if (page.is_truncated && page.next_key.empty()) {
    throw Error(ErrorKind::corrupt,
                "the object store says that its listing goes on, but not where");
  }
  return page;
}

VersionsPage parse_versions_page(std::string_view xml) {
  const pugi::xml_document document = parse_document(xml);
  const pugi::xml_node root = root_of(document, "ListVersionsResult");
  const NameDecoder decode(root);
  VersionsPage page{.is_truncated = is_set_true(root, "IsTruncated"),
                    .next_key = decode(text_of(root, "NextKeyMarker")),
                    .next_version = text_of(root, "NextVersionIdMarker")};
  for (const pugi::xml_node& node : root.children()) {
    if (local_name(node) != "Version" && local_name(node) != "DeleteMarker") continue;
    page.versions.push_back(
        {.key = decode(text_of(node, "Key")), .id = text_of(node, "VersionId")});
    // Without it the object would be hidden behind one more mark.
    if (page.versions.back().id.empty()) {
      throw Error(ErrorKind::corrupt, "the object store lists a version without its ID");
    }
  }
  if (page.is_truncated && page.next_key.empty()) {
    throw Error(ErrorKind::corrupt,
                "the object store says that its listing goes on, but not where");
  }
  return page;
}

std::string parse_upload_id(std::string_view xml) {
  const pugi::xml_document document = parse_document(xml);
  std::string id = text_of(root_of(document, "InitiateMultipartUploadResult"), "UploadId");
  if (id.empty()) {
    throw Error(ErrorKind::corrupt, "the object store begins an upload without an ID for it");
  }
  return id;
}

std::vector<FailedDeletion> parse_failed_deletions(std::string_view xml) {
  const pugi::xml_document document = parse_document(xml);
  std::vector<FailedDeletion> failures;
  for (const pugi::xml_node& node : root_of(document, "DeleteResult").children()) {
    if (local_name(node) != "Error") continue;
    failures.push_back({.key = text_of(node, "Key"),
                        .code = text_of(node, "Code"),
                        .message = text_of(node, "Message")});
  }
  return failures;
}

std::string deletion_request(std::span<const ObjectVersion> versions) {
  std::string xml = fmt::format("{}<Delete{}><Quiet>true</Quiet>", kXmlBeginning, kS3Namespace);
  for (const ObjectVersion& version : versions) {
    xml += "<Object>";
    append_element(xml, "Key", version.key);
    if (!version.id.empty()) append_element(xml, "VersionId", version.id);
    xml += "</Object>";
  }
  return xml + "</Delete>";
}

std::string completion_request(const std::vector<UploadedPart>& parts) {
  std::string xml = fmt::format("{}<CompleteMultipartUpload{}>", kXmlBeginning, kS3Namespace);
  for (const UploadedPart& part : parts) {
    xml += "<Part>";
    append_element(xml, "PartNumber", std::to_string(part.number));
    append_element(xml, "ETag", part.etag);
    xml += "</Part>";
  }
  return xml + "</CompleteMultipartUpload>";
}

SessionKeys parse_session_keys(std::string_view xml) {
  const pugi::xml_document document = parse_document(xml);
  const pugi::xml_node root = document.document_element();
  for (const pugi::xml_node& result : root.children()) {
    const pugi::xml_node node = child(result, "Credentials");
    if (!node) continue;
    SessionKeys session{.keys = {.access_key = text_of(node, "AccessKeyId"),
                                 .secret_key = text_of(node, "SecretAccessKey"),
                                 .session_token = text_of(node, "SessionToken")},
                        .expires = std::nullopt};
    if (child(node, "Expiration")) session.expires = time_of(node, "Expiration");
    if (!session.keys.access_key.empty() && !session.keys.secret_key.empty()) return session;
  }
  throw Error(ErrorKind::corrupt, "the security token service answers without keys");
}

}  // namespace barman::object_store
