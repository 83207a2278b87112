#include "cli/commands.h"

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <map>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "base/proto_time.h"
#include "cli/arguments.h"
#include "cli/client.h"
#include "cli/doctor.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/reach.h"
#include "cli/tables.h"
#include "cli/watch.h"

namespace assetgate::cli {
namespace {

// The time that a call may take beyond its max_wait.
constexpr absl::Duration kCallMargin = absl::Seconds(20);
// The gateway's default.
constexpr absl::Duration kDefaultMaxWait = absl::Seconds(10);
constexpr int kBatchSize = 100;
// The limit for diagnosing a connection that failed.
constexpr absl::Duration kDiagnosisTimeout = absl::Seconds(3);
// The limit for each call of the doctor.
constexpr absl::Duration kDoctorTimeout = absl::Seconds(10);

// One run of the program.
class Session {
 public:
  Session(const Options& options, const std::shared_ptr<grpc::Channel>& channel,
          const Environment& environment)
      : options_(options), env_(environment), client_(channel) {
    look_.color = options.color == ColorMode::kAlways ||
                  (options.color == ColorMode::kAuto && environment.color);
    look_.utf8 = environment.utf8;
  }

  ExitCode Run() {
    return std::visit([this](const auto& command) { return Do(command); }, options_.command);
  }

 private:
  using Assets = v1::AssetService::Stub;
  using Videos = v1::VideoService::Stub;
  using Providers = v1::ProviderService::Stub;

  // Groups.
  ExitCode Do(const v1::CreateAssetGroupRequest& request) {
    return Print(Create(client_.assets(), &Assets::CreateAssetGroup, request),
                 request.request_id());
  }
  ExitCode Do(const v1::GetAssetGroupRequest& request) {
    return Print(Call(client_.assets(), &Assets::GetAssetGroup, request));
  }
  ExitCode Do(const List<v1::ListAssetGroupsRequest>& list) {
    return PrintList<v1::AssetGroup>(client_.assets(), &Assets::ListAssetGroups, list,
                                     [](const auto& page) { return page.asset_groups(); });
  }
  ExitCode Do(const v1::DeleteAssetGroupRequest& request) {
    return PrintDeletion(request.name(),
                         Call(client_.assets(), &Assets::DeleteAssetGroup, request));
  }

  // Assets.
  ExitCode Do(const CreateAsset& command) {
    auto asset = Create(client_.assets(), &Assets::CreateAsset, command.request);
    if (!asset.ok() || !command.wait) return Print(asset, command.request.request_id());
    WatchPlan plan;
    plan.assets.emplace();
    plan.assets->add_names(asset->name());
    return WaitFor(std::move(plan));
  }
  ExitCode Do(const BatchCreateAssets& command);
  ExitCode Do(const v1::GetAssetRequest& request) {
    return Print(Call(client_.assets(), &Assets::GetAsset, request));
  }
  ExitCode Do(const List<v1::ListAssetsRequest>& list) {
    return PrintList<v1::Asset>(client_.assets(), &Assets::ListAssets, list,
                                [](const auto& page) { return page.assets(); });
  }
  ExitCode Do(const v1::DeleteAssetRequest& request) {
    return PrintDeletion(request.name(), Call(client_.assets(), &Assets::DeleteAsset, request));
  }

  // Videos.
  ExitCode Do(const CreateVideo& command) {
    auto task = Create(client_.videos(), &Videos::CreateVideoTask, command.request);
    if (!task.ok() || !command.wait) return Print(task, command.request.request_id());
    WatchPlan plan;
    plan.videos.emplace();
    plan.videos->add_names(task->name());
    return WaitFor(std::move(plan));
  }
  ExitCode Do(const v1::GetVideoTaskRequest& request) {
    return Print(Call(client_.videos(), &Videos::GetVideoTask, request));
  }
  ExitCode Do(const List<v1::ListVideoTasksRequest>& list) {
    return PrintList<v1::VideoTask>(client_.videos(), &Videos::ListVideoTasks, list,
                                    [](const auto& page) { return page.video_tasks(); });
  }
  ExitCode Do(const v1::CancelVideoTaskRequest& request) {
    return Print(Call(client_.videos(), &Videos::CancelVideoTask, request));
  }
  ExitCode Do(const v1::ResolveVideoTaskRequest& request) {
    return Print(Call(client_.videos(), &Videos::ResolveVideoTask, request));
  }
  ExitCode Do(const v1::ImportVideoTaskRequest& request) {
    return Print(Call(client_.videos(), &Videos::ImportVideoTask, request), request.request_id());
  }
  ExitCode Do(const v1::DeleteVideoTaskRequest& request) {
    return PrintDeletion(request.name(), Call(client_.videos(), &Videos::DeleteVideoTask, request));
  }

