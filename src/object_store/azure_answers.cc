#include "object_store/azure_answers.h"

#include <pugixml.hpp>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "object_store/wire_text.h"

namespace barman::object_store {
namespace {

// Names that XML cannot hold are encoded.
std::string blob_name(const pugi::xml_node& node) {
  const pugi::xml_node name = node.child("Name");
  const std::string text = name.text().get();
  return std::string_view(name.attribute("Encoded").value()) == "true" ? percent_decoded(text)
                                                                       : text;
}

}  // namespace

ListedPage parse_azure_page(std::string_view xml) {
  // The service begins its answers with the mark of UTF-8, which pugixml skips.
  pugi::xml_document document;
  if (!document.load_buffer(xml.data(), xml.size(), pugi::parse_default, pugi::encoding_utf8)) {
    throw Error(ErrorKind::corrupt, "Azure answers with XML that cannot be read");
  }
  const pugi::xml_node root = document.child("EnumerationResults");
  if (!root) throw Error(ErrorKind::corrupt, "Azure answers with something else than a listing");
  ListedPage page{.next_token = root.child("NextMarker").text().get()};
  page.is_truncated = !page.next_token.empty();
  for (const pugi::xml_node& node : root.child("Blobs").children()) {
    const std::string_view kind = node.name();
    if (kind == "BlobPrefix") page.directories.push_back(blob_name(node));
    if (kind != "Blob") continue;
    const pugi::xml_node properties = node.child("Properties");
    // Accounts with a hierarchical namespace list their directories, too.
    if (std::string_view(properties.child("ResourceType").text().get()) == "directory") continue;
    const auto size = parse_integer(properties.child("Content-Length").text().get());
    const auto time = parse_timestamp(properties.child("Last-Modified").text().get());
    if (!size || *size < 0 || !time) {
      throw Error(ErrorKind::corrupt,
                  fmt::format("Azure does not tell size and time of \"{}\"", blob_name(node)));
    }
    page.objects.push_back({.key = blob_name(node),
                            .size_bytes = static_cast<std::uint64_t>(*size),
                            .mtime_seconds = time->time.seconds()});
  }
  return page;
}

ProviderError parse_azure_error(std::string_view xml) {
  pugi::xml_document document;
  if (!document.load_buffer(xml.data(), xml.size(), pugi::parse_default, pugi::encoding_utf8)) {
    return {};
  }
  const pugi::xml_node error = document.child("Error");
  ProviderError result{.code = error.child("Code").text().get(),
                       .message = error.child("Message").text().get()};
  // "The specified blob does not exist.\nRequestId:…\nTime:…"
  result.message = result.message.substr(0, result.message.find('\n'));
  return result;
}

std::string block_list_request(const std::vector<std::string>& block_ids) {
  std::string xml = R"(<?xml version="1.0" encoding="utf-8"?><BlockList>)";
  for (const std::string& id : block_ids) xml += fmt::format("<Latest>{}</Latest>", id);
  return xml + "</BlockList>";
}

}  // namespace barman::object_store
