#include "tests/bench/thin_proxy.h"

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "assetgate/v1/asset_service.grpc.pb.h"
#include "base/json.h"
#include "model/tenant.h"
#include "rapidjson/document.h"
#include "store/sqlite/database.h"
#include "store/sqlite/migrations.h"
#include "store/store.h"
#include "tests/bench/reference.h"
#include "tests/bench/transfer.h"

namespace assetgate::bench {
namespace {

using store::sqlite::Connection;
using store::sqlite::Query;
using store::sqlite::Statement;

constexpr int kAssetKind = static_cast<int>(store::Kind::kAsset);

// One write of an asset.
struct Write {
  // Of the first write of the same asset; 0 in that.
  std::int64_t create_revision = 0;
  std::string id;
  std::string resource;
  // All terms of the row, and those that this write adds.
  std::vector<std::string> terms;
  std::vector<std::string> new_terms;
  // The submission, as it is journalled before it is sent.
  std::string internal;
};

// Commits writes in groups, on a thread of its own.
class Rows {
 public:
  using Done = std::function<void(std::int64_t create_revision)>;

  absl::Status Open(const std::string& path) {
    std::ofstream(path).close();
    auto connection = Connection::Open(path, absl::Seconds(1));
    if (!connection.ok()) return connection.status();
    connection_ = std::make_unique<Connection>(*std::move(connection));
    for (const char* sql :
         {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA cache_size = -16384"}) {
      if (absl::Status status = connection_->Execute(sql); !status.ok()) return status;
    }
    if (absl::Status status = store::sqlite::Migrate(*connection_, store::sqlite::Migrations());
        !status.ok()) {
      return status;
    }
    for (const auto& [statement, sql] : std::vector<std::pair<Statement*, const char*>>{
             {&insert_row_,
              "INSERT INTO resources (create_revision, tenant, kind, id, revision, settled, "
              "terms, resource, internal, unfinished) VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, 1)"},
             {&update_row_,
              "UPDATE resources SET revision = ?, terms = ?, resource = ?, internal = ? WHERE "
              "create_revision = ?"},
             {&insert_term_, "INSERT INTO terms VALUES (?, ?, ?, ?)"},
             {&insert_change_,
              "INSERT INTO changes (revision, time, tenant, kind, id, create_revision, deleted, "
              "cause, settled, terms, previous_terms, resource) VALUES (?, ?, ?, ?, ?, ?, 0, 0, "
              "0, ?, ?, ?)"}}) {
      auto prepared = connection_->Prepare(sql);
      if (!prepared.ok()) return prepared.status();
      *statement = *std::move(prepared);
    }
    std::thread([this] { CommitAll(); }).detach();
    return absl::OkStatus();
  }

  // `done` is called on the store's thread when the write is on the disk.
  void Commit(Write write, Done done) {
    absl::MutexLock lock(&mu_);
    queue_.emplace_back(std::move(write), std::move(done));
  }

 private:
  [[noreturn]] void CommitAll() {
    while (true) {
      std::vector<std::pair<Write, Done>> group;
      {
        absl::MutexLock lock(&mu_);
        mu_.Await(absl::Condition(
            +[](std::vector<std::pair<Write, Done>>* queue) { return !queue->empty(); }, &queue_));
        group.swap(queue_);
      }
      Check(connection_->Execute("BEGIN IMMEDIATE"));
      for (auto& [write, done] : group) Apply(write);
      Check(connection_->Execute("COMMIT"));
      for (auto& [write, done] : group) done(write.create_revision);
    }
  }

  void Apply(Write& write) {
    const std::int64_t revision = ++revision_;
    const std::string terms = absl::StrJoin(write.terms, "\n");
    if (write.create_revision == 0) {
      write.create_revision = revision;
      Check(Query(insert_row_)
                .Int(revision)
                .Text(model::kDefaultTenant)
                .Int(kAssetKind)
                .Text(write.id)
                .Int(revision)
                .Blob(terms)
                .Blob(write.resource)
                .Blob(write.internal)
                .Run());
    } else {
      Check(Query(update_row_)
                .Int(revision)
                .Blob(terms)
                .Blob(write.resource)
                .Blob(write.internal)
                .Int(write.create_revision)
                .Run());
    }
    for (const std::string& term : write.new_terms) {
      Check(Query(insert_term_)
                .Text(model::kDefaultTenant)
                .Int(kAssetKind)
                .Text(term)
                .Int(write.create_revision)
                .Run());
    }
    Check(Query(insert_change_)
              .Int(revision)
              .Int(absl::ToUnixMicros(absl::Now()))
              .Text(model::kDefaultTenant)
              .Int(kAssetKind)
              .Text(write.id)
              .Int(write.create_revision)
              .Blob(terms)
              .Blob(terms)
              .Blob(write.resource)
              .Run());
  }

  static void Check(const absl::Status& status) {
    if (status.ok()) return;
    std::fprintf(stderr, "thin proxy: %s\n", std::string(status.message()).c_str());
    std::abort();
  }

  std::unique_ptr<Connection> connection_;
  Statement insert_row_;
  Statement update_row_;
  Statement insert_term_;
  Statement insert_change_;
  std::int64_t revision_ = 0;
  absl::Mutex mu_;
  std::vector<std::pair<Write, Done>> queue_ ABSL_GUARDED_BY(mu_);
};

// Posts JSON, with all transfers on a thread of its own.
class Poster {
 public:
  // `body` is empty where the transfer failed.
  using Done = std::function<void(std::string body)>;

