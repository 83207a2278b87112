// Every field states its behaviour (AIP-203): required, optional or output only. Clients, code
// generators and documentation read it.
#include <set>
#include <string>
#include <vector>

#include "assetgate/v1/asset_service.pb.h"
#include "assetgate/v1/provider_service.pb.h"
#include "assetgate/v1/video_service.pb.h"
#include "gmock/gmock.h"
#include "google/api/field_behavior.pb.h"
#include "google/protobuf/descriptor.h"
#include "gtest/gtest.h"

namespace assetgate::v1 {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using testing::Contains;
using testing::IsEmpty;

std::set<int> BehaviorsOf(const FieldDescriptor& field) {
  std::set<int> behaviors;
  const auto& options = field.options();
  for (int i = 0; i < options.ExtensionSize(google::api::field_behavior); ++i) {
    behaviors.insert(options.GetExtension(google::api::field_behavior, i));
  }
  return behaviors;
}

// Adds `message`, and the messages of this API that its fields hold, to `found`.
void Collect(const Descriptor* message, std::set<const Descriptor*>& found) {
  if (message->file()->package() != "assetgate.v1" || message->options().map_entry()) return;
  if (!found.insert(message).second) return;
  for (int i = 0; i < message->field_count(); ++i) {
    if (const Descriptor* inner = message->field(i)->message_type()) Collect(inner, found);
  }
}

// All requests and resources, and the messages inside them.
std::set<const Descriptor*> Messages() {
  std::set<const Descriptor*> found;
  for (const auto* file :
       {CreateAssetRequest::descriptor()->file(), CreateVideoTaskRequest::descriptor()->file(),
        GetProviderRequest::descriptor()->file()}) {
    for (int i = 0; i < file->service_count(); ++i) {
      for (int j = 0; j < file->service(i)->method_count(); ++j) {
        Collect(file->service(i)->method(j)->input_type(), found);
      }
    }
  }
  Collect(Provider::descriptor(), found);
  Collect(Model::descriptor(), found);
  return found;
}

TEST(FieldBehaviorTest, EveryFieldOfARequestOrResourceStatesItsBehavior) {
  std::vector<std::string> unannotated;
  int fields = 0;
  for (const Descriptor* message : Messages()) {
    for (int i = 0; i < message->field_count(); ++i) {
      const FieldDescriptor& field = *message->field(i);
      const std::set<int> behaviors = BehaviorsOf(field);
      ++fields;
      if (behaviors.empty()) unannotated.push_back(field.full_name());
      EXPECT_LE(behaviors.count(google::api::REQUIRED) + behaviors.count(google::api::OPTIONAL) +
                    behaviors.count(google::api::OUTPUT_ONLY),
                1u)
          << field.full_name() << " contradicts itself";
      if (field.real_containing_oneof() != nullptr) {
        EXPECT_EQ(behaviors.count(google::api::REQUIRED), 0u)
            << field.full_name() << " is part of a oneof, of which only one member is set";
      }
    }
  }
  EXPECT_THAT(unannotated, IsEmpty());
  EXPECT_GT(fields, 200) << "most of the API was not checked";
}

TEST(FieldBehaviorTest, RequestsThatNameAResourceRequireIt) {
  for (const Descriptor* message : Messages()) {
    const FieldDescriptor* name = message->FindFieldByName("name");
    if (name == nullptr) continue;
    const bool request = message->name().size() > 7 &&
                         message->name().rfind("Request") == message->name().size() - 7;
    EXPECT_THAT(BehaviorsOf(*name),
                Contains(request ? google::api::REQUIRED : google::api::IDENTIFIER))
        << name->full_name();
  }
}

}  // namespace
}  // namespace assetgate::v1
