// What a provider plugin implements: the translation between our units and one provider's REST
// dialect.
//
// A dialect is pure: no I/O, no clock, no locks, no retries. It turns what is to be done into an
// HTTP request, and an HTTP answer into what it says. Sending, waiting, repeating and remembering
// belong to core. All functions are const and may be called from any thread at once. Every byte of
// an answer is hostile until checked; nothing an answer says may make a function crash or throw.
//
// To add a dialect: a folder under providers/ with an implementation, its options.proto, testdata
// and README, and one line in providers/CMakeLists.txt.
#ifndef ASSETGATE_PROVIDER_DIALECT_H_
#define ASSETGATE_PROVIDER_DIALECT_H_

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "assetgate/v1/asset.pb.h"
#include "assetgate/v1/common.pb.h"
#include "assetgate/v1/provider.pb.h"
#include "assetgate/v1/video_task.pb.h"
#include "base/secret.h"
#include "google/protobuf/message.h"
#include "google/protobuf/struct.pb.h"
#include "http/message.h"
#include "provider/failure.h"

namespace assetgate::provider {

// What is submitted, polled and settled.
enum class UnitKind { kAssetGroup, kAsset, kVideo };

// The small JSON object a dialect keeps per unit to find it again (ids, model, task id). Opaque to
// everyone else, and stored: a later version must still read it.
using Handle = std::string;

// The named secrets of one account ("api_key"), as the config names them.
struct Credential {
  // Names the credential in attempts and logs; not secret.
  std::string id;
  std::map<std::string, base::Secret> secrets;
};

// When to ask how a unit is. Intervals grow from `floor` to `ceiling` with the unit's age.
struct Polling {
  absl::Duration first;    // after acceptance
  absl::Duration floor;    // never more often than this
  absl::Duration ceiling;  // at least this often while it is young enough to matter
};

// How long one call may take, from sending to the last byte of the answer, by what it is for. Zero:
// the provider's general time limit.
struct CallTimeouts {
  absl::Duration submit_group;
  absl::Duration submit_asset;
  absl::Duration submit_video;
  absl::Duration poll;
  absl::Duration remove;
};

// What an account has left, in the provider's own unit ("USD", "credits").
struct Credit {
  double amount = 0;
  std::string unit;
};

// What a dialect is, apart from its models.
struct Traits {
  // As in the config, in metrics and in the folder's name.
  std::string name;
  // The documented base URL, for the config that names none.
  std::string default_base_url;
  // The secrets a credential must have.
  std::vector<std::string> secrets;
  v1::AssetCapabilities asset_capabilities;
  Polling group_polling;
  Polling asset_polling;
  Polling video_polling;
  // For a config that sets no limits.
  double requests_per_second = 10;
  int max_in_flight = 32;
  // Where an operation is known to take longer than calls usually do.
  CallTimeouts timeouts;
  // Asset submissions in flight at one time, where the provider works on them while the call is
  // open and several at once starve one another; zero for no bound of their own.
  int max_asset_submissions = 0;
  // Names of headers that the dialect writes itself, apart from those that every dialect does.
  std::vector<std::string> own_headers;
  // How long after the first send a video submission may be repeated with the same idempotency key
  // and surely make only one video; zero where the dialect has no such key.
  absl::Duration idempotency_window = absl::ZeroDuration();
  // How long the link to a finished video lives by the provider's documentation, counted from the
  // end; zero where nothing is promised.
  absl::Duration video_lifetime = absl::ZeroDuration();
};

// A link of more bytes is not kept. Pre-signed ones have a few KiB; longer ones would fill the rows
// of the store.
inline constexpr std::size_t kMaxLinkBytes = 32 * 1024;

// What a provider just said of a unit.
struct Observation {
  enum class Progress {
    // Accepted and in a queue.
    kQueued,
    // In progress. Also for state words that are in no table (`unknown_state`).
    kRunning,
    // Usable (groups, assets), or done (videos; see `result`).
    kSucceeded,
    kFailed,
    kCancelled,
    // Groups and assets: the provider had it, and has it no longer (it expired, or was deleted
    // there).
    kGone,
  };
  // Where the result of a succeeded video is.
  enum class Result {
    // In `video`.
    kLinked,
    // The answer holds no link that can be read. The provider may add it later.
    kMissing,
    // The answer holds the media itself (`data:`, base64) instead of a link.
    kInline,
  };
  Progress progress = Progress::kRunning;
  // The state word is in no table; `progress` is kRunning then.
  bool unknown_state = false;
  // kSucceeded of a video only.
  Result result = Result::kLinked;
  // The answer as it came, at most 4 KiB, where a person may have to read it: unknown_state, or a
  // result that is not kLinked. Not yet cleaned; empty otherwise.
  std::string answer;
  // Where a relay's own state lags behind the state of the work inside it: what this observation
  // would be by the inner state, which is final. The outer one counts until it has lagged for so
  // long that nobody believes it any more. Null where the two agree.
  std::shared_ptr<const Observation> inner;
  // The word as it came.
  std::string provider_state;
  // The provider's id of the group, asset or task; empty where the answer does not say.
  std::string provider_id;
  // The id by which an asset is polled, where that is another one.
  std::string provider_tracking_id;
  // An asset's copy at the provider.
  std::string provider_uri;
  // When it ended, where it has and the answer says so; by the provider's clock.
  std::optional<absl::Time> end_time;
  // kFailed and kCancelled: why.
  std::optional<Failure> failure;
  // Videos only, each where the answer says:
  std::optional<int> progress_percent;
  // Complete but for expire_time, unless the provider says that (source PROVIDER).
  std::optional<v1::Video> video;
  std::optional<v1::Usage> usage;
  std::optional<v1::Attempt::Billing> billing;
  std::string upstream_provider;
};

// What a provider answered to a submission.
struct SubmitResult {
  Outcome outcome = Outcome::kUnknown;
  // kAccepted:
  Handle handle;
  Observation observation;
  // Otherwise:
  Failure failure;
};

// What an answer to a poll says of one unit.
struct UnitNews {
  enum class Kind {
    kNone,      // nothing
    kObserved,  // `observation`
    kNotFound,  // the provider says that it does not know the unit; `failure` has its words
  };
  Kind kind = Kind::kNone;
  Observation observation;
  Failure failure;
};

// What a provider answered to a poll.
struct PollResult {
  // The call failed as a whole. Never a verdict on a unit.
  std::optional<Failure> trouble;
  // Otherwise, by the index of the unit in the poll.
  std::vector<UnitNews> news;
};

// One call that asks for some of the units of a poll.
struct PollCall {
  http::Request request;
  // Which of the handles given to EncodePoll it asks for.
  std::vector<std::size_t> units;
};

// A group to be made at the provider.
struct GroupSubmission {
  const v1::AssetGroup& group;
  // The extra wire fields for this provider; may be empty.
  const google::protobuf::Struct& options;
};

// An asset to be registered at the provider.
struct AssetSubmission {
  const v1::Asset& asset;
  // Where the provider shall fetch it: the asset's source_uri, or another provider's copy.
  std::string source_uri;
  // Of the group's placement here; empty where the dialect's groups are kept by the gateway.
  Handle group;
  const google::protobuf::Struct& options;
};

// A medium of a video, as the chosen provider can use it: either a URI or an asset it holds.
struct ResolvedReference {
  v1::Reference::Role role = v1::Reference::REFERENCE;
  v1::MediaType media_type = v1::IMAGE;
  std::string uri;
  // Set instead of `uri` when the provider holds the asset: its id there, and its handle.
  std::string provider_asset_id;
  Handle asset;
};

// A video to be made.
struct VideoSubmission {
  // With the route's defaults filled in. `references` of the task are not to be used.
  const v1::VideoTask& task;
  std::string provider_model;
  // In the order of the task's references.
  std::vector<ResolvedReference> references;
  // Unique per attempt, [A-Za-z0-9-], at most 64 characters. For dialects with such a key.
  std::string idempotency_key;
  const google::protobuf::Struct& options;
};

// One faulty field of provider_options: its path below the provider's Struct, and what is wrong.
struct OptionFault {
  std::string field;
  std::string description;
};

class Dialect {
 public:
  virtual ~Dialect() = default;

