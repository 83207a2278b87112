// The gateway's program: flags → config → server.
#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "auth/handshake.h"
#include "base/build_info.h"
#include "base/clock.h"
#include "base/line_limit.h"
#include "base/log.h"
#include "config/config.h"
#include "config/reload.h"
#include "doctor/doctor.h"
#include "http/curl_client.h"
#include "providers/dialects.h"
#include "server/reload_thread.h"
#include "server/server.h"

namespace {

using assetgate::base::Log;

// Exit codes.
constexpr int kFailed = 1;
constexpr int kBadUsageOrConfig = 2;

// Fewer connections than that are soon used up.
constexpr rlim_t kFewDescriptors = 8192;

// A read of the config that takes longer hangs in a file.
constexpr absl::Duration kSlowRead = absl::Seconds(5);

// The end takes drain_delay and shutdown_timeout, and at most this longer.
constexpr absl::Duration kEndPatience = absl::Seconds(15);

// The lines of gRPC and Protocol Buffers go into ours. Both take a plain function, so the logs that
// these write to are global.
const Log* library_log = nullptr;
assetgate::auth::HandshakeLog* handshake_log = nullptr;

// What a peer can provoke, it can provoke without end.
assetgate::base::LineLimit* library_lines = nullptr;
constexpr double kLibraryLinesPerSecond = 5;

void LogForGrpc(gpr_log_func_args* args) {
  if (library_log == nullptr || args->severity != GPR_LOG_SEVERITY_ERROR) return;
  if (const auto why = assetgate::auth::HandshakeFailure(args->file, args->message)) {
    return handshake_log->Failed(*why);
  }
  const std::optional<std::int64_t> held_back = library_lines->Take();
  if (!held_back.has_value()) return;
  library_log->Warning("grpc", {{"file", args->file},
                                {"line", args->line},
                                {"detail", args->message},
                                {"held_back", *held_back}});
}

// For instance of a request with a text that is not UTF-8.
void LogForProtobuf(google::protobuf::LogLevel level, const char* file, int line,
                    const std::string& message) {
  if (library_log == nullptr || level < google::protobuf::LOGLEVEL_ERROR) return;
  library_log->Warning("protobuf", {{"file", file}, {"line", line}, {"detail", message}});
}

// A core file would hold keys and what callers sent.
void ForbidCoreFiles() {
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0);
}

// One connection is one descriptor: all that the process may have.
rlim_t TakeAllDescriptors() {
  rlimit descriptors{};
  if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0) return 0;
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);
  return descriptors.rlim_cur;
}

// Ends the process when an orderly end takes too long: something hangs that nobody can wait for.
// What was acknowledged is in the store, as after a crash.
class EndLimit {
 public:
  EndLimit(absl::Duration limit, const Log& log)
      : thread_([this, limit, &log] {
          if (ended_.WaitForNotificationWithTimeout(limit)) return;
          log.Error("the end takes too long; going away at once",
                    {{"waited", absl::FormatDuration(limit)}});
          _exit(kFailed);
        }) {}
  ~EndLimit() {
    ended_.Notify();
    thread_.join();
  }
  EndLimit(const EndLimit&) = delete;
  EndLimit& operator=(const EndLimit&) = delete;

 private:
  absl::Notification ended_;
  std::thread thread_;
};

// One line per finding, as it comes, with its remedy on a line below.
int Examine(const std::string& config_path, const assetgate::config::Environment& environment) {
  using assetgate::doctor::Finding;
  signal(SIGPIPE, SIG_IGN);
  const assetgate::base::SystemClock clock;
  assetgate::http::CurlClientOptions options;
  options.user_agent = std::string("assetgate/") + assetgate::base::ThisBuild().version;
  assetgate::http::CurlClient http(options, clock);
  const bool well = assetgate::doctor::Examine(
      config_path, {environment, http, clock}, [](const Finding& finding) {
        const char* verdict = finding.verdict == Finding::Verdict::kOk        ? "ok"
                              : finding.verdict == Finding::Verdict::kWarning ? "warning"
                                                                              : "FAILED";
        std::printf("%-7s  %s: %s\n", verdict, finding.what.c_str(), finding.detail.c_str());
        if (!finding.remedy.empty()) {
          std::printf("         what to do: %s\n", finding.remedy.c_str());
        }
        std::fflush(stdout);
      });
  return well ? 0 : kFailed;
}

