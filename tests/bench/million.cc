// Whether many finished assets slow down later work.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "base/clock.h"
#include "store/open.h"
#include "store/postgres/connection.h"
#include "store/testing/postgres_server.h"
#include "tests/bench/benchmarks.h"
#include "tests/bench/fill_store.h"
#include "tests/bench/make_assets.h"
#include "tests/bench/usage.h"

namespace assetgate::bench {
namespace {

// How many assets share a value of the label `reel`; they are far apart in the store.
constexpr int kReelSize = 10;
// One asset in this many is FAILED and has the label side=b; so none is FAILED and has side=a.
constexpr int kFailedEvery = 20;
// One asset in this many has the label grade=good, and one in the next many grade=best.
constexpr int kGoodEvery = 50;
constexpr int kBestEvery = 500;
constexpr int kPageSize = 50;
// How many of the created names are kept.
constexpr int kNames = 1'000;

FinishedAsset Describe(int number, int assets) {
  FinishedAsset asset;
  asset.failed = number % kFailedEvery == 7;
  asset.labels = {{"reel", absl::StrCat("reel-", number % (assets / kReelSize))},
                  {"side", number % 2 == 0 ? "a" : "b"}};
  if (number % kGoodEvery == 3) asset.labels.emplace_back("grade", "good");
  if (number % kBestEvery == 8) asset.labels.emplace_back("grade", "best");
  return asset;
}

absl::Status Check(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("code ", status.error_code(), ": ", status.error_message()));
}

void SetDeadline(grpc::ClientContext& context) {
  context.set_wait_for_ready(true);
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(2));
}

// A gateway whose store holds many finished assets, and one caller of it.
class Library {
 public:
  // In a database of `postgres`, or in a file if that is null.
  static absl::StatusOr<std::unique_ptr<Library>> Make(const Settings& settings, int assets,
                                                       store::postgres::TestServer* postgres) {
    auto library = std::unique_ptr<Library>(new Library(assets, postgres));
    Rig::Options options;
    if (postgres != nullptr) {
      library->database_ = postgres->CreateDatabase();
      options.postgres_uri = postgres->Uri(library->database_);
    }
    options.poll_interval = absl::Milliseconds(20);
    options.asset_delay = absl::ZeroDuration();
    auto rig = Rig::Start(settings, options);
    if (!rig.ok()) return rig.status();
    library->rig_ = *std::move(rig);
    for (const absl::Status& status :
         {library->MakeModels(), library->rig_->Stop(), library->Fill(),
          // Assets created from now on are placed but not polled.
          library->rig_->StartGateway(absl::Hours(24))}) {
      if (!status.ok()) return status;
    }
    library->Connect();
    library->memory_at_start_ = UsageOf(library->rig_->gateway_pid()).memory_bytes;
    return library;
  }

  int assets() const { return assets_; }
  // The number of failed assets, including the template.
  int failed() const { return assets_ / kFailedEvery + 1; }
  absl::Duration filling() const { return filling_; }
  std::int64_t memory_at_start() const { return memory_at_start_; }
  std::int64_t memory() const { return UsageOf(rig_->gateway_pid()).memory_bytes; }
  std::int64_t store_bytes() const { return store_bytes_; }
  absl::Status Stop() {
    stub_.reset();
    return rig_->Stop();
  }

