#include "api/watch_stream.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "api/rpc.h"
#include "api/status_conversion.h"
#include "assetgate/v1/asset_service.pb.h"
#include "assetgate/v1/provider_service.pb.h"
#include "assetgate/v1/video_service.pb.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"
#include "model/resource.h"
#include "model/sizes.h"

namespace assetgate::api {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;

// The fields of an event have the same numbers in AssetEvent and VideoTaskEvent, so one encoder
// serves both.
constexpr int kType = v1::AssetEvent::kTypeFieldNumber;
constexpr int kResource = v1::AssetEvent::kAssetFieldNumber;
constexpr int kRevision = v1::AssetEvent::kRevisionFieldNumber;
constexpr int kResetReason = v1::AssetEvent::kResetReasonFieldNumber;
constexpr int kDeleteCause = v1::AssetEvent::kDeleteCauseFieldNumber;
constexpr int kResumeToken = v1::AssetEvent::kResumeTokenFieldNumber;
constexpr int kSnapshotComplete = v1::AssetEvent::kSnapshotCompleteFieldNumber;
static_assert(kType == int{v1::VideoTaskEvent::kTypeFieldNumber});
static_assert(kResource == int{v1::VideoTaskEvent::kVideoTaskFieldNumber});
static_assert(kRevision == int{v1::VideoTaskEvent::kRevisionFieldNumber});
static_assert(kResetReason == int{v1::VideoTaskEvent::kResetReasonFieldNumber});
static_assert(kDeleteCause == int{v1::VideoTaskEvent::kDeleteCauseFieldNumber});
static_assert(kResumeToken == int{v1::VideoTaskEvent::kResumeTokenFieldNumber});
static_assert(kSnapshotComplete == int{v1::VideoTaskEvent::kSnapshotCompleteFieldNumber});
// ProviderEvent lacks some.
static_assert(kType == int{v1::ProviderEvent::kTypeFieldNumber});
static_assert(kResource == int{v1::ProviderEvent::kProviderFieldNumber});
static_assert(kResetReason == int{v1::ProviderEvent::kResetReasonFieldNumber});
static_assert(kSnapshotComplete == int{v1::ProviderEvent::kSnapshotCompleteFieldNumber});

std::uint32_t VarintTag(int field) {
  return WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_VARINT);
}
std::uint32_t BytesTag(int field) {
  return WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
}

// The size of one number or text field on the wire.
std::size_t VarintFieldSize(int field, std::uint64_t value) {
  return CodedOutputStream::VarintSize32(VarintTag(field)) + CodedOutputStream::VarintSize64(value);
}
std::size_t BytesFieldSize(int field, std::size_t size) {
  return CodedOutputStream::VarintSize32(BytesTag(field)) + CodedOutputStream::VarintSize64(size) +
         size;
}

// Writes into memory that is known to be large enough.
class Encoder {
 public:
  explicit Encoder(std::uint8_t* out) : out_(out) {}
  void Varint(int field, std::uint64_t value) {
    out_ = CodedOutputStream::WriteTagToArray(VarintTag(field), out_);
    out_ = CodedOutputStream::WriteVarint64ToArray(value, out_);
  }
  void BytesHead(int field, std::size_t size) {
    out_ = CodedOutputStream::WriteTagToArray(BytesTag(field), out_);
    out_ = CodedOutputStream::WriteVarint64ToArray(size, out_);
  }
  void Raw(const std::string& bytes) { out_ = CodedOutputStream::WriteStringToArray(bytes, out_); }
  const std::uint8_t* end() const { return out_; }

 private:
  std::uint8_t* out_;
};

int RevisionFieldOf(store::Kind kind) {
  if (kind == store::Kind::kVideoTask) return v1::VideoTask::kRevisionFieldNumber;
  return v1::Asset::kRevisionFieldNumber;
}

// A resource above the current size limit, which an earlier release stored, without the fields that
// no release knows; empty where it is below, or cannot be read.
std::string Trimmed(const store::Change& change) {
  if (change.resource.size() <= model::kMaxResourceBytes) return "";
  const auto trim = [&](auto message) -> std::string {
    if (!message.ParseFromString(change.resource)) return "";
    message.DiscardUnknownFields();
    return message.SerializeAsString();
  };
  return change.key.kind == store::Kind::kVideoTask ? trim(v1::VideoTask()) : trim(v1::Asset());
}

