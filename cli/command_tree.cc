#include "cli/command_tree.h"

#include <cstddef>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "cli/misspelt.h"

namespace assetgate::cli {
namespace {

using Words = std::vector<std::string>;

constexpr char kGlobal[] =
    "Options of all commands (--server, --output, --timeout, ...): assetctl --help";

// Help that fits 100 columns, with `--[no-]x` for switches.
class HelpFormatter final : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(kNameColumn); }

  std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
    // CLI11 puts "--" before the first positive name of a switch.
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

}  // namespace

CommandTree::CommandTree(const std::string& description, const std::string& footer)
    : app_(description, "assetctl") {
  app_.formatter(std::make_shared<HelpFormatter>());
  app_.fallthrough();
  app_.require_subcommand(1);
  app_.footer(footer);
}

CLI::App* CommandTree::AddCollection(const std::string& name, const std::string& description,
                                     const std::string& examples) {
  CLI::App* app = app_.add_subcommand(name, description);
  app->require_subcommand(1);
  app->footer(absl::StrCat(examples, "\n\n", kGlobal));
  return app;
}

CLI::App* CommandTree::AddCommand(CLI::App* parent, const std::string& name,
                                  const std::string& description, const std::string& more,
                                  Build build) {
  CLI::App* app = parent->add_subcommand(name, description);
  app->footer(absl::StrCat(more, more.empty() ? "" : "\n\n", kGlobal));
  app->callback([this, build = std::move(build)] { build_ = build; });
  return app;
}

void CommandTree::SetDefaultCommand(CLI::App* collection, const Build& build) {
  collection->require_subcommand(0, 1);
  collection->callback([this, collection, build] {
    if (collection->get_subcommands().empty()) build_ = build;
  });
}

std::optional<EarlyExit> CommandTree::Parse(const Words& words) {
  const Words rewritten = WithHelpAsOption(app_, words);
  if (const auto misspelt = FindMisspelt(app_, rewritten)) {
    return EarlyExit{2, absl::StrCat("error: ", *misspelt, "\n")};
  }
  try {
    // CLI11 takes the words last one first.
    app_.parse(Words(rewritten.rbegin(), rewritten.rend()));
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream err;
    if (app_.exit(error, out, err) != 0) return Mistake(error.what());
    std::string text = out.str();
    if (!absl::EndsWith(text, "\n")) text += '\n';
    return EarlyExit{0, std::move(text)};
  }
  return std::nullopt;
}

EarlyExit CommandTree::Mistake(absl::string_view what) const {
  return {2, absl::StrCat("error: ", what, "\nSee ", Called(), " --help\n")};
}

std::string CommandTree::Called() const {
  std::string called = "assetctl";
  for (const CLI::App* app = &app_;;) {
    const auto parsed = app->get_subcommands();
    if (parsed.empty()) return called;
    app = parsed.front();
    absl::StrAppend(&called, " ", app->get_name());
  }
}

}  // namespace assetgate::cli
