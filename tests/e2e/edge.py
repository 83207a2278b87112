"""Envoy as it is deployed in front of the gateways (deploy/kustomize/components/edge), for tests."""

import http.client
import json
import re
import shutil
import socket
import subprocess
import unittest
import urllib.error
import urllib.request

import yaml
from google.protobuf import descriptor_pb2

import tools
from programs import DEADLINE, ROOT, Process, ProgramTest, wait_for
from google.api import annotations_pb2

COMPONENTS = ROOT / "deploy/kustomize/components"


def rules_of(method):
    """The google.api.http bindings of an RPC, additional ones too: (HTTP method, path, body)."""
    rule = method.options.Extensions[annotations_pb2.http]
    return [(each.WhichOneof("pattern").upper(), getattr(each, each.WhichOneof("pattern")), each.body)
            for each in (rule, *rule.additional_bindings) if each.WhichOneof("pattern")]


class DescriptorSet:
    """The output of the documented command (docs/rest.md)."""

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
        """The RPCs of our services, as (service, method)."""
        for file in self.files.values():
            for service in file.service:
                for method in service.method:
                    yield f"{file.package}.{service.name}", method


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
    """Envoy with the config of a component, on free ports, for one gateway on this machine."""

    def __init__(self, program, folder, gateway, component="edge", authority=None):
        DescriptorSet.make(folder / "assetgate.pb")
        envoy = yaml.safe_load((COMPONENTS / "edge/envoy.yaml").read_text())
        gateways = yaml.safe_load((COMPONENTS / component / "gateways.yaml").read_text())
        for listener in envoy["static_resources"]["listeners"]:
            listener["address"]["socket_address"] = {"address": "127.0.0.1", "port_value": 0}
        # Its config names its address twice, so the system cannot choose the port.
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
        super().__init__(program, "-c", folder / "envoy.yaml", "--concurrency", 1,
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

    def open(self, method, path, body=None, raw=None, **headers):
        """Sends `body` as JSON, or `raw` unchanged."""
        data = raw if body is None else json.dumps(body).encode()
        given = {"Content-Type": "application/json"} if data else {}
        given.update({name.replace("_", "-"): value for name, value in headers.items()})
        return urllib.request.urlopen(
            urllib.request.Request(self.url + path, data=data, method=method, headers=given),
            timeout=DEADLINE)

    def call(self, method, path, body=None, raw=None, **headers):
        """(HTTP status, the JSON of the answer, or its text if it has no JSON)."""
        try:
            with self.open(method, path, body, raw, **headers) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode()
            try:
                return error.code, json.loads(text)
            except ValueError:
                return error.code, text


def detail(answer, kind):
    """A detail of the error in an answer."""
    return next(each for each in answer["error"]["details"] if each["@type"].endswith(f".{kind}"))


class EdgeProgramTest(ProgramTest):
    """Tests that call through the edge; skipped if Envoy is not available."""

    SIMULATOR_FLAGS = ("--asset-delay", "50ms", "--queue-delay", "50ms", "--video-delay", "100ms")

    @classmethod
    def setUpClass(cls):
        if shutil.which("protoc") is None:
            raise unittest.SkipTest("there is no protoc")
        image = (COMPONENTS / "edge/deployment.yaml").read_text()
        cls.envoy = tools.envoy(re.search(r"image: envoyproxy/envoy:distroless-v(\S+)", image).group(1))

    def start_edge(self, gateway, *arguments):
        return self._started(Edge(self.envoy, self.folder, gateway.address, *arguments))

    def start_all(self):
        _, gateway = self.start_both()
        edge = self.start_edge(gateway)
        wait_for(lambda: edge.call("GET", "/v1/providers")[0] == 200, "the gateway through the edge")
        return gateway, edge
