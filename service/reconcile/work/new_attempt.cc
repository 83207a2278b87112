#include "reconcile/work/new_attempt.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/proto_time.h"
#include "model/fingerprint.h"
#include "reconcile/work/attempts.h"

namespace assetgate::reconcile {
namespace {

// The same provider again, after it surely did not accept: the attempt is used again, so that their
// number stays bounded. One that was ever in doubt stays on record, and open to a late answer: a
// person's word on it is never taken for a word on another submission.
int FindOrAdd(const std::string& provider_name, const std::string& provider_model,
              model::VideoEntity& draft) {
  v1::VideoTask& task = draft.resource;
  int index = -1;
  for (int i = 0; i < task.attempts_size(); ++i) {
    const v1::Attempt& attempt = task.attempts(i);
    if (attempt.provider() == provider_name && attempt.provider_model() == provider_model &&
        attempt.state() == v1::Attempt::NOT_ACCEPTED &&
        draft.record.units(i).unknown_outcomes() == 0 && !attempt.has_resolve_time()) {
      index = i;
    }
  }
  if (index >= 0) return index;
  task.add_attempts();
  draft.record.add_units();
  return task.attempts_size() - 1;
}

const google::protobuf::Struct& OptionsFor(const v1::VideoTask& task,
                                           const std::string& provider_id) {
  static const auto* const none = new google::protobuf::Struct();
  const auto options = task.provider_options().find(provider_id);
  return options == task.provider_options().end() ? *none : options->second;
}

}  // namespace

NewAttempt BeginAttempt(const Environment& environment, const model::ProviderEntry& provider,
                        const std::string& provider_model,
                        std::vector<provider::ResolvedReference> references,
                        model::VideoEntity& draft) {
  v1::VideoTask& task = draft.resource;
  const absl::Time now = environment.now();
  const std::string provider_name = model::MakeName(model::kProviders, provider.id);
  NewAttempt made{.index = FindOrAdd(provider_name, provider_model, draft),
                  .request = absl::InternalError("not encoded yet")};
  v1::Attempt& attempt = *task.mutable_attempts(made.index);
  model::Unit& record = *draft.record.mutable_units(made.index);
  attempt.set_provider(provider_name);
  attempt.set_provider_model(provider_model);
  attempt.set_credential_id(provider.credential.id);
  attempt.set_state(v1::Attempt::SUBMITTING);
  // From now on it can be.
  attempt.set_billing(v1::Attempt::UNKNOWN);
  attempt.clear_error();
  attempt.clear_end_time();
  if (!attempt.has_create_time()) *attempt.mutable_create_time() = base::ToProto(now);
  provider::VideoSubmission submission{task, provider_model, std::move(references),
                                       attempt.idempotency_key(), OptionsFor(task, provider.id)};
  const bool has_key = provider.dialect->traits().idempotency_window > absl::ZeroDuration();
  // "Not accepted" is what the provider, or something in front of it, said. Were that not so, the
  // former key keeps the same request to the same account from being paid for twice.
  made.same_key = has_key && !submission.idempotency_key.empty() &&
                  model::Matches(record.account(), provider, provider.credential) &&
                  now < RepeatableUntil(environment, record, provider);
  if (made.same_key) {
    made.request = provider.dialect->EncodeSubmitVideo(submission);
    made.same_key = made.request.ok() && model::DigestOf(*made.request) == record.request_digest();
  }
  if (!made.same_key) {
    submission.idempotency_key =
        absl::StrCat(model::NewResourceId(now), "-", model::NewResourceId(now).substr(13));
    made.request = provider.dialect->EncodeSubmitVideo(submission);
    record.clear_request_digest();
    if (has_key) {
      attempt.set_idempotency_key(submission.idempotency_key);
      if (made.request.ok()) record.set_request_digest(model::DigestOf(*made.request));
    }
    *record.mutable_account() = model::FingerprintOf(provider, provider.credential);
  }
  record.set_provider(provider.id);
  record.set_credential_id(provider.credential.id);
  return made;
}

}  // namespace assetgate::reconcile