// The event of a PUT or DELETE. The stored resource has no revision, so that it need not be
// serialized again when it is committed: the field is appended here, which parses the same.
std::string SerializeChange(const watch::Event& event) {
  const store::Change& change = *event.change();
  const std::string trimmed = Trimmed(change);
  const std::string& resource = trimmed.empty() ? change.resource : trimmed;
  const auto revision = static_cast<std::uint64_t>(change.revision);
  const int revision_field = RevisionFieldOf(change.key.kind);
  const std::size_t resource_size = resource.size() + VarintFieldSize(revision_field, revision);
  const bool deleted = event.type() == v1::DELETE;
  std::string bytes(VarintFieldSize(kType, event.type()) +
                        BytesFieldSize(kResource, resource_size) +
                        VarintFieldSize(kRevision, revision) +
                        (deleted ? VarintFieldSize(kDeleteCause, event.delete_cause()) : 0),
                    '\0');
  Encoder encoder(reinterpret_cast<std::uint8_t*>(bytes.data()));
  encoder.Varint(kType, event.type());
  encoder.BytesHead(kResource, resource_size);
  encoder.Raw(resource);
  encoder.Varint(revision_field, revision);
  encoder.Varint(kRevision, revision);
  if (deleted) encoder.Varint(kDeleteCause, event.delete_cause());
  return bytes;
}

// An event as gRPC writes it.
class EncodedEvent final : public watch::Encoded {
 public:
  explicit EncodedEvent(const watch::Event& event) {
    if (!IsReadable(event)) return;
    std::string serialized = SerializeEvent(event);
    readable_ = serialized.size() <= model::kMaxAnswerBytes;
    if (!readable_) return;
    // The slice owns it.
    auto* bytes = new std::string(std::move(serialized));
    grpc::Slice slice(
        bytes->data(), bytes->size(), [](void* owner) { delete static_cast<std::string*>(owner); },
        bytes);
    buffer_ = grpc::ByteBuffer(&slice, 1);
  }
  const grpc::ByteBuffer& buffer() const { return buffer_; }
  // Whether a client can receive and parse it: a message that it cannot ends its whole stream.
  bool readable() const { return readable_; }

 private:
  static bool IsReadable(const watch::Event& event) {
    const store::Change* change = event.change().get();
    if (change == nullptr) return true;
    return change->key.kind == store::Kind::kVideoTask
               ? v1::VideoTask().ParseFromString(change->resource)
               : v1::Asset().ParseFromString(change->resource);
  }

  bool readable_ = false;
  grpc::ByteBuffer buffer_;
};

const EncodedEvent& Encode(const watch::Event& event) {
  const watch::Encoded& encoded = event.EncodedBy(
      [](const watch::Event& e) { return std::make_unique<const EncodedEvent>(e); });
  return static_cast<const EncodedEvent&>(encoded);
}

// Bounded, because each open stream keeps the names for its line.
constexpr std::size_t kNamesInLine = 3;

// Why a stream ended, in one word: the error's reason, SETTLED or CALLER_GONE.
std::string EndOf(const absl::Status& status) {
  if (status.ok()) return "SETTLED";
  return absl::IsCancelled(status) ? "CALLER_GONE" : ReasonOf(status);
}

}  // namespace

std::string SerializeEvent(const watch::Event& event) {
  if (event.change() != nullptr) return SerializeChange(event);
  if (event.provider() != nullptr) {
    v1::ProviderEvent message;
    message.set_type(event.type());
    *message.mutable_provider() = *event.provider();
    return message.SerializeAsString();
  }
  // The others carry no resource.
  v1::AssetEvent message;
  message.set_type(event.type());
  message.set_reset_reason(event.reset_reason());
  message.set_resume_token(event.resume_token());
  message.set_snapshot_complete(event.snapshot_complete());
  return message.SerializeAsString();
}

