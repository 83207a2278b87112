#!/usr/bin/env python3
"""REST with JSON, and gRPC-Web, through the edge as it is deployed (deploy/kustomize/components/edge).

Run by CTest. That every RPC can be called so, and is documented, is looked at everywhere; the calls
themselves need Envoy (`envoy` on PATH), which Debian has no package of, and are skipped without it.
"""

import hashlib
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import unittest
import urllib.error
import urllib.parse
import urllib.request

import yaml
from google.protobuf import descriptor_pb2

from programs import (DEADLINE, ROOT, Process, ProgramTest, config_text, video_service_pb2, video_task_pb2,
                      wait_for)
from google.api import annotations_pb2

COMPONENTS = ROOT / "deploy/kustomize/components"
TOKEN = "token-of-the-browser-41c7"


def rules_of(method):
    """What google.api.http says of an RPC: (HTTP method, path, body), the additional ones too."""
    rule = method.options.Extensions[annotations_pb2.http]
    return [(each.WhichOneof("pattern").upper(), getattr(each, each.WhichOneof("pattern")), each.body)
            for each in (rule, *rule.additional_bindings) if each.WhichOneof("pattern")]


class DescriptorSet:
    """What the documented command makes (docs/rest.md)."""

    @classmethod
    def make(cls, path):
        text = (ROOT / "docs/rest.md").read_text()
        command = re.search(r"^protoc (?:.*\\\n)*.*$", text, re.M).group(0)
        command = command.replace("assetgate.pb", str(path))
        subprocess.run(["bash", "-c", command], check=True, cwd=ROOT)
        return cls(path.read_bytes())

    def __init__(self, data):
        self.files = {each.name: each for each in descriptor_pb2.FileDescriptorSet.FromString(data).file}

    def methods(self):
        """Of our services, as (service, method)."""
        for file in self.files.values():
            for service in file.service:
                for method in service.method:
                    yield f"{file.package}.{service.name}", method


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

    def test_the_descriptor_set_holds_all_that_it_refers_to(self):
        for name, file in self.set.files.items():
            for imported in file.dependency:
                self.assertIn(imported, self.set.files, f"imported by {name}")
        # Errors are written as JSON, with what is packed in them.
        details = self.set.files["google/rpc/error_details.proto"]
        self.assertLessEqual({"BadRequest", "ErrorInfo", "ResourceInfo", "RetryInfo"},
                             {each.name for each in details.message_type})
        self.assertIn("ProviderFailures",
                      {each.name for each in self.set.files["assetgate/v1/errors.proto"].message_type})
        # A ConfigMap takes a megabyte.
        self.assertLess(sum(each.ByteSize() for each in self.set.files.values()), 900_000)

    def test_the_build_makes_the_same(self):
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

    def test_every_rpc_is_in_the_table(self):
        rows = re.findall(r"^\| `(\w+)` \| `(\w+) ([^`]+)` \| (.*?) \|", (ROOT / "docs/rest.md").read_text(), re.M)
        documented = {(name, verb, path): body for name, verb, path, body in rows}
        there = {}
        for _, method in self.set.methods():
            for verb, path, body in rules_of(method):
                path = re.sub(r"\{name=([^}]*)\}", r"\1", path)
                there[(method.name, verb, path)] = {"": "–", "*": "the request"}.get(body, f"`{body}`")
        self.assertEqual(documented, there)

    def test_the_edge_gives_out_the_services_and_nothing_else(self):
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

    def test_watches_have_no_end_and_other_calls_outlast_a_create(self):
        watches = {f"/{service}/{method.name}" for service, method in self.set.methods()
                   if method.server_streaming}
        self.assertTrue(watches)
        routes = [route for route in routes_of(self.envoy) if "timeout" in route["route"]]
        endless = {route["match"].get("path") for route in routes
                   if route["route"]["timeout"] == "0s"}
        self.assertEqual(endless, watches)
        # The first that matches counts.
        self.assertEqual({route["match"].get("path") for route in routes[:len(watches)]}, watches)
        for route in routes[len(watches):]:
            self.assertGreater(int(route["route"]["timeout"][:-1]), 60)

    def test_all_clusters_that_are_named_are_there(self):
        for component in ("edge", "edge-tls"):
            listed = yaml.safe_load((COMPONENTS / component / "gateways.yaml").read_text())["resources"]
            there = {each["name"] for each in self.envoy["static_resources"]["clusters"] + listed}
            named = {route["route"]["cluster"] for listener in self.envoy["static_resources"]["listeners"]
                     for route in routes_of(self.envoy, listener["name"])}
            # "none" is meant to be none.
            self.assertEqual(named, there | {"none"}, component)

    def test_tls_is_the_only_difference_of_the_two_ways_to_the_gateways(self):
        plain, tls = (yaml.safe_load((COMPONENTS / each / "gateways.yaml").read_text())["resources"][0]
                      for each in ("edge", "edge-tls"))
        self.assertIn("transport_socket", tls)
        del tls["transport_socket"]
        self.assertEqual(plain, tls)


