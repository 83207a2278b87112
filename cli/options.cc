#include "cli/options.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/build_info.h"
#include "cli/arguments.h"
#include "cli/asset_commands.h"
#include "cli/command_tree.h"
#include "cli/inspect_commands.h"
#include "cli/reach.h"
#include "cli/video_commands.h"

namespace assetgate::cli {
namespace {

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
With --output name, only resource names. Errors and notices go to standard error (errors as
{"error": google.rpc.Status} with --output json).

Exit codes:
    0  done                              6  not possible in the present state
    1  another error                     7  unavailable, busy or rate limited: try again later
    2  invalid command line              8  --timeout passed
    3  the request is invalid            9  the awaited work failed (--wait, --until-settled)
    4  no such resource                130  interrupted
    5  it exists already

Every command has its own --help; "assetctl help COMMAND" and "assetctl version" work as well.)";

// One parse. Lifetime: the flags come before the tree, which writes to them.
class Parser {
 public:
  Parser() : tree_(kDescription, kFooter) {
    tree_.root()->set_version_flag("--version", base::VersionText("assetctl"));
    AddConnectionOptions();
    AddOutputOptions();
    groups_.AddTo(tree_);
    assets_.AddTo(tree_);
    videos_.AddTo(tree_);
    inspect_.AddTo(tree_);
  }

  std::variant<Options, EarlyExit> Parse(const Words& words) {
    if (auto early = tree_.Parse(words)) return *std::move(early);
    if (const std::string fault = FaultOfEndpoint(); !fault.empty()) return tree_.Mistake(fault);
    Options options;
    options.endpoint = endpoint_;
    options.color = color_;
    options.output = inspect_.wants_json() ? Output::kJson : output_;
    if (!timeout_.empty()) {
      const auto timeout = ParseDuration(timeout_);
      if (!timeout.ok()) {
        return tree_.Mistake(absl::StrCat("--timeout: ", timeout.status().message()));
      }
      options.timeout = *timeout;
    }
    auto command = tree_.BuildCommand();
    if (!command.ok()) return tree_.Mistake(command.status().message());
    options.command = *std::move(command);
    return options;
  }

 private:
  void AddConnectionOptions() {
    CLI::App* app = tree_.root();
    app->add_option("--server", endpoint_.server,
                    "The address of the gateway (environment: ASSETCTL_SERVER). For several "
                    "gateways that share a store: ipv4:ADDRESS:PORT,ADDRESS:PORT or "
                    "dns:///HOST:PORT; the first that answers is used, and the next one when it "
                    "goes away")
        ->option_text("HOST:PORT [127.0.0.1:8080]")
        ->envname("ASSETCTL_SERVER");
    app->add_option("--token-file", endpoint_.token_file,
                    "A file with the bearer token to send (environment: ASSETCTL_TOKEN_FILE)")
        ->option_text("FILE")
        ->envname("ASSETCTL_TOKEN_FILE");
    app->add_option("--ca", endpoint_.ca,
                    "TLS: the CA that signs the gateway's certificate, in PEM; \"system\" for the "
                    "CAs that this machine trusts (environment: ASSETCTL_CA)")
        ->option_text("FILE|system")
        ->envname("ASSETCTL_CA");
    app->add_option("--certificate", endpoint_.certificate,
                    "TLS: the client certificate to present, in PEM (environment: "
                    "ASSETCTL_CERTIFICATE)")
        ->option_text("FILE")
        ->envname("ASSETCTL_CERTIFICATE");
    app->add_option("--key", endpoint_.key,
                    "TLS: the key of the client certificate, in PEM (environment: ASSETCTL_KEY)")
        ->option_text("FILE")
        ->envname("ASSETCTL_KEY");
    app->add_flag("--insecure", endpoint_.insecure,
                  "Send the token without TLS although the gateway is on another machine: anybody "
                  "on the network path can read it (environment: ASSETCTL_INSECURE=true)")
        ->envname("ASSETCTL_INSECURE");
  }

  void AddOutputOptions() {
    CLI::App* app = tree_.root();
    app->add_option("-o,--output", output_, "The output format")
        ->option_text("table|json|name")
        ->transform(CLI::CheckedTransformer(
            std::map<std::string, Output>{
                {"table", Output::kTable}, {"json", Output::kJson}, {"name", Output::kName}},
            CLI::ignore_case));
    app->add_option("--color", color_,
                    "When to use colours; auto: on a terminal, unless NO_COLOR is set")
        ->option_text("auto|always|never")
        ->transform(
            CLI::CheckedTransformer(std::map<std::string, ColorMode>{{"auto", ColorMode::kAuto},
                                                                     {"always", ColorMode::kAlways},
                                                                     {"never", ColorMode::kNever}},
                                    CLI::ignore_case));
    app->add_option("--timeout", timeout_,
                    "Give up after this long: one call (by default 20 s more than --max-wait), or "
                    "a watch or --wait as a whole (no limit by default)")
        ->option_text("DURATION");
  }

  // Why the connection options contradict each other; empty when they do not.
  std::string FaultOfEndpoint() const {
    if (endpoint_.certificate.empty() != endpoint_.key.empty()) {
      return "--certificate and --key need each other: pass both, or neither";
    }
    if (!endpoint_.certificate.empty() && endpoint_.ca.empty()) {
      return "--certificate needs TLS: pass --ca FILE, the CA that signs the gateway's certificate";
    }
    if (endpoint_.insecure && !endpoint_.ca.empty()) {
      return "--insecure means without TLS, and --ca with TLS: leave one out";
    }
    if (!endpoint_.token_file.empty() && endpoint_.ca.empty() && !endpoint_.insecure &&
        !IsLoopback(endpoint_.server)) {
      return absl::StrCat("--token-file: the token would go to ", endpoint_.server,
                          " in clear text; pass --ca FILE (or --ca system) for TLS, or --insecure "
                          "where nobody else "
                          "can listen on the network path");
    }
    return "";
  }

  Endpoint endpoint_;
  Output output_ = Output::kTable;
  ColorMode color_ = ColorMode::kAuto;
  std::string timeout_;
  GroupCommands groups_;
  AssetCommands assets_;
  VideoCommands videos_;
  InspectCommands inspect_;
  CommandTree tree_;
};

}  // namespace

std::variant<Options, EarlyExit> ParseCommandLine(const std::vector<std::string>& words) {
  return Parser().Parse(words);
}

}  // namespace assetgate::cli