  virtual const Traits& traits() const = 0;
  // The provider's own names of the models it can make, as the config writes them.
  virtual std::vector<std::string> models() const = 0;
  // What a model can express; nullptr for one that is not in models().
  virtual const v1::Capabilities* FindModel(absl::string_view model) const = 0;

  // Checks what a caller put into provider_options for this dialect: keys that the gateway itself
  // sends, unknown keys where the dialect is strict, and wrong types. No faults: fine.
  virtual std::vector<OptionFault> CheckOptions(UnitKind kind,
                                                const google::protobuf::Struct& options) const = 0;

  // What to send. The task or asset has been validated against the capabilities; an error here is a
  // defect, and the unit fails with it. Called for groups only where they are NATIVE.
  virtual absl::StatusOr<http::Request> EncodeSubmitGroup(const GroupSubmission& group) const;
  virtual absl::StatusOr<http::Request> EncodeSubmitAsset(const AssetSubmission& asset) const = 0;
  virtual absl::StatusOr<http::Request> EncodeSubmitVideo(const VideoSubmission& video) const = 0;
  // What the answer says. `request` is what was sent (for what a handle needs and the answer does
  // not repeat, such as the model). `replay`: the same bytes had been sent before with the same
  // key, and what became of that is not known: an answer then settles the first send too, or is
  // kUnknown.
  virtual SubmitResult DecodeSubmit(UnitKind kind, const http::Request& request,
                                    const http::Response& response, bool replay) const = 0;

