// The request budget of a provider's account.
#ifndef ASSETGATE_MODEL_PROVIDER_LIMITS_H_
#define ASSETGATE_MODEL_PROVIDER_LIMITS_H_

namespace assetgate::model {

struct ProviderLimits {
  double requests_per_second = 10;
  int max_in_flight = 32;
};

}  // namespace assetgate::model

#endif  // ASSETGATE_MODEL_PROVIDER_LIMITS_H_
