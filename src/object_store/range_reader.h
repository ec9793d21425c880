// Objects that are read with "Range: bytes=…", as all providers have it.
#pragma once

#include <memory>
#include <string>

#include "object_store/store_client.h"
#include "pipeline/content_file.h"

namespace barman::object_store {

// `call` reads the whole object; the header `digest_header` of the answer has the digits of its
// MD5, for small ones. One version of the object is read: when it is replaced meanwhile, reading
// throws `io`.
std::unique_ptr<pipeline::ContentFile> open_in_ranges(std::shared_ptr<StoreClient> client,
                                                      StoreCall call,
                                                      const std::string& digest_header);

}  // namespace barman::object_store
