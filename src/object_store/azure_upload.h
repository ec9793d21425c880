// One object on its way to Azure: Put Blob, or blocks and their list. Blocks that are given up are
// no blob; Azure forgets them after a week.
//
// Two programs that write a large blob of one name at once: the list of the first one to finish
// makes the blob, and the other one is told InvalidBlockList.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "object_store/azure_client.h"
#include "object_store/parted_upload.h"

namespace barman::object_store {

// As kDigestHeader of S3; names of metadata are identifiers here.
inline constexpr const char* kAzureDigestHeader = "x-ms-meta-barman_md5";

// Bytes of block `number` (from 1): 50,000 of them hold more than 5 TiB. 0 behind the last.
std::uint64_t azure_block_size(std::uint64_t first_size_bytes, unsigned number);

class AzureUpload final : public PartedUpload {
 public:
  AzureUpload(std::shared_ptr<AzureClient> client, std::string key, const UploadOptions& options);
  ~AzureUpload() override;

 private:
  std::uint64_t part_size(unsigned number) const override {
    return azure_block_size(first_block_size_, number);
  }
  void begin_parts() override {}
  void send_part(unsigned number, Bytes content) override;
  void put_whole(Bytes content) override;
  void complete() override;

  std::string block_id(unsigned number) const;
  HttpHeaders blob_headers() const;
  void commit(StoreCall call);

  const ObjectTags tags_;
  const std::uint64_t first_block_size_;
};

}  // namespace barman::object_store
