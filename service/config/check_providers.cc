#include "config/check_providers.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/proto_time.h"
#include "base/spelling.h"
#include "base/text.h"
#include "config/base_url.h"
#include "config/check_proxy.h"
#include "config/check_tracking.h"
#include "config/egress.h"
#include "config/secrets.h"
#include "provider/dialect.h"

namespace assetgate::config {
namespace {

// One entry of `providers` while it is checked.
struct Entry {
  const file::Provider& in;
  // "providers[1]".
  const std::string path;
  // Empty where the dialect is not known.
  provider::Traits traits;
};

// A protobuf map has no order; faults have.
template <typename Map>
auto Ordered(const Map& map) {
  return std::map<std::string, typename Map::mapped_type>(map.begin(), map.end());
}

std::unique_ptr<const provider::Dialect> MakeDialect(const file::Provider& in,
                                                     const std::string& path, Reading& reading) {
  const std::string& name = in.has_dialect() ? in.dialect() : in.id();
  if (name.empty()) return nullptr;
  std::vector<std::string> known;
  const provider::DialectFactory* factory = nullptr;
  for (const provider::DialectFactory* each : reading.environment().dialects) {
    if (each->name == name) factory = each;
    known.push_back(each->name);
  }
  if (factory == nullptr) {
    reading.AddFault(path + ".dialect",
                     absl::StrCat(in.has_dialect() ? "" : "is missing, and the id ",
                                  base::Quoted(name), " is not a dialect; known: ",
                                  absl::StrJoin(base::NearestFirst(name, known), ", ")));
    return nullptr;
  }
  const std::unique_ptr<google::protobuf::Message> options = factory->new_options();
  reading.ReadAt(path + ".options", *options);
  absl::StatusOr<std::unique_ptr<const provider::Dialect>> made = factory->create(*options);
  if (made.ok()) return *std::move(made);
  reading.AddFault(path + ".options", made.status().message());
  // The rest of the entry can still be checked against the dialect.
  made = factory->create(*factory->new_options());
  return made.ok() ? *std::move(made) : nullptr;
}

// The dialect's intervals, replaced by those of the top-level `tracking`, replaced by the
// provider's own.
provider::Polling Merge(provider::Polling polling, const file::Tracking& all,
                        const file::Polling& own) {
  const auto replace = [&polling](const auto& in) {
    if (in.has_first_poll()) polling.first = base::FromProto(in.first_poll());
    if (in.has_min_poll()) polling.floor = base::FromProto(in.min_poll());
    if (in.has_max_poll()) polling.ceiling = base::FromProto(in.max_poll());
  };
  replace(all);
  replace(own);
  polling.ceiling = std::max(polling.ceiling, polling.floor);
  return polling;
}

void CheckPollings(const Entry& entry, Reading& reading, model::ProviderEntry& out) {
  const file::Polling& own = entry.in.tracking();
  CheckPolling(entry.path + ".tracking", own, reading);
  const file::Tracking& all = reading.message().tracking();
  out.group_polling = Merge(entry.traits.group_polling, all, own);
  out.asset_polling = Merge(entry.traits.asset_polling, all, own);
  out.video_polling = Merge(entry.traits.video_polling, all, own);
}

void CheckLimits(const Entry& entry, Reading& reading, model::ProviderLimits& out) {
  const file::ProviderLimits& in = entry.in.limits();
  out.requests_per_second = reading.Number<double>(
      entry.path + ".limits.requests_per_second", in.has_requests_per_second(),
      in.requests_per_second(), entry.traits.requests_per_second, 0.01, 10'000);
  out.max_in_flight =
      reading.Number<int>(entry.path + ".limits.max_in_flight", in.has_max_in_flight(),
                          in.max_in_flight(), entry.traits.max_in_flight, 1, 10'000);
}

void CheckTimeouts(const Entry& entry, Reading& reading, model::ProviderEntry& out) {
  const file::Provider& in = entry.in;
  out.call_timeout = reading.Length(entry.path + ".timeout", in.has_timeout(), in.timeout(),
                                    absl::Minutes(1), absl::Seconds(1), absl::Minutes(10));
  // A `timeout` in the file replaces the dialect's own time limits, too.
  if (!in.has_timeout()) out.timeouts = entry.traits.timeouts;
  const auto read = [&](const char* name, bool set, const google::protobuf::Duration& value,
                        absl::Duration& timeout) {
    timeout = reading.Length(absl::StrCat(entry.path, ".timeouts.", name), set, value, timeout,
                             absl::Seconds(1), absl::Minutes(10));
  };
  const file::Timeouts& of = in.timeouts();
  read("submit_group", of.has_submit_group(), of.submit_group(), out.timeouts.submit_group);
  read("submit_asset", of.has_submit_asset(), of.submit_asset(), out.timeouts.submit_asset);
  read("submit_video", of.has_submit_video(), of.submit_video(), out.timeouts.submit_video);
  read("poll", of.has_poll(), of.poll(), out.timeouts.poll);
  read("delete", of.has_delete_(), of.delete_(), out.timeouts.remove);
}

void CheckHeaders(const Entry& entry, Reading& reading, http::Egress& out) {
  const auto& headers = entry.in.headers();
  if (headers.size() > kMaxHeaders) {
    reading.AddFault(entry.path + ".headers", absl::StrCat("names ", headers.size(),
                                                           " headers; name at most ", kMaxHeaders));
  }
  std::set<std::string> seen;
  for (const auto& [name, value] : Ordered(headers)) {
    std::string fault = FaultOfHeaderName(name, entry.traits.own_headers);
    if (fault.empty()) fault = FaultOfHeaderValue(value);
    if (fault.empty() && !seen.insert(absl::AsciiStrToLower(name)).second) {
      fault = "is listed twice, in another case; remove one";
    }
    if (!fault.empty()) reading.AddFault(absl::StrCat(entry.path, ".headers.", name), fault);
    out.headers.push_back({name, value});
  }
}

void CheckSlots(const Entry& entry, Reading& reading, model::ProviderEntry& out) {
  constexpr int kMaxSlots = 100'000;
  const file::Slots& in = entry.in.slots();
  const std::string path = entry.path + ".slots";
  if (in.has_default_()) {
    out.slots.each = reading.Number<int>(path + ".default", true, in.default_(), 0, 1, kMaxSlots);
  }
  for (const auto& [model, slots] : Ordered(in.models())) {
    const std::string at = absl::StrCat(path, ".models.", model);
    out.slots.by_model[model] = reading.Number<int>(at, true, slots, 0, 1, kMaxSlots);
    if (out.dialect == nullptr || out.dialect->FindModel(model) != nullptr) continue;
    reading.AddFault(
        at, absl::StrCat("is not a model of dialect ", entry.traits.name, "; known: ",
                         absl::StrJoin(base::NearestFirst(model, out.dialect->models()), ", ")));
  }
}

using Sources = std::map<std::string, SecretSource>;

// `path` is where the secrets stand; `field_path` identifies the provider by its id.
void CheckSecrets(const std::string& path, const std::string& field_path,
                  const google::protobuf::Map<std::string, file::Secret>& in,
                  const provider::Traits& traits, Reading& reading, provider::Credential& out,
                  Sources& sources) {
  // The secrets of an unknown dialect are unknown as well.
  const bool known = !traits.name.empty();
  for (const std::string& name : traits.secrets) {
    if (!known || in.contains(name)) continue;
    reading.AddFault(absl::StrCat(path, ".", name),
                     absl::StrCat("is missing; dialect ", traits.name,
                                  " needs it: {env: NAME} or {file: PATH}"));
  }
  for (const auto& [name, source] : Ordered(in)) {
    const std::string at = absl::StrCat(path, ".", name);
    if (known &&
        std::find(traits.secrets.begin(), traits.secrets.end(), name) == traits.secrets.end()) {
      reading.AddFault(at, absl::StrCat("dialect ", traits.name, " has no such secret; it has: ",
                                        absl::StrJoin(traits.secrets, ", ")));
      continue;
    }
    if (reading.HasFault(at)) continue;
    sources[absl::StrCat(field_path, ".", name)] = {source.env(), source.file()};
    out.secrets.emplace(name, ReadSecret(at, source, reading));
  }
}

std::string CredentialId(const std::string& path, bool set, const std::string& id,
                         const std::string& fallback, Reading& reading) {
  if (!set) return fallback;
  reading.CheckId(path, id);
  return id;
}

void CheckCredentials(const Entry& entry, Reading& reading, model::ProviderEntry& out,
                      Sources& sources) {
  const file::Provider& in = entry.in;
  const std::string& path = entry.path;
  const std::string field_path = absl::StrCat("providers[", out.id, "]");
  out.credential.id = CredentialId(path + ".credential_id", in.has_credential_id(),
                                   in.credential_id(), out.id, reading);
  CheckSecrets(path + ".credential", field_path + ".credential", in.credential(), entry.traits,
               reading, out.credential, sources);
  if (in.previous_credential().empty()) {
    if (in.has_previous_credential_id()) {
      reading.AddFault(path + ".previous_credential_id",
                       "names a previous_credential, but there is none; add it, or remove this");
    }
    return;
  }
  provider::Credential& previous = out.previous_credential.emplace();
  previous.id = CredentialId(path + ".previous_credential_id", in.has_previous_credential_id(),
                             in.previous_credential_id(), out.id, reading);
  CheckSecrets(path + ".previous_credential", field_path + ".previous_credential",
               in.previous_credential(), entry.traits, reading, previous, sources);
  // Stored work names the credential with which it was begun.
  if (previous.id == out.credential.id) {
    reading.AddFault(path + ".credential_id",
                     absl::StrCat(base::Quoted(previous.id),
                                  " is the id of both credential and previous_credential; give the "
                                  "new one a credential_id, such as ",
                                  base::Quoted(absl::StrCat(out.id, "-2")),
                                  ", and keep the old one's name for previous_credential_id"));
  }
}

void CheckPlanes(const file::Provider& in, const std::string& path, const provider::Traits& traits,
                 Reading& reading, model::ProviderEntry& out) {
  out.planes = traits.planes;
  std::vector<std::string> known;
  known.reserve(traits.planes.size());
  for (const auto& plane : traits.planes) known.push_back(plane.first);
  // A protobuf map has no order; faults have.
  for (const auto& [plane, url] : std::map(in.planes().begin(), in.planes().end())) {
    if (out.dialect != nullptr && !traits.planes.contains(plane)) {
      reading.AddFault(absl::StrCat(path, ".planes.", plane),
                       known.empty()
                           ? absl::StrCat("is not a plane: the dialect ", traits.name, " has none")
                           : absl::StrCat("is not a plane of the dialect ", traits.name,
                                          "; it has ", absl::StrJoin(known, ", ")));
    }
    out.planes[plane] = url;
  }
  for (auto& [plane, url] : out.planes) {
    const std::string fault = CheckBaseUrl(in.allow_insecure_http(), url);
    if (!fault.empty()) reading.AddFault(absl::StrCat(path, ".planes.", plane), fault);
  }
}

model::ProviderEntry CheckProvider(const file::Provider& in, const std::string& path,
                                   Reading& reading, Sources& sources) {
  model::ProviderEntry out;
  out.id = reading.Text(path + ".id", in.has_id(), in.id(),
                        "choose a name for the account, such as its dialect's name");
  if (!out.id.empty()) reading.CheckId(path + ".id", out.id);
  out.mode = in.mode() == v1::Provider::MODE_UNSPECIFIED ? v1::Provider::SERVE : in.mode();
  out.dialect = MakeDialect(in, path, reading);
  const Entry entry{in, path, out.dialect == nullptr ? provider::Traits() : out.dialect->traits()};
  CheckPollings(entry, reading, out);
  CheckLimits(entry, reading, out.limits);
  out.base_url = in.has_base_url() ? in.base_url() : entry.traits.default_base_url;
  if (in.has_base_url() || out.dialect != nullptr) {
    const std::string fault = CheckBaseUrl(in.allow_insecure_http(), out.base_url);
    if (!fault.empty()) reading.AddFault(path + ".base_url", fault);
  }
  CheckPlanes(in, path, entry.traits, reading, out);
  CheckCredentials(entry, reading, out, sources);
  CheckTimeouts(entry, reading, out);
  CheckHeaders(entry, reading, out.egress);
  CheckProxy(in, path, out.base_url, reading, out.egress);
  CheckSlots(entry, reading, out);
  return out;
}

}  // namespace

void CheckProviders(Reading& reading, Config& out) {
  const file::Config& in = reading.message();
  if (in.providers().empty()) {
    reading.AddFault("providers", "names no provider; name at least one, with id and credential");
  }
  std::map<std::string, int> seen;
  for (int i = 0; i < in.providers_size(); ++i) {
    const std::string path = absl::StrCat("providers[", i, "]");
    auto provider = std::make_shared<model::ProviderEntry>(
        CheckProvider(in.providers(i), path, reading, out.secret_sources));
    const auto [first, inserted] = seen.emplace(provider->id, i);
    if (!inserted && !provider->id.empty()) {
      reading.AddFault(path + ".id",
                       absl::StrCat(base::Quoted(provider->id), " is also the id of providers[",
                                    first->second, "]; give each account its own"));
    }
    out.providers.push_back(std::move(provider));
  }
}

}  // namespace assetgate::config
