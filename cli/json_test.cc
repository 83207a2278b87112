#include "cli/json.h"

#include <gtest/gtest.h>

#include "assetgate/v1/asset.pb.h"
#include "google/protobuf/any.pb.h"
#include "google/rpc/error_details.pb.h"

namespace assetgate::cli {
namespace {

TEST(ToJsonTest, KeepsTheNamesOfTheProtoFiles) {
  v1::Asset asset;
  asset.set_name("assets/hero");
  asset.set_source_uri("https://x/a.png");
  asset.set_state(v1::Asset::ACTIVE);
  EXPECT_EQ(ToJson(asset),
            R"({"name":"assets/hero","source_uri":"https://x/a.png","state":"ACTIVE"})");
  EXPECT_EQ(ToJson(asset, true),
            "{\n \"name\": \"assets/hero\",\n \"source_uri\": \"https://x/a.png\",\n \"state\": "
            "\"ACTIVE\"\n}");
}

TEST(ToJsonTest, LeavesOutDetailsOfUnknownTypesAndKeepsTheRest) {
  v1::Asset asset;
  asset.set_name("assets/hero");
  auto* error = asset.add_placements()->mutable_error();
  auto* future = error->add_details();
  future->set_type_url("type.googleapis.com/from.the.Future");
  future->set_value("\x08\x01");
  google::rpc::ErrorInfo info;
  info.set_reason("PROVIDER_REJECTED");
  error->add_details()->PackFrom(info);
  auto* nonsense = error->add_details();
  nonsense->set_type_url("nonsense");
  nonsense->set_value("x");
  EXPECT_EQ(ToJson(asset),
            R"({"name":"assets/hero","placements":[{"error":{"details":[{"@type":)"
            R"("type.googleapis.com/google.rpc.ErrorInfo","reason":"PROVIDER_REJECTED"}]}}]})");
}

TEST(ToJsonTest, MapsAreInOrder) {
  v1::Asset asset;
  for (const char* key : {"b", "d", "a", "c"}) (*asset.mutable_labels())[key] = "";
  EXPECT_EQ(ToJson(asset), R"({"labels":{"a":"","b":"","c":"","d":""}})");
}

TEST(ToJsonTest, ControlCharactersAreEscaped) {
  v1::Asset asset;
  asset.set_display_name("a\x1b[2J\xC2\x9B\x7F");
  EXPECT_EQ(ToJson(asset), R"({"display_name":"a\u001b[2J\u009b\u007f"})");
}

}  // namespace
}  // namespace assetgate::cli
