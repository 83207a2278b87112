#include "cli/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/build_info.h"
#include "base/proto_time.h"
#include "cli/arguments.h"
#include "cli/client.h"
#include "cli/misspelt.h"
#include "cli/reach.h"

// Sets `target` to the value of a StatusOr, or returns its error.
#define ASSIGN_OR_RETURN(target, expression)      \
  do {                                            \
    auto value_or = (expression);                 \
    if (!value_or.ok()) return value_or.status(); \
    target = *std::move(value_or);                \
  } while (false)
#define RETURN_IF_ERROR(expression)                         \
  do {                                                      \
    if (absl::Status status = (expression); !status.ok()) { \
      return status;                                        \
    }                                                       \
  } while (false)

namespace assetgate::cli {
namespace {

using Words = std::vector<std::string>;

constexpr char kDescription[] =
    "assetctl: the command line client of assetgate.\n"
    "Registers images, videos and sounds once for every provider, has videos made from them, and\n"
    "watches both live.";

constexpr char kFooter[] = R"(Examples:
  assetctl assets create https://example.com/hero.png --id hero --provider kyy --wait
  assetctl videos create --model seedance-2 --prompt "image 1 waves" --reference assets/hero --wait
  assetctl watch                         # everything, live
  assetctl videos list --state failed --output json >failed.jsonl

Names: ID and COLLECTION/ID mean the same, for instance hero and assets/hero.

Output: for people by default. With --output json, standard output holds proto3 JSON with the field
names of the .proto files: one document for one resource, one object per line for lists and watches.
With --output name, just resource names. Errors and notices go to standard error (errors as
{"error": google.rpc.Status} with --output json).

Exit codes:
    0  done                              6  not possible in the present state
    1  another error                     7  unavailable, busy or rate limited: try again later
    2  wrong command line                8  --timeout passed
    3  the request was refused as wrong  9  the work waited for failed (--wait, --until-settled)
    4  no such resource                130  interrupted
    5  it exists already

Every command has its own --help; "assetctl help COMMAND" and "assetctl version" work as well.)";

constexpr char kGlobal[] =
    "Options of all commands (--server, --output, --timeout, ...): assetctl --help";

// Help that fits 100 columns, with `--[no-]x` for switches.
class HelpFormatter final : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(kNameColumn); }

  std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
    // What comes before the first positive name of a switch is "--".
    if (!option->get_fnames().empty()) return absl::StrCat("--[no-]", option->get_name().substr(2));
    return CLI::Formatter::make_option_name(option, is_positional);
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    const std::string& text = option->get_option_text();
    return text.empty() ? "" : absl::StrCat(" ", text);
  }
  std::string make_option_desc(const CLI::Option* option) const override {
    std::string wrapped;
    std::size_t used = 0;
    for (const absl::string_view word :
         absl::StrSplit(option->get_description(), ' ', absl::SkipEmpty())) {
      if (used > 0 && kNameColumn + used + 1 + word.size() > 100) {
        wrapped += '\n';
        used = 0;
      } else if (used > 0) {
        wrapped += ' ';
        ++used;
      }
      absl::StrAppend(&wrapped, word);
      used += word.size();
    }
    return wrapped;
  }

 private:
  static constexpr std::size_t kNameColumn = 34;
};

// What flags several commands share, as typed.
struct FilterFlags {
  Words groups, providers, states, media_types, labels, provider_ids, models, assets;
};

