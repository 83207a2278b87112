#include "calls/adoption.h"

#include <iterator>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "model/resource.h"

namespace assetgate::calls {
namespace {

// Whether an attempt that has the task is in the way: OK where it is not.
using Judge = absl::FunctionRef<absl::Status(const store::Key& holder, const v1::VideoTask&,
                                             const v1::Attempt&)>;

std::string Canonical(const ProviderTask& task, const std::string& id) {
  return task.dialect == nullptr ? id : task.dialect->CanonicalVideoId(id);
}

// The spellings of the id that rows may have: the provider's, and, since an earlier release stored
// ids as typed, the one of this request and both cases.
std::set<std::string> SpellingsOf(const ProviderTask& task) {
  const std::string own = Canonical(task, task.id);
  return {own, task.id, absl::AsciiStrToLower(own), absl::AsciiStrToUpper(own)};
}

// The first error of `judge` for the row's attempts that have the task.
absl::Status JudgeRow(const store::Row& row, const ProviderTask& task, Judge judge) {
  const std::string own = Canonical(task, task.id);
  const std::string provider = model::MakeName(model::kProviders, task.provider);
  model::VideoEntity other;
  model::FromRow(row, other);
  for (int i = 0; i < other.resource.attempts_size(); ++i) {
    const v1::Attempt& attempt = other.resource.attempts(i);
    const bool same =
        attempt.provider() == provider && (Canonical(task, attempt.provider_task_id()) == own ||
                                           (!task.handle.empty() && i < other.record.units_size() &&
                                            other.record.units(i).handle() == task.handle));
    if (!same) continue;
    if (absl::Status s = judge(row.key, other.resource, attempt); !s.ok()) return s;
  }
  return absl::OkStatus();
}

// Shows `judge` each attempt, of any tenant, that has the task; an error of it is the result.
// Otherwise the conditions under which no other row has the task when it is taken over.
reconcile::AdoptionConditions FindHolders(store::Store& store, const ProviderTask& task,
                                          Judge judge) {
  store::ListQuery query;
  query.kind = store::Kind::kVideoTask;
  std::vector<std::string>& terms = query.filter.clauses.emplace_back();
  for (const std::string& spelling : SpellingsOf(task)) {
    terms.push_back(model::ProviderTaskTerm(spelling));
  }
  // Rows that have the id and are not in the way: their task is another provider's, say.
  std::vector<store::Key> known;
  for (;;) {
    absl::StatusOr<std::optional<std::string>> next = store.NextTenant(query.tenant);
    if (!next.ok()) return base::StoreUnreadable();
    if (!next->has_value()) break;
    query.tenant = **std::move(next);
    query.after_create_revision.reset();
    for (bool more = true; more;) {
      absl::StatusOr<store::ListPage> page = store.List(query);
      if (!page.ok()) return base::StoreUnreadable();
      more = page->more;
      query.after_create_revision = page->end;
      for (const store::Row& row : page->rows) {
        if (absl::Status s = JudgeRow(row, task, judge); !s.ok()) return s;
        known.push_back(row.key);
      }
    }
  }
  std::vector<store::Conditions::TermAnywhere> conditions;
  conditions.reserve(terms.size());
  for (const std::string& term : terms) {
    conditions.push_back({store::Kind::kVideoTask, term, known});
  }
  return conditions;
}

base::Error Taken(const std::string& message) {
  return base::Error(absl::StatusCode::kFailedPrecondition, v1::PROVIDER_TASK_TAKEN, message);
}

}  // namespace

reconcile::AdoptionConditions ConditionsOfImport(store::Store& store, const std::string& tenant,
                                                 const ProviderTask& task) {
  return FindHolders(
      store, task,
      [&](const store::Key& holder, const v1::VideoTask& other, const v1::Attempt& attempt) {
        const std::string subject = absl::StrCat("\"", task.id, "\" at ", task.provider);
        // Says nothing of other tenants' resources.
        if (holder.tenant != tenant) {
          return absl::Status(Taken(absl::StrCat(subject, " was made for others")));
        }
        if (attempt.state() == v1::Attempt::FAILED || attempt.state() == v1::Attempt::CANCELLED) {
          return absl::OkStatus();
        }
        return absl::Status(Taken(absl::StrCat(subject, " is the task of \"", other.name(),
                                               "\", which has its result or will get it"))
                                .Resource(model::TypeOf(store::Kind::kVideoTask), other.name()));
      });
}

reconcile::AdoptionConditions ConditionsOfResolution(store::Store& store,
                                                     const model::Catalog& catalog,
                                                     const std::string& tenant,
                                                     const std::string& id,
                                                     const v1::VideoTask& task) {
  std::vector<store::Conditions::TermAnywhere> conditions;
  for (const v1::Attempt& doubtful : task.attempts()) {
    // One that is being submitted may have come into doubt by the time this is committed.
    if (doubtful.state() != v1::Attempt::UNCONFIRMED &&
        doubtful.state() != v1::Attempt::SUBMITTING) {
      continue;
    }
    ProviderTask taken;
    taken.provider = model::ParseProvider(doubtful.provider()).value_or("");
    taken.id = id;
    const model::ProviderEntry* provider = catalog.FindProvider(taken.provider);
    taken.dialect = provider == nullptr ? nullptr : provider->dialect.get();
    if (taken.dialect != nullptr) {
      // A malformed id is refused when the task is resolved.
      taken.handle = taken.dialect->AdoptVideo(taken.id, doubtful.provider_model()).value_or("");
    }
    reconcile::AdoptionConditions found =
        FindHolders(store, taken,
                    [&](const store::Key& holder, const v1::VideoTask& other, const v1::Attempt&) {
                      const bool own_tenant = holder.tenant == tenant;
                      if (own_tenant && other.name() == task.name()) return absl::OkStatus();
                      base::Error error = Taken(absl::StrCat(
                          "\"", id, "\" is the task of ",
                          own_tenant ? absl::StrCat("\"", other.name(), "\"") : "somebody else",
                          " at ", doubtful.provider(), "; look for another one, made when \"",
                          task.name(), "\" was sent"));
                      if (own_tenant) {
                        error.Resource(model::TypeOf(store::Kind::kVideoTask), other.name());
                      }
                      return absl::Status(error);
                    });
    if (!found.ok()) return found.status();
    std::move(found->begin(), found->end(), std::back_inserter(conditions));
  }
  return conditions;
}

}  // namespace assetgate::calls
