#include "config/fields.h"

#include <algorithm>
#include <set>

#include "absl/hash/hash.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/text_format.h"

namespace assetgate::config {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// The field that identifies an element of the list `field`; null where only its position does.
const FieldDescriptor* NameOf(const FieldDescriptor& field) {
  if (!field.is_repeated() || field.message_type() == nullptr) return nullptr;
  const auto& element = *field.message_type();
  if (&element == file::Route::descriptor()) return element.FindFieldByName("model");
  if (&element == file::JwtIssuer::descriptor()) return element.FindFieldByName("issuer");
  return element.FindFieldByName("id");
}

// Whether `field` is a message of config.proto, whose fields are added one by one.
bool HasFields(const FieldDescriptor& field) {
  return field.message_type() != nullptr && !field.is_repeated() &&
         field.message_type()->file() == file::Config::descriptor()->file();
}

std::string TextOf(const Message& message, const FieldDescriptor& field, int index) {
  std::string text;
  google::protobuf::TextFormat::PrintFieldValueToString(message, &field, index, &text);
  return text;
}

void Add(const Message& message, const std::string& prefix, Fields& out) {
  const Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const std::string path = absl::StrCat(prefix, field->name());
    if (HasFields(*field)) {
      Add(reflection.GetMessage(message, field), path + ".", out);
      continue;
    }
    if (!field->is_repeated()) {
      out[path] = TextOf(message, *field, -1);
      continue;
    }
    const FieldDescriptor* name = NameOf(*field);
    for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
      if (name != nullptr) {
        const Message& element = reflection.GetRepeatedMessage(message, field, i);
        Add(element,
            absl::StrCat(path, "[", element.GetReflection()->GetString(element, name), "]."), out);
      } else if (field->is_map()) {
        const Message& entry = reflection.GetRepeatedMessage(message, field, i);
        const FieldDescriptor& value = *field->message_type()->map_value();
        // Credentials are added with their values; see AddSecret.
        if (value.message_type() != nullptr) continue;
        out[absl::StrCat(
            path, ".", entry.GetReflection()->GetString(entry, field->message_type()->map_key()))] =
            TextOf(entry, value, -1);
      } else {
        // As a whole: an element that is inserted moves all that follow it.
        absl::StrAppend(&out[path], TextOf(message, *field, i), "\n");
      }
    }
  }
}

}  // namespace

void AddSecret(const std::string& path, const SecretSource* source, const base::Secret& secret,
               Fields& fields) {
  const std::string from =
      source == nullptr ? "" : absl::StrCat(source->env, "\n", source->file, "\n");
  fields[path] = absl::StrCat(from, absl::HashOf(secret.Reveal()));
}

Fields FieldsOf(const file::Config& in, const GatewayConfig& config) {
  Fields fields;
  Add(in, "", fields);
  // The content of a file counts as well as its path.
  const auto add_content = [&fields](const std::string& path, const std::string& content) {
    if (!content.empty()) absl::StrAppend(&fields[path], "\n", absl::HashOf(content));
  };
  if (config.tls.has_value()) {
    add_content("tls.certificate", config.tls->material.certificate);
    add_content("tls.key", config.tls->material.key.Reveal());
    add_content("tls.client_ca", config.tls->material.client_ca);
  }
  for (const auth::JwtIssuer& issuer : config.callers.issuers) {
    const std::string path = absl::StrCat("jwt_issuers[", issuer.issuer, "].");
    if (issuer.keys != nullptr) {
      for (const auth::JwkKey& key : *issuer.keys) {
        add_content(path + "jwks_file", absl::StrCat(key.id, "\n", key.algorithm, "\n", key.pem));
      }
    }
    add_content(path + "ca_file", issuer.ca);
    add_content(path + "token_file", issuer.token.Reveal());
    add_content(path + "proxy_credential", issuer.egress.proxy_credential.Reveal());
  }
  if (config.store.shared()) {
    AddSecret("store.postgres.uri", nullptr, config.store.postgres_uri, fields);
  }
  return fields;
}

absl::string_view TopOf(absl::string_view path) { return path.substr(0, path.find_first_of(".[")); }

absl::string_view ElementOf(absl::string_view path) {
  const std::size_t open = path.find('[');
  if (open != TopOf(path).size()) return "";
  // An issuer's name may hold anything; what follows it begins with a dot.
  const std::size_t end = path.find("].", open);
  return end == absl::string_view::npos ? "" : path.substr(0, end + 1);
}

std::vector<std::string> Differences(const Fields& before, const Fields& after) {
  const auto has = [](const Fields& fields, absl::string_view element) {
    const auto first = fields.lower_bound(absl::StrCat(element, "."));
    return first != fields.end() && absl::StartsWith(first->first, absl::StrCat(element, "."));
  };
  std::set<std::string> paths;
  for (const auto& [path, text] : before) paths.insert(path);
  for (const auto& [path, text] : after) paths.insert(path);
  std::vector<std::string> different;
  for (const std::string& path : paths) {
    const auto old = before.find(path);
    const auto now = after.find(path);
    if (old != before.end() && now != after.end() && old->second == now->second) continue;
    const absl::string_view element = ElementOf(path);
    std::string told = path;
    if (!element.empty() && !has(before, element)) told = absl::StrCat(element, " (new)");
    if (!element.empty() && !has(after, element)) told = absl::StrCat(element, " (gone)");
    if (different.empty() || different.back() != told) different.push_back(std::move(told));
  }
  return different;
}

}  // namespace assetgate::config