int Serve(assetgate::config::Config config, assetgate::config::Reader& reader) {
  // Blocked before any thread exists, so that only sigwait below gets them. This thread reads no
  // files while it serves: signals are answered whatever a file does.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  // A file that may not grow is a failed write, which the store can say and outlive.
  signal(SIGXFSZ, SIG_IGN);

  static const Log log(config.log_format, config.log_level);
  static const assetgate::base::SystemClock clock;
  static assetgate::auth::HandshakeLog handshakes(log, clock);
  static assetgate::base::LineLimit lines(clock, kLibraryLinesPerSecond);
  library_lines = &lines;
  library_log = &log;
  handshake_log = &handshakes;
  gpr_set_log_function(LogForGrpc);
  // Whatever GRPC_VERBOSITY is: why handshakes fail is told by what gRPC logs.
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
  google::protobuf::SetLogHandler(LogForProtobuf);

  if (const rlim_t descriptors = TakeAllDescriptors(); descriptors < kFewDescriptors) {
    log.Warning("few descriptors: a connection needs one; raise ulimit -n",
                {{"descriptors", static_cast<std::int64_t>(descriptors)},
                 {"wanted", static_cast<std::int64_t>(kFewDescriptors)}});
  }
  auto server = assetgate::Server::Start(std::move(config), log);
  if (!server.ok()) {
    std::fprintf(stderr, "assetgate: %s\n", std::string(server.status().message()).c_str());
    return kFailed;
  }
  auto files = std::make_unique<assetgate::ReloadThread>(
      reader,
      assetgate::ReloadThread::Actions{[&server](absl::StatusOr<assetgate::config::Config> next) {
                                         (*server)->Reload(std::move(next));
                                       },
                                       [&server] { (*server)->Reread(); }});
  int received = 0;
  while (received != SIGINT && received != SIGTERM) {
    if (sigwait(&signals, &received) != 0 || received != SIGHUP) continue;
    if (const absl::Duration since = files->Wake(); since > kSlowRead) {
      log.Warning("the config is still being read; a file that it names does not answer",
                  {{"since", absl::FormatDuration(since)}});
    }
  }
  const bool read = files->Stop();
  const absl::Duration drain_delay = (*server)->drain_delay();
  const EndLimit limit(drain_delay + (*server)->shutdown_timeout() + kEndPatience, log);
  log.Info("going away", {{"signal", received == SIGINT ? "SIGINT" : "SIGTERM"},
                          {"drain_delay", absl::FormatDuration(drain_delay)}});
  (*server)->Leave();
  // A second signal says that nobody is left to wait for.
  sigdelset(&signals, SIGHUP);
  const timespec delay = absl::ToTimespec(drain_delay);
  sigtimedwait(&signals, nullptr, &delay);
  (*server)->Shutdown();
  if (!read) {
    log.Warning("gone while a file did not answer");
    _exit(0);
  }
  files.reset();
  server->reset();
  log.Info("gone");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  ForbidCoreFiles();
  // Debian's Abseil looks for lock cycles on every Lock; that is for tests.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);

  CLI::App app{
      "assetgate: one gRPC service in front of many providers of generated video.\n\n"
      "Serves AssetService, VideoService and ProviderService as the config says, until SIGTERM or\n"
      "SIGINT; then it serves on for drain_delay (a second signal ends that), finishes what is\n"
      "under way and exits with 0. A config that changes, or the file of a secret, is read again,\n"
      "at once on SIGHUP: what can change while it serves goes into force, and the log names\n"
      "the rest.\n\n"
      "After a backup of the store was restored, say --mark-restored once before serving: see\n"
      "docs/operations.md.\n\n"
      "Exit codes: 0 done; 1 the store or a port could not be opened, or --doctor has found\n"
      "something that fails; 2 wrong flags or config."};
  std::string config_path;
  std::string check_path;
  auto* config_option =
      app.add_option("--config", config_path, "Serve with this config (YAML)")->type_name("FILE");
  auto* check_option =
      app.add_option(
             "--check-config", check_path,
             "Check this config, with the secrets, certificates and keys that it names, and "
             "exit; opens no port and no store")
          ->type_name("FILE");
  config_option->excludes(check_option);
  bool mark_restored = false;
  app.add_flag("--mark-restored", mark_restored,
               "With --config: a backup was put in the store's place. Watchers' resume tokens from "
               "before start over with a RESET, instead of skipping changes; then exit. No gateway "
               "may have the store open")
      ->needs(config_option);
  bool doctor = false;
  app.add_flag(
         "--doctor", doctor,
         "With --config: look at the config, its secrets, its store, its ports and the way to "
         "each provider, from here; one line each, with what to do; then exit, with 1 when "
         "something has failed. Makes, changes and locks nothing, and costs nothing; also "
         "beside a running gateway")
      ->needs(config_option);
  app.set_version_flag("--version", assetgate::base::VersionText("assetgate"));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kBadUsageOrConfig;
  }
  if (config_path.empty() && check_path.empty()) {
    std::fputs("assetgate: say --config FILE to serve, or --help\n", stderr);
    return kBadUsageOrConfig;
  }

  assetgate::config::Environment environment;
  environment.dialects = assetgate::providers::AllDialects();
  if (doctor) return Examine(config_path, environment);
  const std::string& path = check_path.empty() ? config_path : check_path;
  assetgate::config::Reader reader(path, environment);
  auto config = reader.Read();
  if (!config.ok()) {
    std::fprintf(stderr, "%s\n", std::string(config.status().message()).c_str());
    return kBadUsageOrConfig;
  }
  if (const absl::Status times = assetgate::config::CheckTimes(*config); !times.ok()) {
    std::fprintf(stderr, "%s\n", std::string(times.message()).c_str());
    return kBadUsageOrConfig;
  }
  if (!check_path.empty()) {
    std::printf("%s: fine\n", check_path.c_str());
    return 0;
  }
  if (mark_restored) {
    const auto marked = assetgate::MarkRestored(*config);
    if (!marked.ok()) {
      std::fprintf(stderr, "assetgate: %s\n", std::string(marked.status().message()).c_str());
      return kFailed;
    }
    std::printf("%s\n", marked->c_str());
    return 0;
  }
  return Serve(*std::move(config), reader);
}
