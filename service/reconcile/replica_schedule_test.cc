// Several gateways over one store: everything at once, in an order that a seed makes.
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "reconcile/testing/replicas.h"
#include "reconcile/testing/requests.h"

namespace assetgate::reconcile {
namespace {

using http::TransportError;

// One provider behind all gateways: does work, or does not, and says so, or does not.
class Upstream {
 public:
  explicit Upstream(absl::BitGenRef random) : random_(random) {}

  // At its worst. `call` may end without an answer although the work was done.
  http::Result Answer(const http::Request& request, bool kind) {
    const auto roll = [this] { return absl::Uniform(random_, 0, 100); };
    if (request.method == "DELETE") return http::Response{kind || roll() < 50 ? 200 : 503, {}, ""};
    if (request.method == "GET") {
      if (!kind && roll() < 20) return http::Response{503, {}, ""};
      const std::string id = request.path.substr(request.path.rfind('/') + 1);
      return http::Response{
          200, {}, absl::StrCat("id=", id, " state=", kind || roll() < 20 ? "done" : "running")};
    }
    const int luck = kind ? 0 : roll();
    if (luck < 60)
      return http::Response{200, {}, absl::StrCat("id=", Do(request), " state=queued")};
    if (luck < 70) return http::Response{429, {}, "busy"};
    if (luck < 73) return http::Response{422, {}, "no"};
    if (luck < 80) return TransportError{TransportError::Kind::kConnect, false, "refused"};
    if (luck < 90) Do(request);
    return TransportError{TransportError::Kind::kReset, true, "cut"};
  }
  // The id of the work, which is done now unless the key says that it was done before.
  std::string Do(const http::Request& request) {
    const std::string key = HeaderOf(request, "Idempotency-Key");
    if (!key.empty()) {
      if (const auto it = by_key_.find(key); it != by_key_.end()) return it->second;
    }
    std::string id = absl::StrCat("up-", ++last_);
    if (!key.empty()) by_key_[key] = id;
    if (request.path == "/videos") ++made_[request.body.substr(0, request.body.find(" ref"))];
    return id;
  }
  // How many videos were made of each request.
  const std::map<std::string, int>& made() const { return made_; }

 private:
  absl::BitGenRef random_;
  int last_ = 0;
  std::map<std::string, std::string> by_key_;
  std::map<std::string, int> made_;
};

// Gateways that are paused, killed, started and given each other's shards, in the midst of
// creations, cancellations and a provider that fails, in every order that a seed makes of it.
class ReplicaScheduleTest : public testing::TestWithParam<int> {
 protected:
  int Any(int count) { return absl::Uniform(random_, 0, count); }
  std::optional<int> Running() {
    for (int tries = 0; tries < 10; ++tries) {
      if (const int at = Any(replicas_.count()); replicas_.running(at)) return at;
    }
    return std::nullopt;
  }

  void Step() {
    const int at = Any(replicas_.count());
    const int dice = Any(100);
    if (dice < 14) {
      Create();
    } else if (dice < 17) {
      if (const auto where = Running(); where.has_value() && tasks_ > 0) {
        v1::CancelVideoTaskRequest request;
        request.set_name(absl::StrCat("videoTasks/fox-", Any(tasks_)));
        Answer<v1::VideoTask> answer;
        replicas_.gateway(*where).CancelVideoTask(calls::Caller(), request, answer.reply());
      }
    } else if (dice < 30) {
      if (replicas_.alive(at) && replicas_.http(at).pending() > 0) {
        auto call = replicas_.http(at).Take();
        http::Result answer = upstream_.Answer(call.request, /*kind=*/false);
        std::move(call).Answer(std::move(answer));
      }
    } else if (dice < 75) {
      // One gateway gets on by a little.
      if (!replicas_.running(at)) return;
      switch (Any(3)) {
        case 0:
          replicas_.loop(at).RunDue();
          break;
        case 1:
          replicas_.store(at).Notify(Any(4));
          break;
        default:
          replicas_.store(at).AnswerOne();
      }
    } else if (dice < 88) {
      replicas_.Skip(absl::Milliseconds(Any(4000)));
    } else if (dice < 91) {
      if (replicas_.alive(at)) {
        if (replicas_.running(at)) {
          replicas_.Pause(at);
        } else {
          replicas_.Wake(at);
        }
      }
    } else if (dice < 92) {
      if (replicas_.alive(at)) {
        // What it has sent may be done all the same.
        while (replicas_.http(at).pending() > 0) {
          auto call = replicas_.http(at).Take();
          if (call.request.method == "POST" && Any(2) == 0) upstream_.Do(call.request);
          std::move(call).Answer(TransportError{TransportError::Kind::kStopped, true, "killed"});
        }
        replicas_.Kill(at);
      } else {
        replicas_.Start(at);
      }
    } else {
      const int to = Any(replicas_.count());
      if (!replicas_.running(to)) return;
      replicas_.TakeAll(to);
      std::vector<store::Shard> some = replicas_.leases(at).held();
      std::erase_if(some, [this](store::Shard) { return Any(3) > 0; });
      if (at != to) replicas_.Move(some, at, to);
    }
  }

