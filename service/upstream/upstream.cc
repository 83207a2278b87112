#include "upstream/upstream.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <variant>

#include "base/trace_context.h"
#include "provider/mask.h"

namespace assetgate::upstream {

UpstreamCall Upstream::Begin(const Purpose& purpose, const model::ProviderEntry& provider,
                             base::UpstreamOperation operation, http::Request& request) {
  UpstreamCall call;
  call.provider = provider.id;
  call.operation = operation;
  call.resource = purpose.resource;
  call.context = purpose.context;
  const std::shared_ptr<WaitedCall> waited = purpose.waited.lock();
  if (waited == nullptr) return call;
  ++waited->upstream_calls;
  waited->providers.insert(provider.id);
  const base::TraceContext& trace = waited->trace;
  if (trace.empty()) return call;
  call.context.span_id = base::SpanId(absl::Uniform<std::uint64_t>(random_));
  request.headers.push_back({"traceparent", base::TraceParent(trace, call.context.span_id)});
  if (!trace.state.empty()) request.headers.push_back({"tracestate", trace.state});
  return call;
}

void Upstream::Send(Access to, http::Request request, http::SendOptions options, Done done) {
  const absl::Time sent = loop_.Now();
  if (sent > options.send_before) {
    // The HTTP client checks this too, at the last moment.
    loop_.Post([catalog = std::move(to.catalog), done = std::move(done)]() mutable {
      std::move(done)(http::TransportError{http::TransportError::Kind::kExpired,
                                           /*maybe_sent=*/false, "too late to be sent"},
                      absl::ZeroDuration());
    });
    return;
  }
  const model::ProviderEntry& provider = to.provider;
  const provider::Credential& credential = to.credential;
  options.base_url = provider::BaseUrlFor(request, provider.base_url, provider.planes);
  provider.dialect->Authorize(request, provider::DestinationOf(request, options.base_url),
                              credential, sent);
  provider.egress.ApplyTo(request, options);
  http_.Send(std::move(request), std::move(options),
             [this, sent, catalog = std::move(to.catalog), &provider, &credential,
              done = std::move(done)](http::Result result) mutable {
               if (auto* response = std::get_if<http::Response>(&result)) {
                 provider::MaskSecrets(credential, *response);
               }
               loop_.Post([this, sent, catalog = std::move(catalog), &provider,
                           done = std::move(done), result = std::move(result)]() mutable {
                 std::move(done)(std::move(result),
                                 std::max(absl::ZeroDuration(), loop_.Now() - sent));
                 gates_.NoteState(provider.id);
               });
             });
}

}  // namespace assetgate::upstream
