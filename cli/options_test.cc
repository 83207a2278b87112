#include "cli/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "cli/json.h"

namespace assetgate::cli {
namespace {

using ::testing::HasSubstr;

template <typename T>
T Parse(const std::vector<std::string>& words) {
  auto parsed = ParseCommandLine(words);
  if (const auto* early = std::get_if<EarlyExit>(&parsed)) {
    ADD_FAILURE() << early->text;
    return {};
  }
  const auto& command = std::get<Options>(parsed).command;
  if (!std::holds_alternative<T>(command)) {
    ADD_FAILURE() << "parsed as another command, with index " << command.index();
    return {};
  }
  return std::get<T>(command);
}

std::string Mistake(const std::vector<std::string>& words) {
  auto parsed = ParseCommandLine(words);
  const auto* early = std::get_if<EarlyExit>(&parsed);
  if (early == nullptr) return "no mistake";
  EXPECT_EQ(early->code, 2) << early->text;
  return early->text;
}

TEST(OptionsTest, AssetsCreateMirrorsTheApi) {
  const auto command = Parse<CreateAsset>({"assets",
                                           "create",
                                           "https://x/a.png",
                                           "--id",
                                           "hero",
                                           "--display-name",
                                           "Hero",
                                           "--group",
                                           "summer",
                                           "--label",
                                           "a=b",
                                           "--label",
                                           "c=d",
                                           "--provider",
                                           "kyy",
                                           "--provider",
                                           "providers/zz",
                                           "--option",
                                           R"(kyy={"x":true})",
                                           "--request-id",
                                           "r1",
                                           "--max-wait",
                                           "3s",
                                           "--wait"});
  EXPECT_TRUE(command.wait);
  EXPECT_EQ(ToJson(command.request),
            R"({"asset":{"display_name":"Hero","source_uri":"https://x/a.png",)"
            R"("media_type":"IMAGE","asset_group":"assetGroups/summer",)"
            R"("labels":{"a":"b","c":"d"},"provider_options":{"kyy":{"x":true}}},)"
            R"("asset_id":"hero","providers":["providers/kyy","providers/zz"],)"
            R"("request_id":"r1","max_wait":"3s"})");
}

TEST(OptionsTest, EachCreateGetsItsOwnRequestId) {
  const auto one = Parse<CreateAsset>({"assets", "create", "https://x/a.png"});
  const auto two = Parse<CreateAsset>({"assets", "create", "https://x/a.png"});
  EXPECT_EQ(one.request.request_id().size(), 36u);
  EXPECT_NE(one.request.request_id(), two.request.request_id());
}

TEST(OptionsTest, RepeatedFlagsTakeOneWordEach) {
  const auto command =
      Parse<CreateAsset>({"assets", "create", "--provider", "kyy", "https://x/a.png"});
  EXPECT_EQ(command.request.asset().source_uri(), "https://x/a.png");
  EXPECT_EQ(command.request.providers_size(), 1);
}

TEST(OptionsTest, VideosCreateMirrorsTheApi) {
  const auto command = Parse<CreateVideo>({"videos",
                                           "create",
                                           "--model",
                                           "seedance-2",
                                           "--prompt",
                                           "image 1 waves",
                                           "--reference",
                                           "assets/hero",
                                           "--reference",
                                           "audio:https://x/voice",
                                           "--first-frame",
                                           "https://x/f",
                                           "--duration",
                                           "5",
                                           "--resolution",
                                           "720p",
                                           "--aspect-ratio",
                                           "16:9",
                                           "--generate-audio",
                                           "--no-watermark",
                                           "--seed",
                                           "-1",
                                           "--no-camera-fixed",
                                           "--return-last-frame",
                                           "--request-id",
                                           "r",
                                           "--validate-only"});
  EXPECT_EQ(ToJson(command.request),
            R"({"video_task":{"model":"seedance-2","prompt":"image 1 waves","references":[)"
            R"({"role":"FIRST_FRAME","uri":"https://x/f","media_type":"IMAGE"},)"
            R"({"role":"REFERENCE","asset":"assets/hero"},)"
            R"({"role":"REFERENCE","uri":"https://x/voice","media_type":"AUDIO"}],)"
            R"("duration":"5s","resolution":"720p","aspect_ratio":"16:9","generate_audio":true,)"
            R"("watermark":false,"seed":"-1","camera_fixed":false,"return_last_frame":true},)"
            R"("request_id":"r","validate_only":true})");
}

TEST(OptionsTest, FlagsThatAreNotGivenStayUnset) {
  const auto command = Parse<CreateVideo>({"videos", "create", "--model", "m"});
  const auto& task = command.request.video_task();
  EXPECT_FALSE(task.has_watermark() || task.has_generate_audio() || task.has_seed() ||
               task.has_duration() || task.has_resolution() || task.has_camera_fixed());
  EXPECT_FALSE(command.request.has_max_wait());
}

TEST(OptionsTest, ListsTakeEveryFilter) {
  const auto assets = Parse<List<v1::ListAssetsRequest>>(
      {"assets",       "list",   "--group",       "g",      "--provider",   "kyy",
       "--state",      "failed", "--state",       "active", "--media-type", "image",
       "--label",      "a=b",    "--provider-id", "as-1",   "--page-size",  "7",
       "--page-token", "t",      "--all"});
  EXPECT_TRUE(assets.all);
  EXPECT_EQ(ToJson(assets.request),
            R"({"page_size":7,"page_token":"t","filter":{"asset_groups":["assetGroups/g"],)"
            R"("providers":["providers/kyy"],"states":["FAILED","ACTIVE"],)"
            R"("media_types":["IMAGE"],"labels":{"a":"b"},"provider_asset_ids":["as-1"]}})");
  const auto videos = Parse<List<v1::ListVideoTasksRequest>>(
      {"videos", "list", "--model", "m", "--asset", "hero", "--state", "running"});
  EXPECT_EQ(ToJson(videos.request),
            R"({"filter":{"models":["m"],"states":["RUNNING"],"assets":["assets/hero"]}})");
}

TEST(OptionsTest, WatchesOneKindOrBoth) {
  const auto assets =
      Parse<WatchCommand>({"assets", "watch", "hero", "assets/voice", "--until-settled"});
  ASSERT_TRUE(assets.assets.has_value());
  EXPECT_FALSE(assets.videos.has_value());
  EXPECT_EQ(ToJson(*assets.assets),
            R"({"names":["assets/hero","assets/voice"],"filter":{},"until_settled":true})");
  const auto both = Parse<WatchCommand>({"watch", "--label", "a=b", "--resume-token-file", "f"});
  EXPECT_TRUE(both.assets.has_value() && both.videos.has_value());
  EXPECT_EQ(both.resume_token_file, "f");
}

TEST(OptionsTest, ProvidersAndModelsListWithoutACommand) {
  Parse<List<v1::ListProvidersRequest>>({"providers"});
  Parse<List<v1::ListProvidersRequest>>({"providers", "list"});
  const auto watch = Parse<WatchCommand>({"providers", "watch", "--lines"});
  EXPECT_TRUE(watch.providers.has_value() && watch.lines);
  EXPECT_FALSE(watch.assets.has_value() || watch.videos.has_value());
  Parse<List<v1::ListModelsRequest>>({"models"});
  EXPECT_EQ(Parse<v1::GetProviderRequest>({"providers", "get", "kyy"}).name(), "providers/kyy");
  EXPECT_EQ(Parse<v1::GetModelRequest>({"models", "get", "m"}).name(), "models/m");
}

TEST(OptionsTest, GlobalOptionsAreAcceptedAnywhere) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"--server", "h:1", "-o", "json", "--timeout", "5", "assets", "get", "hero"},
           {"assets", "get", "hero", "--server", "h:1", "--output", "JSON", "--timeout", "5s"}}) {
    const auto parsed = ParseCommandLine(words);
    const auto* options = std::get_if<Options>(&parsed);
    ASSERT_NE(options, nullptr);
    EXPECT_EQ(options->endpoint.server, "h:1");
    EXPECT_EQ(options->output, Output::kJson);
    EXPECT_EQ(options->timeout, absl::Seconds(5));
  }
}

