#include "cli/video_commands.h"

#include <utility>

#include "base/proto_time.h"
#include "cli/arguments.h"
#include "cli/client.h"
#include "cli/status_macros.h"

namespace assetgate::cli {
namespace {

constexpr char kCreateHelp[] =
    "Examples:\n"
    "  assetctl videos create --model seedance-2 --prompt \"a storm at sea\" --wait\n"
    "  assetctl videos create --model seedance-2 --prompt \"image 1 waves to image 2\" \\\n"
    "      --reference assets/hero --reference https://example.com/friend.png \\\n"
    "      --duration 5s --resolution 720p --aspect-ratio 16:9 --no-watermark\n"
    "  assetctl videos create --model providers/kyy/models/seedance_2_0_pro --prompt \"...\" \\\n"
    "      --first-frame assets/hero --validate-only\n"
    "A MEDIUM is https://... or assets/ID, with image:, video: or audio: in front where its\n"
    "extension does not tell. In the prompt, call them \"image 1\", \"video 2\" and so on, in the\n"
    "order given. `assetctl models get MODEL` shows what a model can express.";

constexpr char kResolveHelp[] =
    "A task is UNCONFIRMED when its submission was sent and the answer was lost: there may be\n"
    "a video, and a bill. Look at the provider's own list of tasks, or its bill, around the\n"
    "time that `assetctl videos get NAME` shows, and state what you found:\n"
    "  assetctl videos resolve my-video --provider-task-id vt-71c0    # this one: follow it\n"
    "  assetctl videos resolve my-video --not-accepted                # nothing: it is FAILED\n"
    "  assetctl videos resolve my-video --not-accepted --resubmit     # nothing: send it again\n"
    "  assetctl videos resolve my-video --attempt 1 --not-accepted    # it is about attempt 1\n"
    "The gateway cannot verify --not-accepted: if a video was made after all, --resubmit makes\n"
    "and bills a second one. An id that the provider does not know ends the task after some\n"
    "minutes. `assetctl videos list --state unconfirmed` lists the open tasks. Repeating a\n"
    "command changes nothing. A task that was sent again can come into doubt a second time:\n"
    "then --attempt is required, with the number that `assetctl videos get NAME` shows.";

constexpr char kImportHelp[] =
    "Example:\n"
    "  assetctl videos import vt-71c0 --provider zerozero --model seedance-2 --id found-again\n"
    "It recovers a result that the gateway gave up (FAILED with PROVIDER_FORGOT,\n"
    "TRACKING_EXPIRED or RESULT_MISSING), or that was made without the gateway. The gateway\n"
    "polls the provider for it at once. Where callers have roles, this needs OPERATOR.";

constexpr char kWatchHelp[] =
    "Examples:\n"
    "  assetctl videos watch --state running --state queued\n"
    "  assetctl videos watch my-video --until-settled\n"
    "TIME is the time in the present state; once finished, the time from start to end.\n"
    "With --output json, each line is a VideoTaskEvent: discard what you have received at a\n"
    "RESET; a BOOKMARK carries a resume token.";

}  // namespace

void VideoCommands::AddTo(CommandTree& tree) {
  CLI::App* videos = tree.AddCollection("videos", "Video tasks: one request for a video each",
                                        "Examples:\n"
                                        "  assetctl videos create --model seedance-2 --prompt \"a "
                                        "storm at sea\" --duration 5s --wait\n"
                                        "  assetctl videos list --state failed\n"
                                        "  assetctl videos cancel my-video");
  AddCreate(tree, videos);
  tree.AddNamedCommand<v1::GetVideoTaskRequest>(
      videos, "get", "Show one video task, with its attempts", "", "videoTasks");
  CLI::App* list = tree.AddCommand(
      videos, "list", "List video tasks, newest first",
      "Example:\n  assetctl videos list --state running --provider kyy", [this] { return List(); });
  filter_.AddForVideos(list);
  list_.AddTo(list);
  tree.AddNamedCommand<v1::CancelVideoTaskRequest>(
      videos, "cancel", "Cancel a task",
      "A task at a provider that cannot cancel continues and will be billed.", "videoTasks");
  AddResolve(tree, videos);
  AddImport(tree, videos);
  tree.AddNamedCommand<v1::DeleteVideoTaskRequest>(
      videos, "delete", "Remove a finished task; nothing is deleted at the provider", "",
      "videoTasks");
  AddWatch(tree, videos);
}

void VideoCommands::AddCreate(CommandTree& tree, CLI::App* videos) {
  CLI::App* create = tree.AddCommand(videos, "create", "Have a video made", kCreateHelp,
                                     [this] { return Create(); });
  create->add_option("--model", model_, "A route (see assetctl models), or providers/P/models/M")
      ->required()
      ->option_text("MODEL");
  AddVideoFlags(create);
  create_.AddId(create);
  create_.AddRequestFlags(create, "Use only this provider of the model; may be repeated");
  create->add_flag("--validate-only", validate_only_,
                   "Check everything, show which targets can make it and which cannot, and create "
                   "nothing");
  create->add_flag("--wait", wait_, "Watch it until it is finished")->excludes("--validate-only");
}

void VideoCommands::AddVideoFlags(CLI::App* create) {
  create->add_option("--prompt", prompt_, "What the video shows")->option_text("TEXT");
  create->add_option("--first-frame", first_frame_, "The picture that it begins with")
      ->option_text("MEDIUM");
  create->add_option("--last-frame", last_frame_, "The picture that it ends with")
      ->option_text("MEDIUM");
  AddRepeated(create, "--reference", references_, "MEDIUM",
              "A medium to take a likeness, a movement or a sound from; may be repeated");
  create->add_option("--duration", duration_, "Its length, in whole seconds")->option_text("5s");
  create->add_option("--resolution", resolution_, "For instance 720p")->option_text("TEXT");
  create->add_option("--aspect-ratio", aspect_ratio_, "For instance 16:9")->option_text("TEXT");
  AddSwitch(create, "generate-audio", generate_audio_, "Whether it gets a sound track");
  AddSwitch(create, "watermark", watermark_, "Whether the provider adds its watermark");
  AddSwitch(create, "camera-fixed", camera_fixed_, "Whether the camera does not move");
  AddSwitch(create, "return-last-frame", return_last_frame_,
            "Whether the provider also delivers the last frame as a picture");
  create->add_option("--seed", seed_, "Makes the result repeatable; -1 is random")
      ->option_text("N");
}

void VideoCommands::AddResolve(CommandTree& tree, CLI::App* videos) {
  CLI::App* resolve = tree.AddCommand(
      videos, "resolve", "Settle an UNCONFIRMED task: state the outcome of its submission",
      kResolveHelp, [this] { return Resolve(); });
  resolve->add_option("NAME", resolved_name_, "ID or videoTasks/ID")->required();
  CLI::Option* id = resolve
                        ->add_option("--provider-task-id", provider_task_id_,
                                     "It was accepted: the provider's own id of the task")
                        ->option_text("ID");
  CLI::Option* no =
      resolve->add_flag("--not-accepted", not_accepted_,
                        "The provider did not accept it: neither a video nor a bill exists");
  no->excludes(id);
  resolve
      ->add_flag("--resubmit", resubmit_,
                 "With --not-accepted: submit it again; without it the task is FAILED")
      ->excludes(id)
      ->needs(no);
  resolve
      ->add_option("--attempt", attempt_,
                   "The attempt that it is about, counted from 0; required after an earlier doubt")
      ->option_text("NUMBER")
      ->check(CLI::NonNegativeNumber);
}

void VideoCommands::AddImport(CommandTree& tree, CLI::App* videos) {
  CLI::App* import = tree.AddCommand(
      videos, "import", "Follow a task that a provider already has; nothing is submitted",
      kImportHelp, [this] { return Import(); });
  import->add_option("PROVIDER_TASK_ID", imported_id_, "The provider's own id of the task")
      ->required();
  import->add_option("--provider", import_provider_, "The provider that has it")
      ->required()
      ->option_text("PROVIDER");
  import
      ->add_option("--model", model_,
                   "The model that it was made with: a route, providers/P/models/M, or the "
                   "provider's own name")
      ->required()
      ->option_text("MODEL");
  create_.AddId(import);
  import->add_option("--prompt", prompt_, "What it shows, for people")->option_text("TEXT");
  AddRepeated(import, "--label", create_.labels, "KEY=VALUE", "A label; may be repeated");
  import
      ->add_option("--request-id", create_.request_id,
                   "Makes it safe to repeat the command; generated when absent")
      ->option_text("ID");
}

void VideoCommands::AddWatch(CommandTree& tree, CLI::App* videos) {
  CLI::App* watch = tree.AddCommand(
      videos, "watch", "Watch video tasks: a live table on a terminal, lines elsewhere", kWatchHelp,
      [this] { return Watch(); });
  watch->add_option("NAME", watch_.names, "Watch only these tasks");
  watch_.filter.AddForVideos(watch);
  watch_.AddTo(watch);
}

absl::StatusOr<Command> VideoCommands::Create() const {
  CreateVideo command;
  command.wait = wait_;
  command.request.set_video_task_id(create_.id);
  command.request.set_validate_only(validate_only_);
  auto* task = command.request.mutable_video_task();
  task->set_model(model_);
  task->set_prompt(prompt_);
  RETURN_IF_ERROR(FillReferences(*task));
  if (!duration_.empty()) {
    absl::Duration duration;
    ASSIGN_OR_RETURN(duration, ParseDuration(duration_));
    *task->mutable_duration() = base::ToProto(duration);
  }
  if (resolution_.has_value()) task->set_resolution(*resolution_);
  if (aspect_ratio_.has_value()) task->set_aspect_ratio(*aspect_ratio_);
  if (generate_audio_.has_value()) task->set_generate_audio(*generate_audio_);
  if (watermark_.has_value()) task->set_watermark(*watermark_);
  if (camera_fixed_.has_value()) task->set_camera_fixed(*camera_fixed_);
  if (return_last_frame_.has_value()) task->set_return_last_frame(*return_last_frame_);
  if (seed_.has_value()) task->set_seed(*seed_);
  RETURN_IF_ERROR(create_.FillResource(*task));
  RETURN_IF_ERROR(create_.FillRequest(command.request));
  return Command(std::move(command));
}

absl::Status VideoCommands::FillReferences(v1::VideoTask& task) const {
  if (!first_frame_.empty()) {
    ASSIGN_OR_RETURN(*task.add_references(),
                     ParseReference(v1::Reference::FIRST_FRAME, first_frame_));
  }
  if (!last_frame_.empty()) {
    ASSIGN_OR_RETURN(*task.add_references(),
                     ParseReference(v1::Reference::LAST_FRAME, last_frame_));
  }
  for (const std::string& word : references_) {
    ASSIGN_OR_RETURN(*task.add_references(), ParseReference(v1::Reference::REFERENCE, word));
  }
  return absl::OkStatus();
}

absl::StatusOr<Command> VideoCommands::Resolve() const {
  v1::ResolveVideoTaskRequest request;
  ASSIGN_OR_RETURN(*request.mutable_name(), ResourceName("videoTasks", resolved_name_));
  if (provider_task_id_.has_value()) {
    request.set_provider_task_id(*provider_task_id_);
  } else if (not_accepted_) {
    request.set_not_accepted(true);
    request.set_resubmit(resubmit_);
  } else {
    return PlainError(absl::StatusCode::kInvalidArgument,
                      "no outcome given: pass --provider-task-id ID, or --not-accepted");
  }
  if (attempt_.has_value()) request.set_attempt(*attempt_);
  return Command(std::move(request));
}

absl::StatusOr<Command> VideoCommands::Import() const {
  v1::ImportVideoTaskRequest request;
  ASSIGN_OR_RETURN(*request.mutable_provider(), ResourceName("providers", import_provider_));
  request.set_provider_task_id(imported_id_);
  request.set_model(model_);
  request.set_video_task_id(create_.id);
  request.set_prompt(prompt_);
  RETURN_IF_ERROR(AddLabels(create_.labels, request.mutable_labels()));
  request.set_request_id(create_.RequestId());
  return Command(std::move(request));
}

absl::StatusOr<Command> VideoCommands::List() const {
  auto list = list_.ToList<v1::ListVideoTasksRequest>();
  ASSIGN_OR_RETURN(*list.request.mutable_filter(), filter_.ForVideos());
  return Command(std::move(list));
}

absl::StatusOr<Command> VideoCommands::Watch() const {
  WatchCommand command = watch_.ToCommand();
  ASSIGN_OR_RETURN(command.videos, watch_.ForVideos());
  return Command(std::move(command));
}

}  // namespace assetgate::cli
