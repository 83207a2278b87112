#!/usr/bin/env python3
"""REST with JSON, and gRPC-Web, through the edge as it is deployed (deploy/kustomize/components/edge).

Run by CTest. The mapping and the documentation of every RPC are checked everywhere. The calls
themselves need Envoy, on PATH or from a package registry (tools.py), and are skipped without it.
"""

import hashlib
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import yaml

from edge import (COMPONENTS, DescriptorSet, EdgeProgramTest, detail, filter_of, routes_of, rules_of)
from programs import (DEADLINE, ROOT, config_text, video_service_pb2, video_task_pb2, wait_for)

TOKEN = "token-of-the-browser-41c7"


class MappingTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if shutil.which("protoc") is None:
            raise unittest.SkipTest("there is no protoc")
        folder = pathlib.Path(os.environ["GEN_DIR"])
        cls.set = DescriptorSet.make(folder / "edge_test.pb")
        cls.envoy = yaml.safe_load((COMPONENTS / "edge/envoy.yaml").read_text())

    def transcoder(self):
        return filter_of(self.envoy, "grpc_json_transcoder")

    def test_the_descriptor_set_is_complete(self):
        for name, file in self.set.files.items():
            for imported in file.dependency:
                self.assertIn(imported, self.set.files, f"imported by {name}")
        # Errors become JSON, with their packed details.
        details = self.set.files["google/rpc/error_details.proto"]
        self.assertLessEqual({"BadRequest", "ErrorInfo", "ResourceInfo", "RetryInfo"},
                             {each.name for each in details.message_type})
        self.assertIn("ProviderFailures",
                      {each.name for each in self.set.files["assetgate/v1/errors.proto"].message_type})
        # A ConfigMap holds at most a megabyte.
        self.assertLess(sum(each.ByteSize() for each in self.set.files.values()), 900_000)

    def test_the_build_makes_the_same_descriptor_set(self):
        text = (ROOT / "proto/CMakeLists.txt").read_text()
        self.assertIn("google/rpc/error_details.proto\"\n", text)
        built = set(re.findall(r"assetgate/v1/\w+\.proto", text))
        self.assertEqual(built, {name for name in self.set.files if name.startswith("assetgate/")})

    def test_every_rpc_has_a_mapping_of_its_own(self):
        taken = {}
        for service, method in self.set.methods():
            rules = rules_of(method)
            self.assertTrue(rules, f"{service}/{method.name} has no google.api.http")
            for verb, path, body in rules:
                shape = (verb, re.sub(r"\{\w+=([^}]*)\}", r"\1", path))
                self.assertNotIn(shape, taken, method.name)
                taken[shape] = method.name
                self.assertTrue(path.startswith("/v1/"), path)
                self.assertEqual(bool(body), verb in ("POST", "PATCH", "PUT"), method.name)
            self.assertFalse(method.client_streaming)
        self.assertIn(("GET", "/v1/videoTasks/*"), taken)

    def test_every_rpc_is_in_the_table_of_the_page(self):
        rows = re.findall(r"^\| `(\w+)` \| `(\w+) ([^`]+)` \| (.*?) \|", (ROOT / "docs/rest.md").read_text(), re.M)
        documented = {(name, verb, path): body for name, verb, path, body in rows}
        there = {}
        for _, method in self.set.methods():
            for verb, path, body in rules_of(method):
                path = re.sub(r"\{name=([^}]*)\}", r"\1", path)
                there[(method.name, verb, path)] = {"": "–", "*": "the request"}.get(body, f"`{body}`")
        self.assertEqual(documented, there)

    def test_the_edge_routes_only_the_services(self):
        services = {service for service, _ in self.set.methods()}
        self.assertEqual(set(self.transcoder()["services"]), services)
        given = [route["match"] for route in routes_of(self.envoy)
                 if route["route"]["cluster"] == "assetgate"]
        for match in given:
            path = match.get("prefix") or match["path"]
            self.assertIn(path.strip("/").split("/")[0], services)
            self.assertEqual(path.count("/"), 2, "a whole service, or a method")
        self.assertLessEqual({f"/{service}/" for service in services},
                             {match.get("prefix") for match in given})

    def test_watches_have_no_timeout_and_other_calls_outlast_a_create(self):
        watches = {f"/{service}/{method.name}" for service, method in self.set.methods()
                   if method.server_streaming}
        self.assertTrue(watches)
        routes = [route for route in routes_of(self.envoy) if "timeout" in route["route"]]
        endless = {route["match"].get("path") for route in routes
                   if route["route"]["timeout"] == "0s"}
        self.assertEqual(endless, watches)
        # Envoy takes the first route that matches.
        self.assertEqual({route["match"].get("path") for route in routes[:len(watches)]}, watches)
        for route in routes[len(watches):]:
            self.assertGreater(int(route["route"]["timeout"][:-1]), 60)

    def test_every_named_cluster_is_defined(self):
        for component in ("edge", "edge-tls"):
            listed = yaml.safe_load((COMPONENTS / component / "gateways.yaml").read_text())["resources"]
            there = {each["name"] for each in self.envoy["static_resources"]["clusters"] + listed}
            named = {route["route"]["cluster"] for listener in self.envoy["static_resources"]["listeners"]
                     for route in routes_of(self.envoy, listener["name"])}
            # "none" is a route to no cluster on purpose.
            self.assertEqual(named, there | {"none"}, component)

    def test_the_two_components_differ_in_tls_only(self):
        plain, tls = (yaml.safe_load((COMPONENTS / each / "gateways.yaml").read_text())["resources"][0]
                      for each in ("edge", "edge-tls"))
        self.assertIn("transport_socket", tls)
        del tls["transport_socket"]
        self.assertEqual(plain, tls)


