// What stands for Google Cloud Storage in the tests: a proxy that checks the tokens, and turns
// Google's dialect of XML into that of a real store, radosgw.
#pragma once

#include <memory>
#include <string>

#include "object_store/object_store.h"
#include "support/object_server.h"
#include "support/store_proxy.h"
#include "support/temp_dir.h"

namespace barman::test {

class GoogleServer {
 public:
  // What it takes.
  static constexpr const char* kToken = "ya29.the-token";

  // Started at the first call, and ended with the program.
  static GoogleServer& shared();

  GoogleServer();

  // With the key of a service account, whose tokens come from `tokens`.
  object_store::StoreOptions options() const;
  // Forgets what was asked there.
  void answer_tokens();
  std::string file(const std::string& name) const { return (directory_.path() / name).string(); }

  StoreProxy& proxy() { return proxy_; }
  StoreProxy& tokens() { return tokens_; }

 private:
  std::string request_head(const std::string& head) const;

  const TempDir directory_{"barman-google", TempDir::Keep::never};
  ObjectServer& store_ = ObjectServer::shared();
  StoreProxy proxy_{store_.port()};
  StoreProxy tokens_{store_.port()};
};

std::unique_ptr<object_store::ObjectStore> open_google(const std::string& path,
                                                       const object_store::StoreOptions& options);

}  // namespace barman::test
