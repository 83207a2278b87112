#include "tests/simulator/simulator_fixture.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "rapidjson/pointer.h"
#include "tests/simulator/json.h"

namespace assetgate::simulator {
namespace {

size_t Append(char* bytes, size_t, size_t count, void* out) {
  static_cast<std::string*>(out)->append(bytes, count);
  return count;
}

size_t AppendHeader(char* bytes, size_t, size_t count, void* out) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(absl::string_view(bytes, count), absl::MaxSplits(':', 1));
  static_cast<Headers*>(out)->emplace_back(std::string(parts.first),
                                           std::string(absl::StripAsciiWhitespace(parts.second)));
  return count;
}

Simulator::Options OptionsFor(const base::Clock& clock) {
  Simulator::Options options;
  options.server.threads = 8;
  options.api_keys = {"sim-key", "other-key"};
  options.clock = &clock;
  return options;
}

}  // namespace

std::string Answer::Header(absl::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (absl::EqualsIgnoreCase(key, name)) return value;
  }
  return "";
}

std::string Answer::At(absl::string_view pointer) const {
  rapidjson::Document document;
  if (!ParseJson(body, &document)) return "(none)";
  const rapidjson::Value* value = rapidjson::Pointer(pointer.data(), pointer.size()).Get(document);
  return value == nullptr ? "(none)" : Json::Of(*value).text();
}

std::string Answer::Text(absl::string_view pointer) const {
  rapidjson::Document document;
  if (!ParseJson(body, &document)) return "";
  const rapidjson::Value* value = rapidjson::Pointer(pointer.data(), pointer.size()).Get(document);
  return value != nullptr && value->IsString() ? value->GetString() : "";
}

SimulatorTest::SimulatorTest()
    : simulator(OptionsFor(clock)), kept_(curl_easy_init(), &curl_easy_cleanup) {
  const absl::Status status = simulator.Start();
  if (!status.ok()) ADD_FAILURE() << status;
}

SimulatorTest::~SimulatorTest() { simulator.Stop(); }

std::vector<std::string> SimulatorTest::KeyHeaders(absl::string_view path,
                                                   absl::string_view of_account) const {
  for (const auto& provider : simulator.providers()) {
    if (absl::StartsWith(path, absl::StrCat(provider->dialect->prefix(), "/"))) {
      return {absl::StrCat(provider->dialect->key_header(), of_account)};
    }
  }
  return {};
}

Answer SimulatorTest::Call(absl::string_view method, absl::string_view path, absl::string_view body,
                           std::vector<std::string> headers) {
  Answer answer;
  const Handle own(curl_easy_init(), &curl_easy_cleanup);
  CURL* curl = reuse_connections ? kept_.get() : own.get();
  curl_easy_reset(curl);
  const std::string url = absl::StrCat(simulator.url(), path);
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, std::string(method).c_str());
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(absl::ToInt64Milliseconds(timeout)));
  if (method == "POST") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
    curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, std::string(body).c_str());
  }
  if (method == "HEAD") curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  curl_slist* lines = nullptr;
  bool typed = false;
  for (const std::string& line : headers) {
    typed = typed || absl::StartsWithIgnoreCase(line, "content-type:");
    lines = curl_slist_append(lines, line.c_str());
  }
  if (method == "POST" && !typed) {
    lines = curl_slist_append(lines, "Content-Type: application/json");
  }
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, lines);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Append);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer.body);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &AppendHeader);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &answer.headers);
  answer.code = curl_easy_perform(curl);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  answer.status = static_cast<int>(status);
  long connections = 0;
  curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &connections);
  answer.new_connection = connections > 0;
  curl_slist_free_all(lines);
  return answer;
}

void SimulatorTest::AddFault(absl::string_view provider, absl::string_view call,
                             absl::string_view fault, int times) {
  const Answer answer = Call("POST", "/_control/faults",
                             Json::Object({{"provider", provider},
                                           {"call", call},
                                           {"fault", Json::Raw(std::string(fault))},
                                           {"times", times}})
                                 .text());
  ASSERT_EQ(answer.status, 200) << answer.body;
}

void SimulatorTest::Set(absl::string_view provider, absl::string_view name,
                        absl::string_view value) {
  const Answer answer =
      Call("POST", "/_control/switches",
           Json::Object({{"provider", provider}, {"switch", name}, {"value", value}}).text());
  ASSERT_EQ(answer.status, 200) << answer.body;
}

LoggedRequest SimulatorTest::Last() {
  const std::vector<LoggedRequest> requests = simulator.log().Requests("", "", 1);
  return requests.empty() ? LoggedRequest() : requests.front();
}

}  // namespace assetgate::simulator
