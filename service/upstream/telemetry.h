// What core tells about itself, to whoever turns it into metrics and log lines.
#ifndef ASSETGATE_UPSTREAM_TELEMETRY_H_
#define ASSETGATE_UPSTREAM_TELEMETRY_H_

#include <optional>
#include <set>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/log.h"
#include "base/metrics.h"
#include "http/client.h"
#include "model/video_end.h"
#include "provider/failure.h"

namespace assetgate::upstream {

// One finished call to a provider. All text is clean: no secrets, no queries of URLs.
struct UpstreamCall {
  absl::string_view provider;
  base::UpstreamOperation operation;
  // The resource it was made for: "assets/hero".
  std::string resource;
  // Of the call that created the resource, as far as this process took it; with a span of its own
  // while its caller waits.
  base::LogContext context;
  base::CallOutcome outcome;
  // Submissions only.
  std::optional<provider::Outcome> submission;
  int http_status = 0;
  absl::Duration latency;
  // Why it is not what one hopes for; empty otherwise.
  std::string message;
};

// The outcome of a call by its answer; `failed`: the body says so although the status does not.
base::CallOutcome OutcomeOf(const http::Result& result, bool failed);

// Called on the thread of what tells it, the reconciler's or that of Purge; must not block.
class Telemetry {
 public:
  virtual ~Telemetry() = default;
  virtual void OnUpstreamCall(const UpstreamCall& call) = 0;
  // A resource changed its state: "assets/hero", "PROCESSING", "ACTIVE". `detail` is its error's
  // message.
  virtual void OnStateChange(absl::string_view resource, const base::LogContext& context,
                             absl::string_view from, absl::string_view to,
                             absl::string_view detail) = 0;
  // A provider is in another state than before (at first: any). `reason` is one sentence.
  virtual void OnProviderState(absl::string_view provider, base::ProviderCondition condition,
                               absl::string_view reason) = 0;
  // A call that had to wait for the account's budget, may go.
  virtual void OnBudgetWait(absl::string_view provider, absl::Duration waited) = 0;
  // The end of a unit is committed, so long after it ended at its provider; see
  // base::DetectionBasis.
  virtual void OnDetected(absl::string_view provider, base::MetricKind kind,
                          base::DetectionBasis basis, absl::Duration lag) = 0;
  // The end of a video task is committed. Told once of each, by the gateway that committed it.
  virtual void OnVideoEnd(const model::VideoEnd& end) = 0;
  // What providers say that an attempt was charged has grown, and that is committed.
  virtual void OnVideoUsage(const model::VideoUsage& usage) = 0;
  // A provider comes into use; these models are made there by the routes of the config.
  virtual void OnVideoModels(absl::string_view provider, const std::set<std::string>& models) = 0;
  // An answer about `resource` was not as the provider documents it. `word` is what was odd, for
  // people, where there is a word for it.
  virtual void OnOddAnswer(absl::string_view provider, base::MetricKind kind, base::Oddity oddity,
                           absl::string_view resource, absl::string_view word) = 0;
  // A stored resource cannot be read, and was left out of a list.
  virtual void OnUnreadable(base::MetricKind kind, absl::string_view resource) = 0;
  // So many finished tasks were purged in one commit.
  virtual void OnPurged(int video_tasks) = 0;
  // A sweep over all that are old enough has ended; it purged so many, at least one.
  virtual void OnPurgeEnd(int video_tasks) = 0;
  // Something that an operator should look at.
  virtual void OnWarning(absl::string_view resource, absl::string_view message) = 0;
};

// To metrics and the log.
class LoggedTelemetry final : public Telemetry {
 public:
  LoggedTelemetry(base::Metrics& metrics, base::Log log)
      : metrics_(metrics), log_(std::move(log)) {}

  void OnUpstreamCall(const UpstreamCall& call) override;
  void OnStateChange(absl::string_view resource, const base::LogContext& context,
                     absl::string_view from, absl::string_view to,
                     absl::string_view detail) override;
  void OnProviderState(absl::string_view provider, base::ProviderCondition condition,
                       absl::string_view reason) override;
  void OnBudgetWait(absl::string_view provider, absl::Duration waited) override;
  void OnDetected(absl::string_view provider, base::MetricKind kind, base::DetectionBasis basis,
                  absl::Duration lag) override;
  void OnVideoEnd(const model::VideoEnd& end) override;
  void OnVideoUsage(const model::VideoUsage& usage) override;
  void OnVideoModels(absl::string_view provider, const std::set<std::string>& models) override;
  // Counted each time, and logged once per provider, kind, oddity and word, as far as these are
  // few.
  void OnOddAnswer(absl::string_view provider, base::MetricKind kind, base::Oddity oddity,
                   absl::string_view resource, absl::string_view word) override;
  // Counted each time, and logged once per resource, as far as these are few.
  void OnUnreadable(base::MetricKind kind, absl::string_view resource) override;
  void OnPurged(int video_tasks) override;
  void OnPurgeEnd(int video_tasks) override;
  void OnWarning(absl::string_view resource, absl::string_view message) override;

 private:
  base::Metrics& metrics_;
  const base::Log log_;
  // The reconciler's thread only.
  absl::flat_hash_set<std::string> told_oddities_;
  absl::flat_hash_set<std::string> told_unreadable_;
};

}  // namespace assetgate::upstream

#endif  // ASSETGATE_UPSTREAM_TELEMETRY_H_
