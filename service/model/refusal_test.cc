#include "model/refusal.h"

#include <string>

#include "base/error.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"

namespace assetgate::model {
namespace {

TEST(NotFoundTest, NamesTheResourceAndItsType) {
  for (const absl::Status& status :
       {NotFound(store::Kind::kVideoTask, "videoTasks/fox"),
        NotFound(store::Key{"studio", store::Kind::kVideoTask, "fox"})}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(base::ReasonOf(status), v1::RESOURCE_NOT_FOUND);
    EXPECT_EQ(status.message(), "there is no \"videoTasks/fox\"");
    google::rpc::ResourceInfo resource;
    const google::rpc::Status error = base::ToRpcStatus(status);
    for (const auto& detail : error.details()) detail.UnpackTo(&resource);
    EXPECT_EQ(resource.resource_type(), "assetgate.v1.VideoTask");
    EXPECT_EQ(resource.resource_name(), "videoTasks/fox");
  }
}

}  // namespace
}  // namespace assetgate::model
