// Capabilities in a few words, for people. Pure functions.
#ifndef ASSETGATE_CLI_CAPABILITIES_H_
#define ASSETGATE_CLI_CAPABILITIES_H_

#include <string>

#include "assetgate/v1/provider.pb.h"

namespace assetgate::cli {

std::string YesNo(bool value);

// The values that a field can have: "4 to 15", "5, 10", with the implied ones in parentheses; "-"
// where it cannot be expressed.
std::string Describe(const v1::Capabilities::IntegerField& field);
std::string Describe(const v1::Capabilities::StringField& field);
std::string Describe(const v1::Capabilities::BoolField& field);

// "text, first frame".
std::string ModesOf(const v1::Capabilities& capabilities);

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_CAPABILITIES_H_
