// The interface of a provider plugin: it translates between the gateway's units and one provider's
// REST dialect.
//
// A dialect is pure: no I/O, no clock, no locks, no retries. It encodes a submission or a poll as
// an HTTP request, and decodes the HTTP response. The gateway sends, waits, retries and stores.
//
// Threading: all functions are const and may be called from any thread at once. Errors: every byte
// of a response is hostile until checked; no response may make a function crash or throw.
//
// To add a dialect: a folder under providers/, and its name in the list of
// providers/CMakeLists.txt, which says what the folder holds.
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

// What the gateway submits, polls and settles.
enum class UnitKind { kAssetGroup, kAsset, kVideo };

// The small JSON object by which a dialect finds a unit again (ids, model, task id). Opaque to all
// other code. It is stored: a later version must still read it.
using Handle = std::string;

// The named secrets of one account ("api_key"), as the config names them.
struct Credential {
  // The credential's name in attempts and logs; not secret.
  std::string id;
  std::map<std::string, base::Secret> secrets;
};

// When a unit is polled. Intervals grow from `floor` to `ceiling` with the unit's age.
struct Polling {
  absl::Duration first;    // after acceptance
  absl::Duration floor;    // the shortest interval
  absl::Duration ceiling;  // the longest interval, while the unit is young enough to matter
};

// The time limit of one call, from sending to the last byte of the answer, for each operation.
// Zero: the provider's general time limit.
struct CallTimeouts {
  absl::Duration submit_group;
  absl::Duration submit_asset;
  absl::Duration submit_video;
  absl::Duration poll;
  absl::Duration remove;
};

// Where a request goes, as it is sent. A signature covers this, and the request's method and body.
struct Destination {
  // The value of the Host header: with a port unless it is the scheme's own.
  std::string host;
  // Of the base URL and of the request.
  std::string path;
  // Without the '?'; empty where there is none.
  std::string query;
};

// The balance of an account, in the provider's own unit ("USD", "credits").
struct Credit {
  double amount = 0;
  std::string unit;
};

// The properties of a dialect, apart from its models.
struct Traits {
  // Also the dialect's name in the config and in metrics, and the name of its folder.
  std::string name;
  // The documented base URL; the config can replace it.
  std::string default_base_url;
  // Further base URLs that requests may name (http::Request::plane), by name, each with the
  // documented URL: {"control", "https://open.example.com"}. The config can replace each.
  std::map<std::string, std::string> planes;
  // The names of the secrets that a credential must have.
  std::vector<std::string> secrets;
  v1::AssetCapabilities asset_capabilities;
  Polling group_polling;
  Polling asset_polling;
  Polling video_polling;
  // Used where the config sets no limits.
  double requests_per_second = 10;
  int max_in_flight = 32;
  // Set for operations that are known to take longer than most calls.
  CallTimeouts timeouts;
  // How many asset submissions may be in flight at once, for a provider that works on them while
  // the call is open, so that several starve one another; zero: no limit of their own.
  int max_asset_submissions = 0;
  // Names of headers that the dialect writes itself, apart from those that every dialect writes.
  std::vector<std::string> own_headers;
  // How long after the first send a video submission can be repeated with the same idempotency key
  // and still make only one video; zero where the dialect has no such key.
  absl::Duration idempotency_window = absl::ZeroDuration();
  // How long the link to a finished video works according to the provider's documentation, counted
  // from the end of the work; zero where the documentation promises nothing.
  absl::Duration video_lifetime = absl::ZeroDuration();
};

// A longer link is dropped. Pre-signed links have a few KiB; longer ones would fill the rows of the
// store.
inline constexpr std::size_t kMaxLinkBytes = 32 * 1024;

