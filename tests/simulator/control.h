// /_control/: faults, timing, switches, the log and the state of all objects, over HTTP. See
// README.md.
#ifndef ASSETGATE_TESTS_SIMULATOR_CONTROL_H_
#define ASSETGATE_TESTS_SIMULATOR_CONTROL_H_

#include "tests/simulator/message.h"

namespace assetgate::simulator {

class Simulator;

Response ServeControl(Simulator& simulator, const Request& request);

}  // namespace assetgate::simulator

#endif  // ASSETGATE_TESTS_SIMULATOR_CONTROL_H_