def listener_of(envoy, name="edge"):
    return next(each for each in envoy["static_resources"]["listeners"] if each["name"] == name)


def connections_of(envoy, name="edge"):
    """The HTTP connection manager of a listener."""
    return listener_of(envoy, name)["filter_chains"][0]["filters"][0]["typed_config"]


def routes_of(envoy, name="edge"):
    host, = connections_of(envoy, name)["route_config"]["virtual_hosts"]
    return host["routes"]


def filter_of(envoy, name):
    return next(each["typed_config"] for each in connections_of(envoy)["http_filters"]
                if each["name"] == f"envoy.filters.http.{name}")


class Edge(Process):
    """Envoy with the config of a component; on free ports, and to one gateway on this machine."""

    def __init__(self, folder, gateway, component="edge", authority=None):
        DescriptorSet.make(folder / "assetgate.pb")
        envoy = yaml.safe_load((COMPONENTS / "edge/envoy.yaml").read_text())
        gateways = yaml.safe_load((COMPONENTS / component / "gateways.yaml").read_text())
        for listener in envoy["static_resources"]["listeners"]:
            listener["address"]["socket_address"] = {"address": "127.0.0.1", "port_value": 0}
        # Its own address is in two places, so no port that the system chooses.
        self.admin = folder / "envoy-admin"
        own = {"pipe": {"path": str(self.admin)}}
        envoy["admin"]["address"] = own
        admin, = envoy["static_resources"]["clusters"]
        admin["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"] = own
        filter_of(envoy, "grpc_json_transcoder")["proto_descriptor"] = str(folder / "assetgate.pb")
        script = (COMPONENTS / "edge/rest.lua").read_text()
        (folder / "rest.lua").write_text(script.replace("/etc/assetgate-descriptors", str(folder)))
        filter_of(envoy, "lua")["default_source_code"]["filename"] = str(folder / "rest.lua")
        envoy["dynamic_resources"]["cds_config"]["path_config_source"]["path"] = str(
            folder / "gateways.yaml")
        cluster, = gateways["resources"]
        host, port = gateway.rsplit(":", 1)
        cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"] = {
            "socket_address": {"address": host, "port_value": int(port)}}
        if authority is not None:
            trust = cluster["transport_socket"]["typed_config"]["common_tls_context"]
            trust["validation_context"]["trusted_ca"]["filename"] = str(authority)
            trust["validation_context"]["watched_directory"]["path"] = str(authority.parent)
        (folder / "envoy.yaml").write_text(yaml.safe_dump(envoy))
        (folder / "gateways.yaml").write_text(yaml.safe_dump(gateways))
        super().__init__(shutil.which("envoy"), "-c", folder / "envoy.yaml", "--concurrency", 1,
                         "--use-dynamic-base-id")
        self.wait_line(lambda line: "starting main dispatch loop" in line)
        wait_for(lambda: "LIVE" in self.admin_page("/ready"), "Envoy to be ready")
        self.url = f"http://{self.address('edge')}"
        self.operations = f"http://{self.address('operations')}"

    def admin_page(self, path):
        connection = http.client.HTTPConnection("envoy", timeout=DEADLINE)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self.admin))
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def address(self, listener):
        statuses = json.loads(self.admin_page("/listeners?format=json"))["listener_statuses"]
        found, = (each["local_address"]["socket_address"] for each in statuses
                  if each["name"] == listener)
        return f"{found['address']}:{found['port_value']}"

    def open(self, method, path, body=None, **headers):
        data = None if body is None else json.dumps(body).encode()
        given = {"Content-Type": "application/json"} if data else {}
        given.update({name.replace("_", "-"): value for name, value in headers.items()})
        return urllib.request.urlopen(
            urllib.request.Request(self.url + path, data=data, method=method, headers=given),
            timeout=DEADLINE)

    def call(self, method, path, body=None, **headers):
        """(HTTP status, what the JSON says)."""
        try:
            with self.open(method, path, body, **headers) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode()
            try:
                return error.code, json.loads(text)
            except ValueError:
                return error.code, text


