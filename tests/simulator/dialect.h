// The interface of a simulated dialect: its endpoints and its errors, without sockets, faults,
// clocks or logs. Each dialect's implementation is providers/<dialect>/simulator.{h,cc}, written
// from the provider's documentation and not from the gateway's encoder.
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

// The operation of a request, in the same words for every provider.
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

// Replacements for the documented state words in an answer.
struct StateWords {
  enum class Letters { kAsIs, kUpper, kLower, kCapitalized };

  std::optional<std::string> every;       // replaces every state except an inner one
  std::map<std::string, std::string> of;  // replaces these words
  Letters letters = Letters::kAsIs;
  std::string around;  // added before and after each word: blanks

  // An `inner` state is that of an upstream's task inside the relay's task.
  std::string Of(absl::string_view native, bool inner) const;
};

// The balance of each account. Thread-safe.
class Purse {
 public:
  // Sets how many videos the account can pay for; absent: any number.
  void Set(const std::string& account, std::optional<int64_t> videos);
  std::optional<int64_t> Left(const std::string& account) const;
  // Charges one video; false if the balance is too low.
  bool Pay(const std::string& account);

 private:
  mutable absl::Mutex mu_;
  std::map<std::string, int64_t> left_ ABSL_GUARDED_BY(mu_);
};

// Named choices between behaviours that the documentation leaves open, or that differ between
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

// One request that a dialect serves.
struct Exchange {
  Exchange(const Request& its_request, Library& its_library, const Switches& its_switches,
           Purse& its_purse)
      : request(its_request), library(its_library), switches(its_switches), purse(its_purse) {}

  const Request& request;
  Library& library;
  const Switches& switches;
  Purse& purse;
  std::vector<std::string> path_ids;  // the segments at each {} of the endpoint's path
  std::string account;                // of the request's key
  absl::Time now;
  Timing timing;
  std::string media_url;  // "http://127.0.0.1:1234/media"

  // A fault may replace state words. A dialect writes every state with Word, and the states of an
  // upstream's task inside its own with InnerWord.
  StateWords words;
  std::string Word(absl::string_view native) const { return Shown(native, /*inner=*/false); }
  std::string InnerWord(absl::string_view native) const { return Shown(native, /*inner=*/true); }
  // Whether a word was replaced.
  bool words_changed() const { return words_changed_; }

  // The asset (video) for a client's poll, which is counted. Absent while it is too young.
  std::optional<Asset> PollAsset(absl::string_view tracking_id);
  std::optional<Video> PollVideo(absl::string_view id);
  // Charges the account for a video, right before it is created; false: refuse it.
  bool Pay() { return purse.Pay(account); }

  // The body; null if it is not a JSON object that was sent as application/json.
  const rapidjson::Value* Body();
  // Ends the reading of an object: unread fields are added to `ignored`, or are problems where the
  // dialect's switch `unknown_fields` says so.
  void SettleUnknownFields(FieldReader& fields);

  // For the request log: fields that the provider silently ignores.
  std::vector<std::string> ignored;
  // For the request log: the id of the created or polled object.
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
  bool open = false;  // needs no key
};

// Thread-safe: requests are served on many threads.
class Dialect {
 public:
  virtual ~Dialect() = default;

  virtual absl::string_view name() const = 0;
  // The path where it is mounted, for instance "/zerozero/v1".
  virtual absl::string_view prefix() const = 0;
  virtual const std::vector<Endpoint>& endpoints() const = 0;
  virtual std::vector<Switches::Spec> switches() const { return {}; }

  // The header that carries a key, up to the key: "Authorization: Bearer ". Of a provider that also
  // takes signed requests, the header of the requests that are not signed.
  virtual absl::string_view key_header() const { return "Authorization: Bearer "; }
  // The key in a request, in this provider's form; absent where there is none.
  virtual std::optional<std::string> PresentedKey(const Request& request) const;
  // The answer to a request without a key, or with an unknown one.
  virtual Response Unauthorized(bool presented, Call call) const = 0;
  // The answer with an HTTP status, as documented or as observed.
  virtual Response Refusal(int status, Call call, absl::string_view message) const = 0;
  // A failure inside HTTP 200, in the provider's own envelope if it has one.
  virtual Response BusinessFailure(Call call, absl::string_view code,
                                   absl::string_view message) const = 0;
  // JSON pointers to the ids of the created object in the answer to a create call.
  virtual std::vector<std::string> IdPointers(Call call) const = 0;
};

// The switch that Exchange::SettleUnknownFields reads; for dialects whose documentation does not
// say what happens to unknown fields.
Switches::Spec UnknownFieldsSwitch();

// "application/json" answers.
Response JsonResponse(int status, const Json& json);
// http or https with a host, no spaces.
bool IsHttpUrl(absl::string_view url);
bool IsHttpsUrl(absl::string_view url);
// The text behind "asset://"; absent for any other text.
std::optional<std::string> AssetReference(absl::string_view text);
// The message, or `otherwise` if it is empty.
inline std::string TextOr(absl::string_view message, absl::string_view otherwise) {
  return std::string(message.empty() ? otherwise : message);
}

// All that are simulated, in alphabetical order.
std::vector<std::unique_ptr<Dialect>> AllDialects();

}  // namespace assetgate::simulator

#endif  // ASSETGATE_TESTS_SIMULATOR_DIALECT_H_