  // Providers and models.
  ExitCode Do(const List<v1::ListProvidersRequest>& list) {
    return PrintList<v1::Provider>(client_.providers(), &Providers::ListProviders, list,
                                   [](const auto& page) { return page.providers(); });
  }
  ExitCode Do(const v1::GetProviderRequest& request) {
    return Print(Call(client_.providers(), &Providers::GetProvider, request));
  }
  ExitCode Do(const List<v1::ListModelsRequest>& list) {
    return PrintList<v1::Model>(client_.providers(), &Providers::ListModels, list,
                                [](const auto& page) { return page.models(); });
  }
  ExitCode Do(const v1::GetModelRequest& request) {
    return Print(Call(client_.providers(), &Providers::GetModel, request));
  }

  ExitCode Do(const v1::ExplainRequest& request) {
    return Print(Call(client_.providers(), &Providers::Explain, request));
  }

  ExitCode Do(const WatchCommand& command);
  ExitCode Do(const DoctorCommand& command);

  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(
      Stub& stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
      const Request& request, absl::Duration margin = kDefaultMaxWait + kCallMargin) {
    return Client::Call(stub, method, request, options_.timeout.value_or(margin), env_.interrupted);
  }
  // Makes a call whose request has a `max_wait`.
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Create(Stub& stub,
                                  grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                               Response*),
                                  const Request& request) {
    const absl::Duration max_wait =
        request.has_max_wait() ? base::FromProto(request.max_wait()) : kDefaultMaxWait;
    return Call(stub, method, request, max_wait + kCallMargin);
  }

  // Prints the resource, or the error. `request_id`: of a call that creates a resource.
  template <typename Resource>
  ExitCode Print(const absl::StatusOr<Resource>& resource, const std::string& request_id = "") {
    if (!resource.ok()) return Fail(resource.status(), request_id);
    PrintOne(*resource, true);
    return Finish();
  }

  template <typename Resource>
  void PrintOne(const Resource& resource, bool whole_document) {
    switch (options_.output) {
      case Output::kTable:
        PrintLines(Details(resource, MakePage()));
        break;
      case Output::kJson:
        env_.out << ToJson(resource, whole_document) << '\n';
        break;
      case Output::kName:
        env_.out << Sanitize(resource.name()) << '\n';
        break;
    }
  }

  template <typename Resource>
  void PrintMany(const std::vector<Resource>& resources) {
    if (options_.output == Output::kTable) {
      if (resources.empty()) {
        env_.err << "assetctl: none\n";
      } else {
        PrintLines(Table(resources, MakePage()));
      }
      return;
    }
    for (const Resource& resource : resources) PrintOne(resource, false);
  }

  // Prints the result of a wait: one resource whole, several as a list. Returns how many there are.
  template <typename Resource>
  int PrintOutcome(const std::map<std::string, Resource>& resources) {
    if (resources.size() == 1) {
      PrintOne(resources.begin()->second, true);
    } else if (!resources.empty()) {
      std::vector<Resource> listed;
      listed.reserve(resources.size());
      for (const auto& [name, resource] : resources) listed.push_back(resource);
      PrintMany(listed);
    }
    return static_cast<int>(resources.size());
  }

  template <typename Resource, typename Stub, typename Request, typename Response,
            typename Resources>
  ExitCode PrintList(Stub& stub,
                     grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                     const List<Request>& list, Resources resources_of) {
    Request request = list.request;
    std::vector<Resource> resources;
    while (true) {
      const auto page = Call(stub, method, request);
      if (!page.ok()) {
        // Earlier pages are still worth showing.
        if (!resources.empty()) PrintMany(resources);
        return Fail(page.status(), "");
      }
      const auto& found = resources_of(*page);
      resources.insert(resources.end(), found.begin(), found.end());
      request.set_page_token(page->next_page_token());
      if (request.page_token().empty()) break;
      // An empty page need not be the last one.
      if (!list.all && !resources.empty()) break;
      if (options_.output != Output::kTable && !resources.empty()) {
        // Lines, unlike a table, need not wait for the last page.
        PrintMany(resources);
        resources.clear();
      }
    }
    if (!resources.empty() || options_.output == Output::kTable) PrintMany(resources);
    if (!request.page_token().empty()) {
      env_.out.flush();
      env_.err << "assetctl: there are more; pass --all, or --page-token "
               << Sanitize(request.page_token()) << '\n';
    }
    return Finish();
  }

