// One object on its way into a bucket: in one request when it fits into one part, else in parts,
// several at once, while the next one is filled. What the requests are is the provider's.
//
// Memory: (StoreOptions::jobs + 1) parts. The object is there when finish() returns, and not
// before.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "object_store/part_sender.h"
#include "object_store/store_client.h"
#include "pipeline/sink.h"

namespace barman::object_store {

class PartedUpload : public pipeline::Sink {
 public:
  void write(Bytes data) final;
  void finish() final;

 protected:
  // How the provider calls its requests, and what goes with each of them.
  struct Words {
    std::string_view look;  // "HeadObject"
    // Of the metadata of the object: by its value an upload whose answer was lost is known.
    std::string mark_header;
    HttpHeaders key_headers = {};  // a key of the customer
  };

  PartedUpload(std::shared_ptr<StoreClient> client, std::string key, const UploadOptions& options,
               Words words);

  // Of part `number`, from 1; 0 when there cannot be so many.
  virtual std::uint64_t part_size(unsigned number) const = 0;
  // Before the first part, by the thread that writes.
  virtual void begin_parts() = 0;
  // By several threads.
  virtual void send_part(unsigned number, Bytes content) = 0;
  // Commit points: the answer to the last request.
  virtual void put_whole(Bytes content) = 0;
  virtual void complete() = 0;

  // For destructors, first thing: no part is under way any more. False when the upload was not
  // finished.
  bool end_parts();

  StoreClient& client() const { return *client_; }
  const std::string& key() const { return key_; }
  bool refuses() const { return if_present_ == storage::IfPresent::refuse; }
  std::uint64_t size_bytes() const { return size_bytes_; }
  unsigned part_count() const { return part_count_; }
  // Nobody can guess it.
  const std::string& mark() const { return mark_; }
  const HttpHeaders& key_headers() const { return words_.key_headers; }
  // What lies under the name now.
  std::optional<HttpAnswer> find_object();
  bool is_ours(const std::optional<HttpAnswer>& found) const;
  // Throws `corrupt` when what was put together is not what was sent. Returns what the provider
  // says about it; nullopt when somebody else has replaced it already.
  std::optional<HttpAnswer> check_size();
  [[noreturn]] void throw_taken() const;

 private:
  void submit_part();

  const std::shared_ptr<StoreClient> client_;
  const std::string key_;
  const storage::IfPresent if_present_;
  const Words words_;
  const std::string mark_;
  PartContent buffer_;
  std::uint64_t size_bytes_ = 0;
  unsigned part_count_ = 0;
  bool is_finished_ = false;
  std::unique_ptr<PartSender> sender_;
};

}  // namespace barman::object_store