  explicit Poster(std::string base_url)
      : base_url_(std::move(base_url)), multi_(curl_multi_init()) {
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, 512L);
    std::thread([this] { Transfer(); }).detach();
  }
  Poster(const Poster&) = delete;
  Poster& operator=(const Poster&) = delete;

  // `done` is called on the transfers' thread.
  void Post(absl::string_view path, std::string body, Done done) {
    auto call = std::make_unique<Call>();
    call->url = absl::StrCat(base_url_, path);
    call->request = std::move(body);
    call->done = std::move(done);
    {
      absl::MutexLock lock(&mu_);
      queue_.push_back(std::move(call));
    }
    curl_multi_wakeup(multi_);
  }

 private:
  struct Call {
    std::string url;
    std::string request;
    std::string response;
    Done done;
  };

  [[noreturn]] void Transfer() {
    std::vector<Curl> idle;
    while (true) {
      std::vector<std::unique_ptr<Call>> calls;
      {
        absl::MutexLock lock(&mu_);
        calls.swap(queue_);
      }
      for (std::unique_ptr<Call>& call : calls) Begin(std::move(call), idle);
      int running = 0;
      curl_multi_perform(multi_, &running);
      int left = 0;
      while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) End(*message, idle);
      curl_multi_poll(multi_, nullptr, 0, 1000, nullptr);
    }
  }

  void Begin(std::unique_ptr<Call> call, std::vector<Curl>& idle) {
    Curl owned;
    if (idle.empty()) {
      owned = MakePost();
    } else {
      owned = std::move(idle.back());
      idle.pop_back();
    }
    // The multi handle has it until its End.
    CURL* const curl = owned.release();
    curl_easy_setopt(curl, CURLOPT_URL, call->url.c_str());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->request.data());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(call->request.size()));
    ReceiveInto(curl, call->response);
    curl_easy_setopt(curl, CURLOPT_PRIVATE, call.release());
    curl_multi_add_handle(multi_, curl);
  }

  void End(const CURLMsg& message, std::vector<Curl>& idle) {
    CURL* const curl = message.easy_handle;
    const bool ok = message.data.result == CURLE_OK;
    void* data = nullptr;
    curl_easy_getinfo(curl, CURLINFO_PRIVATE, &data);
    const std::unique_ptr<Call> call(static_cast<Call*>(data));
    curl_multi_remove_handle(multi_, curl);
    idle.emplace_back(curl);
    call->done(ok ? std::move(call->response) : "");
  }

  const std::string base_url_;
  CURLM* const multi_;
  absl::Mutex mu_;
  std::vector<std::unique_ptr<Call>> queue_ ABSL_GUARDED_BY(mu_);
};

// The text at `path` of a JSON document; empty if there is none.
std::string TextIn(const std::string& json, absl::string_view path) {
  rapidjson::Document document;
  document.Parse(json.data(), json.size());
  return document.HasParseError() ? "" : base::JsonText(document, path);
}

class ThinProxy : public v1::AssetService::CallbackService {
 public:
  explicit ThinProxy(const std::string& base_url) : poster_(base_url) {}