  template <typename Response>
  ExitCode PrintDeletion(const std::string& name, const absl::StatusOr<Response>& response) {
    if (!response.ok()) return Fail(response.status(), "");
    switch (options_.output) {
      case Output::kTable:
        env_.out << name << " deleted\n";
        if constexpr (requires { response->retained_by_providers(); }) {
          for (const std::string& provider : response->retained_by_providers()) {
            env_.out << "  " << Sanitize(provider)
                     << " keeps its copy, or may have one: nothing was deleted there\n";
          }
        }
        break;
      case Output::kJson:
        env_.out << ToJson(*response, true) << '\n';
        break;
      case Output::kName:
        env_.out << name << '\n';
        break;
    }
    return Finish();
  }

  void PrintLines(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) env_.out << line << '\n';
  }

  Page MakePage() {
    Page page;
    page.now = env_.clock.Now();
    if (env_.terminal != nullptr) page.width = env_.terminal->size().width;
    page.look = look_;
    return page;
  }

  // Reports an output that cannot be written, such as a full disk. The shell reports a closed pipe.
  ExitCode Finish(ExitCode code = ExitCode::kOk) {
    env_.out.flush();
    if (env_.out.good()) return code;
    env_.err << "error: cannot write the output\n";
    return ExitCode::kOther;
  }

  ExitCode Fail(const absl::Status& status, const std::string& request_id) {
    env_.out.flush();
    CallContext context = ContextOf(options_.endpoint, status, kDiagnosisTimeout);
    context.request_id = request_id;
    if (options_.output == Output::kJson) {
      env_.err << ErrorToJson(status, context) << '\n';
    } else {
      for (const std::string& line : DescribeError(status, context, look_)) {
        env_.err << line << '\n';
      }
    }
    env_.err.flush();
    return env_.interrupted.stop_requested() ? ExitCode::kInterrupted : ExitCodeOf(status);
  }

  bool Live() const { return env_.terminal != nullptr && options_.output == Output::kTable; }

  // Watches the resources that were just created until they are settled, and prints them.
  ExitCode WaitFor(WatchPlan plan);

  const Options& options_;
  const Environment& env_;
  Look look_;
  Client client_;
};

bool AnyEndedUnsuccessfully(const WatchModel& model) {
  const auto bad = [](const auto& named) { return EndedUnsuccessfully(named.second); };
  const auto& assets = model.assets.newest();
  const auto& videos = model.videos.newest();
  return std::any_of(assets.begin(), assets.end(), bad) ||
         std::any_of(videos.begin(), videos.end(), bad);
}

ExitCode Session::WaitFor(WatchPlan plan) {
  if (plan.assets.has_value()) plan.assets->set_until_settled(true);
  if (plan.videos.has_value()) plan.videos->set_until_settled(true);
  if (options_.timeout.has_value()) plan.timeout = *options_.timeout;
  WatchOutcome outcome;
  if (Live()) {
    LiveView view(*env_.terminal, look_, plan, /*keep=*/false, env_.clock);
    outcome = Watch(client_, plan, env_.follow, view, env_.terminal, env_.interrupted);
  } else {
    LineView view(env_.out, env_.err, LineView::Format::kSilent, look_, env_.clock);
    outcome = Watch(client_, plan, env_.follow, view, nullptr, env_.interrupted);
  }
  const int found =
      PrintOutcome(outcome.model.assets.newest()) + PrintOutcome(outcome.model.videos.newest());
  if (!outcome.status.ok()) return Fail(outcome.status, "");
  int expected = 0;
  if (plan.assets.has_value()) expected += plan.assets->names_size();
  if (plan.videos.has_value()) expected += plan.videos->names_size();
  if (found < expected) {
    env_.err << "error: " << expected - found << " of the awaited resources deleted meanwhile\n";
    return Finish(ExitCode::kWorkFailed);
  }
  return Finish(AnyEndedUnsuccessfully(outcome.model) ? ExitCode::kWorkFailed : ExitCode::kOk);
}

ExitCode Session::Do(const WatchCommand& command) {
  WatchPlan plan;
  plan.assets = command.assets;
  plan.videos = command.videos;
  plan.providers = command.providers;
  plan.resume_token_file = command.resume_token_file;
  if (options_.timeout.has_value()) plan.timeout = *options_.timeout;
  WatchOutcome outcome;
  if (Live() && !command.lines) {
    LiveView view(*env_.terminal, look_, plan, /*keep=*/true, env_.clock);
    outcome = Watch(client_, plan, env_.follow, view, env_.terminal, env_.interrupted);
  } else {
    const bool both = plan.assets.has_value() && plan.videos.has_value();
    const auto format = options_.output != Output::kJson ? LineView::Format::kText
                        : both                           ? LineView::Format::kJsonWrapped
                                                         : LineView::Format::kJson;
    LineView view(env_.out, env_.err, format, look_, env_.clock);
    outcome = Watch(client_, plan, env_.follow, view, nullptr, env_.interrupted);
  }
  // Ctrl-C is the ordinary end of a watch, not an error.
  if (env_.interrupted.stop_requested()) return ExitCode::kInterrupted;
  if (!outcome.status.ok()) return Fail(outcome.status, "");
  return Finish(AnyEndedUnsuccessfully(outcome.model) ? ExitCode::kWorkFailed : ExitCode::kOk);
}

