#include "cli/capabilities.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/sheet.h"

namespace assetgate::cli {

std::string YesNo(bool value) { return value ? "yes" : "no"; }

std::string Describe(const v1::Capabilities::IntegerField& field) {
  std::string text;
  if (!field.expressible()) {
    text = "-";
  } else if (field.allowed_size() > 0) {
    text = absl::StrJoin(field.allowed(), ", ");
  } else if (field.has_min() && field.has_max()) {
    text = absl::StrCat(field.min(), " to ", field.max());
  } else if (field.has_min()) {
    text = absl::StrCat(field.min(), " or more");
  } else if (field.has_max()) {
    text = absl::StrCat("up to ", field.max());
  } else {
    text = "any";
  }
  if (field.implied_size() > 0) {
    absl::StrAppend(&text, " (and ", absl::StrJoin(field.implied(), ", "), ")");
  }
  return text;
}
std::string Describe(const v1::Capabilities::StringField& field) {
  std::string text = !field.expressible()       ? "-"
                     : field.allowed_size() > 0 ? absl::StrJoin(field.allowed(), ", ")
                                                : "any";
  if (field.implied_size() > 0) {
    absl::StrAppend(&text, " (and ", absl::StrJoin(field.implied(), ", "), ")");
  }
  return text;
}
std::string Describe(const v1::Capabilities::BoolField& field) {
  if (field.expressible()) return "yes or no";
  if (field.implied_size() == 0) return "-";
  return absl::StrCat("only ", YesNo(field.implied(0)));
}

std::string ModesOf(const v1::Capabilities& capabilities) {
  std::vector<std::string> modes;
  for (const int mode : capabilities.modes()) {
    modes.push_back(
        ForPeople(v1::Capabilities::Mode_Name(static_cast<v1::Capabilities::Mode>(mode))));
  }
  return absl::StrJoin(modes, ", ");
}

}  // namespace assetgate::cli