  void Create() {
    const auto where = Running();
    if (!where.has_value()) return;
    if (Any(3) == 0) {
      v1::CreateAssetRequest request = Harness::Asset(absl::StrCat("hero-", assets_++), {"alpha"});
      request.set_request_id(absl::StrCat("asset-", assets_));
      Answer<v1::Asset> answer;
      replicas_.gateway(*where).CreateAsset(calls::Caller(), request, answer.reply());
      return;
    }
    const std::string id = absl::StrCat("fox-", tasks_++);
    v1::CreateVideoTaskRequest request = assets_ > 0 && Any(2) == 0
                                             ? VideoOf(id, absl::StrCat("hero-", Any(assets_)))
                                             : Harness::Video(id);
    request.mutable_video_task()->set_prompt(id);
    request.set_request_id(id);
    for (int copies = 1 + Any(2); copies > 0; --copies) {
      const auto at = Running();
      if (!at.has_value()) return;
      Answer<v1::VideoTask> answer;
      replicas_.gateway(*at).CreateVideoTask(calls::Caller(), request, answer.reply());
      answers_.push_back(answer);
    }
  }

  // All is well again.
  void End() {
    for (int at = 0; at < replicas_.count(); ++at) {
      if (!replicas_.alive(at)) replicas_.Start(at);
      replicas_.Wake(at);
    }
    replicas_.TakeAll(kA);
    replicas_.script = [this](int, const http::Request& request) {
      return std::optional(upstream_.Answer(request, /*kind=*/true));
    };
    for (int minutes = 0; minutes < 25; ++minutes) replicas_.Advance(absl::Minutes(1));
  }

  std::vector<store::Row> Left() {
    auto rows = replicas_.real().ListUnfinished({});
    EXPECT_TRUE(rows.ok());
    return rows.ok() ? *rows : std::vector<store::Row>();
  }

  std::mt19937_64 engine_{static_cast<std::uint64_t>(GetParam())};
  absl::BitGenRef random_{engine_};
  Upstream upstream_{random_};
  Replicas replicas_{3, GetParam() % 2 == 0 ? WithKeys() : Harness::Options()};
  int tasks_ = 0;
  int assets_ = 0;
  std::vector<Answer<v1::VideoTask>> answers_;
};

TEST_P(ReplicaScheduleTest, NothingIsBoughtTwiceAndAllWorkEnds) {
  for (int step = 0; step < 600; ++step) Step();
  End();
  EXPECT_GT(tasks_, 10);
  EXPECT_FALSE(upstream_.made().empty());
  for (const auto& [what, times] : upstream_.made()) EXPECT_LE(times, 1) << what;
  for (const store::Row& row : Left()) {
    // Only what a person has to look at.
    ASSERT_EQ(row.key.kind, store::Kind::kVideoTask) << row.key.id;
    const v1::VideoTask task = model::VideoTaskFromRow(row);
    EXPECT_EQ(task.state(), v1::VideoTask::UNCONFIRMED) << task.ShortDebugString();
    EXPECT_EQ(task.waiting().reason(), v1::Waiting::NEEDS_OPERATOR) << task.ShortDebugString();
    const auto resolved =
        replicas_.Resolve(Any(replicas_.count()), Harness::NotAccepted(row.key.id, false));
    EXPECT_TRUE(resolved.status().ok()) << resolved.status();
  }
  replicas_.Run();
  EXPECT_TRUE(Left().empty());
  for (int at = 0; at < replicas_.count(); ++at) EXPECT_EQ(replicas_.Counted(at), 0) << at;
  // What was made was not forgotten: each task knows the video that it has.
  for (const auto& answer : answers_) {
    if (!answer.has() || !answer.get().ok()) continue;
    const auto stored = replicas_.StoredVideo(answer->name().substr(answer->name().find('/') + 1));
    ASSERT_TRUE(stored.has_value()) << answer->name() << " was acknowledged";
    EXPECT_TRUE(model::IsFinal(stored->resource.state())) << stored->resource.ShortDebugString();
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ReplicaScheduleTest, testing::Range(1, 21));

}  // namespace
}  // namespace assetgate::reconcile