TEST(OptionsTest, MistakesSayWhatIsWrongAndWhoseHelpToRead) {
  EXPECT_THAT(Mistake({}), HasSubstr("See assetctl --help"));
  EXPECT_THAT(Mistake({"assets"}), HasSubstr("See assetctl assets --help"));
  EXPECT_THAT(Mistake({"assets", "create"}), HasSubstr("URI"));
  EXPECT_THAT(Mistake({"assets", "create", "https://x/get"}), HasSubstr("--media-type"));
  EXPECT_THAT(Mistake({"assets", "create", "https://x/a.png", "--max-wait", "soon"}),
              HasSubstr("\"soon\" is not a duration"));
  EXPECT_THAT(Mistake({"assets", "get", "videoTasks/x"}), HasSubstr("assets/ID"));
  EXPECT_THAT(Mistake({"assets", "list", "--state", "running"}), HasSubstr("registered"));
  EXPECT_THAT(Mistake({"assets", "list", "--output", "xml"}), HasSubstr("--output"));
  EXPECT_THAT(Mistake({"assets", "list", "--page-size", "0"}), HasSubstr("--page-size"));
  EXPECT_THAT(Mistake({"assets", "batch-create"}), HasSubstr("--file"));
  EXPECT_THAT(Mistake({"videos", "create", "--prompt", "x"}), HasSubstr("--model"));
  EXPECT_THAT(Mistake({"videos", "create", "--model", "m", "--watermark", "--no-watermark"}),
              HasSubstr("--watermark"));
  EXPECT_THAT(Mistake({"videos", "create", "--model", "m", "--wait", "--validate-only"}),
              HasSubstr("--wait"));
  EXPECT_THAT(Mistake({"assets", "get", "hero", "--timeout", "x"}), HasSubstr("--timeout"));
}

