#include "system/google_server.h"

#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "object_store/aws_signature.h"
#include "object_store/wire_text.h"
#include "support/command.h"

namespace barman::test {
namespace {

object_store::QueryParameters query_of(const std::string& target) {
  object_store::QueryParameters query;
  const std::size_t mark = target.find('?');
  if (mark == std::string::npos) return query;
  for (const std::string& part : split(target.substr(mark + 1), '&')) {
    const std::size_t equals = part.find('=');
    query.emplace_back(object_store::percent_decoded(part.substr(0, equals)),
                       object_store::percent_decoded(part.substr(equals + 1)));
  }
  return query;
}

std::map<std::string, std::string> headers_of(const std::vector<std::string>& lines) {
  std::map<std::string, std::string> headers;
  for (const std::string& line : lines) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    headers[to_lower(line.substr(0, colon))] = strip(line.substr(colon + 1));
  }
  return headers;
}

}  // namespace

GoogleServer& GoogleServer::shared() {
  static GoogleServer server;
  return server;
}

GoogleServer::GoogleServer() {
  proxy_.rewrite(
      [this](const std::string& head) { return request_head(head); },
      [](const std::string& head) { return replace_all(head, "x-amz-meta-", "x-goog-meta-"); });
  run_checked({.argv = {"openssl", "genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt",
                        "rsa_keygen_bits:2048", "-out", file("key.pem")}});
  run_checked(
      {.argv = {"openssl", "pkey", "-in", file("key.pem"), "-pubout", "-out", file("public.pem")}});
  const std::string key = replace_all(read_text(file("key.pem")), "\n", "\\n");
  write_text(file("account.json"),
             fmt::format(R"({{"type": "service_account", "client_email": "barman@test",
"private_key_id": "1", "private_key": "{}", "project_id": "test", "token_uri": "{}/token"}})",
                         key, tokens_.endpoint()));
  answer_tokens();
}

void GoogleServer::answer_tokens() {
  const std::string body = fmt::format(
      R"({{"access_token": "{}", "expires_in": 3599, "token_type": "Bearer"}})", kToken);
  tokens_.reset();
  tokens_.add(
      {.method = "POST",
       .target = "/token",
       .times = 1'000'000,
       .kind = StoreProxy::Kind::answer,
       .text = fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body)});
}

object_store::StoreOptions GoogleServer::options() const {
  object_store::StoreOptions result;
  result.first_retry_pause = std::chrono::milliseconds(1);
  result.environment = [this](const std::string& name) -> std::optional<std::string> {
    if (name == "GOOGLE_APPLICATION_CREDENTIALS") return file("account.json");
    if (name == "API_ENDPOINT_OVERRIDE") return proxy_.endpoint();
    return std::nullopt;
  };
  return result;
}

// The request as radosgw wants it, or the answer to a wrong token.
std::string GoogleServer::request_head(const std::string& head) const {
  const std::vector<std::string> lines = split(replace_all(head, "\r", ""), '\n');
  const std::vector<std::string> words = split_blanks(lines.at(0));
  const std::string& target = words.at(1);
  std::map<std::string, std::string> headers = headers_of(lines);
  if (headers["authorization"] != std::string("Bearer ") + kToken) {
    return StoreProxy::error_answer(401, "AuthenticationRequired");
  }
  object_store::AwsRequest request{.method = words.at(0),
                                   .host = fmt::format("127.0.0.1:{}", store_.port()),
                                   .encoded_path = target.substr(0, target.find('?')),
                                   .query = query_of(target),
                                   .payload_hash = std::string(object_store::kUnsignedPayload)};
  const std::string meta = "x-goog-meta-";
  for (const auto& [name, value] : headers) {
    if (name.starts_with(meta)) {
      request.headers.emplace_back("x-amz-meta-" + name.substr(meta.size()), value);
    } else if (name == "x-goog-if-generation-match") {
      request.headers.emplace_back("If-None-Match", "*");
    } else if (name == "range" || name == "if-match" || name == "content-md5") {
      request.headers.emplace_back(name, value);
    }
  }
  const std::string& length = headers["content-length"];
  std::string result =
      fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n", words.at(0), target,
                  request.host, length.empty() ? "0" : length);
  for (const auto& [name, value] :
       sign_aws_request(request, {store_.access_key(), store_.secret_key(), ""},
                        {.region = "us-east-1"}, now_local())) {
    result += fmt::format("{}: {}\r\n", name, value);
  }
  return result + "\r\n";
}

std::unique_ptr<object_store::ObjectStore> open_google(const std::string& path,
                                                       const object_store::StoreOptions& options) {
  auto store = object_store::open_store(
      object_store::parse_store_url("gs://google/" + path,
                                    object_store::Provider::google_cloud_storage),
      options);
  static bool is_made = false;
  if (!std::exchange(is_made, true)) store->create_bucket();
  return store;
}

}  // namespace barman::test