class EdgeTest(EdgeProgramTest):
    def test_a_video_from_its_creation_to_its_end(self):
        _, edge = self.start_all()
        status, asset = edge.call("POST", "/v1/assets?assetId=hero&requestId=r-1&providers=providers/kyy&maxWait=5s",
                                  {"sourceUri": "https://cdn.example.org/x.png", "mediaType": "IMAGE",
                                   "labels": {"team": "film"}})
        self.assertEqual(status, 200, asset)
        self.assertEqual(asset["name"], "assets/hero")
        status, task = edge.call(
            "POST", "/v1/videoTasks?videoTaskId=sea&requestId=r-2&maxWait=1s",
            {"model": "seedance-2", "prompt": "image 1 waves", "duration": "5s",
             "references": [{"role": "REFERENCE", "asset": "assets/hero"}]})
        self.assertEqual(status, 200, task)
        # A repeated request returns the same task.
        self.assertEqual(edge.call(
            "POST", "/v1/videoTasks?videoTaskId=sea&requestId=r-2&maxWait=0s",
            {"model": "seedance-2", "prompt": "image 1 waves", "duration": "5s",
             "references": [{"role": "REFERENCE", "asset": "assets/hero"}]})[1]["name"], task["name"])

        with edge.open("GET", "/v1/videoTasks:watch?names=videoTasks/sea&untilSettled=true") as stream:
            self.assertEqual(stream.headers["Content-Type"], "application/json")
            events = [json.loads(line) for line in stream if line.strip()]
        self.assertEqual(events[0]["type"], "RESET")
        last = [event for event in events if event["type"] == "PUT"][-1]
        self.assertEqual(last["videoTask"]["state"], "SUCCEEDED")

        status, task = edge.call("GET", "/v1/videoTasks/sea")
        self.assertEqual((status, task["state"]), (200, "SUCCEEDED"))
        self.assertTrue(task["video"]["uri"])
        status, page = edge.call("GET", "/v1/videoTasks?pageSize=5&filter.states=SUCCEEDED&filter.states=failed")
        self.assertEqual([each["name"] for each in page["videoTasks"]], ["videoTasks/sea"])
        self.assertEqual(edge.call("GET", "/v1/videoTasks/sea:explain")[0], 200)
        self.assertEqual(edge.call("GET", "/v1/providers/kyy/models/seedance_2_0_pro")[0], 200)
        self.assertEqual(edge.call("DELETE", "/v1/videoTasks/sea"), (200, {}))

    def test_a_watch_resumes_with_its_token(self):
        gateway, edge = self.start_all()
        with edge.open("GET", "/v1/videoTasks:watch") as stream:
            events = []
            for line in stream:
                events.append(json.loads(line))
                if events[-1]["type"] == "BOOKMARK":
                    break
        token = events[-1]["resumeToken"]
        gateway.create_video("kyy", "while-away")
        # + and / and = of base64 have a meaning in a query.
        with edge.open("GET", "/v1/videoTasks:watch?resumeToken=" + urllib.parse.quote(token, "")) as stream:
            first = json.loads(stream.readline())
        self.assertEqual(first["type"], "PUT", first)
        self.assertEqual(first["videoTask"]["prompt"], "a cat")

    def test_errors_are_as_over_grpc(self):
        _, edge = self.start_all()
        status, error = edge.call("GET", "/v1/videoTasks/nowhere")
        self.assertEqual(status, 404)
        self.assertEqual({name: error["error"][name] for name in ("code", "status", "message")},
                         {"code": 404, "status": "NOT_FOUND", "message": 'there is no "videoTasks/nowhere"'})
        info = detail(error, "ErrorInfo")
        self.assertEqual((info["reason"], info["domain"], info["metadata"]["act"]),
                         ("RESOURCE_NOT_FOUND", "assetgate", "CALLER"))
        self.assertEqual(detail(error, "ResourceInfo")["resourceName"], "videoTasks/nowhere")
        status, error = edge.call("POST", "/v1/videoTasks", {
            "model": "providers/kyy/models/seedance_2_0_pro", "prompt": "x", "duration": "90s"})
        self.assertEqual(status, 400)
        self.assertEqual(detail(error, "BadRequest")["fieldViolations"][0]["field"],
                         "video_task.duration")
        # Before the stream's first event, a watch fails like any call.
        status, error = edge.call("GET", "/v1/videoTasks:watch?names=videoTasks/nowhere&untilSettled=true")
        self.assertEqual((status, detail(error, "ErrorInfo")["reason"]), (404, "RESOURCE_NOT_FOUND"))

    # (call, body, the field that the answer names, its description)
    MISSPELT = [
        ("POST /v1/videoTasks", {"duratoin": "12s"}, "video_task.duratoin", 'did you mean "duration"?'),
        ("POST /v1/videoTasks", {"video_task": {}}, "video_task.video_task", "not a field"),
        ("POST /v1/videoTasks", {"references": [{"role": "REFERENCE", "uri": "https://a.example/a.png"},
                                                {"rolle": "REFERENCE"}]},
         "video_task.references[1].rolle", 'did you mean "role"?'),
        ("POST /v1/videoTasks", {"duration": "5s", "attempts": [{"usage": {"totalTokns": 1}}]},
         "video_task.attempts[0].usage.totalTokns", "not a field"),
        ("POST /v1/assets", {"sourceUri": "https://a.example/a.png", "lables": {}}, "asset.lables", "labels"),
        ("POST /v1/assets:batchCreate", {"requests": [{"asset": {"sourceUrl": "x"}}]},
         "requests[0].asset.sourceUrl", "sourceUri"),
        ("POST /v1/videoTasks/a:resolve", {"notAccepted": True, "resubmitt": True}, "resubmitt", "resubmit"),
        ("GET /v1/videoTasks?pagesize=5", None, "pagesize", "pageSize"),
        ("GET /v1/videoTasks?filter.statess=RUNNING", None, "filter.statess", "states"),
        ("GET /v1/videoTasks?page%53ize=5&fliter.states=RUNNING", None, "fliter", "filter"),
        ("POST /v1/videoTasks?requestID=a", {"model": "m"}, "requestID", "requestId"),
        # A value in two places is ambiguous.
        ("GET /v1/videoTasks/a?name=videoTasks/b", None, "name", "is set by the path"),
        ("POST /v1/videoTasks?videoTask.prompt=x", {"model": "m"}, "video_task", "belongs in the body"),
        ("POST /v1/videoTasks/a:resolve?notAccepted=true", {}, "not_accepted", "belongs in the body"),
        ("GET /v1/videoTasks", {"pageSize": 5}, "body", "is not allowed"),
        ("DELETE /v1/videoTasks/a", {"name": "videoTasks/b"}, "body", "is not allowed"),
    ]
    # Not JSON by RFC 8259, although protobuf's own parser accepts some of it.
    NO_JSON = ["{", "[", '{"model"', '{"model": }', "{model: 1}", "{'model': 'm'}", '{"model": "m",}', '{"model": "m"} x',
               '{"model": "m" "prompt": "x"}', '{"model": "' + "\n" + '"}', '{"labels": ' * 70 + "1" + "}" * 70]

    def test_a_misspelt_field_is_refused_by_name_at_any_depth(self):
        gateway, edge = self.start_all()
        for call, body, field, words in self.MISSPELT:
            with self.subTest(call=call, field=field):
                status, answer = edge.call(*call.split(" "), body)
                self.assertEqual(status, 400, answer)
                violation, = detail(answer, "BadRequest")["fieldViolations"]
                self.assertEqual(violation["field"], field)
                self.assertIn(words, violation["description"])
                self.assertEqual(answer["error"]["status"], "INVALID_ARGUMENT")
                self.assertIn(field, answer["error"]["message"])
                self.assertEqual(detail(answer, "ErrorInfo")["reason"], "INVALID_FIELD")
        status, answer = edge.call("POST", "/v1/videoTasks", {"modle": "m", "promt": "x", "model": "m"})
        self.assertEqual((status, [each["field"] for each in detail(answer, "BadRequest")["fieldViolations"]]),
                         (400, ["video_task.modle", "video_task.promt"]))
        # The transcoder reads the values.
        for call, body, field in (
                ("GET /v1/videoTasks?filter.states=RUNING", None, "filter.states"),
                ("GET /v1/videoTasks?pageSize=many", None, "page_size"),
                ("POST /v1/videoTasks", {"duration": "long"}, "video_task.duration"),
                ("POST /v1/videoTasks", {"references": [{"role": "REFERNCE"}]}, "video_task.references[0].role")):
            with self.subTest(call=call, field=field):
                status, answer = edge.call(*call.split(" "), body)
                self.assertEqual((status, answer["error"]["status"]), (400, "INVALID_ARGUMENT"))
                self.assertIn(field, answer["error"]["message"])
        for text in self.NO_JSON:
            with self.subTest(text=text):
                status, answer = edge.call("POST", "/v1/videoTasks", raw=text.encode())
                self.assertEqual((status, answer["error"]["status"]), (400, "INVALID_ARGUMENT"))
        # None of these requests has reached the gateway.
        self.assertFalse(gateway.videos.ListVideoTasks(
            video_service_pb2.ListVideoTasksRequest(), timeout=DEADLINE).video_tasks)

    def test_the_commands_of_the_page_work(self):
        _, edge = self.start_all()
        block = re.search(r"```sh\n(EDGE=.*?)```", (ROOT / "docs/rest.md").read_text(), re.S).group(1)
        # --fail-with-body: an HTTP error ends the script.
        script = block.replace("http://assetgate-edge.assetgate:8080", edge.url)
        script = script.replace("curl ", "curl -sS --fail-with-body ")
        done = subprocess.run(["bash", "-ec", script], text=True, stdin=subprocess.DEVNULL, capture_output=True,
                              check=False, timeout=DEADLINE, env={**os.environ, "TOKEN": TOKEN})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertGreater(done.stdout.count('"videoTasks/sea"'), 3, done.stdout)
        self.assertIn('"SUCCEEDED"', done.stdout)

    def test_both_spellings_of_a_field_are_accepted(self):
        _, edge = self.start_all()
        body = {
            # Keys of maps and of free JSON are not field names.
            "sourceUri": "https://a.example/a.png", "media_type": "IMAGE", "display_name": 'a "name" \\ \u00e9',
            "labels": {"duratoin": "{", "a.b_c": "x"},
            "providerOptions": {"kyy": {"anyThing": [{"goes": None}, 1.5e3, True, "}"], "x": {}}},
        }
        status, asset = edge.call("POST", "/v1/assets?asset_id=spelt&requestId=r-1", body)
        self.assertEqual(status, 200, asset)
        self.assertEqual((asset["displayName"], asset["labels"]), (body["display_name"], body["labels"]))
        self.assertEqual(asset["providerOptions"], body["providerOptions"])
        self.assertEqual(edge.call("POST", "/v1/assets:batchCreate", {"requests": []})[0], 400)
        self.assertEqual(edge.call("POST", "/v1/videoTasks/none:cancel")[0], 404)
        self.assertEqual(edge.call("POST", "/v1/videoTasks/none:cancel", {})[0], 404)

    def test_bodies_are_bounded(self):
        _, edge = self.start_all()
        many = {"requests": [{"asset": {"displayName": "x" * 1000}}] * 3800}
        started = time.monotonic()
        # Nearly four MiB: the gateway reads it and finds too many requests.
        status, answer = edge.call("POST", "/v1/assets:batchCreate", many)
        self.assertEqual((status, answer["error"]["status"]), (400, "INVALID_ARGUMENT"), answer)
        self.assertLess(time.monotonic() - started, 10)
        status, answer = edge.call("POST", "/v1/assets:batchCreate", {"requests": [{"x" * 5_000_000: 1}]})
        self.assertEqual((status, answer["error"]["code"]), (413, 413), answer)

    def test_unknown_paths_are_not_found(self):
        _, edge = self.start_all()
        for call in ("GET /v1/videotasks", "PUT /v1/videoTasks/a", "GET /v1/nothing", "POST /v1/videoTasks:cancel",
                     "GET /v2/videoTasks", "POST /"):
            with self.subTest(call=call):
                status, answer = edge.call(*call.split(" "), {} if call.startswith("P") else None)
                self.assertEqual((status, answer["error"]["status"]), (404, "NOT_FOUND"))
        self.assertEqual(edge.call("GET", "/v1/videoTasks/..%2f..%2fassets")[0], 400)

    def test_a_page_of_an_allowed_origin_can_read_errors(self):
        _, edge = self.start_all()
        for call, body in (("POST /v1/videoTasks", b'{"modle": 1}'), ("GET /v1/videoTasks/none", None)):
            try:
                with edge.open(*call.split(" "), raw=body, Origin="https://app.example.com"):
                    self.fail("not refused")
            except urllib.error.HTTPError as error:
                with error:
                    self.assertEqual(error.headers["Access-Control-Allow-Origin"], "https://app.example.com")
                    self.assertEqual(error.headers["Content-Type"], "application/json")
                    self.assertIn("error", json.load(error))

    def test_no_other_service_is_reachable(self):
        _, edge = self.start_all()
        for path in ("/grpc.health.v1.Health/Check", "/metrics", "/healthz", "/ready",
                     "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "/"):
            self.assertEqual(edge.call("POST", path, {})[0], 404, path)
        for path, status in (("/ready", 200), ("/stats/prometheus", 200), ("/config_dump", 404),
                             ("/quitquitquit", 404)):
            request = urllib.request.Request(edge.operations + path)
            try:
                with urllib.request.urlopen(request, timeout=DEADLINE) as response:
                    self.assertEqual(response.status, status, path)
            except urllib.error.HTTPError as error:
                with error:
                    self.assertEqual(error.code, status, path)

    def test_browsers_may_call_from_the_allowed_origins(self):
        gateway, edge = self.start_all()
        gateway.create_video("kyy", "for-the-browser")
        names = [each["name"] for each in edge.call("GET", "/v1/videoTasks")[1]["videoTasks"]]
        asked = {"Access_Control_Request_Method": "POST",
                 "Access_Control_Request_Headers": "authorization,x-grpc-web"}
        for path in ("/v1/videoTasks", "/assetgate.v1.VideoService/GetVideoTask"):
            with edge.open("OPTIONS", path, Origin="https://app.example.com", **asked) as response:
                self.assertEqual(response.headers["Access-Control-Allow-Origin"],
                                 "https://app.example.com")
                self.assertIn("authorization", response.headers["Access-Control-Allow-Headers"])
        try:
            with edge.open("OPTIONS", "/v1/videoTasks", Origin="https://evil.example", **asked) as response:
                self.assertNotIn("Access-Control-Allow-Origin", response.headers)
        except urllib.error.HTTPError as error:
            with error:
                self.assertNotIn("Access-Control-Allow-Origin", error.headers)

        # gRPC-Web frames have a flag and a length; the flag 0x80 marks the trailers.
        message = video_service_pb2.GetVideoTaskRequest(name=names[0]).SerializeToString()
        request = urllib.request.Request(
            f"{edge.url}/assetgate.v1.VideoService/GetVideoTask", method="POST",
            data=struct.pack(">BI", 0, len(message)) + message,
            headers={"Content-Type": "application/grpc-web+proto", "X-Grpc-Web": "1",
                     "Origin": "https://app.example.com"})
        with urllib.request.urlopen(request, timeout=DEADLINE) as response:
            self.assertIn("grpc-status-details-bin", response.headers["Access-Control-Expose-Headers"])
            body = response.read()
        length, = struct.unpack(">I", body[1:5])
        self.assertEqual(video_task_pb2.VideoTask.FromString(body[5:5 + length]).name, names[0])
        self.assertEqual(body[5 + length], 0x80)
        self.assertIn(b"grpc-status:0", body[5 + length:].replace(b" ", b""))

    def test_tokens_identify_callers_and_the_edge_encrypts_its_calls_to_the_gateway(self):
        simulator = self.start_simulator()
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "1", "-subj", "/CN=assetgate", "-addext", "subjectAltName=DNS:assetgate",
             "-keyout", self.folder / "tls.key", "-out", self.folder / "tls.crt"],
            check=True, capture_output=True)
        digest = hashlib.sha256(TOKEN.encode()).hexdigest()
        self.write_config(config_text(simulator.url, "tls: {certificate: tls.crt, key: tls.key}\n"
                                      f"callers: [{{id: page, token_sha256: [{digest}], roles: [READER]}}]\n"))
        gateway = self.start_gateway()
        edge = self.start_edge(gateway, "edge-tls", self.folder / "tls.crt")
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        wait_for(lambda: edge.call("GET", "/v1/providers", **bearer)[0] == 200,
                 "the gateway through the edge")
        status, error = edge.call("GET", "/v1/providers")
        self.assertEqual((status, detail(error, "ErrorInfo")["reason"]), (401, "NOT_AUTHENTICATED"))
        self.assertEqual(edge.call("POST", "/v1/videoTasks", {"model": "m"}, **bearer)[0], 403)
        self.assertNotIn(TOKEN, edge.text)

    def test_a_gateway_that_shuts_down_ends_a_watch_after_a_last_bookmark(self):
        gateway, edge = self.start_all()
        with edge.open("GET", "/v1/videoTasks:watch") as stream:
            self.assertEqual([json.loads(stream.readline())["type"] for _ in range(2)],
                             ["RESET", "BOOKMARK"])
            gateway.end()
            events = [json.loads(line) for line in stream if line.strip()]
        self.assertEqual([event["type"] for event in events], ["BOOKMARK"])
        wait_for(lambda: edge.call("GET", "/v1/providers")[0] == 503, "no gateway")
        self.assertEqual(edge.call("GET", "/v1/providers")[1]["error"]["status"], "UNAVAILABLE")


if __name__ == "__main__":
    unittest.main()
