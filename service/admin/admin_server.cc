#include "admin/admin_server.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace assetgate::admin {
namespace {

http::Response Text(int status, std::string body) {
  return {.status = status,
          .headers = {{"Content-Type", "text/plain; charset=utf-8"}},
          .body = std::move(body)};
}

// Replaces line breaks: a reason may quote a provider, and must stay one line.
std::string OneLine(absl::string_view text) {
  std::string line(text);
  for (char& c : line) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = ' ';
  }
  return line;
}

http::Response ReadinessPage(const Readiness& readiness) {
  std::string body = readiness.status.ok()
                         ? std::string("ready\n")
                         : absl::StrCat("not ready: ", OneLine(readiness.status.message()), "\n");
  for (const std::string& note : readiness.degraded) {
    absl::StrAppend(&body, "degraded: ", OneLine(note), "\n");
  }
  return Text(readiness.status.ok() ? 200 : 503, std::move(body));
}

http::Response IndexPage(absl::string_view version) {
  return {.status = 200,
          .headers = {{"Content-Type", "text/html; charset=utf-8"}},
          .body = absl::StrCat(
              "<!doctype html>\n<title>assetgate</title>\n<h1>assetgate ",
              absl::StrReplaceAll(version, {{"&", "&amp;"}, {"<", "&lt;"}}),
              "</h1>\n<ul>\n"
              "<li><a href=\"/healthz\">/healthz</a> whether the process is alive\n"
              "<li><a href=\"/readyz\">/readyz</a> whether it accepts calls, and what is degraded\n"
              "<li><a href=\"/metrics\">/metrics</a> for Prometheus\n"
              "</ul>\n")};
}

}  // namespace

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Start(AdminServerOptions options,
                                                                const base::Metrics& metrics) {
  std::unique_ptr<AdminServer> server(new AdminServer(std::move(options), metrics));
  absl::StatusOr<std::unique_ptr<PageServer>> pages =
      PageServer::Start({.listen = server->options_.listen, .probes = {"/healthz", "/readyz"}},
                        [self = server.get()](absl::string_view path) { return self->Page(path); });
  if (!pages.ok()) return pages.status();
  server->pages_ = *std::move(pages);
  return server;
}

AdminServer::AdminServer(AdminServerOptions options, const base::Metrics& metrics)
    : options_(std::move(options)), metrics_(metrics) {}

http::Response AdminServer::Page(absl::string_view path) const {
  if (path == "/metrics") {
    return {.status = 200,
            .headers = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}},
            .body = metrics_.Scrape()};
  }
  if (path == "/healthz") return Text(200, "ok\n");
  if (path == "/readyz") return ReadinessPage(options_.readiness());
  if (path == "/") return IndexPage(options_.version);
  return Text(404, "no such page; / lists the pages\n");
}

}  // namespace assetgate::admin
