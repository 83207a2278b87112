// Checks that several requests share: each adds what is wrong with one field.
#ifndef ASSETGATE_CALLS_FIELD_CHECKS_H_
#define ASSETGATE_CALLS_FIELD_CHECKS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/faults.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/map.h"
#include "google/protobuf/repeated_field.h"
#include "model/catalog.h"

namespace assetgate::calls {

inline constexpr int kMaxDisplayName = 256;
inline constexpr int kMaxPrompt = 10'000;
inline constexpr int kMaxProviders = 32;

// Code points. `text` is UTF-8, as Protocol Buffers guarantees of a string field.
int Characters(absl::string_view text);

// In characters.
void CheckLength(const std::string& field, absl::string_view text, int max, base::Faults& faults);
void CheckEnum(const std::string& field, int value, const google::protobuf::EnumDescriptor* type,
               base::Faults& faults);
// A resource id that the caller chooses; may be empty.
void CheckId(const std::string& field, const std::string& id, base::Faults& faults);
void CheckRequestId(const std::string& field, const std::string& id, base::Faults& faults);
void CheckMaxWait(const std::string& field, bool set, const google::protobuf::Duration& wait,
                  base::Faults& faults);
void CheckLabels(const std::string& field,
                 const google::protobuf::Map<std::string, std::string>& labels,
                 base::Faults& faults);
// A name of the form "{collection}/{id}".
void CheckCollectionName(const std::string& field, absl::string_view collection,
                         const std::string& name, base::Faults& faults);
// Names of providers. Returns NOT_FOUND for the first that is not configured.
absl::Status CheckProviders(const std::string& field,
                            const google::protobuf::RepeatedPtrField<std::string>& providers,
                            const model::Catalog& catalog, base::Faults& faults);

}  // namespace assetgate::calls

#endif  // ASSETGATE_CALLS_FIELD_CHECKS_H_
