#include "config/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/spelling.h"
#include "base/text.h"
#include "config/yaml_scalar.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/struct.pb.h"

namespace assetgate::config {
namespace {

constexpr std::size_t kMaxFaultBytes = 2048;

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// An alias can repeat a large tree many times: the nodes that are walked are bounded, not the text.
constexpr int kMaxNodes = 50'000;
constexpr int kMaxDepth = 32;

// The tag that yaml-cpp gives to a quoted scalar, which is a string whatever it looks like.
constexpr char kQuotedTag[] = "!";

std::vector<std::string> FieldNames(const Descriptor& type) {
  std::vector<std::string> names;
  names.reserve(static_cast<std::size_t>(type.field_count()));
  for (int i = 0; i < type.field_count(); ++i) names.push_back(type.field(i)->name());
  return names;
}

// A key that can only be a name: no digits, which keys and tokens have.
bool LooksLikeAName(absl::string_view key) {
  if (key.empty() || key.size() > 32) return false;
  return std::all_of(key.begin(), key.end(), [](char c) {
    return absl::ascii_islower(static_cast<unsigned char>(c)) || c == '_';
  });
}

std::string WhatItIs(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Map:
      return "a mapping";
    case YAML::NodeType::Sequence:
      return "a list";
    case YAML::NodeType::Scalar:
      return "a single value";
    default:
      return "empty";
  }
}

// Notes the line on which the last document begins.
class DocumentStart final : public YAML::EventHandler {
 public:
  int line = 0;

  void OnDocumentStart(const YAML::Mark& mark) override { line = mark.line + 1; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

// The line on which a second document begins; absent where there is none. (YAML::LoadAll would
// never end on a text such as ",", of which yaml-cpp 0.7 makes empty documents for ever.)
std::optional<int> LineOfSecondDocument(const std::string& text) {
  std::istringstream in(text);
  YAML::Parser parser(in);
  DocumentStart start;
  if (!parser.HandleNextDocument(start) || !parser.HandleNextDocument(start)) return std::nullopt;
  return start.line;
}

}  // namespace

// The walk over the nodes.
struct YamlFile::Reader {
  explicit Reader(YamlFile& owner) : file(owner) {}

  void Parse(absl::string_view text, Message& message) {
    // yaml-cpp throws; no exception leaves this file.
    try {
      const std::string document(text);
      if (const std::optional<int> line = LineOfSecondDocument(document); line.has_value()) {
        file.AddFaultAtLine(
            *line, "", "a second document begins here; the config is one document: remove the ---");
        return;
      }
      const YAML::Node root = YAML::Load(document);
      if (root.IsNull()) return;
      if (!root.IsMap()) {
        file.AddFaultAtLine(1, "",
                            absl::StrCat("the file holds ", WhatItIs(root),
                                         "; it must hold keys, such as providers:"));
        return;
      }
      ReadMessage(root, "", message, 0, false);
    } catch (const YAML::Exception& e) {
      file.AddFaultAtLine(e.mark.is_null() ? 1 : e.mark.line + 1, "",
                          absl::StrCat("not YAML: ", e.msg, " (column ", e.mark.column + 1, ")"));
    }
  }

  void ReadDeferred(const std::string& path, Message& message) {
    const auto found = deferred.find(path);
    if (found == deferred.end()) return;
    try {
      ReadMessage(found->second, path, message, 1, false);
    } catch (const YAML::Exception& e) {
      file.AddFault(path, absl::StrCat("cannot be read: ", e.msg));
    }
  }

  // False when there is too much of it.
  bool Enter(const YAML::Node& node, const std::string& path, int depth) {
    if (const YAML::Mark mark = node.Mark(); !mark.is_null()) {
      file.lines_.emplace(path, mark.line + 1);
    }
    ++nodes;
    if (nodes == kMaxNodes + 1) {
      file.AddFault(path, absl::StrCat("the file holds more than ", kMaxNodes,
                                       " values, aliases (*name) counted where they are used"));
    } else if (depth > kMaxDepth) {
      file.AddFault(path, absl::StrCat("nested more than ", kMaxDepth, " deep"));
    }
    return nodes <= kMaxNodes && depth <= kMaxDepth;
  }

