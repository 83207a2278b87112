// What is wrong with a request, all at once.
#ifndef ASSETGATE_BASE_FAULTS_H_
#define ASSETGATE_BASE_FAULTS_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "assetgate/v1/errors.pb.h"

namespace assetgate::base {

// The faulty fields of one request: each by its path, with what is wrong and the remedy.
class Faults {
 public:
  // `description` goes on after the field's name: "is required".
  void Add(std::string field, std::string description) {
    // Enough to mend a request by; a hostile one could have millions.
    if (faults_.size() < kMost) faults_.emplace_back(std::move(field), std::move(description));
  }
  bool empty() const { return faults_.empty(); }
  // INVALID_ARGUMENT with one violation per fault; OK without any.
  absl::Status ToStatus(v1::ErrorReason reason = v1::INVALID_FIELD) const;

 private:
  static constexpr std::size_t kMost = 100;
  std::vector<std::pair<std::string, std::string>> faults_;
};

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_FAULTS_H_