// Adds what the words say to the repeated field `names`.
template <typename Names>
absl::Status AddNames(absl::string_view collection, const Words& words, Names* names) {
  for (const std::string& word : words) {
    std::string name;
    ASSIGN_OR_RETURN(name, ResourceName(collection, word));
    *names->Add() = std::move(name);
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::AssetFilter> AssetFilterOf(const FilterFlags& flags) {
  v1::AssetFilter filter;
  RETURN_IF_ERROR(AddNames("assetGroups", flags.groups, filter.mutable_asset_groups()));
  RETURN_IF_ERROR(AddNames("providers", flags.providers, filter.mutable_providers()));
  for (const std::string& word : flags.states) {
    v1::Asset::State state;
    ASSIGN_OR_RETURN(state, ParseState<v1::Asset>(word));
    filter.add_states(state);
  }
  for (const std::string& word : flags.media_types) {
    v1::MediaType type;
    ASSIGN_OR_RETURN(type, ParseMediaType(word));
    filter.add_media_types(type);
  }
  RETURN_IF_ERROR(AddLabels(flags.labels, filter.mutable_labels()));
  filter.mutable_provider_asset_ids()->Add(flags.provider_ids.begin(), flags.provider_ids.end());
  return filter;
}

absl::StatusOr<v1::VideoTaskFilter> VideoFilterOf(const FilterFlags& flags) {
  v1::VideoTaskFilter filter;
  filter.mutable_models()->Add(flags.models.begin(), flags.models.end());
  RETURN_IF_ERROR(AddNames("providers", flags.providers, filter.mutable_providers()));
  for (const std::string& word : flags.states) {
    v1::VideoTask::State state;
    ASSIGN_OR_RETURN(state, ParseState<v1::VideoTask>(word));
    filter.add_states(state);
  }
  RETURN_IF_ERROR(AddLabels(flags.labels, filter.mutable_labels()));
  RETURN_IF_ERROR(AddNames("assets", flags.assets, filter.mutable_assets()));
  filter.mutable_provider_task_ids()->Add(flags.provider_ids.begin(), flags.provider_ids.end());
  return filter;
}

// One parse: the tree of commands, and where their flags go.
class Parser {
 public:
  Parser() : app_(kDescription, "assetctl") {
    app_.formatter(std::make_shared<HelpFormatter>());
    app_.fallthrough();
    app_.require_subcommand(1);
    app_.footer(kFooter);
    app_.set_version_flag("--version", base::VersionText("assetctl"));
    app_.add_option("--server", endpoint_.server,
                    "Where the gateway is (environment: ASSETCTL_SERVER). Several that share a "
                    "store: ipv4:ADDRESS:PORT,ADDRESS:PORT or dns:///HOST:PORT; the first that "
                    "answers is used, and the next one when it goes away")
        ->option_text("HOST:PORT [127.0.0.1:8080]")
        ->envname("ASSETCTL_SERVER");
    app_.add_option("--token-file", endpoint_.token_file,
                    "A file with the bearer token to show (environment: ASSETCTL_TOKEN_FILE)")
        ->option_text("FILE")
        ->envname("ASSETCTL_TOKEN_FILE");
    app_.add_option("--ca", endpoint_.ca,
                    "TLS: who signs the gateway's certificate, in PEM; \"system\" for those that "
                    "this machine trusts (environment: ASSETCTL_CA)")
        ->option_text("FILE|system")
        ->envname("ASSETCTL_CA");
    app_.add_option("--certificate", endpoint_.certificate,
                    "TLS: the certificate to show, in PEM (environment: ASSETCTL_CERTIFICATE)")
        ->option_text("FILE")
        ->envname("ASSETCTL_CERTIFICATE");
    app_.add_option("--key", endpoint_.key, "TLS: its key, in PEM (environment: ASSETCTL_KEY)")
        ->option_text("FILE")
        ->envname("ASSETCTL_KEY");
    app_.add_flag("--insecure", endpoint_.insecure,
                  "Show the token without TLS although the gateway is on another machine: anybody "
                  "on the way can read it (environment: ASSETCTL_INSECURE=true)")
        ->envname("ASSETCTL_INSECURE");
    app_.add_option("-o,--output", output_, "What to print")
        ->option_text("table|json|name")
        ->transform(CLI::CheckedTransformer(
            std::map<std::string, Output>{
                {"table", Output::kTable}, {"json", Output::kJson}, {"name", Output::kName}},
            CLI::ignore_case));
    app_.add_option("--color", color_, "Colours; auto: on a terminal, unless NO_COLOR is set")
        ->option_text("auto|always|never")
        ->transform(
            CLI::CheckedTransformer(std::map<std::string, ColorMode>{{"auto", ColorMode::kAuto},
                                                                     {"always", ColorMode::kAlways},
                                                                     {"never", ColorMode::kNever}},
                                    CLI::ignore_case));
    app_.add_option(
            "--timeout", timeout_,
            "Give up after this long: one call (30 s over --max-wait by default), or a watch "
            "or --wait as a whole (no limit by default)")
        ->option_text("DURATION");
    AddGroups();
    AddAssets();
    AddVideos();
    AddProviders();
    AddModels();
    AddWatch();
    AddExplain();
    AddDoctor();
  }

  std::variant<Options, EarlyExit> Parse(const Words& said) {
    const Words words = WithHelpAsOption(app_, said);
    if (const auto misspelt = FindMisspelt(app_, words)) {
      return EarlyExit{2, absl::StrCat("error: ", *misspelt, "\n")};
    }
    try {
      // CLI11 takes the words last one first.
      app_.parse(Words(words.rbegin(), words.rend()));
    } catch (const CLI::ParseError& error) {
      std::ostringstream out;
      std::ostringstream err;
      if (app_.exit(error, out, err) == 0) {
        std::string text = out.str();
        if (!absl::EndsWith(text, "\n")) text += '\n';
        return EarlyExit{0, std::move(text)};
      }
      return Mistake(error.what());
    }
    Options options;
    if (endpoint_.certificate.empty() != endpoint_.key.empty()) {
      return Mistake("--certificate and --key go together");
    }
    if (!endpoint_.certificate.empty() && endpoint_.ca.empty()) {
      return Mistake("--certificate needs TLS: say --ca, who signs the gateway's certificate");
    }
    if (endpoint_.insecure && !endpoint_.ca.empty()) {
      return Mistake("--insecure means without TLS, and --ca with it: leave one out");
    }
    if (!endpoint_.token_file.empty() && endpoint_.ca.empty() && !endpoint_.insecure &&
        !IsLoopback(endpoint_.server)) {
      return Mistake(absl::StrCat(
          "--token-file: the token would go to ", endpoint_.server,
          " in clear text; say --ca FILE (or --ca system) for TLS, or --insecure where nobody else "
          "can listen on the way"));
    }
    options.endpoint = endpoint_;
    options.color = color_;
    if (!timeout_.empty()) {
      const auto timeout = ParseDuration(timeout_);
      if (!timeout.ok()) return Mistake(absl::StrCat("--timeout: ", timeout.status().message()));
      options.timeout = *timeout;
    }
    auto command = build_();
    if (!command.ok()) return Mistake(command.status().message());
    options.command = *std::move(command);
    options.output = output_;
    return options;
  }

 private:
  using Build = std::function<absl::StatusOr<Command>()>;

  // "assetctl assets create": what was being called.
  std::string Called() const {
    std::string called = "assetctl";
    for (const CLI::App* app = &app_;;) {
      const auto parsed = app->get_subcommands();
      if (parsed.empty()) return called;
      app = parsed.front();
      absl::StrAppend(&called, " ", app->get_name());
    }
  }

  EarlyExit Mistake(absl::string_view what) const {
    return {2, absl::StrCat("error: ", what, "\nSee ", Called(), " --help\n")};
  }

  CLI::App* Collection(const std::string& name, const std::string& description,
                       const std::string& examples) {
    CLI::App* app = app_.add_subcommand(name, description);
    app->require_subcommand(1);
    app->footer(absl::StrCat(examples, "\n\n", kGlobal));
    return app;
  }

  // A command; `build` makes of the flags what is to be done.
  CLI::App* Verb(CLI::App* parent, const std::string& name, const std::string& description,
                 const std::string& more, Build build) {
    CLI::App* app = parent->add_subcommand(name, description);
    app->footer(absl::StrCat(more, more.empty() ? "" : "\n\n", kGlobal));
    app->callback([this, build = std::move(build)] { build_ = build; });
    return app;
  }

  // A command on one resource.
  template <typename Request>
  CLI::App* NamedVerb(CLI::App* parent, const std::string& name, const std::string& description,
                      const std::string& more, const std::string& collection) {
    CLI::App* app =
        Verb(parent, name, description, more, [this, collection]() -> absl::StatusOr<Command> {
          Request request;
          ASSIGN_OR_RETURN(*request.mutable_name(), collection == "models"
                                                        ? ModelName(name_)
                                                        : ResourceName(collection, name_));
          return Command(std::move(request));
        });
    app->add_option("NAME", name_, absl::StrCat("ID or ", collection, "/ID"))->required();
    return app;
  }

  // What all commands that make something have in common.
  void AddCreateFlags(CLI::App* app, const std::string& what_for) {
    app->add_option("--id", id_, "The id to give it: a-z, 0-9 and -, at most 63; made when absent")
        ->option_text("ID");
    AddRequestFlags(app, what_for);
  }
  void AddRequestFlags(CLI::App* app, const std::string& what_for) {
    Repeated(app, "--provider", providers_, "PROVIDER", what_for);
    Repeated(app, "--label", labels_, "KEY=VALUE", "A label; may be repeated");
    Repeated(app, "--option", options_, "PROVIDER=JSON",
             "Wire fields for one provider, sent as they are; may be repeated");
    app->add_option("--request-id", request_id_,
                    "Repeating a call with the same id never makes a thing twice; made when absent")
        ->option_text("TEXT");
    app->add_option("--max-wait", max_wait_,
                    "How long the gateway waits for the providers' verdict before it answers, at "
                    "most 60s")
        ->option_text("DURATION [10s]");
  }
  template <typename Request>
  absl::Status FillRequest(Request& request) {
    RETURN_IF_ERROR(AddNames("providers", providers_, request.mutable_providers()));
    request.set_request_id(request_id_.empty() ? MakeRequestId() : request_id_);
    if (!max_wait_.empty()) {
      absl::Duration max_wait;
      ASSIGN_OR_RETURN(max_wait, ParseDuration(max_wait_));
      *request.mutable_max_wait() = base::ToProto(max_wait);
    }
    return absl::OkStatus();
  }

  void AddListFlags(CLI::App* app) {
    app->add_option("--page-size", page_size_, "At most this many, up to 1000")
        ->option_text("N [50]")
        ->check(CLI::Range(1, 1000));
    app->add_option("--page-token", page_token_, "Where the page before left off")
        ->option_text("TOKEN");
    app->add_flag("--all", all_, "All pages");
  }

  template <typename Request>
  List<Request> ListOf() const {
    List<Request> list;
    list.request.set_page_size(page_size_);
    list.request.set_page_token(page_token_);
    list.all = all_;
    return list;
  }

  // An option that may be given several times. It takes one word each time: the next one may be a
  // positional.
  static void Repeated(CLI::App* app, const std::string& flag, Words& words,
                       const std::string& text, const std::string& description) {
    app->add_option(flag, words, description)->option_text(text + " ...")->allow_extra_args(false);
  }

  void AddAssetFilter(CLI::App* app) {
    Repeated(app, "--group", filter_.groups, "GROUP", "In any of these groups");
    Repeated(app, "--provider", filter_.providers, "PROVIDER", "At any of these providers");
    Repeated(app, "--state", filter_.states, "STATE",
             "In any of these: registered, processing, active, failed");
    Repeated(app, "--media-type", filter_.media_types, "TYPE",
             "Any of these: image, video, audio, document");
    Repeated(app, "--label", filter_.labels, "KEY=VALUE", "With all of these labels");
    Repeated(app, "--provider-id", filter_.provider_ids, "ID",
             "Known to a provider by any of these ids");
  }
  void AddVideoFilter(CLI::App* app) {
    Repeated(app, "--model", filter_.models, "MODEL", "Of any of these models");
    Repeated(app, "--provider", filter_.providers, "PROVIDER", "Tried at any of these providers");
    Repeated(
        app, "--state", filter_.states, "STATE",
        "In any of these: pending, queued, running, succeeded, failed, cancelled, unconfirmed");
    Repeated(app, "--label", filter_.labels, "KEY=VALUE", "With all of these labels");
    Repeated(app, "--asset", filter_.assets, "ASSET", "Made from any of these assets");
    Repeated(app, "--provider-id", filter_.provider_ids, "ID",
             "Known to a provider by any of these ids");
  }

  void AddWatchFlags(CLI::App* app) {
    app->add_flag("--until-settled", until_settled_,
                  "End when everything that is there now is finished; exit code 9 if any failed");
    app->add_option("--resume-token-file", resume_token_file_,
                    "Keep the newest bookmark here, and continue from it next time")
        ->option_text("PATH");
    AddLinesFlag(app);
  }

  void AddLinesFlag(CLI::App* app) {
    app->add_flag("--lines", lines_,
                  "One line per event, also on a terminal: time, name, state, progress, "
                  "provider, and what there is to say; - where one of them is not known");
  }

  void AddGroups() {
    CLI::App* groups = Collection("groups", "Asset groups: containers for related assets",
                                  "Example:\n"
                                  "  assetctl groups create --id summer --display-name \"Summer "
                                  "campaign\"");
    CLI::App* create = Verb(groups, "create", "Make a group",
                            "Example:\n  assetctl groups create --id summer --provider zerozero",
                            [this] { return CreateGroup(); });
    create->add_option("--display-name", display_name_, "A name for people")->option_text("TEXT");
    create->add_option("--description", description_, "What it is for")->option_text("TEXT");
    AddCreateFlags(create, "Make it at this provider right away; may be repeated");
    NamedVerb<v1::GetAssetGroupRequest>(groups, "get", "Show one group", "", "assetGroups");
    CLI::App* list =
        Verb(groups, "list", "List groups, newest first", "", [this] { return ListGroups(); });
    AddListFlags(list);
    Repeated(list, "--provider", filter_.providers, "PROVIDER", "At any of these providers");
    Repeated(list, "--label", filter_.labels, "KEY=VALUE", "With all of these labels");
    Repeated(list, "--provider-id", filter_.provider_ids, "ID",
             "Known to a provider by any of these ids");
    NamedVerb<v1::DeleteAssetGroupRequest>(groups, "delete", "Remove a group that has no assets",
                                           "", "assetGroups");
  }

  void AddAssets() {
    CLI::App* assets =
        Collection("assets", "Assets: media registered for reuse, the same to every provider",
                   "Examples:\n"
                   "  assetctl assets create https://example.com/hero.png --id hero --wait\n"
                   "  assetctl assets list --state processing\n"
                   "  assetctl assets watch hero --until-settled");
    CLI::App* create = Verb(
        assets, "create", "Register a medium and hand it to providers",
        "Examples:\n"
        "  assetctl assets create https://example.com/hero.png --id hero --provider kyy\n"
        "  assetctl assets create \"https://example.com/get?id=7\" --media-type image --wait\n"
        "Without --provider, the gateway's configured ones take it, or, where there are none,\n"
        "the first video that uses it.",
        [this] { return CreateOneAsset(); });
    create->add_option("URI", uri_, "Where providers can fetch it: http or https")->required();
    AddAssetFlags(create);
    AddCreateFlags(create, "Hand it to this provider; may be repeated");
    create->add_flag("--wait", wait_, "Watch it until every provider has decided");

    CLI::App* batch = Verb(
        assets, "batch-create", "Register many, each on its own feet",
        "Examples:\n"
        "  assetctl assets batch-create https://example.com/a.png https://example.com/b.mp4\n"
        "  assetctl assets batch-create --file assets.jsonl --group summer --wait\n"
        "A line of the file is a CreateAssetRequest, or just its asset, in JSON:\n"
        "  {\"asset_id\": \"hero\", \"asset\": {\"source_uri\": \"https://example.com/a.png\"}}\n"
        "  {\"source_uri\": \"https://example.com/b.mp4\", \"media_type\": \"VIDEO\"}\n"
        "The flags hold for every item that does not say otherwise. Calls carry 100 items each.",
        [this] { return CreateManyAssets(); });
    batch->add_option("URI", uris_, "Where providers can fetch them");
    batch->add_option("--file", file_, "JSON lines with further items; - is standard input")
        ->option_text("PATH");
    AddAssetFlags(batch);
    AddRequestFlags(batch, "Hand them to this provider; may be repeated");
    batch->add_flag("--wait", wait_, "Watch them until every provider has decided");

    NamedVerb<v1::GetAssetRequest>(assets, "get", "Show one asset", "", "assets");
    CLI::App* list = Verb(assets, "list", "List assets, newest first",
                          "Example:\n  assetctl assets list --group summer --state failed --all",
                          [this] { return ListAssets(); });
    AddAssetFilter(list);
    AddListFlags(list);
    NamedVerb<v1::DeleteAssetRequest>(
        assets, "delete", "Remove an asset, at its providers too where they can", "", "assets");
    CLI::App* watch = Verb(
        assets, "watch", "Watch assets: a live table on a terminal, lines elsewhere",
        "Examples:\n"
        "  assetctl assets watch --group summer\n"
        "  assetctl assets watch hero voice --until-settled\n"
        "  assetctl assets watch --output json --resume-token-file token >>events.jsonl\n"
        "TIME is how long it has been in its state, and how long it took once it is finished.\n"
        "JSON lines are AssetEvents as they come: RESET means that you forget what you hold,\n"
        "BOOKMARK carries a resume token.",
        [this] { return WatchAssets(); });
    watch->add_option("NAME", names_, "Only these");
    AddAssetFilter(watch);
    AddWatchFlags(watch);
  }

  void AddAssetFlags(CLI::App* app) {
    app->add_option("--media-type", media_type_,
                    "What it holds; guessed from the URI's extension when absent")
        ->option_text("image|video|audio|document");
    app->add_option("--group", group_, "The group it belongs to")->option_text("GROUP");
    app->add_option("--display-name", display_name_, "A name for people")->option_text("TEXT");
  }

  void AddVideos() {
    CLI::App* videos = Collection("videos", "Video tasks: one request for a video each",
                                  "Examples:\n"
                                  "  assetctl videos create --model seedance-2 --prompt \"a storm "
                                  "at sea\" --duration 5s --wait\n"
                                  "  assetctl videos list --state failed\n"
                                  "  assetctl videos cancel my-video");
    CLI::App* create = Verb(
        videos, "create", "Have a video made",
        "Examples:\n"
        "  assetctl videos create --model seedance-2 --prompt \"a storm at sea\" --wait\n"
        "  assetctl videos create --model seedance-2 --prompt \"image 1 waves to image 2\" \\\n"
        "      --reference assets/hero --reference https://example.com/friend.png \\\n"
        "      --duration 5s --resolution 720p --aspect-ratio 16:9 --no-watermark\n"
        "  assetctl videos create --model providers/kyy/models/seedance_2_0_pro --prompt \"...\" "
        "\\\n"
        "      --first-frame assets/hero --validate-only\n"
        "Media are https://... or assets/ID, with image:, video: or audio: in front where the\n"
        "name does not tell. The prompt calls them \"image 1\", \"video 2\", in the order given.\n"
        "`assetctl models get MODEL` shows what a model can express.",
        [this] { return CreateOneVideo(); });
    create->add_option("--model", model_, "A route (see assetctl models), or providers/P/models/M")
        ->required()
        ->option_text("MODEL");
    create->add_option("--prompt", prompt_, "What to show")->option_text("TEXT");
    create->add_option("--first-frame", first_frame_, "The picture it begins with")
        ->option_text("MEDIUM");
    create->add_option("--last-frame", last_frame_, "The picture it ends with")
        ->option_text("MEDIUM");
    Repeated(create, "--reference", references_, "MEDIUM",
             "Something to take a likeness, a movement or a sound from; may be repeated");
    create->add_option("--duration", duration_, "How long it shall be, in whole seconds")
        ->option_text("5s");
    create->add_option("--resolution", resolution_, "For instance 720p")->option_text("TEXT");
    create->add_option("--aspect-ratio", aspect_ratio_, "For instance 16:9")->option_text("TEXT");
    AddSwitch(create, "generate-audio", generate_audio_, "Whether it gets a sound track");
    AddSwitch(create, "watermark", watermark_, "Whether the provider marks it");
    AddSwitch(create, "camera-fixed", camera_fixed_, "Whether the camera stands still");
    AddSwitch(create, "return-last-frame", return_last_frame_,
              "Whether the last frame comes as a picture too");
    create->add_option("--seed", seed_, "Makes the result repeatable; -1 is random")
        ->option_text("N");
    AddCreateFlags(create, "Only this provider of the model's; may be repeated");
    create->add_flag("--validate-only", validate_only_,
                     "Check everything, show where it can go and where not, and make nothing");
    create->add_flag("--wait", wait_, "Watch it until it is finished")->excludes("--validate-only");

    NamedVerb<v1::GetVideoTaskRequest>(videos, "get", "Show one video task, with its attempts", "",
                                       "videoTasks");
    CLI::App* list = Verb(videos, "list", "List video tasks, newest first",
                          "Example:\n  assetctl videos list --state running --provider kyy",
                          [this] { return ListVideos(); });
    AddVideoFilter(list);
    AddListFlags(list);
    NamedVerb<v1::CancelVideoTaskRequest>(
        videos, "cancel", "Cancel a task",
        "What has been submitted to a provider that cannot cancel goes on and will be billed.",
        "videoTasks");
    AddResolve(videos);
    AddImport(videos);
    NamedVerb<v1::DeleteVideoTaskRequest>(
        videos, "delete", "Remove a finished task; nothing is deleted at the provider", "",
        "videoTasks");
    CLI::App* watch = Verb(
        videos, "watch", "Watch video tasks: a live table on a terminal, lines elsewhere",
        "Examples:\n"
        "  assetctl videos watch --state running --state queued\n"
        "  assetctl videos watch my-video --until-settled\n"
        "TIME is how long it has been in its state, and how long it took once it is finished.\n"
        "JSON lines are VideoTaskEvents as they come: RESET means that you forget what you\n"
        "hold, BOOKMARK carries a resume token.",
        [this] { return WatchVideos(); });
    watch->add_option("NAME", names_, "Only these");
    AddVideoFilter(watch);
    AddWatchFlags(watch);
  }

  void AddResolve(CLI::App* videos) {
    CLI::App* resolve = Verb(
        videos, "resolve", "Settle an UNCONFIRMED task: say what became of its submission",
        "A task is UNCONFIRMED when its submission was sent and the answer was lost: there may be\n"
        "a video, and a bill. Look into the provider's own list of tasks, or its bill, around the\n"
        "time that `assetctl videos get NAME` tells, and say what you found:\n"
        "  assetctl videos resolve my-video --provider-task-id vt-71c0    # it is this one: follow "
        "it\n"
        "  assetctl videos resolve my-video --not-accepted                # nothing: it is FAILED\n"
        "  assetctl videos resolve my-video --not-accepted --resubmit     # nothing: send it "
        "again\n"
        "  assetctl videos resolve my-video --attempt 1 --not-accepted    # it is about attempt 1\n"
        "The gateway cannot check a \"no\": with --resubmit, a video that was made after all is\n"
        "made, and billed, twice. An id that the provider does not know ends the task in some\n"
        "minutes. `assetctl videos list --state unconfirmed` lists what is open. Saying the same\n"
        "again changes nothing. A task that was sent again can come into doubt a second time:\n"
        "then --attempt has to say which attempt you looked for, as numbered by\n"
        "`assetctl videos get NAME`.",
        [this] { return ResolveVideo(); });
    resolve->add_option("NAME", name_, "ID or videoTasks/ID")->required();
    CLI::Option* id = resolve
                          ->add_option("--provider-task-id", provider_task_id_,
                                       "It was accepted: the provider's own id of the task")
                          ->option_text("ID");
    CLI::Option* no = resolve->add_flag("--not-accepted", not_accepted_,
                                        "It was not accepted: there is no video, and no bill");
    no->excludes(id);
    resolve
        ->add_flag("--resubmit", resubmit_,
                   "With --not-accepted: submit it anew; otherwise it is FAILED")
        ->excludes(id)
        ->needs(no);
    resolve
        ->add_option("--attempt", attempt_,
                     "Which attempt it is about, counted from 0; needed after an earlier doubt")
        ->option_text("NUMBER")
        ->check(CLI::NonNegativeNumber);
  }

  void AddImport(CLI::App* videos) {
    CLI::App* import = Verb(
        videos, "import", "Follow a task that a provider already has; nothing is submitted",
        "Example:\n"
        "  assetctl videos import vt-71c0 --provider zerozero --model seedance-2 --id found-again\n"
        "It is how a result is had that the gateway gave up (FAILED with PROVIDER_FORGOT,\n"
        "TRACKING_EXPIRED or RESULT_MISSING), or that was made without the gateway. The "
        "provider is\n"
        "asked for it at once. Who imports needs the role OPERATOR, where callers have roles.",
        [this] { return ImportVideo(); });
    import->add_option("PROVIDER_TASK_ID", name_, "The provider's own id of the task")->required();
    import->add_option("--provider", import_provider_, "Where it is")
        ->required()
        ->option_text("PROVIDER");
    import
        ->add_option(
            "--model", model_,
            "What it was made with: a route, providers/P/models/M, or the provider's own name")
        ->required()
        ->option_text("MODEL");
    import->add_option("--id", id_, "The id to give it; made by the gateway when absent")
        ->option_text("ID");
    import->add_option("--prompt", prompt_, "What it shows, for people")->option_text("TEXT");
    Repeated(import, "--label", labels_, "KEY=VALUE", "A label; may be repeated");
    import
        ->add_option("--request-id", request_id_,
                     "Makes a repetition of the command harmless; made up when absent")
        ->option_text("ID");
  }

  // --x and --no-x; `value` stays empty when neither is given.
  static void AddSwitch(CLI::App* app, const std::string& name, std::optional<bool>& value,
                        const std::string& description) {
    app->add_flag_function(
        absl::StrCat("--", name, ",!--no-", name),
        [&value, name](std::int64_t count) {
          if (count == 0)
            throw CLI::ValidationError(absl::StrCat("--", name), "yes and no at once");
          value = count > 0;
        },
        description);
  }

  void AddProviders() {
    CLI::App* providers =
        Collection("providers", "Providers, and how they are",
                   "Examples:\n  assetctl providers\n  assetctl providers get kyy\n"
                   "  assetctl providers watch");
    const Build list = [this]() -> absl::StatusOr<Command> {
      return Command(ListOf<v1::ListProvidersRequest>());
    };
    AddListFlags(Verb(providers, "list", "List the providers (also without `list`)", "", list));
    NamedVerb<v1::GetProviderRequest>(providers, "get", "Show one provider", "", "providers");
    CLI::App* watch = Verb(
        providers, "watch", "Watch the providers: a live table on a terminal, lines elsewhere",
        "It is the view of the gateway that answers. JSON lines are ProviderEvents as they come:\n"
        "RESET means that you forget what you hold.",
        [this]() -> absl::StatusOr<Command> {
          WatchCommand command = WatchFlags();
          command.providers.emplace();
          return Command(std::move(command));
        });
    AddLinesFlag(watch);
    WithoutVerb(providers, list);
  }

  void AddModels() {
    CLI::App* models = Collection("models", "Models, and what they can express",
                                  "Examples:\n  assetctl models\n  assetctl models get seedance-2\n"
                                  "  assetctl models get providers/kyy/models/seedance_2_0_pro");
    const Build list = [this]() -> absl::StatusOr<Command> {
      return Command(ListOf<v1::ListModelsRequest>());
    };
    AddListFlags(Verb(models, "list", "List the models (also without `list`)", "", list));
    NamedVerb<v1::GetModelRequest>(models, "get", "Show one model", "", "models");
    WithoutVerb(models, list);
  }

  // `build` is what the collection means by itself.
  void WithoutVerb(CLI::App* app, const Build& build) {
    app->require_subcommand(0, 1);
    app->callback([this, app, build] {
      if (app->get_subcommands().empty()) build_ = build;
    });
  }

  void AddWatch() {
    CLI::App* watch = Verb(&app_, "watch", "Watch assets and videos in one live table",
                           "Examples:\n"
                           "  assetctl watch\n"
                           "  assetctl watch --label project=summer --until-settled\n"
                           "With --output json, each line is {\"asset_event\": AssetEvent} or\n"
                           "{\"video_task_event\": VideoTaskEvent}.",
                           [this] { return WatchBoth(); });
    Repeated(watch, "--provider", filter_.providers, "PROVIDER", "At any of these providers");
    Repeated(watch, "--label", filter_.labels, "KEY=VALUE", "With all of these labels");
    AddWatchFlags(watch);
  }

  void AddExplain() {
    CLI::App* explain = Verb(
        &app_, "explain", "Say why a video, an asset or a group is where it is",
        "Examples:\n"
        "  assetctl explain videoTasks/my-video\n"
        "  assetctl explain my-video              # an ID alone is a video's\n"
        "  assetctl explain assets/hero --output json\n"
        "What it waits for, how often each provider was asked and what it answered, when it is\n"
        "asked next and why then, and which providers were passed over. It changes nothing.",
        [this] { return ExplainOne(); });
    explain->add_option("NAME", name_, "videoTasks/ID (or ID), assets/ID or assetGroups/ID")
        ->required();
    explain->add_flag("--json", json_, "The same as --output json");
  }

  void AddDoctor() {
    Verb(
        &app_, "doctor", "Look at the gateway: is it there, is it well, are its providers",
        "Examples:\n"
        "  assetctl doctor\n"
        "  assetctl --server gateway.internal:8080 doctor\n"
        "One line per thing looked at: ok, warning or FAILED, with what to do. The exit code is 0\n"
        "when nothing has failed, else 1. What is wrong with a config, its keys, its store and "
        "the\n"
        "way to its providers, the gateway's own program tells, where it is to run:\n"
        "  assetgate --doctor --config FILE",
        []() -> absl::StatusOr<Command> { return Command(DoctorCommand()); });
  }

  absl::StatusOr<Command> ExplainOne() {
    if (json_) output_ = Output::kJson;
    v1::ExplainRequest request;
    absl::string_view collection = "videoTasks";
    for (const absl::string_view other : {"assets", "assetGroups"}) {
      if (absl::StartsWith(name_, absl::StrCat(other, "/"))) collection = other;
    }
    ASSIGN_OR_RETURN(*request.mutable_name(), ResourceName(collection, name_));
    return Command(std::move(request));
  }

  absl::StatusOr<Command> CreateGroup() {
    v1::CreateAssetGroupRequest request;
    request.set_asset_group_id(id_);
    auto* group = request.mutable_asset_group();
    group->set_display_name(display_name_);
    group->set_description(description_);
    RETURN_IF_ERROR(AddLabels(labels_, group->mutable_labels()));
    RETURN_IF_ERROR(AddOptions(options_, group->mutable_provider_options()));
    RETURN_IF_ERROR(FillRequest(request));
    return Command(std::move(request));
  }

  absl::StatusOr<Command> ListGroups() const {
    auto list = ListOf<v1::ListAssetGroupsRequest>();
    auto* filter = list.request.mutable_filter();
    RETURN_IF_ERROR(AddNames("providers", filter_.providers, filter->mutable_providers()));
    RETURN_IF_ERROR(AddLabels(filter_.labels, filter->mutable_labels()));
    filter->mutable_provider_group_ids()->Add(filter_.provider_ids.begin(),
                                              filter_.provider_ids.end());
    return Command(std::move(list));
  }

  // Everything but the URI and the media type that is guessed from it.
  absl::StatusOr<v1::CreateAssetRequest> AssetDefaults() {
    v1::CreateAssetRequest request;
    auto* asset = request.mutable_asset();
    asset->set_display_name(display_name_);
    if (!group_.empty()) {
      ASSIGN_OR_RETURN(*asset->mutable_asset_group(), ResourceName("assetGroups", group_));
    }
    if (!media_type_.empty()) {
      v1::MediaType type;
      ASSIGN_OR_RETURN(type, ParseMediaType(media_type_));
      asset->set_media_type(type);
    }
    RETURN_IF_ERROR(AddLabels(labels_, asset->mutable_labels()));
    RETURN_IF_ERROR(AddOptions(options_, asset->mutable_provider_options()));
    RETURN_IF_ERROR(AddNames("providers", providers_, request.mutable_providers()));
    return request;
  }

  absl::StatusOr<Command> CreateOneAsset() {
    CreateAsset command;
    command.wait = wait_;
    ASSIGN_OR_RETURN(command.request, AssetDefaults());
    command.request.clear_providers();
    command.request.set_asset_id(id_);
    command.request.mutable_asset()->set_source_uri(uri_);
    RETURN_IF_ERROR(FillMediaType(*command.request.mutable_asset()));
    RETURN_IF_ERROR(FillRequest(command.request));
    return Command(std::move(command));
  }

  absl::StatusOr<Command> CreateManyAssets() {
    BatchCreateAssets command;
    command.wait = wait_;
    command.file = file_;
    if (uris_.empty() && file_.empty()) {
      return PlainError(absl::StatusCode::kInvalidArgument, "give URIs, or --file");
    }
    ASSIGN_OR_RETURN(command.defaults, AssetDefaults());
    for (const std::string& uri : uris_) {
      v1::CreateAssetRequest item = command.defaults;
      item.mutable_asset()->set_source_uri(uri);
      RETURN_IF_ERROR(FillMediaType(*item.mutable_asset()));
      command.items.push_back(std::move(item));
    }
    command.request_id = request_id_.empty() ? MakeRequestId() : request_id_;
    if (!max_wait_.empty()) {
      absl::Duration max_wait;
      ASSIGN_OR_RETURN(max_wait, ParseDuration(max_wait_));
      command.max_wait = max_wait;
    }
    return Command(std::move(command));
  }

  absl::StatusOr<Command> ListAssets() const {
    auto list = ListOf<v1::ListAssetsRequest>();
    ASSIGN_OR_RETURN(*list.request.mutable_filter(), AssetFilterOf(filter_));
    return Command(std::move(list));
  }

  absl::StatusOr<Command> CreateOneVideo() {
    CreateVideo command;
    command.wait = wait_;
    command.request.set_video_task_id(id_);
    command.request.set_validate_only(validate_only_);
    auto* task = command.request.mutable_video_task();
    task->set_model(model_);
    task->set_prompt(prompt_);
    const auto add_reference = [task](v1::Reference::Role role,
                                      const std::string& word) -> absl::Status {
      ASSIGN_OR_RETURN(*task->add_references(), ParseReference(role, word));
      return absl::OkStatus();
    };
    if (!first_frame_.empty()) {
      RETURN_IF_ERROR(add_reference(v1::Reference::FIRST_FRAME, first_frame_));
    }
    if (!last_frame_.empty()) {
      RETURN_IF_ERROR(add_reference(v1::Reference::LAST_FRAME, last_frame_));
    }
    for (const std::string& word : references_) {
      RETURN_IF_ERROR(add_reference(v1::Reference::REFERENCE, word));
    }
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
    RETURN_IF_ERROR(AddLabels(labels_, task->mutable_labels()));
    RETURN_IF_ERROR(AddOptions(options_, task->mutable_provider_options()));
    RETURN_IF_ERROR(FillRequest(command.request));
    return Command(std::move(command));
  }

  absl::StatusOr<Command> ResolveVideo() const {
    v1::ResolveVideoTaskRequest request;
    ASSIGN_OR_RETURN(*request.mutable_name(), ResourceName("videoTasks", name_));
    if (provider_task_id_.has_value()) {
      request.set_provider_task_id(*provider_task_id_);
    } else if (not_accepted_) {
      request.set_not_accepted(true);
      request.set_resubmit(resubmit_);
    } else {
      return PlainError(absl::StatusCode::kInvalidArgument,
                        "say what became of it: --provider-task-id ID, or --not-accepted");
    }
    if (attempt_.has_value()) request.set_attempt(*attempt_);
    return Command(std::move(request));
  }

  absl::StatusOr<Command> ImportVideo() const {
    v1::ImportVideoTaskRequest request;
    ASSIGN_OR_RETURN(*request.mutable_provider(), ResourceName("providers", import_provider_));
    request.set_provider_task_id(name_);
    request.set_model(model_);
    request.set_video_task_id(id_);
    request.set_prompt(prompt_);
    RETURN_IF_ERROR(AddLabels(labels_, request.mutable_labels()));
    request.set_request_id(request_id_.empty() ? MakeRequestId() : request_id_);
    return Command(std::move(request));
  }

  absl::StatusOr<Command> ListVideos() const {
    auto list = ListOf<v1::ListVideoTasksRequest>();
    ASSIGN_OR_RETURN(*list.request.mutable_filter(), VideoFilterOf(filter_));
    return Command(std::move(list));
  }

  absl::StatusOr<v1::WatchAssetsRequest> AssetWatchRequest() const {
    v1::WatchAssetsRequest request;
    RETURN_IF_ERROR(AddNames("assets", names_, request.mutable_names()));
    ASSIGN_OR_RETURN(*request.mutable_filter(), AssetFilterOf(filter_));
    request.set_until_settled(until_settled_);
    return request;
  }
  absl::StatusOr<v1::WatchVideoTasksRequest> VideoWatchRequest() const {
    v1::WatchVideoTasksRequest request;
    RETURN_IF_ERROR(AddNames("videoTasks", names_, request.mutable_names()));
    ASSIGN_OR_RETURN(*request.mutable_filter(), VideoFilterOf(filter_));
    request.set_until_settled(until_settled_);
    return request;
  }
  WatchCommand WatchFlags() const {
    WatchCommand command;
    command.resume_token_file = resume_token_file_;
    command.lines = lines_;
    return command;
  }
  absl::StatusOr<Command> WatchAssets() const {
    WatchCommand command = WatchFlags();
    ASSIGN_OR_RETURN(command.assets, AssetWatchRequest());
    return Command(std::move(command));
  }
  absl::StatusOr<Command> WatchVideos() const {
    WatchCommand command = WatchFlags();
    ASSIGN_OR_RETURN(command.videos, VideoWatchRequest());
    return Command(std::move(command));
  }
  absl::StatusOr<Command> WatchBoth() const {
    WatchCommand command = WatchFlags();
    ASSIGN_OR_RETURN(command.assets, AssetWatchRequest());
    ASSIGN_OR_RETURN(command.videos, VideoWatchRequest());
    return Command(std::move(command));
  }

  CLI::App app_;
  Build build_;

  Endpoint endpoint_;
  Output output_ = Output::kTable;
  ColorMode color_ = ColorMode::kAuto;
  std::string timeout_;

  std::string name_, import_provider_;
  Words names_;
  std::string id_, request_id_, max_wait_, display_name_, description_, group_, media_type_, uri_,
      file_, model_, prompt_, first_frame_, last_frame_, duration_, page_token_, resume_token_file_;
  Words uris_, providers_, labels_, options_, references_;
  std::optional<std::string> resolution_, aspect_ratio_, provider_task_id_;
  std::optional<bool> generate_audio_, watermark_, camera_fixed_, return_last_frame_;
  std::optional<std::int64_t> seed_;
  FilterFlags filter_;
  int page_size_ = 0;
  bool all_ = false;
  bool json_ = false;
  bool wait_ = false;
  bool validate_only_ = false;
  bool not_accepted_ = false;
  bool resubmit_ = false;
  std::optional<int> attempt_;
  bool until_settled_ = false;
  bool lines_ = false;
};

}  // namespace

std::variant<Options, EarlyExit> ParseCommandLine(const std::vector<std::string>& words) {
  return Parser().Parse(words);
}

}  // namespace assetgate::cli
