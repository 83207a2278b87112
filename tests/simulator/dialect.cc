#include "tests/simulator/dialect.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace assetgate::simulator {
namespace {

constexpr std::array<absl::string_view, kCallCount> kCallNames = {
    "group.create", "group.get", "asset.create", "asset.get",   "asset.delete",
    "video.create", "video.get", "video.list",   "models.list", "other"};

bool HasHostAfter(absl::string_view url, absl::string_view scheme) {
  return absl::StartsWithIgnoreCase(url, scheme) && url.size() > scheme.size() &&
         url[scheme.size()] != '/' && !absl::StrContains(url, ' ');
}

}  // namespace

absl::string_view CallName(Call call) { return kCallNames[static_cast<int>(call)]; }

std::optional<Call> CallOfName(absl::string_view name) {
  const auto found = std::find(kCallNames.begin(), kCallNames.end(), name);
  if (found == kCallNames.end()) return std::nullopt;
  return static_cast<Call>(found - kCallNames.begin());
}

Switches::Switches(std::vector<Spec> specs) : specs_(std::move(specs)) {
  for (const Spec& spec : specs_) values_[spec.name] = spec.values.front();
}

std::string Switches::Get(absl::string_view name) const {
  absl::MutexLock lock(&mu_);
  const auto found = values_.find(std::string(name));
  return found == values_.end() ? "" : found->second;
}

int64_t Switches::Number(absl::string_view name) const {
  int64_t number = 0;
  return absl::SimpleAtoi(Get(name), &number) ? number : 0;
}

absl::Status Switches::Set(absl::string_view name, absl::string_view value) {
  const auto spec = std::find_if(specs_.begin(), specs_.end(),
                                 [&](const Spec& candidate) { return candidate.name == name; });
  if (spec == specs_.end()) {
    return absl::NotFoundError(absl::StrCat(
        "no switch is named ", name,
        "; known: ", absl::StrJoin(specs_, ", ", [](std::string* out, const Spec& known) {
          out->append(known.name);
        })));
  }
  int64_t number = 0;
  if (spec->number
          ? !absl::SimpleAtoi(value, &number)
          : std::find(spec->values.begin(), spec->values.end(), value) == spec->values.end()) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, " must be ", spec->number ? "a whole number" : absl::StrJoin(spec->values, " or ")));
  }
  absl::MutexLock lock(&mu_);
  values_[spec->name] = std::string(value);
  return absl::OkStatus();
}

std::string StateWords::Of(absl::string_view native, bool inner) const {
  if (every && !inner) return *every;
  const auto found = of.find(std::string(native));
  std::string word(found == of.end() ? native : found->second);
  switch (letters) {
    case Letters::kAsIs:
      break;
    case Letters::kUpper:
      absl::AsciiStrToUpper(&word);
      break;
    case Letters::kLower:
      absl::AsciiStrToLower(&word);
      break;
    case Letters::kCapitalized:
      absl::AsciiStrToLower(&word);
      if (!word.empty()) word[0] = absl::ascii_toupper(word[0]);
      break;
  }
  return absl::StrCat(around, word, around);
}

void Purse::Set(const std::string& account, std::optional<int64_t> videos) {
  absl::MutexLock lock(&mu_);
  if (videos) {
    left_[account] = *videos;
  } else {
    left_.erase(account);
  }
}

std::optional<int64_t> Purse::Left(const std::string& account) const {
  absl::MutexLock lock(&mu_);
  const auto found = left_.find(account);
  return found == left_.end() ? std::nullopt : std::optional<int64_t>(found->second);
}

bool Purse::Pay(const std::string& account) {
  absl::MutexLock lock(&mu_);
  const auto found = left_.find(account);
  if (found == left_.end()) return true;
  if (found->second <= 0) return false;
  --found->second;
  return true;
}

std::string Exchange::Shown(absl::string_view native, bool inner) const {
  std::string word = words.Of(native, inner);
  if (word != native) words_changed_ = true;
  return word;
}

std::optional<Asset> Exchange::PollAsset(absl::string_view tracking_id) {
  std::optional<Asset> asset = library.PollAsset(tracking_id);
  if (asset && now < asset->course.created + timing.unknown_delay) asset.reset();
  return asset;
}

std::optional<Video> Exchange::PollVideo(absl::string_view id) {
  std::optional<Video> video = library.PollVideo(id);
  if (video && now < video->course.created + timing.unknown_delay) video.reset();
  return video;
}

const rapidjson::Value* Exchange::Body() {
  if (!parsed_) {
    parsed_.emplace();
    const std::optional<absl::string_view> type = request.Header("content-type");
    if (!type || !absl::StartsWithIgnoreCase(*type, "application/json") ||
        !ParseJson(request.body, &*parsed_)) {
      parsed_->SetNull();
    }
  }
  return parsed_->IsObject() ? &*parsed_ : nullptr;
}

void Exchange::SettleUnknownFields(FieldReader& fields) {
  if (switches.Is("unknown_fields", "refused")) {
    fields.RefuseUnread();
    return;
  }
  for (std::string& field : fields.Unread()) ignored.push_back(std::move(field));
}

Course Exchange::NewAssetCourse() const {
  Course course;
  course.created = now;
  course.work = timing.asset_delay;
  return course;
}

Course Exchange::NewVideoCourse() const {
  Course course;
  course.created = now;
  course.queue = timing.queue_delay;
  course.work = timing.video_delay;
  return course;
}

std::string Exchange::VideoUrl(absl::string_view id) const {
  return absl::StrCat(media_url, "/", id, ".mp4");
}

std::string Exchange::LastFrameUrl(absl::string_view id) const {
  return absl::StrCat(media_url, "/", id, ".jpg");
}

std::string Exchange::CopyUrl(absl::string_view id, absl::string_view type) const {
  const absl::string_view extension = absl::EqualsIgnoreCase(type, "video")   ? ".mp4"
                                      : absl::EqualsIgnoreCase(type, "audio") ? ".wav"
                                                                              : ".jpg";
  return absl::StrCat(media_url, "/", id, extension);
}

std::optional<std::string> Dialect::PresentedKey(const Request& request) const {
  const std::pair<absl::string_view, absl::string_view> header =
      absl::StrSplit(key_header(), absl::MaxSplits(": ", 1));
  std::optional<absl::string_view> value = request.Header(header.first);
  if (!value || !absl::ConsumePrefix(&*value, header.second)) return std::nullopt;
  return std::string(*value);
}

Switches::Spec UnknownFieldsSwitch() {
  return {"unknown_fields",
          {"ignored", "refused"},
          false,
          "fields that are not documented: ignored (and logged as such), or refused"};
}

Response JsonResponse(int status, const Json& json) {
  Response response;
  response.status = status;
  response.body = json.text();
  return response;
}

bool IsHttpsUrl(absl::string_view url) { return HasHostAfter(url, "https://"); }

bool IsHttpUrl(absl::string_view url) { return HasHostAfter(url, "http://") || IsHttpsUrl(url); }

std::optional<std::string> AssetReference(absl::string_view text) {
  if (!absl::ConsumePrefix(&text, "asset://")) return std::nullopt;
  return std::string(text);
}

}  // namespace assetgate::simulator
