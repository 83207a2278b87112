// A YAML file as a protobuf message, with every fault named by line and key.
#ifndef ASSETGATE_CONFIG_YAML_H_
#define ASSETGATE_CONFIG_YAML_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace assetgate::config {

// `value` as a fault may show it: quoted, one line, at most 100 bytes.
std::string Quoted(absl::string_view value);

// One YAML document, read into messages by reflection: a key is a field's name, so that a message's
// .proto is the schema and its documentation. Collects all faults instead of stopping at the first;
// those found later, by whoever knows what the values mean, are added to them. Not thread-safe.
//
// Supported are the scalar types the config uses, enums by their names in any case, repeated
// fields, maps from strings to messages, google.protobuf.Duration ("1m30s"), and
// google.protobuf.Struct, which stands for a message whose type is known later: it is left alone,
// see ReadAt. A message with options that must not be echoed is named as secret: faults inside show
// no values.
class YamlFile {
 public:
  // `name` is what faults call the file.
  explicit YamlFile(std::string name);
  ~YamlFile();

  YamlFile(const YamlFile&) = delete;
  YamlFile& operator=(const YamlFile&) = delete;

  // Fields of this message type, and maps of it, hold secrets: what is written there is never
  // shown.
  void SetSecretType(const google::protobuf::Descriptor* type) { secret_type_ = type; }
  // Messages of this type may be written as a plain value, which becomes their field `text`. Faults
  // do not show what stands in them.
  void SetConnectionStringType(const google::protobuf::Descriptor* type) {
    connection_string_type_ = type;
  }

  // Parses `text` and fills `message`. What is faulty is left unset.
  void Read(absl::string_view text, google::protobuf::Message& message);
  // Fills `message` from what stands at the path of a google.protobuf.Struct field, if anything
  // does.
  void ReadAt(const std::string& path, google::protobuf::Message& message);

  // Whether something stands at `path`, faulty or not.
  bool Has(const std::string& path) const { return lines_.count(path) > 0; }

  // Adds a fault at `path` ("providers[1].base_url"), unless one is known there already. `what`
  // says what is wrong, and the remedy. The line is that of the path, or of what encloses it.
  void AddFault(const std::string& path, absl::string_view what);
  // The line that would tell of such a fault, without adding it.
  std::string Describe(const std::string& path, absl::string_view what) const;
  bool HasFault(const std::string& path) const { return faulty_.count(path) > 0; }

  // INVALID_ARGUMENT with one line per fault, in the order of the file; OK when there is none.
  absl::Status Result() const;

 private:
  struct Reader;
  struct Fault {
    int line;
    std::string text;
  };

  int LineOf(std::string path) const;
  void AddFaultAtLine(int line, const std::string& path, absl::string_view what);

  const std::string name_;
  const google::protobuf::Descriptor* secret_type_ = nullptr;
  const google::protobuf::Descriptor* connection_string_type_ = nullptr;
  std::map<std::string, int> lines_;
  std::set<std::string> faulty_;
  std::vector<Fault> faults_;
  // Everything of yaml-cpp stays behind this.
  std::unique_ptr<Reader> reader_;
};

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_YAML_H_