  // --- The measured calls. They return an error also if the answer is wrong.
  absl::Status Get() {
    grpc::ClientContext context;
    SetDeadline(context);
    v1::GetAssetRequest request;
    request.set_name(NextName());
    v1::Asset asset;
    return Check(stub_->GetAsset(&context, request, &asset));
  }
  absl::Status ListFirst(const v1::AssetFilter& filter, int expected) {
    return List(filter, kPageSize, "", expected).status();
  }
  // Page by page to the end; pages may be empty.
  absl::Status ListAll(const v1::AssetFilter& filter, int expected) {
    int shown = 0;
    std::string token;
    do {
      auto page = List(filter, kPageSize, token, -1);
      if (!page.ok()) return page.status();
      shown += page->assets_size();
      token = page->next_page_token();
    } while (!token.empty());
    if (shown == expected) return absl::OkStatus();
    return absl::InternalError(absl::StrCat("a list of ", shown, " assets, and not of ", expected));
  }
  // The page in the middle of the `matches` assets that match the filter.
  absl::Status ListDeep(const v1::AssetFilter& filter, int matches) {
    std::string& token = deep_tokens_[filter.SerializeAsString()];
    for (int shown = 0; token.empty() && shown < matches / 2;) {
      std::string next;
      for (; shown < matches / 2;) {
        const int size = std::min(1'000, matches / 2 - shown);
        auto page = List(filter, size, next, -1);
        if (!page.ok()) return page.status();
        shown += page->assets_size();
        next = page->next_page_token();
        if (next.empty()) return absl::InternalError("a list ends before its middle");
      }
      token = next;
    }
    return List(filter, kPageSize, token, std::min(kPageSize, matches - matches / 2)).status();
  }
  // Until the snapshot is complete.
  absl::Status Watch(const v1::WatchAssetsRequest& request, int expected) {
    grpc::ClientContext context;
    SetDeadline(context);
    const auto stream = stub_->WatchAssets(&context, request);
    v1::AssetEvent event;
    int puts = 0;
    while (stream->Read(&event)) {
      if (event.type() == v1::PUT) ++puts;
      if (!event.snapshot_complete()) continue;
      context.TryCancel();
      if (puts == expected) return absl::OkStatus();
      return absl::InternalError(
          absl::StrCat("a snapshot of ", puts, " assets, and not of ", expected));
    }
    return Check(stream->Finish());
  }
  absl::Status Create() {
    grpc::ClientContext context;
    SetDeadline(context);
    v1::CreateAssetRequest request;
    v1::Asset& asset = *request.mutable_asset();
    asset.set_source_uri("https://media.example.org/portraits/new.png");
    asset.set_media_type(v1::IMAGE);
    (*asset.mutable_labels())["shoot"] = "later";
    request.add_providers(rig_->provider());
    v1::Asset created;
    return Check(stub_->CreateAsset(&context, request, &created));
  }

  // Different names in turn.
  const std::string& NextName() { return names_[++turn_ * 7919 % names_.size()]; }
  v1::AssetFilter NextReel() {
    v1::AssetFilter filter;
    (*filter.mutable_labels())["reel"] =
        absl::StrCat("reel-", ++turn_ * 7919 % (assets_ / kReelSize));
    return filter;
  }

 private:
  Library(int assets, store::postgres::TestServer* postgres)
      : assets_(assets), postgres_(postgres) {}

  void Connect() { stub_ = v1::AssetService::NewStub(bench::Connect(rig_->address(), 1)[0]); }

  // Creates the two templates for all others: one that became ACTIVE and one that failed.
  absl::Status MakeModels() {
    Connect();
    v1::WatchAssetsRequest settled;
    settled.set_until_settled(true);
    for (const char* word : {"active", "moderated"}) {
      grpc::ClientContext context;
      SetDeadline(context);
      v1::CreateAssetRequest request;
      request.set_asset_id(word);
      v1::Asset& asset = *request.mutable_asset();
      // The simulator reacts to this word.
      asset.set_source_uri(absl::StrCat("https://media.example.org/", word, "/model.png"));
      asset.set_media_type(v1::IMAGE);
      (*asset.mutable_labels())["shoot"] = "bench";
      request.add_providers(rig_->provider());
      v1::Asset created;
      absl::Status status = Check(stub_->CreateAsset(&context, request, &created));
      if (!status.ok()) return status;
      settled.add_names(created.name());
    }
    grpc::ClientContext context;
    SetDeadline(context);
    const auto stream = stub_->WatchAssets(&context, settled);
    for (v1::AssetEvent event; stream->Read(&event);) {
    }
    absl::Status status = Check(stream->Finish());
    stub_.reset();
    return status;
  }

  absl::Status Fill() {
    const absl::Time from = absl::Now();
    {
      const base::SystemClock clock;
      auto store = OpenStore(clock);
      if (!store.ok()) return store.status();
      const int every = std::max(1, assets_ / kNames);
      absl::Status status = FillStore(
          **store, "assets/active", "assets/moderated", assets_,
          [this](int number) { return Describe(number, assets_); },
          [this, every](int number, const std::string& name) {
            if (number % every == 0) names_.push_back(name);
          });
      if (!status.ok()) return status;
    }
    filling_ = absl::Now() - from;
    return postgres_ == nullptr ? SizeFile() : MaintainDatabase();
  }

  absl::StatusOr<std::unique_ptr<store::Store>> OpenStore(const base::Clock& clock) {
    store::Location location;
    if (postgres_ == nullptr) {
      location.sqlite_path = rig_->store_path();
    } else {
      location.postgres_uri = base::Secret(postgres_->Uri(database_));
    }
    // Groups are larger here than callers make them.
    auto opened = store::Open(location, {.clock = &clock, .timeout = absl::Minutes(1)});
    if (!opened.ok()) return opened.status();
    return std::move(opened->store);
  }

  absl::Status SizeFile() {
    std::error_code error;
    store_bytes_ = static_cast<std::int64_t>(std::filesystem::file_size(rig_->store_path(), error));
    return absl::OkStatus();
  }

  // The maintenance that the server does by itself soon after tables have grown.
  absl::Status MaintainDatabase() {
    postgres_->Execute("VACUUM (ANALYZE)", database_);
    postgres_->Execute("CHECKPOINT", database_);
    store::postgres::Connection::Options options;
    options.uri = postgres_->Uri(database_);
    auto connection = store::postgres::Connection::Open(options);
    if (!connection.ok()) return connection.status();
    auto size = (*connection)->Run({"SELECT pg_database_size(current_database())", {}});
    if (!size.ok()) return size.status();
    store_bytes_ = size->IntAt(0, 0);
    return absl::OkStatus();
  }

  // Expects `expected` assets, unless that is negative.
  absl::StatusOr<v1::ListAssetsResponse> List(const v1::AssetFilter& filter, int size,
                                              const std::string& token, int expected) {
    grpc::ClientContext context;
    SetDeadline(context);
    v1::ListAssetsRequest request;
    *request.mutable_filter() = filter;
    request.set_page_size(size);
    request.set_page_token(token);
    v1::ListAssetsResponse page;
    if (absl::Status status = Check(stub_->ListAssets(&context, request, &page)); !status.ok()) {
      return status;
    }
    if (expected >= 0 && page.assets_size() != expected) {
      return absl::InternalError(
          absl::StrCat("a page of ", page.assets_size(), " assets, and not of ", expected));
    }
    return page;
  }

  const int assets_;
  store::postgres::TestServer* const postgres_;
  std::string database_;
  std::unique_ptr<Rig> rig_;
  std::unique_ptr<v1::AssetService::Stub> stub_;
  std::vector<std::string> names_;
  std::map<std::string, std::string> deep_tokens_;
  std::size_t turn_ = 0;
  absl::Duration filling_;
  std::int64_t memory_at_start_ = 0;
  std::int64_t store_bytes_ = 0;
};

// One line of the report.
struct Question {
  std::string name;
  // In all.
  int calls;
  std::function<absl::Status(Library&)> ask;
};

std::vector<Question> Questions() {
  const auto states = [](v1::Asset::State state) {
    v1::AssetFilter filter;
    filter.add_states(state);
    return filter;
  };
  const auto label = [](v1::AssetFilter filter, const std::string& key, const std::string& value) {
    (*filter.mutable_labels())[key] = value;
    return filter;
  };
  const auto watch = [](const v1::AssetFilter& filter) {
    v1::WatchAssetsRequest request;
    *request.mutable_filter() = filter;
    return request;
  };
  const v1::AssetFilter nobody = label(states(v1::Asset::FAILED), "side", "a");
  return {
      {"GetAsset", 2000, [](Library& library) { return library.Get(); }},
      {"ListAssets, first page", 300,
       [](Library& library) {
         return library.ListFirst({}, std::min(kPageSize, library.assets()));
       }},
      {"  a page from the middle", 300,
       [](Library& library) { return library.ListDeep({}, library.assets()); }},
      {"  state FAILED (5 %), first page", 300,
       [=](Library& library) {
         return library.ListFirst(states(v1::Asset::FAILED), std::min(kPageSize, library.failed()));
       }},
      {"  a page from the middle of these", 300,
       [=](Library& library) {
         return library.ListDeep(states(v1::Asset::FAILED), library.failed());
       }},
      {"  a label that 10 assets have", 300,
       [](Library& library) { return library.ListFirst(library.NextReel(), kReelSize); }},
      {"WatchAssets, 10 names", 200,
       [](Library& library) {
         v1::WatchAssetsRequest request;
         for (int i = 0; i < 10; ++i) request.add_names(library.NextName());
         return library.Watch(request, 10);
       }},
      {"  a label that 10 assets have", 200,
       [=](Library& library) { return library.Watch(watch(library.NextReel()), kReelSize); }},
      {"  a label that 0.2 % have", 50,
       [=](Library& library) {
         return library.Watch(watch(label({}, "grade", "best")), library.assets() / kBestEvery);
       }},
      {"  a label that 2 % have", 20,
       [=](Library& library) {
         return library.Watch(watch(label({}, "grade", "good")), library.assets() / kGoodEvery);
       }},
      {"CreateAsset, through to a provider", 300,
       [](Library& library) { return library.Create(); }},
      {"List, FAILED and a label of 50 %: none", 10,
       [=](Library& library) { return library.ListFirst(nobody, 0); }},
      {"  page by page to the end", 10,
       [=](Library& library) { return library.ListAll(nobody, 0); }},
      {"  WatchAssets", 10, [=](Library& library) { return library.Watch(watch(nobody), 0); }},
  };
}

}  // namespace