  // The handle of a video that a person found at the provider: what DecodeSubmit would have made of
  // its acceptance. `id` is the provider's id of the task as the person typed it, `model` the
  // provider's model that it was submitted for. The error says what is wrong with an id that cannot
  // be one of this provider's tasks, to follow the field's name ("is not …; …").
  virtual absl::StatusOr<Handle> AdoptVideo(absl::string_view id,
                                            absl::string_view model) const = 0;
  // The provider's own spelling of an id that AdoptVideo takes, for dialects whose ids a person may
  // write in more than one: two ids are of one video when their own spellings are the same.
  virtual std::string CanonicalVideoId(absl::string_view id) const { return std::string(id); }

  // How to ask for some units: as few calls as the dialect allows, each unit in exactly one of
  // them.
  virtual std::vector<PollCall> EncodePoll(UnitKind kind,
                                           std::span<const Handle> handles) const = 0;
  // What an answer says of the units of one call, in the order of PollCall::units.
  virtual PollResult DecodePoll(UnitKind kind, const http::Response& response,
                                std::span<const Handle> handles) const = 0;
  // How to delete an asset at the provider; absent where the dialect cannot.
  virtual std::optional<http::Request> EncodeDeleteAsset(const Handle& handle) const;
  // OK: it is gone (also when it was unknown). Otherwise why it is not.
  virtual std::optional<Failure> DecodeDeleteAsset(const http::Response& response) const;

  // A call that shows whether the provider takes a credential, and that neither makes anything nor
  // costs anything; absent where the provider documents none. Nothing of the gateway's work depends
  // on it: it is for whoever sets the gateway up.
  virtual std::optional<http::Request> EncodeCheckCredential() const;
  // OK: the credential is taken. Otherwise why it is not, or that this cannot be told.
  virtual std::optional<Failure> DecodeCheckCredential(const http::Response& response) const;
  // What the answer to such a call says that the account has left; absent where it does not say.
  virtual std::optional<Credit> DecodeCredit(const http::Response& response) const;

  // Puts the credential into the request, last before it is sent. `now` is for signatures.
  virtual void Authorize(http::Request& request, const Credential& credential,
                         absl::Time now) const = 0;
};

// How a dialect is made from a provider's entry in the config.
struct DialectFactory {
  // The dialect's name.
  const char* name;
  // An empty message of the dialect's options.proto, which the config fills.
  std::unique_ptr<google::protobuf::Message> (*new_options)();
  // Checks the options (which are of that type) and makes the dialect. An error names the option
  // and the remedy.
  absl::StatusOr<std::unique_ptr<const Dialect>> (*create)(
      const google::protobuf::Message& options);
};

}  // namespace assetgate::provider

#endif  // ASSETGATE_PROVIDER_DIALECT_H_
