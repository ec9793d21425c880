// Small objects as texts: metadata and annotations.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "storage/storage.h"

namespace barman::storage {

// nullopt when there is none. Throws `corrupt` when it is larger than kMaxSmallFile.
std::optional<std::string> find_object_text(const Storage& storage, const std::string& key);
// Complete and durable when it returns.
void put_object_text(Storage& storage, const std::string& key, std::string_view text);

// Pushes all of an object into `sink`, in large pieces, and finishes it. Throws `not_found`.
void push_object(const Storage& storage, const std::string& key, pipeline::Sink& sink);

}  // namespace barman::storage