absl::Status MeasureMillion(const Settings& settings, const MillionOptions& options) {
  Settings fast = settings;
  fast.latency = absl::ZeroDuration();
  std::unique_ptr<store::postgres::TestServer> postgres;
  if (options.postgres) postgres = std::make_unique<store::postgres::TestServer>();
  std::vector<std::unique_ptr<Library>> libraries;
  for (const int wanted : {options.few, options.many}) {
    // So that every label is on exactly as many assets as intended.
    const int assets = wanted - wanted % kBestEvery;
    auto library = Library::Make(fast, assets, postgres.get());
    if (!library.ok()) return library.status();
    libraries.push_back(*std::move(library));
    absl::PrintF("%s%d finished assets, made in %.1f s: a %s of %.0f MiB\n",
                 libraries.size() == 1 ? "million: " : "         ", assets,
                 absl::ToDoubleSeconds(libraries.back()->filling()),
                 options.postgres ? "PostgreSQL database, without fsync," : "file",
                 static_cast<double>(libraries.back()->store_bytes()) / (1 << 20));
  }

  const std::vector<Question> questions = Questions();
  // [question][library]
  std::vector<std::vector<std::vector<double>>> milliseconds(
      questions.size(), std::vector<std::vector<double>>(libraries.size()));
  // Alternating, so that other load on the machine affects both; the first round is for warming up.
  const int rounds = settings.quick ? 1 : 5;
  for (int round = -1; round < rounds; ++round) {
    for (std::size_t q = 0; q < questions.size(); ++q) {
      const int calls = settings.quick || round < 0 ? 2 : std::max(1, questions[q].calls / rounds);
      for (std::size_t l = 0; l < libraries.size(); ++l) {
        for (int call = 0; call < calls; ++call) {
          const absl::Time from = absl::Now();
          const absl::Status status = questions[q].ask(*libraries[l]);
          if (!status.ok()) {
            return absl::InternalError(absl::StrCat(
                questions[q].name, " of ", libraries[l]->assets(), " assets: ", status.message()));
          }
          if (round < 0) continue;
          milliseconds[q][l].push_back(absl::ToDoubleMilliseconds(absl::Now() - from));
        }
      }
    }
  }
  absl::PrintF(
      "  one caller, ms %32s  %20s\n  %36s p50      p99      p50      p99   ratio of p50\n",
      absl::StrCat("of ", options.few), absl::StrCat("of ", options.many), "");
  for (std::size_t q = 0; q < questions.size(); ++q) {
    const std::vector<double>& few = milliseconds[q][0];
    const std::vector<double>& many = milliseconds[q][1];
    absl::PrintF("  %-35s %6.2f  %7.2f  %7.2f  %7.2f  %6.2fx\n", questions[q].name,
                 Quantile(few, 0.5), Quantile(few, 0.99), Quantile(many, 0.5), Quantile(many, 0.99),
                 Quantile(many, 0.5) / Quantile(few, 0.5));
  }
  for (const auto& library : libraries) {
    absl::PrintF(
        "  memory of the gateway of %-9d %6.1f MiB when started, %.1f MiB after all this\n",
        library->assets(), static_cast<double>(library->memory_at_start()) / (1 << 20),
        static_cast<double>(library->memory()) / (1 << 20));
  }
  for (const auto& library : libraries) {
    if (absl::Status status = library->Stop(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace assetgate::bench
