// All faults of a request, reported together.
#ifndef ASSETGATE_BASE_FAULTS_H_
#define ASSETGATE_BASE_FAULTS_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "assetgate/v1/errors.pb.h"

namespace assetgate::base {

// The faulty fields of one request: the path of each, what is wrong, and how to fix it.
class Faults {
 public:
  // `description` continues the field's name: "is required".
  void Add(std::string field, std::string description);
  bool empty() const { return faults_.empty(); }
  // INVALID_ARGUMENT with one violation per fault; OK if there is none.
  absl::Status ToStatus(v1::ErrorReason reason = v1::INVALID_FIELD) const;

 private:
  static constexpr std::size_t kMaxFaults = 100;
  std::vector<std::pair<std::string, std::string>> faults_;
};

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_FAULTS_H_
