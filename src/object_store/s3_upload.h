// One object on its way to S3, or to Google through the same dialect of XML: PutObject, or a
// multipart upload, which is aborted when it is given up.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "object_store/aws_answers.h"
#include "object_store/parted_upload.h"
#include "object_store/store_client.h"

namespace barman::object_store {

// Amazon's headers and Google's differ in their names.
struct S3Dialect {
  std::string meta_prefix = "x-amz-meta-";
  // Stores the object only when there is none of its name.
  std::pair<std::string, std::string> condition = {"If-None-Match", "*"};
  bool has_conditional_completion = true;
  // Then it is looked first whether there is one.
  bool may_ignore_conditions = false;

  // Digits of the MD5 of objects that are read in one piece, in their metadata: what arrives is
  // compared with it.
  std::string digest_header() const { return meta_prefix + "barman-md5"; }
  // By it an upload whose answer was lost is known.
  std::string mark_header() const { return meta_prefix + "barman-upload"; }
};

// Bytes of part `number` (from 1) where parts begin with `first_size_bytes`: 10,000 of them hold
// more than 5 TiB. 0 behind the last.
std::uint64_t s3_part_size(std::uint64_t first_size_bytes, unsigned number);

// Of new objects that are locked.
inline constexpr std::string_view kLockModeHeader = "x-amz-object-lock-mode";
inline constexpr std::string_view kLockEndHeader = "x-amz-object-lock-retain-until-date";

class S3Upload final : public PartedUpload {
 public:
  // `headers` belong to the object (encryption, tags, storage class), `key_headers` to each part
  // (the customer's key).
  S3Upload(std::shared_ptr<StoreClient> client, std::string key, const UploadOptions& options,
           const S3Dialect& dialect, HttpHeaders headers, HttpHeaders key_headers);
  ~S3Upload() override;

 private:
  std::uint64_t part_size(unsigned number) const override {
    return s3_part_size(first_part_size_, number);
  }
  void begin_parts() override;
  void send_part(unsigned number, Bytes content) override;
  void put_whole(Bytes content) override;
  void complete() override;

  StoreCall completion_call(std::string_view body) const;
  void require_lock(const HttpAnswer& found);
  void abort() noexcept;
  void refuse_what_is_there();

  const S3Dialect dialect_;
  const HttpHeaders headers_;
  const std::uint64_t first_part_size_;
  std::string upload_id_;
  std::mutex mutex_;
  std::vector<UploadedPart> parts_;
};

}  // namespace barman::object_store