def detail(error, kind):
    """A detail of an error in JSON."""
    return next(each for each in error["details"] if each["@type"].endswith(f".{kind}"))


class EdgeTest(ProgramTest):
    SIMULATOR_FLAGS = ("--asset-delay", "50ms", "--queue-delay", "50ms", "--video-delay", "100ms")

    def setUp(self):
        if shutil.which("envoy") is None:
            self.skipTest("there is no envoy on PATH to call through")
        if shutil.which("protoc") is None:
            self.skipTest("there is no protoc")
        super().setUp()

    def start_edge(self, gateway, *arguments):
        return self._started(Edge(self.folder, gateway.address, *arguments))

    def start_all(self):
        _, gateway = self.start_both()
        edge = self.start_edge(gateway)
        wait_for(lambda: edge.call("GET", "/v1/providers")[0] == 200, "the gateway through the edge")
        return gateway, edge

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
        # Repeated, it is the same task and not a second one.
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

    def test_a_watch_goes_on_with_its_token(self):
        gateway, edge = self.start_all()
        with edge.open("GET", "/v1/videoTasks:watch") as stream:
            events = []
            for line in stream:
                events.append(json.loads(line))
                if events[-1]["type"] == "BOOKMARK":
                    break
        token = events[-1]["resumeToken"]
        gateway.create_video("kyy", "while-away")
        # Of base64, + and / and = have a meaning in a query.
        with edge.open("GET", "/v1/videoTasks:watch?resumeToken=" + urllib.parse.quote(token, "")) as stream:
            first = json.loads(stream.readline())
        self.assertEqual(first["type"], "PUT", first)
        self.assertEqual(first["videoTask"]["prompt"], "a cat")

    def test_errors_are_as_over_grpc(self):
        _, edge = self.start_all()
        status, error = edge.call("GET", "/v1/videoTasks/nowhere")
        self.assertEqual((status, error["code"]), (404, 5))
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

    def test_what_is_misspelt_is_refused(self):
        _, edge = self.start_all()
        self.assertEqual(edge.call("GET", "/v1/videoTasks?pagesize=5")[0], 400)
        self.assertEqual(edge.call("GET", "/v1/videoTasks?filter.states=RUNING")[0], 400)
        self.assertEqual(edge.call("POST", "/v1/videoTasks", {"modle": "x"})[0], 400)
        self.assertEqual(edge.call("GET", "/v1/videotasks")[0], 404)
        self.assertEqual(edge.call("PUT", "/v1/videoTasks/a", {})[0], 404)
        self.assertEqual(edge.call("GET", "/v1/videoTasks/..%2f..%2fassets")[0], 400)

    def test_only_the_services_are_given_out(self):
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

    def test_a_browser_may_ask_from_the_pages_that_are_named(self):
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

        # gRPC-Web: frames of a flag and a length; the one with the flag 0x80 has the trailers.
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

    def test_callers_are_who_their_tokens_say_and_the_way_to_the_gateway_is_encrypted(self):
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

    def test_a_gateway_that_goes_away_ends_a_watch_after_a_last_bookmark(self):
        gateway, edge = self.start_all()
        with edge.open("GET", "/v1/videoTasks:watch") as stream:
            self.assertEqual([json.loads(stream.readline())["type"] for _ in range(2)],
                             ["RESET", "BOOKMARK"])
            gateway.end()
            events = [json.loads(line) for line in stream if line.strip()]
        self.assertEqual([event["type"] for event in events], ["BOOKMARK"])
        wait_for(lambda: edge.call("GET", "/v1/providers")[0] == 503, "no gateway")


if __name__ == "__main__":
    unittest.main()
