#include "tests/simulator/simulator.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "rapidjson/pointer.h"
#include "rapidjson/stringbuffer.h"
#include "tests/simulator/control.h"
#include "tests/simulator/edge.h"
#include "tests/simulator/media.h"
#include "tests/simulator/rewrite.h"

namespace assetgate::simulator {
namespace {

// The endpoint of a path below the prefix; `ids` are the segments at each `{}`. Of endpoints with
// the same path, the one with the method takes precedence; `other_method`: no endpoint has the
// method.
const Endpoint* FindEndpoint(const std::vector<Endpoint>& endpoints, absl::string_view method,
                             absl::string_view path, std::vector<std::string>* ids,
                             bool* other_method) {
  const std::vector<absl::string_view> segments = absl::StrSplit(path, '/');
  const Endpoint* near = nullptr;
  for (const Endpoint& endpoint : endpoints) {
    const std::vector<absl::string_view> pattern = absl::StrSplit(endpoint.path, '/');
    if (pattern.size() != segments.size()) continue;
    std::vector<std::string> found;
    bool matches = true;
    for (size_t i = 0; i < pattern.size() && matches; ++i) {
      if (pattern[i] == "{}") {
        matches = !segments[i].empty();
        found.emplace_back(segments[i]);
      } else {
        matches = pattern[i] == segments[i];
      }
    }
    if (!matches) continue;
    if (endpoint.method == method) {
      *ids = std::move(found);
      *other_method = false;
      return &endpoint;
    }
    near = &endpoint;
    *ids = std::move(found);
  }
  *other_method = near != nullptr;
  return near;
}

void EraseIds(const std::vector<std::string>& pointers, Response* response) {
  rapidjson::Document document;
  if (!ParseJson(response->body, &document)) return;
  for (const std::string& pointer : pointers) {
    rapidjson::Pointer(pointer.data(), pointer.size()).Erase(document);
  }
  response->body = Json::Of(document).text();
}

bool NeedsTrueAnswer(Fault::Kind kind) {
  switch (kind) {
    case Fault::Kind::kTruncate:
    case Fault::Kind::kDrip:
    case Fault::Kind::kState:
    case Fault::Kind::kNoId:
    case Fault::Kind::kContentType:
    case Fault::Kind::kHeaders:
    case Fault::Kind::kDress:
    case Fault::Kind::kWords:
    case Fault::Kind::kLink:
    case Fault::Kind::kNotUtf8:
      return true;
    default:
      return false;
  }
}

// The ids and links of a true answer, for the faults that rewrite it.
struct Subject {
  std::string object_id;
  std::string media_url;
  bool words_changed = false;
};

// Rewrites a true answer; false if there was nothing that the fault could change.
bool Rewrite(const Fault& fault, const Subject& subject, Response* response) {
  switch (fault.kind) {
    case Fault::Kind::kDress:
      return Dress(fault.dress, subject.object_id, subject.media_url, response);
    case Fault::Kind::kLink:
      return MoveLink(subject.media_url, fault.link_to, fault.link_value, response);
    case Fault::Kind::kNotUtf8:
      return AddForeignText(response);
    case Fault::Kind::kWords:
      return subject.words_changed;
    default:
      return true;
  }
}

// Turns the true answer (or an empty one, if the call was not carried out) into the faulty one.
// Hangs and rewriting faults were applied before.
void Spoil(const Fault& fault, const Dialect& dialect, Call call, Reply* reply) {
  Response& response = reply->response;
  Delivery& delivery = reply->delivery;
  switch (fault.kind) {
    case Fault::Kind::kStatus:
      response = fault.status >= 300 && fault.status < 400
                     ? Redirect(fault.status, fault.location)
                     : dialect.Refusal(fault.status, call, fault.message);
      if (fault.body) response.body = *fault.body;
      if (!fault.content_type.empty()) response.content_type = fault.content_type;
      if (!fault.retry_after.empty()) {
        response.headers.emplace_back("Retry-After", fault.retry_after);
      }
      return;
    case Fault::Kind::kEdge:
      response = EdgePage(fault.status, fault.server, fault.code);
      if (!fault.retry_after.empty()) {
        response.headers.emplace_back("Retry-After", fault.retry_after);
      }
      return;
    case Fault::Kind::kGarbage:
      response = Response();
      response.body = fault.body.value_or("\x1f\x8b{\"code\":200,\"data\":{\xff\xfe<html>]]>");
      if (!fault.content_type.empty()) response.content_type = fault.content_type;
      return;
    case Fault::Kind::kTruncate:
      delivery.kind = Delivery::Kind::kTruncated;
      return;
    case Fault::Kind::kReset:
      delivery.kind = Delivery::Kind::kReset;
      return;
    case Fault::Kind::kClose:
      delivery.kind = Delivery::Kind::kClosed;
      return;
    case Fault::Kind::kHang:
      if (!fault.answer_after_hang) delivery.kind = Delivery::Kind::kClosed;
      return;
    case Fault::Kind::kDrip:
      delivery.kind = Delivery::Kind::kDripped;
      delivery.piece = fault.bytes;
      delivery.pause = fault.duration;
      return;
    case Fault::Kind::kState:
    case Fault::Kind::kDress:
    case Fault::Kind::kWords:
    case Fault::Kind::kLink:
    case Fault::Kind::kNotUtf8:
      return;
    case Fault::Kind::kBusinessFailure:
      response = dialect.BusinessFailure(call, fault.code, fault.message);
      return;
    case Fault::Kind::kNoId:
      EraseIds(dialect.IdPointers(call), &response);
      return;
    case Fault::Kind::kContentType:
      response.content_type = fault.content_type.empty() ? "text/html" : fault.content_type;
      return;
    case Fault::Kind::kHuge:
      response = Response();
      delivery.kind = Delivery::Kind::kPadded;
      delivery.padding = fault.bytes;
      return;
    case Fault::Kind::kHeaders:
      for (int64_t i = 0; i < fault.count; ++i) {
        response.headers.emplace_back(absl::StrCat("X-Flood-", i), std::string(fault.bytes, 'f'));
      }
      return;
  }
}

bool IsAnswered(const Delivery& delivery) {
  return delivery.kind != Delivery::Kind::kReset && delivery.kind != Delivery::Kind::kClosed;
}

Response PlainText(int status, std::string text) {
  Response response;
  response.status = status;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(text);
  return response;
}

}  // namespace

Simulator::Simulator(Options options)
    : options_(std::move(options)),
      clock_(options_.clock != nullptr ? *options_.clock : system_clock_),
      log_(options_.keep_requests),
      server_(
          options_.server, [this](const Request& request) { return Serve(request); },
          [this](absl::Duration duration) {
            faults_.Hang(duration);
            return !faults_.stopped();
          }),
      timing_(options_.timing) {
  for (std::unique_ptr<Dialect>& dialect : AllDialects()) {
    providers_.push_back(std::make_unique<Provider>(std::move(dialect)));
  }
}

Simulator::~Simulator() { Stop(); }

absl::Status Simulator::Start() { return server_.Start(); }

void Simulator::Stop() {
  faults_.Stop();
  server_.Stop();
}

std::string Simulator::url() const {
  return absl::StrCat("http://", options_.server.address, ":", port());
}

std::string Simulator::BaseUrl(absl::string_view provider) const {
  for (const auto& known : providers_) {
    if (known->dialect->name() == provider) return absl::StrCat(url(), known->dialect->prefix());
  }
  return "";
}

Simulator::Provider* Simulator::FindProvider(absl::string_view name) {
  for (const auto& provider : providers_) {
    if (provider->dialect->name() == name) return provider.get();
  }
  return nullptr;
}

Timing Simulator::timing() const {
  absl::MutexLock lock(&mu_);
  return timing_;
}

void Simulator::SetTiming(const Timing& timing) {
  absl::MutexLock lock(&mu_);
  timing_ = timing;
}

Reply Simulator::Serve(const Request& request) {
  for (const auto& provider : providers_) {
    absl::string_view rest = request.path;
    if (absl::ConsumePrefix(&rest, provider->dialect->prefix()) && absl::StartsWith(rest, "/")) {
      return ServeProvider(*provider, request);
    }
  }
  if (absl::StartsWith(request.path, "/_control/")) return {ServeControl(*this, request), {}};
  if (absl::StartsWith(request.path, "/media/")) return {ServeMedia(request), {}};
  if (request.path == "/healthz") return {PlainText(200, "ok\n"), {}};
  std::string text = "provider-simulator; providers are mounted at\n";
  for (const auto& provider : providers_) {
    absl::StrAppend(&text, "  ", url(), provider->dialect->prefix(), "\n");
  }
  return {PlainText(request.path == "/" ? 200 : 404, text), {}};
}

Reply Simulator::ServeProvider(Provider& provider, const Request& request) {
  const Dialect& dialect = *provider.dialect;
  const Timing timing = this->timing();
  const absl::Time now = clock_.Now();

  std::vector<std::string> ids;
  bool other_method = false;
  const absl::string_view path = absl::string_view(request.path).substr(dialect.prefix().size());
  const Endpoint* endpoint =
      FindEndpoint(dialect.endpoints(), request.method, path, &ids, &other_method);
  const Call call = endpoint == nullptr || other_method ? Call::kOther : endpoint->call;
  const int64_t number = log_.Begin(now, dialect.name(), call, request);

  const std::optional<std::string> key = dialect.PresentedKey(request);
  const auto known = key ? std::find(options_.api_keys.begin(), options_.api_keys.end(), *key)
                         : options_.api_keys.end();
  const bool key_valid = known != options_.api_keys.end();

  Outcome outcome;
  outcome.key_valid = key_valid;
  std::optional<FaultTable::Hit> hit = faults_.Take(dialect.name(), call, request);
  if (hit && hit->fault.echo) absl::StrAppend(&hit->fault.message, " in ", request.body);
  const Fault* fault = hit ? &hit->fault : nullptr;
  if (fault != nullptr) outcome.fault = std::string(FaultKindName(fault->kind));
  Subject subject;
  subject.media_url =
      absl::StrCat(options_.public_url.empty() ? url() : options_.public_url, "/media");

  const auto carry_out = [&]() -> Response {
    if (endpoint == nullptr) return dialect.Refusal(404, call, "");
    if (other_method) return dialect.Refusal(405, call, "");
    if (!key_valid && !endpoint->open) return dialect.Unauthorized(key.has_value(), call);
    Exchange exchange(request, provider.library, provider.switches, provider.purse);
    exchange.path_ids = ids;
    if (key_valid) {
      exchange.account = absl::StrCat("account-", known - options_.api_keys.begin() + 1);
    }
    exchange.now = now;
    exchange.timing = timing;
    exchange.media_url = subject.media_url;
    if (fault != nullptr && fault->kind == Fault::Kind::kState) exchange.words.every = fault->state;
    if (fault != nullptr && fault->kind == Fault::Kind::kWords) exchange.words = fault->words;
    Response response = endpoint->serve(exchange);
    subject.object_id = exchange.object_id;
    subject.words_changed = exchange.words_changed();
    outcome.object_id = std::move(exchange.object_id);
    outcome.ignored = std::move(exchange.ignored);
    return response;
  };

  Reply reply;
  if (fault == nullptr) {
    reply.response = carry_out();
  } else {
    const bool hangs = fault->kind == Fault::Kind::kHang;
    if (fault->after_work || NeedsTrueAnswer(fault->kind)) reply.response = carry_out();
    if (hangs) {
      faults_.Hang(fault->duration);
      if (!fault->after_work && fault->answer_after_hang) reply.response = carry_out();
    }
    if (Rewrite(*fault, subject, &reply.response)) {
      Spoil(*fault, dialect, call, &reply);
    } else {
      faults_.GiveBack(hit->number);
      outcome.fault.clear();
    }
  }
  if (timing.latency > absl::ZeroDuration()) absl::SleepFor(timing.latency);

  outcome.status = IsAnswered(reply.delivery) ? reply.response.status : 0;
  if (options_.keep_requests) outcome.answer = reply.response.body;
  log_.Finish(number, dialect.name(), call, std::move(outcome));
  return reply;
}

}  // namespace assetgate::simulator
