#include "postgres/catalogue_rows.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace barman::postgres {
namespace {

constexpr std::size_t kCataloguePage = 8192;
constexpr std::size_t kNameBytes = 64;

template <typename T>
T value_at(Bytes data, std::size_t offset) {
  T value{};
  std::memcpy(&value, data.data() + offset, sizeof value);
  return value;
}

NamedRow named_row(Bytes columns, bool is_latest) {
  const std::string_view name = as_text(columns.subspan(sizeof(std::uint32_t), kNameBytes));
  return {.oid = value_at<std::uint32_t>(columns, 0),
          .name = std::string(name.substr(0, name.find('\0'))),
          .is_latest = is_latest};
}

// 18 has one more number in front of it.
std::size_t kind_offset_of(int server_major) { return server_major < 18 ? 115 : 119; }

ClassRow class_row(Bytes columns, int server_major, bool is_latest) {
  constexpr std::size_t kSchemaOffset = 68;
  constexpr std::size_t kFileNumberOffset = 88;
  return {.common = named_row(columns, is_latest),
          .schema_oid = value_at<std::uint32_t>(columns, kSchemaOffset),
          .file_number = value_at<std::uint32_t>(columns, kFileNumberOffset),
          .kind = value_at<char>(columns, kind_offset_of(server_major))};
}

// Columns of each row that has at least so many bytes of them.
void visit_rows(Bytes page, std::size_t wanted_bytes,
                const std::function<void(Bytes columns, bool is_latest)>& visit) {
  constexpr std::size_t kPageHeader = 24;
  constexpr std::size_t kLowerOffset = 12;
  constexpr std::size_t kRowHeader = 23;
  constexpr std::size_t kXmaxOffset = 4;
  constexpr std::size_t kFlagsOffset = 20;
  constexpr std::size_t kColumnsOffset = 22;
  constexpr std::uint16_t kXmaxInvalid = 0x0800;
  constexpr std::uint32_t kNormal = 1;
  if (page.size() != kCataloguePage) return;
  const std::size_t lower =
      std::min<std::size_t>(value_at<std::uint16_t>(page, kLowerOffset), kCataloguePage);
  for (std::size_t at = kPageHeader; at + sizeof(std::uint32_t) <= lower;
       at += sizeof(std::uint32_t)) {
    const auto pointer = value_at<std::uint32_t>(page, at);
    const std::size_t begin = pointer & 0x7FFF;
    const std::size_t size = pointer >> 17;
    if (((pointer >> 15) & 3) != kNormal || size < kRowHeader || begin + size > kCataloguePage) {
      continue;
    }
    const Bytes row = page.subspan(begin, size);
    const auto columns = value_at<std::uint8_t>(row, kColumnsOffset);
    if (columns < kRowHeader || columns + wanted_bytes > size) continue;
    const bool is_latest = value_at<std::uint32_t>(row, kXmaxOffset) == 0 ||
                           (value_at<std::uint16_t>(row, kFlagsOffset) & kXmaxInvalid) != 0;
    visit(row.subspan(columns), is_latest);
  }
}

}  // namespace

std::map<std::uint32_t, std::uint32_t> parse_file_map(Bytes content) {
  constexpr std::uint32_t kMagic = 0x592717;
  constexpr std::size_t kHeader = 2 * sizeof(std::uint32_t);
  constexpr std::size_t kMapping = 2 * sizeof(std::uint32_t);
  std::map<std::uint32_t, std::uint32_t> files;
  if (content.size() < kHeader || value_at<std::uint32_t>(content, 0) != kMagic) return files;
  const std::size_t most = (content.size() - kHeader) / kMapping;
  const std::size_t count =
      std::min<std::size_t>(value_at<std::uint32_t>(content, sizeof(std::uint32_t)), most);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = kHeader + i * kMapping;
    files[value_at<std::uint32_t>(content, at)] =
        value_at<std::uint32_t>(content, at + sizeof(std::uint32_t));
  }
  return files;
}

std::optional<NamedRow> named_row_of(Bytes columns) {
  if (columns.size() < sizeof(std::uint32_t) + kNameBytes) return std::nullopt;
  return named_row(columns, true);
}

std::optional<ClassRow> class_row_of(Bytes columns, int server_major) {
  if (columns.size() <= kind_offset_of(server_major)) return std::nullopt;
  return class_row(columns, server_major, true);
}

void visit_named_rows(Bytes page, const std::function<void(const NamedRow&)>& visit) {
  visit_rows(page, sizeof(std::uint32_t) + kNameBytes,
             [&](Bytes columns, bool is_latest) { visit(named_row(columns, is_latest)); });
}

void visit_class_rows(Bytes page, int server_major,
                      const std::function<void(const ClassRow&)>& visit) {
  visit_rows(page, kind_offset_of(server_major) + 1, [&](Bytes columns, bool is_latest) {
    visit(class_row(columns, server_major, is_latest));
  });
}

std::string relation_kind_text(char kind) {
  switch (kind) {
    case 'r':
      return "table";
    case 'i':
      return "index";
    case 'S':
      return "sequence";
    case 't':
      return "TOAST table";
    case 'm':
      return "materialized view";
    default:
      return "";
  }
}

}  // namespace barman::postgres
