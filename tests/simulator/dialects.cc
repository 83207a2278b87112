#include "providers/apiframe/simulator.h"
#include "providers/kyy/simulator.h"
#include "providers/octopusx/simulator.h"
#include "providers/zerozero/simulator.h"
#include "tests/simulator/dialect.h"

namespace assetgate::simulator {

std::vector<std::unique_ptr<Dialect>> AllDialects() {
  std::vector<std::unique_ptr<Dialect>> dialects;
  dialects.push_back(MakeApiframe());
  dialects.push_back(MakeKyy());
  dialects.push_back(MakeOctopusx());
  dialects.push_back(MakeZerozero());
  return dialects;
}

}  // namespace assetgate::simulator
