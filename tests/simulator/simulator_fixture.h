// A simulator in this process on its own port, with a clock that the test controls, and a client.
#ifndef ASSETGATE_TESTS_SIMULATOR_SIMULATOR_FIXTURE_H_
#define ASSETGATE_TESTS_SIMULATOR_SIMULATOR_FIXTURE_H_

#include <curl/curl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/testing/fake_clock.h"
#include "rapidjson/document.h"
#include "tests/simulator/message.h"
#include "tests/simulator/simulator.h"

namespace assetgate::simulator {

// The result of one HTTP call.
struct Answer {
  CURLcode code = CURLE_OK;
  int status = 0;  // 0 if there was none
  std::string body;
  Headers headers;
  bool new_connection = true;

  std::string Header(absl::string_view name) const;
  // The value at a JSON pointer as JSON text: `"Active"`, `200`, `null`; "(none)" if there is none,
  // or the body is not JSON.
  std::string At(absl::string_view pointer) const;
  // The string at a JSON pointer, or "".
  std::string Text(absl::string_view pointer) const;
};

class SimulatorTest : public ::testing::Test {
 protected:
  static constexpr char kKey[] = "sim-key";
  static constexpr char kOtherKey[] = "other-key";

  SimulatorTest();
  ~SimulatorTest() override;

  // One call on its own connection: on a reused one, libcurl repeats a request whose connection
  // ended, even a POST, and the first try would use up a fault. Paths begin with "/". Headers are
  // lines; Content-Type is application/json unless a line sets it.
  Answer Call(absl::string_view method, absl::string_view path, absl::string_view body = "",
              std::vector<std::string> headers = {});
  // With `key` in the form of the provider at the beginning of the path.
  Answer Get(absl::string_view path) { return Call("GET", path, "", KeyHeaders(path, key)); }
  Answer Post(absl::string_view path, absl::string_view body) {
    return Call("POST", path, body, KeyHeaders(path, key));
  }
  Answer Delete(absl::string_view path) { return Call("DELETE", path, "", KeyHeaders(path, key)); }

  // Adds a fault for the next `times` calls. `fault` as in /_control/faults.
  void AddFault(absl::string_view provider, absl::string_view call, absl::string_view fault,
                int times = 1);
  void Set(absl::string_view provider, absl::string_view name, absl::string_view value);
  // The newest logged request.
  LoggedRequest Last();

  std::vector<std::string> KeyHeaders(absl::string_view path, absl::string_view of_account) const;

  // Advances the clock until every asset and video is done.
  void Finish() { clock.Advance(absl::Minutes(1)); }

  base::FakeClock clock;
  Simulator simulator;
  std::string key = kKey;
  bool reuse_connections = false;
  // The time limit of a call; hangs last longer.
  absl::Duration timeout = absl::Seconds(20);

 private:
  using Handle = std::unique_ptr<CURL, void (*)(CURL*)>;
  Handle kept_;  // of the calls that reuse connections; those are for one thread
};

}  // namespace assetgate::simulator

#endif  // ASSETGATE_TESTS_SIMULATOR_SIMULATOR_FIXTURE_H_
