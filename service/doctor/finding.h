// One thing that was looked at.
#ifndef ASSETGATE_DOCTOR_FINDING_H_
#define ASSETGATE_DOCTOR_FINDING_H_

#include <functional>
#include <string>

namespace assetgate::doctor {

struct Finding {
  enum class Verdict {
    kOk,
    // It works, and somebody should know.
    kWarning,
    kFailed,
  };
  Verdict verdict = Verdict::kOk;
  // "store", "provider kyy: key".
  std::string what;
  // Holds no secret and no query of a URL.
  std::string detail;
  // Empty where nothing is to be done.
  std::string remedy;

  friend bool operator==(const Finding&, const Finding&) = default;
};

// Told each finding as it is made.
using Report = std::function<void(const Finding&)>;

}  // namespace assetgate::doctor

#endif  // ASSETGATE_DOCTOR_FINDING_H_