// What one answer of the provider says about a unit.
struct Observation {
  enum class Progress {
    // Accepted and in a queue.
    kQueued,
    // In progress. Also for a state word that is in no table (`unknown_state`).
    kRunning,
    // Usable (groups, assets), or done (videos; see `result`).
    kSucceeded,
    kFailed,
    kCancelled,
    // Groups and assets: the provider no longer has it (it expired, or was deleted there).
    kGone,
  };
  // Where the result of a succeeded video is.
  enum class Result {
    // In `video`.
    kLinked,
    // The answer holds no readable link. The provider may add it later.
    kMissing,
    // The answer holds the media itself (`data:`, base64) instead of a link.
    kInline,
  };
  Progress progress = Progress::kRunning;
  // The state word is in no table; `progress` is kRunning then.
  bool unknown_state = false;
  // kSucceeded of a video only.
  Result result = Result::kLinked;
  // The raw answer, at most 4 KiB, where an operator may have to read it: with unknown_state, or a
  // result that is not kLinked. Not yet cleaned; empty otherwise.
  std::string answer;
  // Set where a relay's own state lags behind the state of the work that it wraps: the observation
  // by the inner state, which is final. The outer state counts until it has lagged for too long to
  // be credible. Null where the two agree.
  std::shared_ptr<const Observation> inner;
  // The state word as the provider wrote it.
  std::string provider_state;
  // The provider's id of the group, asset or task; empty where the answer does not hold it.
  std::string provider_id;
  // The id by which an asset is polled, where it differs from provider_id.
  std::string provider_tracking_id;
  // The URI of an asset's copy at the provider.
  std::string provider_uri;
  // When the work ended, by the provider's clock; absent where the answer does not say.
  std::optional<absl::Time> end_time;
  // The reason, with kFailed, kCancelled and kGone.
  std::optional<Failure> failure;
  // Videos only, each present where the answer holds it:
  std::optional<int> progress_percent;
  // Without expire_time, unless the provider gives it (source PROVIDER).
  std::optional<v1::Video> video;
  std::optional<v1::Usage> usage;
  std::optional<v1::Attempt::Billing> billing;
  std::string upstream_provider;
};

// The decoded answer to a submission.
struct SubmitResult {
  Outcome outcome = Outcome::kUnknown;
  // With kAccepted:
  Handle handle;
  Observation observation;
  // With every other outcome:
  Failure failure;
};

// What an answer to a poll says about one unit.
struct UnitNews {
  enum class Kind {
    kNone,      // nothing
    kObserved,  // `observation`
    kNotFound,  // the provider does not know the unit; `failure` has its words
  };
  Kind kind = Kind::kNone;
  Observation observation;
  Failure failure;
};

// The decoded answer to a poll.
struct PollResult {
  // Set where the call failed as a whole: this says nothing about any unit.
  std::optional<Failure> trouble;
  // Without `trouble`: one element for each unit of the poll, in its order.
  std::vector<UnitNews> news;
};

// One call that polls some of the units.
struct PollCall {
  http::Request request;
  // The indices of the units' handles among those given to EncodePoll.
  std::vector<std::size_t> units;
};

// A group to create at the provider.
struct GroupSubmission {
  const v1::AssetGroup& group;
  // The caller's provider_options for this provider; may be empty.
  const google::protobuf::Struct& options;
};

// An asset to register at the provider.
struct AssetSubmission {
  const v1::Asset& asset;
  // Where the provider fetches it: the asset's source_uri, or another provider's copy.
  std::string source_uri;
  // The handle of the group's placement at this provider; empty where the gateway keeps the groups.
  Handle group;
  const google::protobuf::Struct& options;
};

// A medium of a video, as the chosen provider can use it: either a URI or an asset that it holds.
struct ResolvedReference {
  v1::Reference::Role role = v1::Reference::REFERENCE;
  v1::MediaType media_type = v1::IMAGE;
  std::string uri;
  // Set instead of `uri` where the provider holds the asset: its id there, and its handle.
  std::string provider_asset_id;
  Handle asset;
};

// A video to submit.
struct VideoSubmission {
  // With the route's defaults filled in. A dialect must not use its `references`.
  const v1::VideoTask& task;
  std::string provider_model;
  // In the order of the task's references.
  std::vector<ResolvedReference> references;
  // Unique per attempt, [A-Za-z0-9-], at most 64 characters; for dialects with an idempotency key.
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
  // The provider's own names of its models, as the config writes them.
  virtual std::vector<std::string> models() const = 0;
  // The capabilities of a model; nullptr for one that is not in models().
  virtual const v1::Capabilities* FindModel(absl::string_view model) const = 0;