// One open call: writes the stream's next event whenever gRPC has written the previous one.
//
// Lifetime: held by itself until gRPC is done with it, and by the stream until that is closed.
class WatchMethod::Call final : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                                public watch::Reader,
                                public std::enable_shared_from_this<Call> {
 public:
  Call(WatchMethod& method, Begun begun, auth::Limiter::Slot slot)
      : method_(method), begun_(std::move(begun)), slot_(std::move(slot)) {}

  void Start(Opening opening) {
    self_ = shared_from_this();
    method_.open_.Increment();
    stream_ = opening.open(self_);
    Go(Because::kReady);
  }

  void OnReady() override { Go(Because::kReady); }
  void OnWriteDone(bool ok) override { Go(ok ? Because::kWritten : Because::kWriteFailed); }
  void OnCancel() override { Go(Because::kCancelled); }

  void OnDone() override {
    stream_->Close();
    slot_.reset();
    method_.open_.Decrement();
    absl::Status end;
    Written written;
    {
      absl::MutexLock lock(&mu_);
      end = std::move(end_);
      written = written_;
      written.bytes = bytes_.load(std::memory_order_relaxed);
    }
    method_.Ended(end, begun_, written);
    // Destroys this call, unless the stream is just waking it.
    const std::shared_ptr<Call> self = std::move(self_);
  }

 private:
  enum class Because { kReady, kWritten, kWriteFailed, kCancelled };

  // Writes or finishes, if gRPC is ready for it.
  void Go(Because because) ABSL_LOCKS_EXCLUDED(mu_) {
    while (GoOnce(because)) because = Because::kReady;
  }
  // Returns whether there may be more to do: the event cannot be read and was left out.
  bool GoOnce(Because because) ABSL_LOCKS_EXCLUDED(mu_) {
    watch::EventStream::Pulled pulled;
    bool first = false;
    {
      absl::MutexLock lock(&mu_);
      if (because == Because::kWritten || because == Because::kWriteFailed) {
        writing_ = false;
        event_.reset();
      }
      if (because == Because::kWriteFailed || because == Because::kCancelled) gone_ = true;
      if (writing_ || finished_) return false;
      if (gone_) {
        pulled.end = absl::CancelledError("the caller hung up");
      } else {
        pulled = stream_->Next();
      }
      if (pulled.end.has_value()) {
        finished_ = true;
        end_ = *pulled.end;
      } else if (pulled.event != nullptr) {
        writing_ = true;
        first = written_.events++ == 0;
        if (pulled.event->type() == v1::BOOKMARK) ++written_.bookmarks;
        event_ = pulled.event;
      } else {
        return false;
      }
    }
    if (pulled.end.has_value()) {
      Finish(ToGrpcStatus(*pulled.end));
      return false;
    }
    const EncodedEvent& encoded = Encode(*pulled.event);
    if (!encoded.readable()) {
      method_.LeftOut(*pulled.event);
      absl::MutexLock lock(&mu_);
      writing_ = false;
      event_.reset();
      --written_.events;
      return true;
    }
    method_.events_[pulled.event->type()]->Increment();
    grpc::WriteOptions options;
    // The next write, or the end, flushes this one. Not for the first: the initial metadata sent
    // with it are not buffered, so it would never complete.
    if (pulled.more && !first) options.set_buffer_hint();
    const grpc::ByteBuffer& buffer = encoded.buffer();
    bytes_.fetch_add(static_cast<std::int64_t>(buffer.Length()), std::memory_order_relaxed);
    StartWrite(&buffer, options);
    return false;
  }

  WatchMethod& method_;
  const Begun begun_;
  // One of the caller's streams, until the call ends.
  auth::Limiter::Slot slot_;
  std::shared_ptr<Call> self_;
  std::shared_ptr<watch::EventStream> stream_;

  absl::Mutex mu_;
  // At most one write at a time; its event lives until it is done.
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  Written written_ ABSL_GUARDED_BY(mu_);
  // Known only after the event is encoded, which is not done under the lock.
  std::atomic<std::int64_t> bytes_{0};
  watch::EventPtr event_ ABSL_GUARDED_BY(mu_);
  // The caller hung up.
  bool gone_ ABSL_GUARDED_BY(mu_) = false;
  // Finish has been called, or is about to be.
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status end_ ABSL_GUARDED_BY(mu_);
};

class WatchMethod::FailedCall final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  FailedCall(WatchMethod& method, grpc::CallbackServerContext& context, const absl::Status& status,
             const Begun& begun) {
    method.Ended(status, begun, Written());
    AddPushback(status, context);
    Finish(ToGrpcStatus(status));
  }
  void OnDone() override { delete this; }
};

