#include "cli/tables.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/proto_time.h"
#include "cli/capabilities.h"
#include "cli/model.h"
#include "cli/sheet.h"

namespace assetgate::cli {
namespace {

// A cell that is never cut: an id, a name or a link that the next command may need.
Cell Whole(absl::string_view text, Tone tone = Tone::kPlain) {
  return {std::string(text), tone, std::nullopt, /*whole=*/true};
}

template <typename Time>
Cell Age(const Time& time, const Page& page) {
  return Text(ShortDuration(page.now - base::FromProto(time)));
}

// "kyy=ACTIVE zerozero=FAILED".
template <typename Resource>
std::string PlacementsOf(const Resource& resource) {
  std::vector<std::string> placements;
  for (const auto& placement : resource.placements()) {
    placements.push_back(absl::StrCat(IdOf(placement.provider()), "=",
                                      v1::Placement::State_Name(placement.state())));
  }
  return absl::StrJoin(placements, " ");
}

std::vector<std::string> LayOutPage(const std::vector<Column>& columns, const Rows& rows,
                                    const Page& page) {
  return LayOut(columns, rows, page.look, page.width);
}

}  // namespace

std::vector<std::string> Table(const std::vector<v1::AssetGroup>& groups, const Page& page) {
  Rows rows;
  for (const v1::AssetGroup& group : groups) {
    rows.push_back({Whole(IdOf(group.name())), Age(group.create_time(), page),
                    Text(group.display_name()), Text(PlacementsOf(group))});
  }
  return LayOutPage(
      {{"GROUP"}, {"AGE", 0, true}, {"DISPLAY NAME", 0, false, 12}, {"PLACEMENTS", 0, false, 10}},
      rows, page);
}

std::vector<std::string> Table(const std::vector<v1::Asset>& assets, const Page& page) {
  Rows rows;
  for (const v1::Asset& asset : assets) {
    rows.push_back({Whole(IdOf(asset.name())),
                    Text(v1::Asset::State_Name(asset.state()), ToneOf(asset.state())),
                    Text(ForPeople(v1::MediaType_Name(asset.media_type()))),
                    Age(asset.create_time(), page), Whole(IdOf(asset.asset_group())),
                    Text(PlacementsOf(asset)),
                    Text(WithoutQuery(asset.source_uri()), Tone::kQuiet)});
  }
  return LayOutPage({{"ASSET"},
                     {"STATE"},
                     {"TYPE"},
                     {"AGE", 0, true},
                     {"GROUP"},
                     {"PLACEMENTS", 0, false, 16},
                     {"SOURCE", 0, false, 10}},
                    rows, page);
}

std::vector<std::string> Table(const std::vector<v1::VideoTask>& tasks, const Page& page) {
  Rows rows;
  for (const v1::VideoTask& task : tasks) {
    const Row row = EntryOf(task, page.now).rows.front();
    rows.push_back({Whole(IdOf(task.name())),
                    Text(v1::VideoTask::State_Name(task.state()), ToneOf(task.state())),
                    row.percent.has_value() ? Text(absl::StrCat(*row.percent, "%")) : Text(""),
                    Age(task.create_time(), page), Whole(task.model()), Text(ProviderOf(task)),
                    task.has_video() ? Whole(row.detail, row.detail_tone)
                                     : Text(row.detail, row.detail_tone)});
  }
  return LayOutPage({{"VIDEO"},
                     {"STATE"},
                     {"DONE", 0, true},
                     {"AGE", 0, true},
                     {"MODEL"},
                     {"PROVIDER"},
                     {"DETAIL", 0, false, 10}},
                    rows, page);
}

std::vector<std::string> Table(const std::vector<v1::Provider>& providers, const Page& page) {
  Rows rows;
  for (const v1::Provider& provider : providers) {
    const Tone tone = provider.state() == v1::Provider::AVAILABLE  ? Tone::kGood
                      : provider.state() == v1::Provider::DEGRADED ? Tone::kWaiting
                                                                   : Tone::kBad;
    rows.push_back({Whole(IdOf(provider.name())), Text(provider.dialect()),
                    Text(v1::Provider::Mode_Name(provider.mode()),
                         provider.mode() == v1::Provider::SERVE ? Tone::kPlain : Tone::kWaiting),
                    Text(v1::Provider::State_Name(provider.state()), tone),
                    Text(absl::StrCat(provider.unfinished_placements())),
                    Text(absl::StrCat(provider.unfinished_attempts())),
                    Text(provider.state_reason(), Tone::kQuiet)});
  }
  return LayOutPage({{"PROVIDER"},
                     {"DIALECT"},
                     {"MODE"},
                     {"STATE"},
                     {"ASSETS", 0, true},
                     {"VIDEOS", 0, true},
                     {"REASON", 0, false, 10}},
                    rows, page);
}

std::vector<std::string> Table(const std::vector<v1::Model>& models, const Page& page) {
  Rows rows;
  for (const v1::Model& model : models) {
    bool first = true;
    for (const auto& target : model.targets()) {
      rows.push_back({Whole(first ? IdOf(model.name()) : ""), Whole(IdOf(target.provider())),
                      Whole(target.provider_model()),
                      Text(Describe(target.capabilities().duration())),
                      Text(Describe(target.capabilities().resolution())),
                      Text(ModesOf(target.capabilities()))});
      first = false;
    }
    if (model.targets().empty()) rows.push_back({Whole(IdOf(model.name()))});
  }
  return LayOutPage({{"MODEL"},
                     {"PROVIDER"},
                     {"ITS NAME THERE"},
                     {"SECONDS", 0, false, 10},
                     {"RESOLUTIONS", 0, false, 12},
                     {"MADE FROM", 0, false, 12}},
                    rows, page);
}

}  // namespace assetgate::cli
