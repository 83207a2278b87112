#include "tests/bench/reference.h"

#include <grpcpp/grpcpp.h>
#include <sqlite3.h>

#include <cstdio>
#include <deque>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "assetgate/v1/asset_service.grpc.pb.h"

namespace assetgate::bench {
namespace {

constexpr char kListening[] = "reference listening on ";

// Rows by name.
// Threading: thread-safe.
class Rows {
 public:
  explicit Rows(const std::string& path) {
    sqlite3_open(path.c_str(), &database_);
    sqlite3_exec(database_,
                 "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;"
                 "CREATE TABLE asset (name TEXT PRIMARY KEY, resource BLOB) WITHOUT ROWID",
                 nullptr, nullptr, nullptr);
    sqlite3_prepare_v2(database_, "SELECT resource FROM asset WHERE name = ?", -1, &get_, nullptr);
    sqlite3_prepare_v2(database_, "INSERT INTO asset VALUES (?, ?)", -1, &put_, nullptr);
  }
  ~Rows() {
    sqlite3_finalize(get_);
    sqlite3_finalize(put_);
    sqlite3_close(database_);
  }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  bool Get(const std::string& name, v1::Asset& asset) {
    absl::MutexLock lock(&mu_);
    sqlite3_bind_text(get_, 1, name.data(), static_cast<int>(name.size()), SQLITE_STATIC);
    const bool found =
        sqlite3_step(get_) == SQLITE_ROW &&
        asset.ParseFromArray(sqlite3_column_blob(get_, 0), sqlite3_column_bytes(get_, 0));
    sqlite3_reset(get_);
    return found;
  }

  bool Put(const v1::Asset& asset) {
    const std::string bytes = asset.SerializeAsString();
    absl::MutexLock lock(&mu_);
    sqlite3_bind_text(put_, 1, asset.name().data(), static_cast<int>(asset.name().size()),
                      SQLITE_STATIC);
    sqlite3_bind_blob(put_, 2, bytes.data(), static_cast<int>(bytes.size()), SQLITE_STATIC);
    const bool done = sqlite3_step(put_) == SQLITE_DONE;
    sqlite3_reset(put_);
    return done;
  }

 private:
  absl::Mutex mu_;
  sqlite3* database_ = nullptr;
  sqlite3_stmt* get_ ABSL_GUARDED_BY(mu_) = nullptr;
  sqlite3_stmt* put_ ABSL_GUARDED_BY(mu_) = nullptr;
};

class Service;

// Owns itself until OnDone.
class Stream : public grpc::ServerWriteReactor<v1::AssetEvent> {
 public:
  explicit Stream(Service& service) : service_(service) {
    v1::AssetEvent reset;
    reset.set_type(v1::RESET);
    Push(reset);
    v1::AssetEvent complete;
    complete.set_type(v1::BOOKMARK);
    complete.set_snapshot_complete(true);
    Push(complete);
  }

  void Push(const v1::AssetEvent& event) {
    absl::MutexLock lock(&mu_);
    queue_.push_back(event);
    if (queue_.size() == 1) StartWrite(&queue_.front());
  }

  void OnWriteDone(bool ok) override {
    absl::MutexLock lock(&mu_);
    if (!ok) return;
    queue_.pop_front();
    if (!queue_.empty()) StartWrite(&queue_.front());
  }
  void OnCancel() override;
  void OnDone() override { delete this; }

 private:
  Service& service_;
  absl::Mutex mu_;
  std::deque<v1::AssetEvent> queue_ ABSL_GUARDED_BY(mu_);
};

class Service : public v1::AssetService::CallbackService {
 public:
  explicit Service(const std::string& folder) : rows_(folder + "/reference.db") {}

  grpc::ServerUnaryReactor* GetAsset(grpc::CallbackServerContext* context,
                                     const v1::GetAssetRequest* request,
                                     v1::Asset* reply) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(rows_.Get(request->name(), *reply)
                        ? grpc::Status::OK
                        : grpc::Status(grpc::StatusCode::NOT_FOUND, "no such asset"));
    return reactor;
  }

  grpc::ServerUnaryReactor* CreateAsset(grpc::CallbackServerContext* context,
                                        const v1::CreateAssetRequest* request,
                                        v1::Asset* reply) override {
    *reply = request->asset();
    reply->set_name(absl::StrCat("assets/", request->asset_id()));
    reply->set_state(v1::Asset::REGISTERED);
    const std::int64_t now = absl::GetCurrentTimeNanos();
    reply->mutable_create_time()->set_seconds(now / 1'000'000'000);
    reply->mutable_create_time()->set_nanos(static_cast<int>(now % 1'000'000'000));
    *reply->mutable_update_time() = reply->create_time();
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    if (!rows_.Put(*reply)) {
      reactor->Finish(grpc::Status(grpc::StatusCode::ALREADY_EXISTS, "the asset exists"));
      return reactor;
    }
    v1::AssetEvent event;
    event.set_type(v1::PUT);
    *event.mutable_asset() = *reply;
    {
      absl::MutexLock lock(&mu_);
      event.set_revision(++revision_);
      for (Stream* stream : streams_) stream->Push(event);
    }
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  grpc::ServerWriteReactor<v1::AssetEvent>* WatchAssets(grpc::CallbackServerContext*,
                                                        const v1::WatchAssetsRequest*) override {
    absl::MutexLock lock(&mu_);
    auto* stream = new Stream(*this);
    streams_.insert(stream);
    return stream;
  }

  void Remove(Stream* stream) {
    absl::MutexLock lock(&mu_);
    streams_.erase(stream);
  }

 private:
  Rows rows_;
  absl::Mutex mu_;
  std::int64_t revision_ ABSL_GUARDED_BY(mu_) = 0;
  std::set<Stream*> streams_ ABSL_GUARDED_BY(mu_);
};

void Stream::OnCancel() {
  service_.Remove(this);
  Finish(grpc::Status::CANCELLED);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Reference>> Reference::Start(const Settings& settings) {
  return StartProgram(settings, "reference", {});
}

absl::StatusOr<std::unique_ptr<Reference>> Reference::StartThinProxy(const Settings& settings,
                                                                     const std::string& base_url) {
  return StartProgram(settings, "thin-proxy", {base_url});
}

absl::StatusOr<std::unique_ptr<Reference>> Reference::StartProgram(
    const Settings& settings, const std::string& subcommand, const std::vector<std::string>& more) {
  auto reference = std::unique_ptr<Reference>(new Reference);
  auto folder = ScratchFolder::Make(settings.dir);
  if (!folder.ok()) return folder.status();
  reference->folder_ = *std::move(folder);
  const std::string& path = reference->folder_->path();
  std::vector<std::string> arguments = {settings.self, subcommand, path};
  arguments.insert(arguments.end(), more.begin(), more.end());
  auto process = Process::Start(std::move(arguments), {}, path + "/reference.log");
  if (!process.ok()) return process.status();
  reference->process_ = *std::move(process);
  const auto line = reference->process_->AwaitLine(kListening, absl::Seconds(30));
  if (!line.ok()) return line.status();
  reference->address_ = line->substr(sizeof(kListening) - 1);
  return reference;
}

absl::Status ServeReference(const std::string& folder) {
  Service service(folder);
  return ServeUntilKilled(service);
}

absl::Status ServeUntilKilled(grpc::Service& service) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return absl::UnavailableError("the reference cannot listen");
  std::printf("%s127.0.0.1:%d\n", kListening, port);
  std::fflush(stdout);
  server->Wait();
  return absl::OkStatus();
}

}  // namespace assetgate::bench
