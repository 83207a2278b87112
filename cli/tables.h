// Shows resources as tables and as pages of fields. Pure functions.
#ifndef ASSETGATE_CLI_TABLES_H_
#define ASSETGATE_CLI_TABLES_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "assetgate/v1/asset.pb.h"
#include "assetgate/v1/explanation.pb.h"
#include "assetgate/v1/provider.pb.h"
#include "assetgate/v1/video_task.pb.h"
#include "cli/text.h"

namespace assetgate::cli {

// The page that a table is drawn for.
struct Page {
  absl::Time now;
  // Unset where the output is not a terminal: nothing is cut then.
  std::optional<int> width;
  Look look;
};

// One line per resource, under a header. In tables.cc.
std::vector<std::string> Table(const std::vector<v1::AssetGroup>& groups, const Page& page);
std::vector<std::string> Table(const std::vector<v1::Asset>& assets, const Page& page);
std::vector<std::string> Table(const std::vector<v1::VideoTask>& tasks, const Page& page);
std::vector<std::string> Table(const std::vector<v1::Provider>& providers, const Page& page);
std::vector<std::string> Table(const std::vector<v1::Model>& models, const Page& page);

// All about one resource. In details.cc.
std::vector<std::string> Details(const v1::AssetGroup& group, const Page& page);
std::vector<std::string> Details(const v1::Asset& asset, const Page& page);
std::vector<std::string> Details(const v1::VideoTask& task, const Page& page);
std::vector<std::string> Details(const v1::Provider& provider, const Page& page);
std::vector<std::string> Details(const v1::Model& model, const Page& page);
std::vector<std::string> Details(const v1::Explanation& explanation, const Page& page);

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_TABLES_H_