ExitCode Session::Do(const DoctorCommand&) {
  const absl::Duration timeout = options_.timeout.value_or(kDoctorTimeout);
  const std::vector<Finding> findings =
      Examine(client_, options_.endpoint, timeout, env_.interrupted);
  if (env_.interrupted.stop_requested()) return ExitCode::kInterrupted;
  bool failed = false;
  for (const Finding& finding : findings) {
    failed |= finding.verdict == Finding::Verdict::kFailed;
    if (options_.output == Output::kJson) {
      env_.out << ToJsonLine(finding) << '\n';
    } else {
      PrintLines(ToLines(finding, look_));
    }
  }
  return Finish(failed ? ExitCode::kOther : ExitCode::kOk);
}

ExitCode Session::Do(const BatchCreateAssets& command) {
  std::vector<v1::CreateAssetRequest> items = command.items;
  if (!command.file.empty()) {
    std::ifstream file;
    if (command.file != "-") {
      file.open(command.file);
      if (!file.is_open()) {
        env_.err << "error: cannot read " << command.file << '\n';
        return ExitCode::kUsage;
      }
    }
    auto more = ParseAssetLines(command.file == "-" ? env_.in : file, command.defaults);
    if (!more.ok()) {
      env_.err << "error: " << command.file << ": " << Sanitize(more.status().message()) << '\n';
      return ExitCode::kUsage;
    }
    items.insert(items.end(), more->begin(), more->end());
  }

  ExitCode code = ExitCode::kOk;
  WatchPlan plan;
  plan.assets.emplace();
  std::vector<v1::Asset> made;
  const std::size_t calls = (items.size() + kBatchSize - 1) / kBatchSize;
  for (std::size_t call = 0; call < calls; ++call) {
    v1::BatchCreateAssetsRequest request;
    // Each call needs its own id, which must be the same when the user repeats the command.
    request.set_request_id(calls == 1 ? command.request_id
                                      : absl::StrCat(command.request_id, ".", call + 1));
    if (command.max_wait.has_value())
      *request.mutable_max_wait() = base::ToProto(*command.max_wait);
    const std::size_t begin = call * kBatchSize;
    const std::size_t end = std::min(items.size(), begin + kBatchSize);
    for (std::size_t i = begin; i < end; ++i) *request.add_requests() = items[i];

    const auto response = Create(client_.assets(), &Assets::BatchCreateAssets, request);
    if (!response.ok()) {
      if (!command.wait || options_.output == Output::kName) PrintMany(made);
      return Fail(response.status(), command.request_id);
    }
    for (int i = 0; i < response->results_size(); ++i) {
      const auto& result = response->results(i);
      if (result.has_asset()) {
        made.push_back(result.asset());
        plan.assets->add_names(result.asset().name());
        continue;
      }
      env_.err << "item " << begin + static_cast<std::size_t>(i) + 1 << " ("
               << Sanitize(WithoutQuery(request.requests(i).asset().source_uri())) << "): ";
      const ExitCode failed = Fail(base::FromRpcStatus(result.error()), "");
      if (code == ExitCode::kOk) code = failed;
    }
  }
  if (!command.wait || made.empty()) {
    PrintMany(made);
    return Finish(code);
  }
  const ExitCode waited = WaitFor(std::move(plan));
  return code == ExitCode::kOk ? waited : code;
}

}  // namespace

ExitCode Run(const std::vector<std::string>& words, const Environment& environment) {
  const auto parsed = ParseCommandLine(words);
  if (const auto* early = std::get_if<EarlyExit>(&parsed)) {
    (early->code == 0 ? environment.out : environment.err) << early->text << std::flush;
    return early->code == 0 ? ExitCode::kOk : ExitCode::kUsage;
  }
  const auto& options = std::get<Options>(parsed);
  const auto channel = Connect(options.endpoint);
  if (!channel.ok()) {
    environment.err << "error: " << Sanitize(channel.status().message()) << std::endl;
    return ExitCode::kUsage;
  }
  return Session(options, *channel, environment).Run();
}

}  // namespace assetgate::cli
