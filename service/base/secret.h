// A string that does not leak by accident.
#ifndef ASSETGATE_BASE_SECRET_H_
#define ASSETGATE_BASE_SECRET_H_

#include <string>
#include <utility>

namespace assetgate::base {

// Holds a key or a token. It cannot be streamed, formatted, compared or converted; code that needs
// the text must call Reveal, which a reviewer can search for.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}

  const std::string& Reveal() const { return value_; }
  bool empty() const { return value_.empty(); }

 private:
  std::string value_;
};

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_SECRET_H_
