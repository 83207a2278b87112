// The result of one check.
#ifndef ASSETGATE_DOCTOR_FINDING_H_
#define ASSETGATE_DOCTOR_FINDING_H_

#include <functional>
#include <string>

namespace assetgate::doctor {

struct Finding {
  enum class Verdict {
    kOk,
    // It works, but an operator should know.
    kWarning,
    kFailed,
  };
  Verdict verdict = Verdict::kOk;
  // What was checked: "store", "provider kyy: key".
  std::string what;
  // Contains no secret and no query of a URL.
  std::string detail;
  // What to do; empty where nothing is to be done.
  std::string remedy;

  friend bool operator==(const Finding&, const Finding&) = default;
};

// Receives each finding as soon as it is known.
using Report = std::function<void(const Finding&)>;

}  // namespace assetgate::doctor

#endif  // ASSETGATE_DOCTOR_FINDING_H_
