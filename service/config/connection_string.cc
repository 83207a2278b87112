#include "config/connection_string.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace assetgate::config {
namespace {

// https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
constexpr absl::string_view kKeywords[] = {
    "application_name",
    "channel_binding",
    "client_encoding",
    "connect_timeout",
    "dbname",
    "fallback_application_name",
    "gssdelegation",
    "gssencmode",
    "gsslib",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "max_protocol_version",
    "min_protocol_version",
    "oauth_client_id",
    "oauth_client_secret",
    "oauth_issuer",
    "oauth_scope",
    "options",
    "passfile",
    "password",
    "port",
    "replication",
    "require_auth",
    "requirepeer",
    "requiressl",  // Not in the documentation; libpq reads it as sslmode.
    "scram_client_key",
    "scram_server_key",
    "service",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcert",
    "sslcertmode",
    "sslcompression",
    "sslcrl",
    "sslcrldir",
    "sslkey",
    "sslkeylogfile",
    "sslmode",
    "sslnegotiation",
    "sslpassword",
    "sslrootcert",
    "sslsni",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
};

// sslpassword opens a client's key.
constexpr absl::string_view kSecrets[] = {"password", "sslpassword", "oauth_client_secret",
                                          "scram_client_key", "scram_server_key"};

bool IsOneOf(absl::string_view keyword, const absl::string_view* begin,
             const absl::string_view* end) {
  return std::find(begin, end, keyword) != end;
}
bool IsKeyword(absl::string_view keyword) {
  return IsOneOf(keyword, std::begin(kKeywords), std::end(kKeywords));
}
bool IsSecret(absl::string_view keyword) {
  return IsOneOf(keyword, std::begin(kSecrets), std::end(kSecrets));
}

absl::Status Unreadable() {
  return absl::InvalidArgumentError("the connection string cannot be read");
}

// Absent where `text` has a % that two hexadecimal digits do not follow, or %00.
std::optional<std::string> PercentDecode(absl::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size() || !absl::ascii_isxdigit(static_cast<unsigned char>(text[i + 1])) ||
        !absl::ascii_isxdigit(static_cast<unsigned char>(text[i + 2]))) {
      return std::nullopt;
    }
    const std::string byte = absl::HexStringToBytes(text.substr(i + 1, 2));
    if (byte[0] == '\0') return std::nullopt;
    decoded.append(byte);
    i += 2;
  }
  return decoded;
}

// The text up to the first of `ends`, which stays in `rest`.
absl::string_view TakeUntil(absl::string_view& rest, absl::string_view ends) {
  const absl::string_view taken = rest.substr(0, rest.find_first_of(ends));
  rest.remove_prefix(taken.size());
  return taken;
}

// keyword=value&keyword=value
absl::StatusOr<bool> ReadUriParameters(absl::string_view text) {
  if (text.empty()) return false;
  bool secret = false;
  // One & at the end is allowed.
  absl::ConsumeSuffix(&text, "&");
  for (const absl::string_view parameter : absl::StrSplit(text, '&')) {
    const std::size_t equals = parameter.find('=');
    if (equals == absl::string_view::npos) return Unreadable();
    const absl::string_view value = parameter.substr(equals + 1);
    if (absl::StrContains(value, '=')) return Unreadable();
    const std::optional<std::string> keyword = PercentDecode(parameter.substr(0, equals));
    const std::optional<std::string> decoded = PercentDecode(value);
    if (!keyword.has_value() || !decoded.has_value()) return Unreadable();
    // As JDBC writes sslmode=require.
    if (*keyword == "ssl" && *decoded == "true") continue;
    if (!IsKeyword(*keyword)) return Unreadable();
    secret |= IsSecret(*keyword);
  }
  return secret;
}

// HOST:PORT,HOST:PORT up to the path or the parameters, which stay in `rest`.
absl::Status ReadHosts(absl::string_view& rest) {
  while (true) {
    absl::string_view host;
    if (absl::ConsumePrefix(&rest, "[")) {
      host = TakeUntil(rest, "]");
      if (host.empty() || !absl::ConsumePrefix(&rest, "]")) return Unreadable();
      if (!rest.empty() && absl::string_view(":/?,").find(rest[0]) == absl::string_view::npos) {
        return Unreadable();
      }
    } else {
      host = TakeUntil(rest, ":/?,");
    }
    absl::string_view port;
    if (absl::ConsumePrefix(&rest, ":")) port = TakeUntil(rest, "/?,");
    if (!PercentDecode(host).has_value() || !PercentDecode(port).has_value()) return Unreadable();
    if (!absl::ConsumePrefix(&rest, ",")) return absl::OkStatus();
  }
}

// USER:PASSWORD@HOST:PORT/DATABASE?PARAMETERS, all of it optional.
absl::StatusOr<bool> ReadUri(absl::string_view rest) {
  bool secret = false;
  const std::size_t end = rest.find_first_of("@/");
  if (end != absl::string_view::npos && rest[end] == '@') {
    absl::string_view credential = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    const absl::string_view user = TakeUntil(credential, ":");
    absl::ConsumePrefix(&credential, ":");
    if (!PercentDecode(user).has_value() || !PercentDecode(credential).has_value()) {
      return Unreadable();
    }
    secret = !credential.empty();
  }
  if (absl::Status status = ReadHosts(rest); !status.ok()) return status;
  if (absl::ConsumePrefix(&rest, "/") && !PercentDecode(TakeUntil(rest, "?")).has_value()) {
    return Unreadable();
  }
  absl::ConsumePrefix(&rest, "?");
  const absl::StatusOr<bool> in_parameters = ReadUriParameters(rest);
  if (!in_parameters.ok()) return in_parameters.status();
  return secret || *in_parameters;
}

// Takes a value: up to white space, or in single quotes. A backslash takes the next character as it
// is. False where a quote is not closed.
bool SkipValue(absl::string_view& rest) {
  const bool quoted = absl::ConsumePrefix(&rest, "'");
  while (!rest.empty()) {
    if (quoted ? rest[0] == '\'' : absl::ascii_isspace(static_cast<unsigned char>(rest[0]))) {
      rest.remove_prefix(1);
      return true;
    }
    rest.remove_prefix(rest[0] == '\\' ? std::min<std::size_t>(2, rest.size()) : 1);
  }
  return !quoted;
}

// keyword = value keyword = 'value'
absl::StatusOr<bool> ReadKeywords(absl::string_view rest) {
  bool secret = false;
  while (true) {
    rest = absl::StripLeadingAsciiWhitespace(rest);
    if (rest.empty()) return secret;
    const absl::string_view keyword = TakeUntil(rest, "= \t\n\v\f\r");
    rest = absl::StripLeadingAsciiWhitespace(rest);
    if (!absl::ConsumePrefix(&rest, "=") || !IsKeyword(keyword)) return Unreadable();
    rest = absl::StripLeadingAsciiWhitespace(rest);
    if (!SkipValue(rest)) return Unreadable();
    secret |= IsSecret(keyword);
  }
}

}  // namespace

absl::StatusOr<bool> HoldsPassword(absl::string_view text) {
  // libpq reads a C string.
  text = text.substr(0, text.find('\0'));
  if (absl::ConsumePrefix(&text, "postgresql://") || absl::ConsumePrefix(&text, "postgres://")) {
    return ReadUri(text);
  }
  return ReadKeywords(text);
}

}  // namespace assetgate::config