  absl::Status Start(const std::string& folder) {
    if (absl::Status status = rows_.Open(folder + "/proxy.db"); !status.ok()) return status;
    rapidjson::Document body(rapidjson::kObjectType);
    base::SetJson(body, body, "platform", "JIMENG");
    base::SetJson(body, body, "name", "bench");
    absl::Mutex mu;
    bool answered = false;
    poster_.Post("/asset-groups", base::WriteJson(body), [&](const std::string& answer) {
      absl::MutexLock lock(&mu);
      group_ = TextIn(answer, "data.group_id");
      answered = true;
    });
    absl::MutexLock lock(&mu);
    mu.Await(absl::Condition(&answered));
    if (group_.empty()) return absl::UnavailableError("the provider made no group");
    return absl::OkStatus();
  }

  grpc::ServerUnaryReactor* CreateAsset(grpc::CallbackServerContext* context,
                                        const v1::CreateAssetRequest* request,
                                        v1::Asset* reply) override {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    const absl::Time now = absl::Now();
    auto write = std::make_shared<Write>();
    write->id = absl::StrCat("a", absl::ToUnixNanos(now), "-", number_.fetch_add(1));
    *reply = request->asset();
    reply->set_name(absl::StrCat("assets/", write->id));
    reply->set_state(v1::Asset::PROCESSING);
    reply->mutable_create_time()->set_seconds(absl::ToUnixSeconds(now));
    *reply->mutable_update_time() = reply->create_time();
    v1::Placement& placement = *reply->add_placements();
    placement.set_provider(request->providers(0));
    placement.set_state(v1::Placement::SUBMITTING);
    *placement.mutable_create_time() = reply->create_time();
    for (const auto& [key, value] : request->asset().labels()) {
      write->terms.push_back(absl::StrCat("label:", key, "=", value));
    }
    write->terms.push_back(absl::StrCat("state:", static_cast<int>(reply->state())));
    write->terms.push_back(absl::StrCat("media:", static_cast<int>(reply->media_type())));
    write->terms.push_back(absl::StrCat("provider:", placement.provider()));
    write->new_terms = write->terms;
    write->resource = reply->SerializeAsString();
    write->internal = SubmissionOf(request->asset());
    rows_.Commit(*write, [this, reactor, reply, write](std::int64_t create_revision) {
      write->create_revision = create_revision;
      poster_.Post("/assets", write->internal,
                   [this, reactor, reply, write](const std::string& answer) {
                     Answered(reactor, reply, *write, answer);
                   });
    });
    return reactor;
  }

 private:
  std::string SubmissionOf(const v1::Asset& asset) const {
    rapidjson::Document body(rapidjson::kObjectType);
    base::SetJson(body, body, "platform", "JIMENG");
    base::SetJson(body, body, "group_id", group_);
    base::SetJson(body, body, "url", asset.source_uri());
    base::SetJson(body, body, "asset_type", "Image");
    base::SetJson(body, body, "name", asset.display_name());
    return base::WriteJson(body);
  }

  void Answered(grpc::ServerUnaryReactor* reactor, v1::Asset* reply, Write& write,
                const std::string& answer) {
    const std::string id = TextIn(answer, "data.asset_id");
    if (id.empty()) {
      return reactor->Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, "not accepted"));
    }
    v1::Placement& placement = *reply->mutable_placements(0);
    placement.set_state(v1::Placement::PROCESSING);
    placement.set_provider_asset_id(id);
    reply->mutable_update_time()->set_seconds(absl::ToUnixSeconds(absl::Now()));
    write.new_terms = {absl::StrCat("upstream:", id)};
    write.terms.push_back(write.new_terms.front());
    write.resource = reply->SerializeAsString();
    rows_.Commit(write, [reactor](std::int64_t) { reactor->Finish(grpc::Status::OK); });
  }

  Rows rows_;
  Poster poster_;
  std::string group_;
  std::atomic<std::int64_t> number_{0};
};

}  // namespace

absl::Status ServeThinProxy(const std::string& folder, const std::string& base_url) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  ThinProxy service(base_url);
  if (absl::Status status = service.Start(folder); !status.ok()) return status;
  return ServeUntilKilled(service);
}

}  // namespace assetgate::bench
