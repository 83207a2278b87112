// gRPC's own services for looking into a server: reflection and channelz.
#ifndef ASSETGATE_API_DEBUG_SERVICES_H_
#define ASSETGATE_API_DEBUG_SERVICES_H_

#include <memory>

#include "api/gatekeeper.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/impl/server_builder_option.h"

namespace assetgate::api {

// Which of them answer.
struct DebugSwitches {
  bool reflection = false;
  bool channelz = false;
};

// For every server of the process: leaves out what is not switched on. gRPC adds both to each, once
// any asked for them (reflection, once its library is loaded).
std::unique_ptr<grpc::ServerBuilderOption> OnlyThese(DebugSwitches switches);

// Reflection and channelz for those who have the role kOperator. gRPC's implementations ask nobody
// who they are, so they answer on a server within the process that nobody else reaches; the server
// that callers reach hands their calls on, once the gatekeeper has let them in.
//
// Goes after the server that `service` is registered with.
class DebugServices {
 public:
  // `gatekeeper` must outlive it. At least one of the two is on.
  DebugServices(DebugSwitches switches, const Gatekeeper& gatekeeper);
  ~DebugServices();

  // Takes the calls of all methods that no other service has, and knows none but these.
  grpc::CallbackGenericService& service();

 private:
  class Relays;
  struct Hidden;
  const std::unique_ptr<Hidden> hidden_;
  std::unique_ptr<Relays> relays_;
};

}  // namespace assetgate::api

#endif  // ASSETGATE_API_DEBUG_SERVICES_H_
