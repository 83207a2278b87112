// What the simulator asks of a dialect: its endpoints, its errors, and nothing about sockets,
// faults, clocks or logs. Each provider's part is providers/<dialect>/simulator.{h,cc}, written
// from the provider's documentation and not from our own encoder.
#ifndef ASSETGATE_TESTS_SIMULATOR_DIALECT_H_
#define ASSETGATE_TESTS_SIMULATOR_DIALECT_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "tests/simulator/json.h"
#include "tests/simulator/library.h"
#include "tests/simulator/message.h"

namespace assetgate::simulator {

// What a request is about, the same words for every provider.
enum class Call {
  kGroupCreate,
  kGroupGet,
  kAssetCreate,
  kAssetGet,
  kAssetDelete,
  kVideoCreate,
  kVideoGet,
  kVideoList,
  kModelsList,
  kOther,
};
inline constexpr int kCallCount = static_cast<int>(Call::kOther) + 1;

// "asset.create" and so on.
absl::string_view CallName(Call call);
std::optional<Call> CallOfName(absl::string_view name);
inline bool IsCreate(Call call) {
  return call == Call::kGroupCreate || call == Call::kAssetCreate || call == Call::kVideoCreate;
}

struct Timing {
  absl::Duration asset_delay = absl::Seconds(2);  // from creation until Active
  absl::Duration queue_delay = absl::Seconds(1);  // from creation until a video starts
  absl::Duration video_delay = absl::Seconds(6);  // from then until it is done
  absl::Duration latency;                         // before each answer
  absl::Duration unknown_delay;                   // from creation until questions find it
};

// Other words for the states in an answer than the documented ones.
struct StateWords {
  enum class Letters { kAsIs, kUpper, kLower, kCapitalized };

  std::optional<std::string> every;       // in place of every state but an inner one
  std::map<std::string, std::string> of;  // in place of these
  Letters letters = Letters::kAsIs;
  std::string around;  // stands before and after each word: blanks

  // An `inner` state is that of an upstream's task inside of the relay's.
  std::string Of(absl::string_view native, bool inner) const;
};

// What an account can still pay for. Thread-safe.
class Purse {
 public:
  // So many videos; nothing: as many as it likes.
  void Set(const std::string& account, std::optional<int64_t> videos);
  std::optional<int64_t> Left(const std::string& account) const;
  // Takes the price of one video; false if there is not enough.
  bool Pay(const std::string& account);

 private:
  mutable absl::Mutex mu_;
  std::map<std::string, int64_t> left_ ABSL_GUARDED_BY(mu_);
};

// Named choices between behaviours that the documentation leaves open, or that vary between
// deployments. A value is one of a list, or any whole number. Thread-safe.
class Switches {
 public:
  struct Spec {
    std::string name;
    std::vector<std::string> values;  // the first is the default
    bool number = false;              // `values` holds only the default
    std::string meaning;
  };

  explicit Switches(std::vector<Spec> specs);

  bool Is(absl::string_view name, absl::string_view value) const { return Get(name) == value; }
  std::string Get(absl::string_view name) const;
  int64_t Number(absl::string_view name) const;
  // NOT_FOUND, INVALID_ARGUMENT with the known names or values.
  absl::Status Set(absl::string_view name, absl::string_view value);
  const std::vector<Spec>& specs() const { return specs_; }

 private:
  const std::vector<Spec> specs_;
  mutable absl::Mutex mu_;
  std::map<std::string, std::string> values_ ABSL_GUARDED_BY(mu_);
};

// One request on its way through a dialect.
struct Exchange {
  Exchange(const Request& its_request, Library& its_library, const Switches& its_switches,
           Purse& its_purse)
      : request(its_request), library(its_library), switches(its_switches), purse(its_purse) {}

  const Request& request;
  Library& library;
  const Switches& switches;
  Purse& purse;
  std::vector<std::string> path_ids;  // what stood in place of each {…} of the endpoint's path
  std::string account;                // of the key that came along
  absl::Time now;
  Timing timing;
  std::string media_url;  // "http://127.0.0.1:1234/media"