WatchMethod::WatchMethod(const Gatekeeper& gatekeeper, base::Metrics& metrics,
                         const base::Clock& clock, base::Log log, absl::string_view method,
                         base::MetricKind kind)
    : gatekeeper_(gatekeeper),
      clock_(clock),
      log_(std::move(log)),
      name_(method.substr(method.find('/') + 1)),
      rpcs_(metrics.Rpc(method)),
      open_(metrics.OpenStreams(kind)),
      unreadable_(kind == base::MetricKind::kProvider ? nullptr : &metrics.Unreadable(kind)),
      events_{} {
  for (const v1::EventType type : {v1::RESET, v1::PUT, v1::DELETE, v1::BOOKMARK}) {
    events_[type] = &metrics.StreamEvents(kind, type);
  }
}

void WatchMethod::LeftOut(const watch::Event& event) {
  if (unreadable_ != nullptr) unreadable_->Increment();
  const store::Key& key = event.change()->key;
  const std::string name = model::MakeName(model::CollectionOf(key.kind), key.id);
  {
    constexpr std::size_t kMaxLogged = 100;
    absl::MutexLock lock(&left_out_mu_);
    if (left_out_.size() >= kMaxLogged || !left_out_.insert(name).second) return;
  }
  log_.Error("a stored resource cannot be read, and is left out of watches", {{"name", name}});
}

void WatchMethod::Ended(const absl::Status& status, const Begun& begun, const Written& written) {
  rpcs_.StreamEnded(status.code());
  // Most streams end because the caller hangs up.
  const absl::StatusCode code = absl::IsCancelled(status) ? absl::StatusCode::kOk : status.code();
  const base::LogLevel level =
      begun.refused ? base::LogLevel::kDebug : LevelOf(code, /*notable=*/true);
  if (!log_.Enabled(level)) return;
  log_.With({.trace_id = begun.trace_id})
      .Write(level, "watch",
             {{"method", name_},
              {"caller", begun.identity},
              {"name", begun.names},
              {"code", absl::StatusCodeToString(status.code())},
              {"reason", EndOf(status)},
              {"took", std::max(absl::ZeroDuration(), clock_.Now() - begun.at)},
              {"events", written.events},
              {"bookmarks", written.bookmarks},
              {"bytes", written.bytes},
              {"detail", status.message()}});
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchMethod::Answer(
    grpc::CallbackServerContext& context, Ask ask) {
  Begun begun{"", TraceOf(context).trace_id, "", clock_.Now()};
  const absl::StatusOr<Gatekeeper::Admitted> admitted =
      gatekeeper_.Admit(context, Access::kRead, name_);
  if (!admitted.ok()) {
    begun.refused = true;
    return new FailedCall(*this, context, admitted.status(), begun);
  }
  begun.identity = admitted->caller.identity;
  absl::StatusOr<auth::Limiter::Slot> slot = gatekeeper_.OpenStream(*admitted);
  if (!slot.ok()) return new FailedCall(*this, context, slot.status(), begun);
  absl::StatusOr<Opening> opening = ask(admitted->caller);
  if (!opening.ok()) return new FailedCall(*this, context, opening.status(), begun);
  begun.names = std::move(opening->names);
  const auto call = std::make_shared<Call>(*this, std::move(begun), *std::move(slot));
  call->Start(*std::move(opening));
  return call.get();
}

absl::StatusOr<WatchMethod::Opening> OpeningOf(watch::Watches& watches,
                                               absl::StatusOr<watch::WatchRequest> request) {
  if (!request.ok()) return request.status();
  WatchMethod::Opening opening;
  for (std::size_t i = 0; i < std::min(request->ids.size(), kNamesInLine); ++i) {
    absl::StrAppend(&opening.names, i == 0 ? "" : ",",
                    model::MakeName(model::CollectionOf(request->kind), request->ids[i]));
  }
  if (request->ids.size() > kNamesInLine) absl::StrAppend(&opening.names, ",…");
  opening.open = [&watches,
                  request = *std::move(request)](std::shared_ptr<watch::Reader> reader) mutable {
    return watches.Open(std::move(request), std::move(reader));
  };
  return opening;
}

}  // namespace assetgate::api
