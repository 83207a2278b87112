#!/usr/bin/env python3
"""The settings that docs/clients.md recommends have the effect that it describes. Run by CTest."""

import hashlib
import json
import re
import subprocess
import unittest

import grpc

import programs
from programs import (BIN, DEADLINE, ROOT, Process, ProgramTest, asset_service_pb2,
                      asset_service_pb2_grpc, common_pb2, config_text, provider_service_pb2,
                      video_service_pb2, wait_for)

TOKEN = "token-of-the-example-2b7e"
EXAMPLES = ("cpp/follow.cc", "go/main.go", "java/src/main/java/dev/assetgate/examples/Follow.java",
            "python/follow.py")


def service_config_in(path):
    """The service config that a text contains, as it is written there."""
    text = path.read_text()
    begin = re.search(r'\{\s+"loadBalancingConfig"', text).start()
    _, end = json.JSONDecoder().raw_decode(text[begin:])
    return text[begin:begin + end]


SERVICE_CONFIG = service_config_in(ROOT / "docs/clients.md")


class ServiceConfigTest(unittest.TestCase):
    def test_all_examples_use_the_service_config_of_the_page(self):
        for example in EXAMPLES:
            self.assertEqual(json.loads(service_config_in(ROOT / "examples" / example)),
                             json.loads(SERVICE_CONFIG), example)

    def test_it_names_the_services_and_leaves_watches_to_their_tokens(self):
        general, special = json.loads(SERVICE_CONFIG)["methodConfig"]
        files = (asset_service_pb2, provider_service_pb2, video_service_pb2)
        services = [service for file in files
                    for service in file.DESCRIPTOR.services_by_name.values()]
        self.assertEqual({each["service"] for each in general["name"]},
                         {service.full_name for service in services})
        # Server streams are the methods called Watch….
        watches = {(service.full_name, method.name) for service in services
                   for method in service.methods if method.name.startswith("Watch")}
        named = {(each["service"], each["method"]) for each in special["name"]}
        self.assertLessEqual(watches, named)
        self.assertEqual({method for _, method in named - watches}, {"ResolveVideoTask"})
        self.assertNotIn("retryPolicy", special)

    def test_every_create_has_a_request_id(self):
        for file in (asset_service_pb2, video_service_pb2):
            for name, message in file.DESCRIPTOR.message_types_by_name.items():
                if re.match(r"(Batch)?Create\w+Request$", name):
                    self.assertIn("request_id", message.fields_by_name, name)


