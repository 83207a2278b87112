// Sends a request and waits for its result, for tests of a Client.
#ifndef ASSETGATE_HTTP_TESTING_EXCHANGE_H_
#define ASSETGATE_HTTP_TESTING_EXCHANGE_H_

#include <memory>
#include <utility>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "http/client.h"

namespace assetgate::http::testing {

// One request in flight, and later its result. Fails the test if the client calls back twice.
class Exchange {
 public:
  Exchange(Client& client, Request request, SendOptions options)
      : state_(std::make_shared<State>()) {
    client.Send(std::move(request), std::move(options), [state = state_](Result result) {
      if (state->ended.HasBeenNotified()) {
        ADD_FAILURE() << "done was called twice";
        return;
      }
      state->result = std::move(result);
      state->ended.Notify();
    });
  }

  bool ended() const { return state_->ended.HasBeenNotified(); }

  // Waits for the end, at most 20 s.
  const Result& Wait() const {
    static const Result none =
        TransportError{TransportError::Kind::kStopped, true, "the exchange did not end"};
    if (!state_->ended.WaitForNotificationWithTimeout(absl::Seconds(20))) {
      ADD_FAILURE() << "the exchange did not end";
      return none;
    }
    return state_->result;
  }
  // The response; fails the test if there is none.
  Response WaitForResponse() const {
    const Result& result = Wait();
    if (const auto* error = std::get_if<TransportError>(&result)) {
      ADD_FAILURE() << "no response: " << error->message;
      return {};
    }
    return std::get<Response>(result);
  }
  // The error; fails the test if there is a response.
  TransportError WaitForError() const {
    const Result& result = Wait();
    if (const auto* response = std::get_if<Response>(&result)) {
      ADD_FAILURE() << "a response: " << response->status << " " << response->body;
      return {};
    }
    return std::get<TransportError>(result);
  }

 private:
  struct State {
    absl::Notification ended;
    Result result;
  };
  std::shared_ptr<State> state_;
};

}  // namespace assetgate::http::testing

#endif  // ASSETGATE_HTTP_TESTING_EXCHANGE_H_
