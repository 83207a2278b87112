#include "tests/simulator/request_log.h"

#include <algorithm>

#include "absl/strings/match.h"

namespace assetgate::simulator {
namespace {

constexpr size_t kBodyBytes = 64 << 10;
constexpr size_t kAnswerBytes = 4 << 10;

bool CarriesKey(absl::string_view header) {
  return absl::EqualsIgnoreCase(header, "authorization") ||
         absl::EqualsIgnoreCase(header, "x-api-key") ||
         absl::EqualsIgnoreCase(header, "x-access-key") ||
         absl::EqualsIgnoreCase(header, "x-secret-key");
}

// The approximate size of a logged request. It must not change while the request is kept: additions
// by Finish are counted when they are made.
size_t Bytes(const LoggedRequest& request) {
  size_t bytes = sizeof(request) + request.path.size() + request.query.size() +
                 request.body.size() + request.answer.size();
  for (const auto& [name, value] : request.headers) bytes += name.size() + value.size() + 64;
  return bytes;
}

}  // namespace

int64_t RequestLog::Begin(absl::Time now, absl::string_view provider, Call call,
                          const Request& request) {
  LoggedRequest logged;
  if (keep_requests_) {
    logged.time = now;
    logged.provider = std::string(provider);
    logged.call = call;
    logged.method = request.method;
    logged.path = request.path;
    logged.query = request.query;
    for (const auto& [name, value] : request.headers) {
      logged.headers.emplace_back(name, CarriesKey(name) ? "(redacted)" : value);
    }
    logged.body = request.body.substr(0, kBodyBytes);
  }
  absl::MutexLock lock(&mu_);
  auto found = counters_.find(provider);
  if (found == counters_.end()) {
    found = counters_.try_emplace(std::string(provider)).first;
  }
  ++found->second[static_cast<int>(call)].requests;
  const int64_t number = ++last_number_;
  if (keep_requests_) {
    logged.number = number;
    bytes_ += Bytes(logged);
    requests_.push_back(std::move(logged));
    while (requests_.size() > kCapacity || bytes_ > kByteCapacity) {
      bytes_ -= Bytes(requests_.front());
      requests_.pop_front();
    }
  }
  return number;
}

void RequestLog::Finish(int64_t number, absl::string_view provider, Call call, Outcome outcome) {
  absl::MutexLock lock(&mu_);
  Counter& counter = counters_.find(provider)->second[static_cast<int>(call)];
  ++counter.answers[outcome.status];
  if (!outcome.fault.empty()) ++counter.faults;
  // Numbers in the deque are consecutive.
  if (requests_.empty() || number < requests_.front().number) return;
  LoggedRequest& logged = requests_[number - requests_.front().number];
  bytes_ -= Bytes(logged);
  logged.status = outcome.status;
  logged.key_valid = outcome.key_valid;
  logged.fault = std::move(outcome.fault);
  logged.answer = outcome.answer.substr(0, kAnswerBytes);
  logged.object_id = std::move(outcome.object_id);
  logged.ignored = std::move(outcome.ignored);
  bytes_ += Bytes(logged);
}

void RequestLog::Clear() {
  absl::MutexLock lock(&mu_);
  requests_.clear();
  bytes_ = 0;
}

std::vector<LoggedRequest> RequestLog::Requests(absl::string_view provider, absl::string_view call,
                                                size_t limit) const {
  std::vector<LoggedRequest> chosen;
  absl::MutexLock lock(&mu_);
  for (auto logged = requests_.rbegin(); logged != requests_.rend() && chosen.size() < limit;
       ++logged) {
    if (!provider.empty() && logged->provider != provider) continue;
    if (!call.empty() && CallName(logged->call) != call) continue;
    chosen.push_back(*logged);
  }
  std::reverse(chosen.begin(), chosen.end());
  return chosen;
}

int64_t RequestLog::CallsLocked(absl::string_view provider, absl::string_view call) const {
  int64_t calls = 0;
  for (const auto& [name, counters] : counters_) {
    if (provider != "*" && name != provider) continue;
    for (int i = 0; i < kCallCount; ++i) {
      if (call == "*" || call == CallName(static_cast<Call>(i))) calls += counters[i].requests;
    }
  }
  return calls;
}

int64_t RequestLog::Calls(absl::string_view provider, absl::string_view call) const {
  absl::MutexLock lock(&mu_);
  return CallsLocked(provider, call);
}

bool RequestLog::AwaitCalls(absl::string_view provider, absl::string_view call, int64_t count,
                            absl::Duration timeout) const {
  const auto arrived = [&]() ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    return CallsLocked(provider, call) >= count;
  };
  absl::MutexLock lock(&mu_);
  return mu_.AwaitWithTimeout(absl::Condition(&arrived), timeout);
}

Json RequestLog::Counts() const {
  absl::MutexLock lock(&mu_);
  Json::Members providers;
  for (const auto& [name, counters] : counters_) {
    Json::Members calls;
    for (int i = 0; i < kCallCount; ++i) {
      const Counter& counter = counters[i];
      if (counter.requests == 0) continue;
      std::vector<std::pair<std::string, int64_t>> statuses;
      statuses.reserve(counter.answers.size());
      for (const auto& [status, count] : counter.answers) {
        statuses.emplace_back(status == 0 ? "none" : absl::StrCat(status), count);
      }
      Json::Members answers(statuses.begin(), statuses.end());
      calls.emplace_back(CallName(static_cast<Call>(i)),
                         Json::Object({{"requests", counter.requests},
                                       {"answers", Json::Object(answers)},
                                       {"faults", counter.faults}}));
    }
    providers.emplace_back(name, Json::Object(calls));
  }
  return Json::Object(providers);
}

Json ToJson(const LoggedRequest& request) {
  Json::Members headers;
  for (const auto& [name, value] : request.headers) headers.emplace_back(name, value);
  return Json::Object({{"number", request.number},
                       {"time", absl::FormatTime(request.time, absl::UTCTimeZone())},
                       {"provider", request.provider},
                       {"call", CallName(request.call)},
                       {"method", request.method},
                       {"path", request.path},
                       {"query", request.query},
                       {"headers", Json::Object(headers)},
                       {"key_valid", request.key_valid},
                       {"body", request.body},
                       {"status", request.status},
                       {"answer", request.answer},
                       {"fault", request.fault},
                       {"object_id", request.object_id},
                       {"ignored", Json::Strings(request.ignored)}});
}

}  // namespace assetgate::simulator