  // Checks a caller's provider_options for this dialect. A fault is a key that the gateway itself
  // sends, an unknown key where the dialect is strict, or a wrong type.
  virtual std::vector<OptionFault> CheckOptions(UnitKind kind,
                                                const google::protobuf::Struct& options) const = 0;

  // The request of a submission. The task or asset has been validated against the capabilities: an
  // error here is a defect, and the unit fails with it. Groups are submitted only where they are
  // NATIVE.
  virtual absl::StatusOr<http::Request> EncodeSubmitGroup(const GroupSubmission& group) const;
  virtual absl::StatusOr<http::Request> EncodeSubmitAsset(const AssetSubmission& asset) const = 0;
  virtual absl::StatusOr<http::Request> EncodeSubmitVideo(const VideoSubmission& video) const = 0;
  // Decodes the answer to a submission. `request` is the one that was sent, for what a handle needs
  // and the answer does not repeat, such as the model. `replay`: the same bytes had been sent
  // before with the same key, with an unknown outcome. The answer then settles the first send too,
  // or is kUnknown.
  virtual SubmitResult DecodeSubmit(UnitKind kind, const http::Request& request,
                                    const http::Response& response, bool replay) const = 0;

  // The handle of a video that an operator found at the provider: the one that DecodeSubmit returns
  // on its acceptance. `id` is the provider's id of the task as the operator typed it, `model` the
  // provider's model. The error of an id that cannot belong to this provider's tasks completes a
  // sentence that begins with the field's name ("is not …; …").
  virtual absl::StatusOr<Handle> AdoptVideo(absl::string_view id,
                                            absl::string_view model) const = 0;
  // The provider's spelling of an id that AdoptVideo accepts. Two ids name one video if their
  // canonical spellings are equal.
  virtual std::string CanonicalVideoId(absl::string_view id) const { return std::string(id); }

  // The calls that poll these units: as few as the dialect allows, each unit in exactly one of
  // them.
  virtual std::vector<PollCall> EncodePoll(UnitKind kind,
                                           std::span<const Handle> handles) const = 0;
  // Decodes the answer to one call. `handles` are those of PollCall::units, and so is the order of
  // the result.
  virtual PollResult DecodePoll(UnitKind kind, const http::Response& response,
                                std::span<const Handle> handles) const = 0;
  // The request that deletes an asset at the provider; absent where the dialect has none.
  virtual std::optional<http::Request> EncodeDeleteAsset(const Handle& handle) const;
  // Absent: the asset is deleted, or was unknown. Otherwise why it is not.
  virtual std::optional<Failure> DecodeDeleteAsset(const http::Response& response) const;

  // A call that shows whether the provider accepts a credential, without creating anything and
  // without cost; absent where the provider documents none. Only `--doctor` uses it.
  virtual std::optional<http::Request> EncodeCheckCredential() const;
  // Absent: the credential is accepted. Otherwise why it is not, or that the answer does not show
  // it.
  virtual std::optional<Failure> DecodeCheckCredential(const http::Response& response) const;
  // The account's balance in the answer to such a call; absent where it holds none.
  virtual std::optional<Credit> DecodeCredit(const http::Response& response) const;

  // Puts the credential into the request, last before it is sent: only headers change.
  // `destination` and `now` are for signatures.
  virtual void Authorize(http::Request& request, const Destination& destination,
                         const Credential& credential, absl::Time now) const = 0;
};

// The base URL that a request goes to: `base_url`, or that of the plane which it names. Empty for a
// plane that is not among `planes`: such a request cannot be sent.
std::string BaseUrlFor(const http::Request& request, const std::string& base_url,
                       const std::map<std::string, std::string>& planes);
// Where a request goes that is sent to this base URL.
Destination DestinationOf(const http::Request& request, absl::string_view base_url);

// Makes a dialect from a provider's entry in the config.
struct DialectFactory {
  // Traits::name.
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
