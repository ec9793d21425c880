// What Azure's Blob service answers in XML. Read, or refused with `corrupt`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "object_store/aws_answers.h"
#include "object_store/store_client.h"

namespace barman::object_store {

// List Blobs. `next_token` is its marker.
ListedPage parse_azure_page(std::string_view xml);
// <Error><Code>…; empty for what is none.
ProviderError parse_azure_error(std::string_view xml);
// The body of Put Block List.
std::string block_list_request(const std::vector<std::string>& block_ids);

}  // namespace barman::object_store