  // The members of a mapping whose keys are `type`'s fields; false if it is not a mapping.
  bool ReadMessage(const YAML::Node& node, const std::string& path, Message& message, int depth,
                   bool secret) {
    if (!Enter(node, path, depth)) return false;
    const Descriptor& type = *message.GetDescriptor();
    if (!node.IsMap()) {
      // A value in place of a pointer to a secret may be the secret.
      if (secret) {
        file.AddFault(
            path,
            "must say where the secret is, not what it is: {env: NAME} for an environment "
            "variable, or {file: PATH}");
      } else {
        file.AddFault(path,
                      absl::StrCat("is ", WhatItIs(node), ", but must be a mapping with keys of ",
                                   absl::StrJoin(FieldNames(type), ", ")));
      }
      return false;
    }
    std::set<std::string> seen;
    for (const auto& member : node) {
      if (!member.first.IsScalar()) {
        file.AddFault(path, "has a key that is not a word");
        continue;
      }
      const std::string& key = member.first.Scalar();
      const FieldDescriptor* field = type.FindFieldByName(key);
      if (field == nullptr) {
        UnknownKey(member.first, path, key, FieldNames(type), secret);
        continue;
      }
      const std::string member_path = path.empty() ? key : absl::StrCat(path, ".", key);
      if (!seen.insert(key).second) {
        file.AddFaultAtLine(member.first.Mark().line + 1, member_path,
                            "is listed twice; remove one");
        continue;
      }
      file.lines_.emplace(member_path, member.first.Mark().line + 1);
      ReadField(member.second, member_path, *field, message, depth + 1, secret);
    }
    return true;
  }

  void UnknownKey(const YAML::Node& at, const std::string& path, const std::string& key,
                  const std::vector<std::string>& known, bool secret) {
    const int line = at.Mark().line + 1;
    if (secret) {
      file.AddFaultAtLine(line, path,
                          absl::StrCat("holds a key other than ", absl::StrJoin(known, " or "),
                                       " (not shown, in case it is the secret itself); write "
                                       "{env: NAME} or {file: PATH}"));
      return;
    }
    const std::string shown = base::CleanText(key, 100);
    const std::string meant = base::DidYouMean(key, known);
    const std::string known_keys =
        known.empty()
            ? "there are none here"
            : absl::StrCat("known here: ", absl::StrJoin(base::NearestFirst(key, known), ", "));
    file.AddFaultAtLine(
        line, path.empty() ? shown : absl::StrCat(path, ".", shown),
        meant.empty() ? absl::StrCat("unknown key; ", known_keys)
                      : absl::StrCat("unknown key; did you mean ", meant, "? (", known_keys, ")"));
  }

  void ReadField(const YAML::Node& node, const std::string& path, const FieldDescriptor& field,
                 Message& message, int depth, bool secret) {
    if (field.is_map()) {
      ReadMap(node, path, field, message, depth);
      return;
    }
    if (!field.is_repeated()) {
      ReadValue(node, path, field, message, depth, secret);
      return;
    }
    if (!Enter(node, path, depth)) return;
    if (!node.IsSequence()) {
      file.AddFault(path, absl::StrCat("is ", WhatItIs(node),
                                       ", but must be a list: [a, b], or lines "
                                       "that begin with a dash"));
      return;
    }
    std::size_t index = 0;
    for (const auto& element : node) {
      ReadValue(element, absl::StrCat(path, "[", index++, "]"), field, message, depth + 1, secret);
    }
  }

  // A map from names to messages or single values.
  void ReadMap(const YAML::Node& node, const std::string& path, const FieldDescriptor& field,
               Message& message, int depth) {
    const FieldDescriptor& key_field = *field.message_type()->map_key();
    const FieldDescriptor& value_field = *field.message_type()->map_value();
    const bool secret = value_field.message_type() == file.secret_type_;
    if (!Enter(node, path, depth)) return;
    if (!node.IsMap()) {
      file.AddFault(
          path, secret ? std::string("must be a mapping that names each secret and says where it "
                                     "is: {api_key: {env: NAME}}")
                       : absl::StrCat("is ", WhatItIs(node), ", but must be a mapping"));
      return;
    }
    std::set<std::string> seen;
    for (const auto& member : node) {
      const std::string key = member.first.IsScalar() ? member.first.Scalar() : "";
      if (key.empty() || (secret && !LooksLikeAName(key))) {
        file.AddFaultAtLine(
            member.first.Mark().line + 1, path,
            secret ? "has a key that is not the name of a secret (not shown, in case it is the "
                     "secret itself); write {api_key: {env: NAME}}"
                   : "has a key that is not a single word");
        continue;
      }
      const std::string member_path = absl::StrCat(path, ".", key);
      if (!seen.insert(key).second) {
        file.AddFaultAtLine(member.first.Mark().line + 1, member_path,
                            "is listed twice; remove one");
        continue;
      }
      file.lines_.emplace(member_path, member.first.Mark().line + 1);
      Message* entry = message.GetReflection()->AddMessage(&message, &field);
      entry->GetReflection()->SetString(entry, &key_field, key);
      if (value_field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
        ReadValue(member.second, member_path, value_field, *entry, depth + 1, secret);
        continue;
      }
      ReadMessage(member.second, member_path,
                  *entry->GetReflection()->MutableMessage(entry, &value_field), depth + 1, secret);
    }
  }

