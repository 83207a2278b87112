// gRPC's own debugging services: reflection and channelz.
#ifndef ASSETGATE_API_DEBUG_SERVICES_H_
#define ASSETGATE_API_DEBUG_SERVICES_H_

#include <memory>

#include "api/gatekeeper.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/impl/server_builder_option.h"

namespace assetgate::api {

// Which of the two are switched on.
struct DebugSwitches {
  bool reflection = false;
  bool channelz = false;
};

// Removes the services that are not switched on from a server. Every server of the process needs
// it: gRPC adds both services to each one, once any server has asked for them (reflection: once its
// library is loaded).
std::unique_ptr<grpc::ServerBuilderOption> DisableAllExcept(DebugSwitches switches);

// Reflection and channelz for callers with the role kOperator. gRPC's implementations authenticate
// nobody, so they run on a server that only this process reaches; the public server relays calls to
// it after the gatekeeper has admitted them.
//
// Lifetime: outlives the server that `service` is registered with; `gatekeeper` outlives it.
class DebugServices {
 public:
  // At least one of the two is switched on.
  DebugServices(DebugSwitches switches, const Gatekeeper& gatekeeper);
  ~DebugServices();

  // Gets the calls of all methods that no other service has; answers UNIMPLEMENTED to all but those
  // of the two services.
  grpc::CallbackGenericService& service();

 private:
  class Relays;
  struct Hidden;
  const std::unique_ptr<Hidden> hidden_;
  std::unique_ptr<Relays> relays_;
};

}  // namespace assetgate::api

#endif  // ASSETGATE_API_DEBUG_SERVICES_H_