class ChannelTest(ProgramTest):
    def channel(self, *targets):
        channel = grpc.insecure_channel(
            "ipv4:" + ",".join(targets), [("grpc.service_config", SERVICE_CONFIG)])
        self.addCleanup(channel.close)
        return channel

    def count(self, gateway, code="OK"):
        """Calls of ListAssets that ended with that code, as the gateway counts them."""
        found = re.search(r'assetgate_rpcs_total\{code="%s",method="[^"]*ListAssets"\} (\d+)' % code,
                          gateway.page("/metrics"))
        return int(found.group(1)) if found else 0

    def start_gateway_in(self, folder, extra=""):
        (self.folder / folder).mkdir()
        (self.folder / folder / "assetgate.yaml").write_text(
            config_text("http://127.0.0.1:1", extra))
        return self._started(programs.Gateway(self.folder / folder))

    def test_calls_are_spread_over_all_gateways(self):
        gateways = [self.start_gateway_in(name) for name in ("one", "two")]
        channel = self.channel(*(gateway.address for gateway in gateways))
        assets = asset_service_pb2_grpc.AssetServiceStub(channel)

        def ask():
            assets.ListAssets(asset_service_pb2.ListAssetsRequest(), timeout=DEADLINE)
            return all(self.count(gateway) for gateway in gateways)

        # The first calls may come before the second connection is established.
        wait_for(ask, "both gateways to be asked")
        before = [self.count(gateway) for gateway in gateways]
        for _ in range(10):
            ask()
        self.assertEqual([self.count(gateway) - old for gateway, old in zip(gateways, before)], [5, 5])

    def test_a_refused_call_is_sent_again_when_the_gateway_permits(self):
        digest = hashlib.sha256(TOKEN.encode()).hexdigest()
        gateway = self.start_gateway_in(
            "limited", f"callers: [{{id: slow, token_sha256: [{digest}], roles: [READER], "
            "limits: {requests_per_second: 1}}]\n")
        assets = asset_service_pb2_grpc.AssetServiceStub(self.channel(gateway.address))
        for _ in range(3):
            assets.ListAssets(asset_service_pb2.ListAssetsRequest(), timeout=DEADLINE,
                              metadata=(("authorization", f"Bearer {TOKEN}"),))
        # Refused and retried without the caller noticing, and without hammering the gateway.
        self.assertEqual(self.count(gateway), 3)
        self.assertIn(self.count(gateway, "RESOURCE_EXHAUSTED"), range(1, 5))

    def test_a_call_waits_for_a_gateway_that_starts_later(self):
        gateway = self.start_gateway_in("late")
        (self.folder / "late/assetgate.yaml").write_text(
            (self.folder / "late/assetgate.yaml").read_text().replace(
                "listen: 127.0.0.1:0", f"listen: {gateway.address}", 1))
        gateway.end()
        channel = self.channel(gateway.address)
        states = []
        channel.subscribe(states.append, try_to_connect=True)
        wait_for(lambda: grpc.ChannelConnectivity.TRANSIENT_FAILURE in states, "nobody to be there")
        # A watch, because it is not retried: a retry would also succeed.
        events = asset_service_pb2_grpc.AssetServiceStub(channel).WatchAssets(
            asset_service_pb2.WatchAssetsRequest(), timeout=DEADLINE)
        self._started(programs.Gateway(self.folder / "late"))
        self.assertEqual(next(events).type, common_pb2.RESET)
        events.cancel()


class CppExampleTest(ProgramTest):
    SIMULATOR_FLAGS = ("--asset-delay", "100ms", "--queue-delay", "50ms", "--video-delay", "3s")

    def test_it_follows_a_video_over_a_restart_with_tls_and_a_token(self):
        if not (BIN / "example-follow").exists():
            self.skipTest("the example in C++ is not built here")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "1", "-subj", "/CN=gateway", "-addext", "subjectAltName=DNS:localhost",
             "-keyout", self.folder / "tls.key", "-out", self.folder / "tls.crt"],
            check=True, capture_output=True)
        digest = hashlib.sha256(TOKEN.encode()).hexdigest()
        simulator = self.start_simulator()
        text = config_text(simulator.url, "tls: {certificate: tls.crt, key: tls.key}\n"
                           f"callers: [{{id: example, token_sha256: [{digest}], roles: [WRITER]}}]\n")
        self.write_config(text)
        gateway = self.start_gateway()
        port = gateway.address.rsplit(":", 1)[1]
        # With sanitizers: gRPC's resolver leaks at exit.
        (self.folder / "leaks").write_text("leak:libcares\n")
        follow = self._started(Process(
            "example-follow", f"dns:///localhost:{port}", "seedance-2", "a quiet harbour",
            env={"ASSETGATE_CA": str(self.folder / "tls.crt"), "ASSETGATE_TOKEN": TOKEN,
                 "LSAN_OPTIONS": f"suppressions={self.folder / 'leaks'}:print_suppressions=0"}))
        follow.wait_line(lambda line: line.endswith(": RUNNING"))
        gateway.end()
        follow.wait_line(lambda line: line.endswith("; again"))
        self.write_config(text.replace("listen: 127.0.0.1:0", f"listen: {gateway.address}", 1))
        gateway = self.start_gateway()
        follow.wait_line(lambda line: line.endswith(": SUCCEEDED"))
        self.assertEqual(follow.process.wait(DEADLINE), 0, follow.text)
        self.assertEqual(sum(len(simulator.requests(name, "video.create"))
                             for name in programs.MODELS), 1)


if __name__ == "__main__":
    unittest.main()