  // The message or single value of a field; one element where `field` is repeated.
  void ReadValue(const YAML::Node& node, const std::string& path, const FieldDescriptor& field,
                 Message& message, int depth, bool secret) {
    const Descriptor* type = field.message_type();
    if (type == google::protobuf::Struct::descriptor()) {
      if (Enter(node, path, depth)) deferred.emplace(path, node);
      return;
    }
    if (type != nullptr && type != google::protobuf::Duration::descriptor()) {
      ReadPart(node, path, field, message, depth, secret);
      return;
    }
    if (!Enter(node, path, depth)) return;
    if (!node.IsScalar()) {
      file.AddFault(path, absl::StrCat("is ", WhatItIs(node), ", but must be a single value",
                                       node.IsNull() ? "; give it one, or remove the line" : ""));
      return;
    }
    const YamlScalar scalar{node.Scalar(), node.Tag() == kQuotedTag, secret};
    if (const std::string fault = SetScalar(scalar, field, message); !fault.empty()) {
      file.AddFault(path, fault);
    }
  }

  // A field that is a message with keys of its own.
  void ReadPart(const YAML::Node& node, const std::string& path, const FieldDescriptor& field,
                Message& message, int depth, bool secret) {
    const Reflection& reflection = *message.GetReflection();
    Message& part = field.is_repeated() ? *reflection.AddMessage(&message, &field)
                                        : *reflection.MutableMessage(&message, &field);
    const Descriptor* type = field.message_type();
    const bool connection_string = type == file.connection_string_type_;
    if (connection_string && node.IsScalar()) {
      if (!Enter(node, path, depth)) return;
      part.GetReflection()->SetString(&part, type->FindFieldByName("text"), node.Scalar());
      return;
    }
    ReadMessage(node, path, part, depth, secret || connection_string || type == file.secret_type_);
  }

  YamlFile& file;
  int nodes = 0;
  std::map<std::string, YAML::Node> deferred;
};

YamlFile::YamlFile(std::string name)
    : name_(std::move(name)), reader_(std::make_unique<Reader>(*this)) {}
YamlFile::~YamlFile() = default;

void YamlFile::Read(absl::string_view text, Message& message) { reader_->Parse(text, message); }

void YamlFile::ReadAt(const std::string& path, Message& message) {
  reader_->ReadDeferred(path, message);
}

int YamlFile::LineOf(std::string path) const {
  while (true) {
    const auto found = lines_.find(path);
    if (found != lines_.end()) return found->second;
    const std::size_t cut = path.find_last_of(".[");
    if (cut == std::string::npos) return 1;
    path.resize(cut);
  }
}

void YamlFile::AddFault(const std::string& path, absl::string_view what) {
  AddFaultAtLine(LineOf(path), path, what);
}

std::string YamlFile::Describe(const std::string& path, absl::string_view what) const {
  return absl::StrCat(name_, ":", LineOf(path), ": ",
                      base::CleanText(absl::StrCat(path, ": ", what), kMaxFaultBytes));
}

void YamlFile::AddFaultAtLine(int line, const std::string& path, absl::string_view what) {
  // The first fault at a key is the cause; its consequences would only confuse.
  if (!faulty_.insert(path).second && !path.empty()) return;
  // Keys and the parser's messages come from the file: cleaning keeps a fault on one line.
  faults_.push_back({line, base::CleanText(path.empty() ? what : absl::StrCat(path, ": ", what),
                                           kMaxFaultBytes)});
}

absl::Status YamlFile::Result() const {
  if (faults_.empty()) return absl::OkStatus();
  std::vector<Fault> ordered = faults_;
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const Fault& a, const Fault& b) { return a.line < b.line; });
  return absl::InvalidArgumentError(
      absl::StrJoin(ordered, "\n", [this](std::string* out, const Fault& fault) {
        absl::StrAppend(out, name_, ":", fault.line, ": ", fault.text);
      }));
}

}  // namespace assetgate::config
