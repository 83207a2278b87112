#include "cli/failure.h"

#include <array>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "assetgate/v1/errors.pb.h"
#include "base/error.h"
#include "cli/json.h"
#include "google/protobuf/struct.pb.h"
#include "google/rpc/code.pb.h"
#include "google/rpc/error_details.pb.h"

namespace assetgate::cli {
namespace {

template <typename Detail>
std::optional<Detail> Find(const google::rpc::Status& status) {
  for (const auto& any : status.details()) {
    Detail detail;
    if (any.Is<Detail>() && any.UnpackTo(&detail)) return detail;
  }
  return std::nullopt;
}

std::string CodeName(int code) {
  const std::string& name = google::rpc::Code_Name(static_cast<google::rpc::Code>(code));
  return name.empty() ? absl::StrCat("code ", code) : name;
}

std::string MetadataOf(const google::rpc::ErrorInfo& info, const char* key) {
  const auto found = info.metadata().find(key);
  return found == info.metadata().end() ? "" : found->second;
}

// The flag that sets a field of a request; empty where no flag does.
absl::string_view FlagOf(absl::string_view field) {
  static constexpr std::array<std::pair<absl::string_view, absl::string_view>, 28> kFlags = {{
      {"asset_id", "--id"},
      {"asset_group_id", "--id"},
      {"video_task_id", "--id"},
      {"providers", "--provider"},
      {"request_id", "--request-id"},
      {"max_wait", "--max-wait"},
      {"page_size", "--page-size"},
      {"page_token", "--page-token"},
      {"source_uri", "URI"},
      {"media_type", "--media-type"},
      {"asset_group", "--group"},
      {"display_name", "--display-name"},
      {"description", "--description"},
      {"labels", "--label"},
      {"provider_options", "--option"},
      {"model", "--model"},
      {"prompt", "--prompt"},
      {"duration", "--duration"},
      {"resolution", "--resolution"},
      {"aspect_ratio", "--aspect-ratio"},
      {"generate_audio", "--generate-audio"},
      {"watermark", "--watermark"},
      {"seed", "--seed"},
      {"provider_task_id", "--provider-task-id"},
      {"not_accepted", "--not-accepted"},
      {"resubmit", "--resubmit"},
      {"attempt", "--attempt"},
      {"references", "--first-frame, --last-frame, --reference"},
  }};
  // "video_task.references[1].uri" is set by the flag for "references".
  absl::string_view rest = field;
  while (!rest.empty()) {
    const std::size_t end = rest.find('.');
    absl::string_view part = rest.substr(0, end);
    part = part.substr(0, part.find('['));
    for (const auto& [name, flag] : kFlags) {
      if (part == name) return flag;
    }
    if (end == absl::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  return "";
}

// The command that lists the resources of the kind that was not found.
std::string WhereToLook(const google::rpc::Status& status) {
  const auto resource =
      Find<google::rpc::ResourceInfo>(status).value_or(google::rpc::ResourceInfo());
  const absl::string_view name = resource.resource_name();
  absl::string_view command = "models";
  if (absl::StartsWith(name, "assets/")) command = "assets list";
  if (absl::StartsWith(name, "assetGroups/")) command = "groups list";
  if (absl::StartsWith(name, "videoTasks/")) command = "videos list";
  if (absl::StartsWith(name, "providers/") && !absl::StrContains(name, "/models/")) {
    command = "providers";
  }
  return absl::StrCat("list the existing ones: assetctl ", command);
}

// Whether sending the same request again may succeed, or reveal the outcome.
bool RepetitionMayHelp(const google::rpc::Status& status, const google::rpc::ErrorInfo& info) {
  switch (status.code()) {
    case google::rpc::UNAVAILABLE:
    case google::rpc::RESOURCE_EXHAUSTED:
    case google::rpc::DEADLINE_EXCEEDED:
    case google::rpc::CANCELLED:
    case google::rpc::UNKNOWN:
    case google::rpc::INTERNAL:
      return true;
    default:
      return info.reason() == v1::ErrorReason_Name(v1::REQUEST_ID_REUSED);
  }
}

// The remedy after a call that may or may not have changed something.
std::string RemedyForUnknownOutcome(const CallContext& context) {
  return context.request_id.empty()
             ? "the outcome is unknown: check the resource, or repeat the command to find out"
             : "the outcome is unknown: repeat the call with the same --request-id to find out";
}

// The remedy for a caller that is not authenticated or not allowed: other credentials, not another
// request.
std::string RemedyForCredentials(const google::rpc::Status& status, const CallContext& context) {
  if (status.code() == google::rpc::PERMISSION_DENIED) {
    return "ask the gateway's operator to allow it (roles, providers), or pass another token with "
           "--token-file";
  }
  return context.shows_credential
             ? "check --token-file or --certificate: the gateway does not know the credential, or "
               "it has expired; the gateway's log has the reason"
             : "pass a credential: --token-file FILE (or ASSETCTL_TOKEN_FILE), or --certificate "
               "FILE "
               "and --key FILE";
}

std::string Remedy(const google::rpc::Status& status, const google::rpc::ErrorInfo& info,
                   const CallContext& context) {
  v1::ErrorReason reason = v1::ERROR_REASON_UNSPECIFIED;
  v1::ErrorReason_Parse(info.reason(), &reason);
  switch (reason) {
    case v1::RESOURCE_NOT_FOUND:
      return WhereToLook(status);
    case v1::REQUEST_ID_REUSED:
      return "send the same request as the first one with this --request-id, or leave it out";
    case v1::RESOURCE_EXISTS:
      return "choose another --id, or leave it out";
    case v1::ALREADY_FINISHED:
    case v1::NOT_UNCONFIRMED:
      return "see its present state: assetctl videos get NAME";
    case v1::PROVIDER_TASK_TAKEN:
      return "choose another id from the provider's list of tasks: each belongs to one task here";
    case v1::CANCEL_UNSUPPORTED:
      return "wait for its end: assetctl videos watch NAME --until-settled; if it is UNCONFIRMED, "
             "settle it: assetctl videos resolve NAME";
    case v1::PROVIDER_NOT_CONFIGURED:
      return "the gateway's operator has to put the provider back into its config";
    case v1::IN_USE:
      return "wait until the work that refers to it is finished, or cancel that first";
    case v1::COMMIT_UNKNOWN:
    case v1::CALLER_GONE:
      return RemedyForUnknownOutcome(context);
    case v1::ASSET_FAILED:
      return "see the providers' errors: assetctl assets get NAME; then use another asset";
    case v1::CONTENT_REJECTED:
      return "change the prompt or the media: the same content is refused again";
    case v1::SUBMISSION_UNKNOWN:
      return "the gateway's operator has to look at the provider and settle it: assetctl videos "
             "resolve NAME --help";
    case v1::FIELD_NOT_EXPRESSIBLE:
      return "change or leave out these fields; `assetctl models get MODEL` shows what each "
             "provider can express";
    case v1::PROVIDER_CREDENTIALS_REJECTED:
      return "the gateway's operator has to check its key for the provider";
    case v1::PROVIDER_OUT_OF_CREDIT:
      return "the gateway's operator has to top up its account at the provider";
    default:
      break;
  }
  if (status.code() == google::rpc::UNAUTHENTICATED ||
      status.code() == google::rpc::PERMISSION_DENIED) {
    return RemedyForCredentials(status, context);
  }
  const std::string act = MetadataOf(info, "act");
  const auto delay = base::RetryDelayOf(status);
  if (act == "WAIT" || delay.has_value()) {
    return absl::StrCat(
        "it resolves by itself: try again",
        delay.has_value() ? absl::StrCat(" in ", absl::FormatDuration(*delay)) : "");
  }
  if (act == "OPERATOR") return "the gateway's operator has to look at this";
  if (act == "CALLER") return "correct the request and send it again";
  if (info.reason().empty() && status.code() == google::rpc::UNAVAILABLE) {
    if (!context.connection_fault.empty()) {
      return absl::StrCat(context.server, " is reachable, but ", context.connection_fault);
    }
    return absl::StrCat("is the gateway running at ", context.server,
                        "? Choose another address with --server or ASSETCTL_SERVER");
  }
  if (info.reason().empty() && status.code() == google::rpc::DEADLINE_EXCEEDED) {
    return context.request_id.empty() ? "try again, or allow more time with --timeout"
                                      : RemedyForUnknownOutcome(context);
  }
  if (info.reason().empty() && status.code() == google::rpc::UNIMPLEMENTED) {
    return absl::StrCat("the server at ", context.server,
                        " is an older assetgate, or another program; check --server");
  }
  return "";
}

// "kyy said (HTTP 400, code 1001): …", or empty.
std::string ProviderWords(const google::rpc::ErrorInfo& info) {
  std::string provider = MetadataOf(info, "provider");
  const std::string message = MetadataOf(info, "provider_message");
  const std::string http = MetadataOf(info, "http_status");
  const std::string code = MetadataOf(info, "provider_code");
  if (message.empty() && http.empty() && code.empty()) return provider;
  std::string words = provider.empty() ? "the provider" : provider;
  absl::StrAppend(&words, message.empty() ? " answered" : " said");
  if (!http.empty() || !code.empty()) {
    absl::StrAppend(&words, " (", http.empty() ? "" : "HTTP ", http,
                    !http.empty() && !code.empty() ? ", " : "", code.empty() ? "" : "code ", code,
                    ")");
  }
  if (!message.empty()) absl::StrAppend(&words, ": ", message);
  return words;
}

}  // namespace

ExitCode ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ExitCode::kOk;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return ExitCode::kInvalidArgument;
    case absl::StatusCode::kNotFound:
      return ExitCode::kNotFound;
    case absl::StatusCode::kAlreadyExists:
      return ExitCode::kAlreadyExists;
    case absl::StatusCode::kFailedPrecondition:
      return ExitCode::kFailedPrecondition;
    case absl::StatusCode::kResourceExhausted:
      // gRPC itself reports a message that is too large with this text, in either direction.
      return base::ReasonOf(status) == v1::MESSAGE_TOO_LARGE ||
                     absl::StrContains(status.message(), "larger than max")
                 ? ExitCode::kInvalidArgument
                 : ExitCode::kUnavailable;
    case absl::StatusCode::kUnavailable:
      return ExitCode::kUnavailable;
    case absl::StatusCode::kUnknown:
      return base::ReasonOf(status) == v1::COMMIT_UNKNOWN ? ExitCode::kUnavailable
                                                          : ExitCode::kOther;
    case absl::StatusCode::kDeadlineExceeded:
      return ExitCode::kDeadline;
    default:
      return ExitCode::kOther;
  }
}

std::vector<std::string> DescribeError(const absl::Status& absl_status, const CallContext& context,
                                       const Look& look) {
  const google::rpc::Status status = base::ToRpcStatus(absl_status);
  const google::rpc::ErrorInfo info = base::InfoOf(status);
  std::vector<std::string> lines;
  const auto add = [&](absl::string_view label, absl::string_view text) {
    lines.push_back(absl::StrCat("  ", Paint(label, Tone::kQuiet, look), label.empty() ? "" : " ",
                                 Sanitize(text)));
  };

  lines.push_back(absl::StrCat(Paint("error:", Tone::kBad, look), " ", CodeName(status.code()),
                               info.reason().empty() ? "" : " ", Sanitize(info.reason()), ": ",
                               Sanitize(status.message())));
  if (const auto bad = Find<google::rpc::BadRequest>(status)) {
    for (const auto& violation : bad->field_violations()) {
      const absl::string_view flag = FlagOf(violation.field());
      lines.push_back(absl::StrCat("  ", Paint(Sanitize(violation.field()), Tone::kStrong, look),
                                   flag.empty() ? "" : absl::StrCat(" (", flag, ")"), ": ",
                                   Sanitize(violation.description())));
    }
  }
  if (const auto resource = Find<google::rpc::ResourceInfo>(status);
      resource.has_value() && !resource->resource_name().empty() &&
      !absl::StrContains(status.message(), resource->resource_name())) {
    add("resource:", resource->resource_name());
  }
  if (const std::string words = ProviderWords(info); !words.empty()) add("provider:", words);
  if (const auto failures = Find<v1::ProviderFailures>(status)) {
    for (const auto& failure : failures->failures()) {
      add(absl::StrCat(Sanitize(failure.provider()), ":"), ErrorSummary(failure.status()));
    }
  }
  if (const std::string remedy = Remedy(status, info, context); !remedy.empty()) {
    add("what to do:", remedy);
  }
  if (!context.request_id.empty() && RepetitionMayHelp(status, info)) {
    add("request id:",
        absl::StrCat(context.request_id, " (repeating with --request-id never creates a second)"));
  }
  return lines;
}

std::string RemedyFor(const absl::Status& status, const CallContext& context) {
  const google::rpc::Status proto = base::ToRpcStatus(status);
  return Remedy(proto, base::InfoOf(proto), context);
}

std::string ErrorSummary(const google::rpc::Status& error) {
  const google::rpc::ErrorInfo info = base::InfoOf(error);
  const std::string reason = info.reason().empty() ? CodeName(error.code()) : info.reason();
  std::string text = absl::StrCat(reason, ": ", error.message());
  const std::string words = MetadataOf(info, "provider_message");
  if (!words.empty() && !absl::StrContains(error.message(), words)) {
    absl::StrAppend(&text, error.message().empty() ? "" : " - ", words);
  }
  return text;
}

std::string ErrorToJson(const absl::Status& status, const CallContext& context) {
  google::protobuf::Value id;
  id.set_string_value(context.request_id);
  return absl::StrCat("{\"error\":", ToJson(base::ToRpcStatus(status)),
                      context.request_id.empty() ? "" : ",\"request_id\":",
                      context.request_id.empty() ? "" : ToJson(id), "}");
}

}  // namespace assetgate::cli
