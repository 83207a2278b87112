#include "model/sizes.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/faults.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/wire_format.h"

namespace assetgate::model {

void CheckSize(const std::string& field, const google::protobuf::Message& resource,
               base::Faults& faults) {
  using google::protobuf::FieldDescriptor;
  const std::size_t size = resource.ByteSizeLong();
  if (size <= kMaxResourceBytes) return;
  std::vector<const FieldDescriptor*> set;
  resource.GetReflection()->ListFields(resource, &set);
  const auto size_of = [&](const FieldDescriptor* each) {
    return google::protobuf::internal::WireFormat::FieldByteSize(each, resource);
  };
  const auto largest = std::max_element(
      set.begin(), set.end(),
      [&](const FieldDescriptor* a, const FieldDescriptor* b) { return size_of(a) < size_of(b); });
  faults.Add(largest == set.end() ? field : absl::StrCat(field, ".", (*largest)->name()),
             absl::StrCat("makes the resource ", size, " bytes large; at most ", kMaxResourceBytes,
                          " are accepted"));
}

}  // namespace assetgate::model
