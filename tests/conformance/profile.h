// What the suites know of one dialect, from its folder's conformance.json:
//
//   {
//     "model": "seedance_2_0_pro",         makes videos from text, from frames and from references
//     "mount": "/kyy",                     where the simulator mounts the dialect
//     "secrets": ["api_key"],              which a credential needs; default: as here
//     "idempotency_key": true,             video submissions carry one; default: false
//     "planes": {"control": "/control"},   where the simulator mounts each plane, below `mount`;
//                                          default: none
//     "asset_failures_have_reasons": true, the provider says why an asset failed; default: false
//     "inner_states": true,                its answers also hold the state of an upstream's task;
//                                          default: false
//     "state_words": {"succeeded": […],    what the simulator writes of a video that ended; the
//                     "failed": […]},      outer word first, where there are inner states
//     "faults": {"Status503":              faults of submission_faults_test.cc whose outcome is
//                "NOT_ACCEPTED"},          another one at this provider; default: none
//     "units": [{                          for each kind of unit, in an answer:
//       "kind": "asset",                   group | asset | video
//       "id_name": "assetId",              the field of the id
//       "id": "asset-1",                   an id
//       "state_name": "Status",            the field of the state; default: "status"
//       "polled": false}],                 default: true
//     "link_faults": [                     faults (tests/simulator/README.md) that put a finished
//       {"kind": "link", "to": "/url"}],   video's link where this provider has been seen to put it
//     "errors": [{                         each row of the error tables in the dialect's README
//       "name": "NoPrompt", "call": "video.create", "status": 400, "body": {"error": "no prompt"},
//       "outcome": "REFUSED",              REFUSED | NOT_ACCEPTED | UNKNOWN
//       "reason": "PROVIDER_REJECTED",     of a refusal; default: any
//       "message": "no prompt"}]           what the caller reads; default: any
//   }
//
// The Python suites read the first five.
#ifndef ASSETGATE_TESTS_CONFORMANCE_PROFILE_H_
#define ASSETGATE_TESTS_CONFORMANCE_PROFILE_H_

#include <map>
#include <string>
#include <vector>

#include "assetgate/v1/common.pb.h"
#include "provider/dialect.h"
#include "provider/failure.h"

namespace assetgate::conformance {

struct Profile {
  struct Unit {
    provider::UnitKind kind = provider::UnitKind::kVideo;
    std::string id_name;
    std::string id;
    std::string state_name;
    bool polled = true;
  };
  struct Error {
    std::string name;
    std::string call;
    int status = 0;
    std::string body;
    provider::Outcome outcome = provider::Outcome::kUnknown;
    // ERROR_REASON_UNSPECIFIED: any.
    v1::ErrorReason reason = v1::ERROR_REASON_UNSPECIFIED;
    // Empty: any.
    std::string message;
  };

  std::string model;
  std::string mount;
  std::vector<std::string> secrets = {"api_key"};
  bool idempotency_key = false;
  std::map<std::string, std::string> planes;
  bool asset_failures_have_reasons = false;
  bool inner_states = false;
  std::vector<std::string> succeeded_words;
  std::vector<std::string> failed_words;
  std::map<std::string, provider::Outcome> faults;
  std::vector<Unit> units;
  // JSON.
  std::vector<std::string> link_faults;
  std::vector<Error> errors;
};

// Ends the process with a message where the file is missing or malformed: the tests that are to run
// are made from it.
const Profile& ProfileOf(const std::string& dialect);

}  // namespace assetgate::conformance

#endif  // ASSETGATE_TESTS_CONFORMANCE_PROFILE_H_
