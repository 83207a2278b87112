// Configs in tests, with dialects that talk to nobody.
#ifndef ASSETGATE_CONFIG_TESTING_CONFIG_FIXTURE_H_
#define ASSETGATE_CONFIG_TESTING_CONFIG_FIXTURE_H_

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/file.h"
#include "config/load.h"
#include "config/testdata/fake_options.pb.h"
#include "gtest/gtest.h"
#include "http/testing/scripted_server.h"
#include "provider/dialect.h"

namespace assetgate::config {

// A dialect with traits and models, which encodes and decodes nothing.
class FakeDialect final : public provider::Dialect {
 public:
  explicit FakeDialect(testing::FakeOptions options, std::string name = "fake")
      : options_(std::move(options)) {
    traits_.name = std::move(name);
    traits_.default_base_url = "https://api.fake.example/v1";
    traits_.planes = {{"control", "https://control.fake.example"}};
    traits_.secrets = {"api_key"};
    traits_.requests_per_second = 12;
    traits_.max_in_flight = 34;
    traits_.timeouts.submit_asset = absl::Seconds(120);
    traits_.own_headers = {"X-Fake-Own"};
    for (provider::Polling* polling :
         {&traits_.group_polling, &traits_.asset_polling, &traits_.video_polling}) {
      *polling = {absl::Seconds(2), absl::Seconds(5), absl::Seconds(10)};
    }
    can_.mutable_resolution()->set_expressible(true);
    can_.mutable_resolution()->add_allowed("720p");
    can_.mutable_duration()->set_expressible(true);
    can_.mutable_duration()->set_min(4);
    can_.mutable_duration()->set_max(12);
    can_.mutable_watermark()->add_implied(false);
    can_.mutable_seed()->add_implied(-1);
  }

  const provider::Traits& traits() const override { return traits_; }
  std::vector<std::string> models() const override { return {"big", "small"}; }
  const v1::Capabilities* FindModel(absl::string_view model) const override {
    return model == "big" || model == "small" ? &can_ : nullptr;
  }
  std::vector<provider::OptionFault> CheckOptions(provider::UnitKind,
                                                  const google::protobuf::Struct&) const override {
    return {};
  }
  absl::StatusOr<http::Request> EncodeSubmitAsset(const provider::AssetSubmission&) const override {
    return absl::UnimplementedError("");
  }
  absl::StatusOr<http::Request> EncodeSubmitVideo(const provider::VideoSubmission&) const override {
    return absl::UnimplementedError("");
  }
  provider::SubmitResult DecodeSubmit(provider::UnitKind, const http::Request&,
                                      const http::Response&, bool) const override {
    return {};
  }
  absl::StatusOr<provider::Handle> AdoptVideo(absl::string_view, absl::string_view) const override {
    return absl::UnimplementedError("");
  }
  std::vector<provider::PollCall> EncodePoll(provider::UnitKind,
                                             std::span<const provider::Handle>) const override {
    return {};
  }
  provider::PollResult DecodePoll(provider::UnitKind, const http::Response&,
                                  std::span<const provider::Handle>) const override {
    return {};
  }
  void Authorize(http::Request&, const provider::Destination&, const provider::Credential&,
                 absl::Time) const override {}

  const testing::FakeOptions& options() const { return options_; }

 private:
  testing::FakeOptions options_;
  provider::Traits traits_;
  v1::Capabilities can_;
};

inline constexpr provider::DialectFactory kFake = {
    "fake",
    []() -> std::unique_ptr<google::protobuf::Message> {
      return std::make_unique<testing::FakeOptions>();
    },
    [](const google::protobuf::Message& options)
        -> absl::StatusOr<std::unique_ptr<const provider::Dialect>> {
      const auto& fake = static_cast<const testing::FakeOptions&>(options);
      if (fake.shards() < 0) return absl::InvalidArgumentError("shards is negative; remove it");
      return std::unique_ptr<const provider::Dialect>(std::make_unique<FakeDialect>(fake));
    }};

// Likewise, under another name.
inline constexpr provider::DialectFactory kOther = {
    "other", kFake.new_options,
    [](const google::protobuf::Message&)
        -> absl::StatusOr<std::unique_ptr<const provider::Dialect>> {
      return std::unique_ptr<const provider::Dialect>(
          std::make_unique<FakeDialect>(testing::FakeOptions(), "other"));
    }};

// A config with one provider and defaults for the rest.
inline constexpr char kSmallest[] = "providers: [{id: fake, credential: {api_key: {env: KEY}}}]\n";

class ConfigTest : public ::testing::Test {
 protected:
  absl::StatusOr<Config> Read(absl::string_view text) {
    return Parse(text, "f.yaml", environment_);
  }
  // The config of a `text` that must have no fault.
  Config Good(absl::string_view text) {
    absl::StatusOr<Config> config = Read(text);
    EXPECT_TRUE(config.ok()) << config.status();
    return config.ok() ? *std::move(config) : Config{};
  }
  // The faults of `text`.
  std::string Faults(absl::string_view text) {
    const absl::StatusOr<Config> config = Read(text);
    EXPECT_FALSE(config.ok());
    return std::string(config.status().message());
  }
  // The faults of a config with one provider that has `more` in its entry.
  std::string ProviderFaults(const std::string& more) {
    return Faults(absl::StrCat("providers:\n- id: fake\n  credential: {api_key: {env: KEY}}\n  ",
                               more, "\n"));
  }
  Config GoodProvider(const std::string& more) {
    return Good(absl::StrCat("providers:\n- id: fake\n  credential: {api_key: {env: KEY}}\n  ",
                             more, "\n"));
  }

  // Puts a certificate into the files `certificate` and `authority`, and its key into `key`.
  void WriteTls(const std::string& certificate, const std::string& key,
                const std::string& authority) {
    const http::testing::Certificate made = http::testing::Certificate::SelfSigned();
    files_[certificate] = files_[authority] = made.certificate;
    files_[key] = made.key;
  }

  std::map<std::string, std::string> variables_ = {{"KEY", "sk-current"}, {"OLD_KEY", "sk-former"}};
  // By path. Other files are read from the file system.
  std::map<std::string, std::string> files_;
  Environment environment_ = {
      {&kFake},
      [this](const std::string& name) {
        const auto found = variables_.find(name);
        return found == variables_.end() ? std::nullopt : std::optional<std::string>(found->second);
      },
      [this](const std::string& path, std::size_t max_bytes) -> absl::StatusOr<std::string> {
        const auto found = files_.find(path);
        return found == files_.end() ? base::ReadFile(path, max_bytes) : found->second;
      }};
};

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_TESTING_CONFIG_FIXTURE_H_
