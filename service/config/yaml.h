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

// One YAML document, read into messages by reflection: a key is a field's name, so that a message's
// .proto is the schema and its documentation. Collects all faults instead of stopping at the first;
// the checks of the values add theirs. Threading: one thread.
//
// Supported are the scalar types of SetScalar, repeated fields, maps from strings to single values
// or messages, and google.protobuf.Struct, for a message whose type is known later: it is not read
// before ReadAt. Faults in messages of the secret type show no values.
class YamlFile {
 public:
  // `name` is what faults call the file.
  explicit YamlFile(std::string name);
  ~YamlFile();

  YamlFile(const YamlFile&) = delete;
  YamlFile& operator=(const YamlFile&) = delete;

  // Fields of this message type, and maps of it, point to secrets: no fault shows a value in them.
  void SetSecretType(const google::protobuf::Descriptor* type) { secret_type_ = type; }
  // Messages of this type may be written as a plain value, which becomes their field `text`. No
  // fault shows a value in them.
  void SetConnectionStringType(const google::protobuf::Descriptor* type) {
    connection_string_type_ = type;
  }

  // Parses `text` and fills `message`. Values with faults are left unset.
  void Read(absl::string_view text, google::protobuf::Message& message);
  // Fills `message` from the google.protobuf.Struct field at `path`, if the file has it.
  void ReadAt(const std::string& path, google::protobuf::Message& message);

  // Whether the file has a value at `path`, faulty or not.
  bool Has(const std::string& path) const { return lines_.count(path) > 0; }

  // Adds a fault at `path` ("providers[1].base_url"), unless there is one already. `what` says what
  // is wrong and what to do. The line is that of the path, or of the closest path around it.
  void AddFault(const std::string& path, absl::string_view what);
  // The text of such a fault, without adding it.
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
  // Hides yaml-cpp.
  std::unique_ptr<Reader> reader_;
};

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_YAML_H_