  // A fault may put other words in place of states. A dialect writes every state through Word, and
  // those of an upstream's task that it shows inside of its own through InnerWord.
  StateWords words;
  std::string Word(absl::string_view native) const { return Shown(native, /*inner=*/false); }
  std::string InnerWord(absl::string_view native) const { return Shown(native, /*inner=*/true); }
  // Whether a word came out another than it was.
  bool words_changed() const { return words_changed_; }

  // The thing for a client that asks: counts a poll. Not found while it is too young.
  std::optional<Asset> PollAsset(absl::string_view tracking_id);
  std::optional<Video> PollVideo(absl::string_view id);
  // Takes the price of a video from the account, right before it is made; false: refuse it.
  bool Pay() { return purse.Pay(account); }

  // The body, if it is a JSON object that was sent as application/json.
  const rapidjson::Value* Body();
  // Ends the reading of an object: what nobody read is noted in `ignored`, or is a problem where
  // the dialect's switch `unknown_fields` says so.
  void SettleUnknownFields(FieldReader& fields);

  // For the request log: fields that the provider takes without a word and without effect.
  std::vector<std::string> ignored;
  // For the request log: the id of what was made or asked for.
  std::string object_id;

  Course NewAssetCourse() const;
  Course NewVideoCourse() const;
  std::string VideoUrl(absl::string_view id) const;      // of a result
  std::string LastFrameUrl(absl::string_view id) const;  // of a result
  // A processed copy of an asset.
  std::string CopyUrl(absl::string_view id, absl::string_view type) const;

 private:
  std::string Shown(absl::string_view native, bool inner) const;

  std::optional<rapidjson::Document> parsed_;
  mutable bool words_changed_ = false;
};

struct Endpoint {
  std::string method;
  std::string path;  // below the dialect's prefix; `{}` stands for one segment
  Call call;
  std::function<Response(Exchange&)> serve;
  bool open = false;  // answered without a key
};

// Thread-safe: requests are served on many threads.
class Dialect {
 public:
  virtual ~Dialect() = default;

  virtual absl::string_view name() const = 0;
  // Where it is mounted, for instance "/zerozero/v1".
  virtual absl::string_view prefix() const = 0;
  virtual const std::vector<Endpoint>& endpoints() const = 0;
  virtual std::vector<Switches::Spec> switches() const { return {}; }

  // The key a request carries in the way this provider wants it, if it does.
  virtual std::optional<std::string> PresentedKey(const Request& request) const;
  // The answer when there is no key, or one that is not known.
  virtual Response Unauthorized(bool presented, Call call) const = 0;
  // The answer with an HTTP status as documented, or as the operators' software gives it.
  virtual Response Refusal(int status, Call call, absl::string_view message) const = 0;
  // A failure inside HTTP 200: the provider's own envelope if it has one.
  virtual Response BusinessFailure(Call call, absl::string_view code,
                                   absl::string_view message) const = 0;
  // JSON pointers to what identifies the thing made, in the answer to a create call.
  virtual std::vector<std::string> IdPointers(Call call) const = 0;
};

// The switch that Exchange::SettleUnknownFields reads; for dialects that do not say what becomes of
// a field they do not know.
Switches::Spec UnknownFieldsSwitch();

// "application/json" answers.
Response JsonResponse(int status, const Json& json);
// Bearer <key>, or nothing.
std::optional<std::string> BearerKey(const Request& request);
// http or https with a host, no spaces.
bool IsHttpUrl(absl::string_view url);
bool IsHttpsUrl(absl::string_view url);
// What follows "asset://", if the text begins so.
std::optional<std::string> AssetReference(absl::string_view text);
// The message, or the other text if there is none.
inline std::string TextOr(absl::string_view message, absl::string_view otherwise) {
  return std::string(message.empty() ? otherwise : message);
}

// All that are simulated, in alphabetical order.
std::vector<std::unique_ptr<Dialect>> AllDialects();

}  // namespace assetgate::simulator

#endif  // ASSETGATE_TESTS_SIMULATOR_DIALECT_H_