TEST(OptionsTest, MisspeltWordsComeWithASuggestion) {
  struct Case {
    std::vector<std::string> words;
    std::string answer;
  };
  const Case cases[] = {
      {{"video", "list"}, "assetctl has no command \"video\"; did you mean assetctl videos?"},
      {{"videos", "lst"},
       "assetctl videos has no command \"lst\"; did you mean assetctl videos list?"},
      {{"-o", "json", "asset", "get", "x"}, "did you mean assetctl assets?"},
      {{"frobnicate"}, "it has groups, assets, videos"},
      {{"videos", "frobnicate"}, "it has create, get, list"},
      {{"videos", "create", "--model", "m", "--duratoin", "5s"},
       "assetctl videos create has no option --duratoin; did you mean --duration?"},
      {{"videos", "create", "--model=m", "--no-watermrak"}, "did you mean --no-watermark?"},
      {{"assets", "list", "--sever", "h:1"}, "did you mean --server?"},
      {{"assets", "list", "--xyzzy"}, "assetctl assets list has no option --xyzzy\n"},
      // Only the first one is reported: the next word may be its value.
      {{"assets", "list", "--lable", "--stat"}, "--lable; did you mean --label?"},
  };
  for (const Case& each : cases) {
    EXPECT_THAT(Mistake(each.words), HasSubstr(each.answer));
  }
}

TEST(OptionsTest, ValuesAreNotMistakenForCommandsOrOptions) {
  EXPECT_EQ(Parse<CreateVideo>(
                {"videos", "create", "--prompt", "--model", "--model", "m", "--seed", "-1"})
                .request.video_task()
                .prompt(),
            "--model");
  EXPECT_EQ(Parse<v1::GetAssetRequest>({"assets", "get", "--", "help"}).name(), "assets/help");
  EXPECT_EQ(Parse<v1::GetAssetRequest>({"--color=never", "assets", "get", "lst"}).name(),
            "assets/lst");
}

TEST(OptionsTest, ATokenGoesToAnotherMachineOnlyWithTlsOrInsecure) {
  struct Case {
    std::vector<std::string> words;
    bool refused;
  };
  const Case cases[] = {
      {{"--server", "gateway.internal:8080"}, true},
      {{"--server", "dns:///gateway.internal:8080"}, true},
      {{"--server", "ipv4:127.0.0.1:1,10.0.0.1:1"}, true},
      {{"--server", "127.example.org:8080"}, true},
      {{"--server", "gateway.internal:8080", "--insecure"}, false},
      {{"--server", "gateway.internal:8080", "--ca", "system"}, false},
      {{"--server", "127.0.0.1:8080"}, false},
      {{"--server", "localhost:8080"}, false},
      {{"--server", "dns:///localhost:8080"}, false},
      {{"--server", "[::1]:8080"}, false},
      {{"--server", "ipv4:127.0.0.1:1,127.0.0.2:1"}, false},
      {{"--server", "unix:/run/gateway"}, false},
  };
  for (const Case& each : cases) {
    std::vector<std::string> words = each.words;
    words.insert(words.end(), {"--token-file", "t", "models"});
    const auto parsed = ParseCommandLine(words);
    EXPECT_EQ(std::holds_alternative<EarlyExit>(parsed), each.refused) << each.words[1];
    if (each.refused) EXPECT_THAT(Mistake(words), HasSubstr("in clear text; pass --ca FILE"));
  }
  EXPECT_THAT(Mistake({"--insecure", "--ca", "system", "models"}), HasSubstr("leave one out"));
  EXPECT_EQ(std::get<Options>(ParseCommandLine({"--server", "gateway.internal:1", "models"}))
                .endpoint.server,
            "gateway.internal:1");
}

TEST(OptionsTest, HelpAndVersionAreNotMistakes) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"--help"},
                                             {"--version"},
                                             {"version"},
                                             {"help"},
                                             {"assets", "--help"},
                                             {"videos", "create", "--help"}}) {
    const auto parsed = ParseCommandLine(words);
    const auto* early = std::get_if<EarlyExit>(&parsed);
    ASSERT_NE(early, nullptr);
    EXPECT_EQ(early->code, 0);
    EXPECT_EQ(early->text.back(), '\n');
  }
  const auto parsed = ParseCommandLine({"--help"});
  EXPECT_THAT(std::get<EarlyExit>(parsed).text, HasSubstr("Exit codes:"));
  const auto of_create = std::get<EarlyExit>(ParseCommandLine({"videos", "create", "--help"})).text;
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"help", "videos", "create"}, {"videos", "help", "create"}}) {
    EXPECT_EQ(std::get<EarlyExit>(ParseCommandLine(words)).text, of_create);
  }
}

TEST(OptionsTest, HelpFitsAHundredColumns) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"--help"},
                                             {"groups", "create", "--help"},
                                             {"assets", "create", "--help"},
                                             {"assets", "batch-create", "--help"},
                                             {"assets", "watch", "--help"},
                                             {"videos", "create", "--help"},
                                             {"videos", "watch", "--help"},
                                             {"providers", "watch", "--help"},
                                             {"watch", "--help"}}) {
    std::istringstream text(std::get<EarlyExit>(ParseCommandLine(words)).text);
    for (std::string line; std::getline(text, line);) EXPECT_LE(line.size(), 100u) << line;
  }
}

}  // namespace
}  // namespace assetgate::cli
