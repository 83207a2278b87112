// Runs the whole program against a fake gateway.
#ifndef ASSETGATE_CLI_TESTING_COMMANDS_FIXTURE_H_
#define ASSETGATE_CLI_TESTING_COMMANDS_FIXTURE_H_

#include <gtest/gtest.h>

#include <sstream>
#include <stop_token>
#include <string>
#include <vector>

#include "base/testing/fake_clock.h"
#include "cli/commands.h"
#include "cli/testing/fake_gateway.h"

namespace assetgate::cli {

class CommandsFixture : public testing::Test {
 protected:
  ExitCode Run(std::vector<std::string> words, Terminal* terminal = nullptr) {
    words.insert(words.begin(), {"--server", gateway_.address()});
    out_.str("");
    err_.str("");
    const Environment environment{.in = in_,
                                  .out = out_,
                                  .err = err_,
                                  .terminal = terminal,
                                  .color = false,
                                  .utf8 = false,
                                  .clock = clock_,
                                  .interrupted = interrupt_.get_token(),
                                  .follow = {.initial_backoff = absl::Milliseconds(1),
                                             .first_contact_timeout = absl::Milliseconds(50)}};
    return cli::Run(words, environment);
  }

  // Makes the gateway answer a watch with one snapshot, and end it.
  void SettleAssets(const std::vector<v1::Asset>& assets) {
    gateway_.watch_assets = [assets](const v1::WatchAssetsRequest& request, const auto& send) {
      EXPECT_TRUE(request.until_settled());
      send(Reset<v1::AssetEvent>(v1::FRESH));
      for (const v1::Asset& asset : assets) send(Put(asset));
      send(Bookmark<v1::AssetEvent>("t", true));
      return grpc::Status::OK;
    };
  }

  FakeGateway gateway_;
  std::istringstream in_;
  std::ostringstream out_;
  std::ostringstream err_;
  base::FakeClock clock_;
  std::stop_source interrupt_;
};

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_TESTING_COMMANDS_FIXTURE_H_
