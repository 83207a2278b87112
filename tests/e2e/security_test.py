#!/usr/bin/env python3
"""Authentication and authorization: TLS, certificates, tokens, tenants, roles, providers and
limits, with the program as it is shipped. Run by CTest."""

import base64
import hashlib
import http.server
import json
import re
import signal
import subprocess
import threading
import time
import unittest

import grpc

import programs
from programs import (DEADLINE, ProgramTest, asset_pb2, asset_service_pb2,
                      asset_service_pb2_grpc, common_pb2, config_text, detail_of, error_details_pb2,
                      provider_service_pb2_grpc, reason_of, video_service_pb2,
                      video_service_pb2_grpc, video_task_pb2, wait_for)
from assetgate.v1 import provider_service_pb2

TOKENS = {"writer": "token-of-writer-5e1f", "reader": "token-of-reader-77ab",
          "operator": "token-of-operator-c0de", "stranger": "token-of-stranger-91d2",
          "narrow": "token-of-narrow-3f3f", "slow": "token-of-slow-8b1c",
          "few": "token-of-few-6d2e"}


def digest(token):
    return hashlib.sha256(token.encode()).hexdigest()


def callers_text():
    def caller(name, roles, more=""):
        return (f"  - {{id: {name}, token_sha256: [{digest(TOKENS[name])}], roles: [{roles}]{more}}}")
    return "\n".join([
        "callers:",
        caller("writer", "WRITER", ", tenant: studio"),
        caller("reader", "READER", ", tenant: studio"),
        caller("operator", "OPERATOR", ", tenant: studio"),
        caller("stranger", "WRITER, OPERATOR", ", tenant: elsewhere"),
        caller("narrow", "WRITER", ", tenant: studio, providers: [kyy]"),
        caller("slow", "WRITER", ", limits: {requests_per_second: 2, open_streams: 1}"),
        caller("few", "WRITER", ", limits: {unfinished_videos: 2}"), ""])


class Caller:
    """Calls with a token, over a channel."""

    def __init__(self, channel, token=None):
        metadata = (("authorization", f"Bearer {token}"),) if token else ()
        self._options = {"timeout": DEADLINE, "metadata": metadata}
        self.assets = asset_service_pb2_grpc.AssetServiceStub(channel)
        self.videos = video_service_pb2_grpc.VideoServiceStub(channel)
        self.providers = provider_service_pb2_grpc.ProviderServiceStub(channel)

    def create_asset(self, identity, providers=("kyy",), request_id=""):
        return self.assets.CreateAsset(asset_service_pb2.CreateAssetRequest(
            asset_id=identity, request_id=request_id,
            providers=[f"providers/{name}" for name in providers],
            asset=asset_pb2.Asset(source_uri="https://cdn.example.org/x.png",
                                  media_type=common_pb2.IMAGE)), **self._options)

    def get_asset(self, identity):
        return self.assets.GetAsset(
            asset_service_pb2.GetAssetRequest(name=f"assets/{identity}"), **self._options)

    def delete_asset(self, identity):
        return self.assets.DeleteAsset(
            asset_service_pb2.DeleteAssetRequest(name=f"assets/{identity}"), **self._options)

    def list_assets(self):
        return [one.name for one in self.assets.ListAssets(
            asset_service_pb2.ListAssetsRequest(), **self._options).assets]

    def watch_assets(self, token=b""):
        return self.assets.WatchAssets(
            asset_service_pb2.WatchAssetsRequest(resume_token=token), **self._options)

    def snapshot(self, token=b""):
        """(the first event of a watch, the reason of its reset, its token)."""
        names, reason = [], None
        stream = self.watch_assets(token)
        for event in stream:
            if event.type == common_pb2.RESET:
                reason = common_pb2.ResetReason.Name(event.reset_reason)
            elif event.type == common_pb2.PUT:
                names.append(event.asset.name)
            elif event.type == common_pb2.BOOKMARK:
                stream.cancel()
                return names, reason, event.resume_token
        raise AssertionError("it ended")

    def create_video(self, provider=None, model="seedance-2", request_id=""):
        return self.videos.CreateVideoTask(video_service_pb2.CreateVideoTaskRequest(
            request_id=request_id, video_task=video_task_pb2.VideoTask(
                prompt="a cat",
                model=f"providers/{provider}/models/{programs.MODELS[provider]}" if provider
                else model)), **self._options)

    def resolve(self, name):
        return self.videos.ResolveVideoTask(video_service_pb2.ResolveVideoTaskRequest(
            name=name, not_accepted=True), **self._options)

    def import_video(self):
        return self.videos.ImportVideoTask(video_service_pb2.ImportVideoTaskRequest(
            provider="providers/zerozero", provider_task_id="vt-1", model="no-such-model"),
            **self._options)

    def list_providers(self):
        return [one.name for one in self.providers.ListProviders(
            provider_service_pb2.ListProvidersRequest(), **self._options).providers]

    def watch_providers(self):
        return self.providers.WatchProviders(
            provider_service_pb2.WatchProvidersRequest(), **self._options)

    def get_provider(self, name):
        return self.providers.GetProvider(
            provider_service_pb2.GetProviderRequest(name=f"providers/{name}"), **self._options)


class SecurityTest(ProgramTest):
    def start(self, extra):
        simulator = self.start_simulator()
        self.write_config(config_text(simulator.url, extra))
        return simulator, self.start_gateway()

    def refused(self, call, *arguments, code=grpc.StatusCode.PERMISSION_DENIED, reason="NOT_ALLOWED"):
        with self.assertRaises(grpc.RpcError) as raised:
            answer = call(*arguments)
            if hasattr(answer, "__next__"):
                list(answer)
        self.assertEqual(raised.exception.code(), code, raised.exception)
        self.assertEqual(reason_of(raised.exception), reason)
        return raised.exception


    def unknown(self, call, *arguments):
        """Asserts that the call is refused as unauthenticated."""
        return self.refused(call, *arguments, code=grpc.StatusCode.UNAUTHENTICATED,
                            reason="NOT_AUTHENTICATED")


class CallersTest(SecurityTest):
    def setUp(self):
        super().setUp()
        self.simulator, self.gateway = self.start(callers_text())
        for name, token in TOKENS.items():
            setattr(self, name, Caller(self.gateway.channel, token))
        self.nobody = Caller(self.gateway.channel)

    def why(self, *texts):
        return self.gateway.wait_line(
            lambda line: '"message":"refused"' in line and all(text in line for text in texts))

    def test_every_refusal_is_the_same_and_the_log_says_why(self):
        self.writer.create_asset("hero")
        unknown = [
            self.unknown(self.nobody.get_asset, "hero"),
            self.unknown(Caller(self.gateway.channel, "wrong-token-1234").get_asset, "hero"),
            self.unknown(self.nobody.watch_assets),
            self.unknown(self.nobody.watch_providers),
            # Before validation: this name is invalid.
            self.unknown(self.nobody.get_asset, "/////"),
        ]
        self.assertEqual(len({error.details() for error in unknown}), 1)
        refusals = [
            self.refused(self.reader.create_asset, "other"),
            self.refused(self.reader.delete_asset, "hero"),
            self.refused(self.operator.create_asset, "other"),
            self.refused(self.writer.resolve, "videoTasks/x"),
            self.refused(self.writer.import_video),
            self.refused(self.narrow.create_asset, "other", ("kyy", "zerozero")),
        ]
        self.assertEqual(len({error.details() for error in refusals}), 1)
        self.why("GetAsset", "neither a bearer token nor a client certificate")
        self.why("GetAsset", "is not in callers")
        self.why("CreateAsset", 'the caller \\"reader\\" lacks the role WRITER')
        self.why("ResolveVideoTask", "lacks the role OPERATOR")
        self.assertNotIn("wrong-token-1234", self.gateway.text)
        for token in TOKENS.values():
            self.assertNotIn(token, self.gateway.text)

    def test_roles_permit_their_methods_only(self):
        made = self.writer.create_asset("hero")
        self.assertEqual(made.creator, "writer")
        self.assertEqual(self.reader.get_asset("hero").name, "assets/hero")
        self.assertEqual(self.operator.get_asset("hero").name, "assets/hero")
        self.refused(self.operator.resolve, "videoTasks/no", code=grpc.StatusCode.NOT_FOUND,
                     reason="RESOURCE_NOT_FOUND")
        self.refused(self.operator.import_video, code=grpc.StatusCode.NOT_FOUND,
                     reason="RESOURCE_NOT_FOUND")
        self.writer.delete_asset("hero")

    def test_tenants_do_not_see_each_other(self):
        self.writer.create_asset("hero", request_id="r-1")
        absent = self.refused(self.stranger.get_asset, "never", code=grpc.StatusCode.NOT_FOUND,
                              reason="RESOURCE_NOT_FOUND")
        others = self.refused(self.stranger.get_asset, "hero", code=grpc.StatusCode.NOT_FOUND,
                              reason="RESOURCE_NOT_FOUND")
        self.assertEqual(absent.details().replace("never", "hero"), others.details())
        self.refused(self.stranger.delete_asset, "hero", code=grpc.StatusCode.NOT_FOUND,
                     reason="RESOURCE_NOT_FOUND")
        self.assertEqual(self.stranger.list_assets(), [])
        self.assertEqual(self.stranger.snapshot()[0], [])
        # The other tenant may use the same id and request id.
        self.stranger.create_asset("hero", ("zerozero",), request_id="r-1")
        self.stranger.create_asset("second")
        self.assertEqual(sorted(self.stranger.list_assets()), ["assets/hero", "assets/second"])
        self.assertEqual(self.writer.list_assets(), ["assets/hero"])
        # A token of one tenant is void for another.
        names, reason, token = self.writer.snapshot()
        self.assertEqual((names, reason), (["assets/hero"], "FRESH"))
        names, reason, _ = self.stranger.snapshot(token)
        self.assertEqual((sorted(names), reason), (["assets/hero", "assets/second"], "OTHER_FILTER"))

    def test_a_caller_uses_only_its_providers(self):
        self.narrow.create_asset("mine", ("kyy",))
        self.refused(self.narrow.create_asset, "other", ("zerozero",))
        self.refused(self.narrow.create_video, "zerozero")
        self.assertEqual(self.narrow.list_providers(), ["providers/kyy"])
        self.refused(self.narrow.get_provider, "zerozero")
        # Among the targets of a route, only its own.
        task = self.narrow.create_video()
        self.assertEqual({attempt.provider for attempt in task.attempts}, {"providers/kyy"})
        self.assertEqual(len(self.writer.list_providers()), 4)

    def test_a_limited_caller_learns_when_to_retry(self):
        def asks_too_much():
            for _ in range(20):
                try:
                    self.slow.list_assets()
                except grpc.RpcError as error:
                    return error
            raise AssertionError("twenty calls at once were let through")
        error = asks_too_much()
        self.assertEqual(error.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.assertEqual(reason_of(error), "CALLER_LIMIT")
        self.assertGreater(
            detail_of(error, error_details_pb2.RetryInfo).retry_delay.ToMilliseconds(), 0)
        pushback = dict(error.trailing_metadata())["grpc-retry-pushback-ms"]
        self.assertGreater(int(pushback), 0)
        # Other callers are not delayed.
        self.writer.list_assets()

        stream = wait_for(lambda: self._opened(self.slow), "a stream within the limit")
        second = wait_for(lambda: self._limited(self.slow), "a stream beyond the limit")
        self.assertIn("1 watches open", second.details())
        stream.cancel()
        wait_for(lambda: self._opened(self.slow), "a stream once the first has ended")

    def _opened(self, caller):
        stream = caller.watch_assets()
        try:
            next(iter(stream))
            return stream
        except grpc.RpcError:
            return None

    def _limited(self, caller):
        try:
            # All calls of a caller count together, of whatever kind.
            next(iter(caller.watch_providers()))
        except grpc.RpcError as error:
            return error if "watches open" in error.details() else None
        return None

    def test_the_limit_of_unfinished_videos_holds_over_restarts(self):
        self.simulator.control("timing", {"video_delay": "10m"})
        first = self.few.create_video("kyy", request_id="r-1")
        self.few.create_video("kyy")

        def refused():
            error = self.refused(self.few.create_video, "kyy",
                                 code=grpc.StatusCode.RESOURCE_EXHAUSTED, reason="CALLER_LIMIT")
            self.assertIn('"few" has 2 unfinished videos, and its limit is 2', error.details())
            self.assertIn("cancel one", error.details())
            self.assertGreater(
                detail_of(error, error_details_pb2.RetryInfo).retry_delay.ToMilliseconds(), 0)
            self.assertGreater(int(dict(error.trailing_metadata())["grpc-retry-pushback-ms"]), 0)
        refused()
        # Repeated requests are answered; other callers are not limited.
        self.assertEqual(self.few.create_video("kyy", request_id="r-1").name, first.name)
        self.writer.create_video("kyy")
        self.gateway.end(signal.SIGKILL)
        self.gateway = self.start_gateway()
        self.few = Caller(self.gateway.channel, TOKENS["few"])
        refused()
        self.simulator.control(f"videos/{first.attempts[0].provider_task_id}", {"state": "succeed"})
        wait_for(lambda: self._makes_one(self.few), "room for another video")
        refused()

    def _makes_one(self, caller):
        try:
            return caller.create_video("kyy")
        except grpc.RpcError as error:
            self.assertEqual(reason_of(error), "CALLER_LIMIT")
            return None

    def test_callers_change_without_a_restart_and_an_invalid_table_changes_nothing(self):
        text = (self.folder / "assetgate.yaml").read_text()
        self.writer.list_assets()
        self.write_config(text.replace("roles: [WRITER]", "roles: [KING]"))
        self.gateway.process.send_signal(signal.SIGHUP)
        self.gateway.wait_line(lambda line: "config rejected" in line and "roles" in line)
        self.writer.list_assets()
        self.write_config(text.replace(digest(TOKENS["writer"]), digest("next-token"))
                          + "debug: {channelz: true}\n")
        self.gateway.process.send_signal(signal.SIGHUP)
        line = json.loads(self.gateway.wait_line(lambda line: "config reloaded" in line))
        self.assertEqual(line["changed"], "callers[writer].token_sha256")
        line = json.loads(self.gateway.wait_line(lambda line: "needs a restart" in line))
        self.assertEqual(line["fields"], "debug.channelz")
        self.unknown(self.writer.list_assets)
        Caller(self.gateway.channel, "next-token").list_assets()
        # No signal is needed.
        self.write_config(text)

        def let_in():
            try:
                return self.writer.list_assets() is not None
            except grpc.RpcError:
                return False
        wait_for(let_in, "the former table")

    def test_assetctl_sends_its_token(self):
        (self.folder / "token").write_text(TOKENS["writer"] + "\n")
        done = self.run_program("assetctl", "--server", self.gateway.address, "--token-file", "token",
                                "assets", "list")
        self.assertEqual(done.returncode, 0, done.stderr)
        refused = self.run_program("assetctl", "--server", self.gateway.address, "assets", "list")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("NOT_AUTHENTICATED", refused.stderr)


class DebugTest(SecurityTest):
    """Reflection and channelz are for operators."""

    REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
    CHANNELZ = "/grpc.channelz.v1.Channelz/GetServers"
    LIST_SERVICES = b"\x3a\x00"

    def setUp(self):
        super().setUp()
        _, self.gateway = self.start("debug: {reflection: true, channelz: true}\n" + callers_text())

    def ask(self, token, method, *requests):
        metadata = (("authorization", f"Bearer {TOKENS[token]}"),) if token else ()
        return list(self.gateway.channel.stream_stream(method)(
            iter(requests), timeout=DEADLINE, metadata=metadata))

    def test_they_answer_operators_only(self):
        for token in (None, "reader", "writer", "slow"):
            for method in (self.REFLECTION, self.CHANNELZ):
                refused = self.refused if token else self.unknown
                refused(self.ask, token, method, b"")
        self.gateway.wait_line(lambda line: '"message":"refused"' in line and
                               "ServerReflectionInfo" in line and "lacks the role OPERATOR" in line)
        # A call may hold any number of requests.
        answers = self.ask("operator", self.REFLECTION, *[self.LIST_SERVICES] * 20)
        self.assertEqual(len(answers), 20)
        for answer in answers:
            for service in ("AssetService", "VideoService", "ProviderService"):
                self.assertIn(f"assetgate.v1.{service}".encode(), answer)
        self.assertIn(b"CreateVideoTask", self.ask(
            "operator", self.REFLECTION, b"\x22\x19assetgate.v1.VideoService")[0])
        servers = self.ask("operator", self.CHANNELZ, b"")
        self.assertEqual(len(servers), 1)
        self.assertEqual(servers[0][:1], b"\x0a")
        # gRPC's own services report invalid requests.
        with self.assertRaises(grpc.RpcError) as raised:
            self.ask("operator", self.CHANNELZ.replace("GetServers", "GetChannel"), b"\x08\x7f")
        self.assertEqual(raised.exception.code(), grpc.StatusCode.NOT_FOUND)
        for unknown in ("/grpc.channelz.v1.Channelz/Nothing", "/assetgate.v1.VideoService/Nothing"):
            with self.assertRaises(grpc.RpcError) as raised:
                self.ask("operator", unknown, b"")
            self.assertEqual(raised.exception.code(), grpc.StatusCode.UNIMPLEMENTED)

    def test_cancelled_calls_block_nothing(self):
        calls = [self.gateway.channel.stream_stream(self.REFLECTION)(
            iter(lambda: self.LIST_SERVICES, None), timeout=DEADLINE,
            metadata=(("authorization", f"Bearer {TOKENS['operator']}"),)) for _ in range(8)]
        for call in calls:
            next(call)
            call.cancel()
        self.assertEqual(len(self.ask("operator", self.REFLECTION, self.LIST_SERVICES)), 1)
        self.assertEqual(self.gateway.end(), 0)


class AuthorityTest(SecurityTest):
    """Has a CA of its own, and certificates of it."""

    def setUp(self):
        super().setUp()
        self.authority("ca")
        self.certificate("server", "ca", "DNS:localhost,IP:127.0.0.1")
        self.certificate("farm", "ca", "URI:spiffe://prod/ns/render/sa/farm")

    def openssl(self, *arguments):
        subprocess.run(["openssl", *map(str, arguments)], cwd=self.folder, check=True,
                       capture_output=True)

    def authority(self, name):
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                     "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.crt", "-days", "2",
                     "-subj", f"/CN={name}")

    def certificate(self, name, ca, names, days=1):
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                     "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (self.folder / "names").write_text(f"subjectAltName={names}\n")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.crt", "-CAkey", f"{ca}.key",
                     "-CAcreateserial", "-out", f"{name}.crt", "-days", days, "-extfile", "names")

    def read(self, name):
        return (self.folder / name).read_bytes()

    def channel(self, gateway, client=None, ca="ca"):
        credentials = grpc.ssl_channel_credentials(
            self.read(f"{ca}.crt"), *((self.read(f"{client}.key"), self.read(f"{client}.crt"))
                                      if client else ()))
        channel = grpc.secure_channel(gateway.address, credentials,
                                      options=[("grpc.use_local_subchannel_pool", 1)])
        self.addCleanup(channel.close)
        return channel

    CALLERS = ("callers:\n  - {id: farm, roles: [WRITER], certificates: "
               "[\"spiffe://prod/ns/render/sa/farm\"]}\n")

    def tls(self, more=""):
        return f"tls: {{certificate: server.crt, key: server.key{more}}}\n"

    def why(self, gateway, text):
        gateway.wait_line(lambda line: '"message":"TLS handshake failed"' in line and text in line)

    def not_let_in(self, channel):
        self.refused(Caller(channel).list_assets, code=grpc.StatusCode.UNAVAILABLE, reason=None)


class TlsTest(AuthorityTest):
    def test_a_certificate_identifies_the_caller(self):
        _, gateway = self.start(self.tls(", client_ca: ca.crt") + self.CALLERS)
        made = Caller(self.channel(gateway, "farm")).create_asset("hero")
        self.assertEqual(made.creator, "farm")
        # Issued by the CA, but not in the table.
        self.certificate("other", "ca", "URI:spiffe://prod/ns/render/sa/other")
        self.unknown(Caller(self.channel(gateway, "other")).list_assets)
        gateway.wait_line(lambda line: "spiffe://prod/ns/render/sa/other" in line and
                          '"message":"refused"' in line)
        # No certificate, one of another CA, and an expired one.
        self.not_let_in(self.channel(gateway))
        self.why(gateway, "presents no certificate")
        self.authority("evil")
        self.certificate("fake", "evil", "URI:spiffe://prod/ns/render/sa/farm")
        self.not_let_in(self.channel(gateway, "fake"))
        self.why(gateway, "an authority that is not in tls.client_ca")
        self.certificate("late", "ca", "URI:spiffe://prod/ns/render/sa/farm", days=-1)
        self.not_let_in(self.channel(gateway, "late"))
        self.why(gateway, "the client's certificate has expired")
        # And in plain text.
        self.not_let_in(grpc.insecure_channel(gateway.address))
        self.why(gateway, "plain text")

    def test_certificates_can_be_optional(self):
        _, gateway = self.start(
            self.tls(", client_ca: ca.crt, client_certificate: OPTIONAL") + self.CALLERS +
            f"  - {{id: script, roles: [READER], token_sha256: [{digest('s3')}]}}\n")
        self.assertEqual(Caller(self.channel(gateway, "farm")).create_asset("a").creator, "farm")
        self.assertEqual(Caller(self.channel(gateway), "s3").list_assets(), ["assets/a"])
        self.unknown(Caller(self.channel(gateway)).list_assets)

    def test_changed_certificates_are_reloaded(self):
        _, gateway = self.start(self.tls())
        Caller(self.channel(gateway)).list_assets()
        self.authority("next")
        self.certificate("server", "next", "DNS:localhost,IP:127.0.0.1")

        def let_in():
            try:
                Caller(self.channel(gateway, ca="next")).list_assets()
                return True
            except grpc.RpcError:
                return False
        wait_for(let_in, "the new certificate")

    def test_assetctl_uses_tls(self):
        _, gateway = self.start(self.tls(", client_ca: ca.crt") + self.CALLERS)
        done = self.run_program("assetctl", "--server", gateway.address, "--ca", "ca.crt",
                                "--certificate", "farm.crt", "--key", "farm.key", "assets", "list")
        self.assertEqual(done.returncode, 0, done.stderr)

    def check_start(self, extra, *texts):
        simulator = self.start_simulator()
        self.write_config(config_text(simulator.url, extra))
        done = self.run_program("assetgate", "--config", "assetgate.yaml")
        self.assertNotEqual(done.returncode, 0)
        for text in texts:
            self.assertIn(text, done.stderr + done.stdout)

    def test_invalid_certificates_prevent_the_start(self):
        self.check_start("tls: {certificate: not-there.crt, key: server.key}\n",
                         "tls.certificate: the file that it names does not exist")
        self.check_start("tls: {certificate: server.crt, key: farm.key}\n",
                         "tls.key: the file that it names is not the key of the certificate")
        self.certificate("server", "ca", "DNS:localhost", days=-1)
        self.check_start(self.tls(), "tls.certificate: the file that it names expired at")

    def test_plain_text_beyond_loopback_needs_a_setting(self):
        simulator = self.start_simulator()
        self.write_config(config_text(simulator.url).replace("listen: 127.0.0.1:0",
                                                             "listen: 0.0.0.0:0", 1))
        done = self.run_program("assetgate", "--config", "assetgate.yaml")
        self.assertEqual(done.returncode, 2)
        self.assertIn("allow_insecure_listen: true", done.stderr)


class IssuerTest(SecurityTest):
    """Tokens of a Kubernetes cluster, as a projected volume holds them."""

    ISSUER = "https://cluster.example"

    def setUp(self):
        super().setUp()
        self.key = self.make_key("one")

    def make_key(self, name):
        """Makes NAME.pem; returns its public key, as in a JWKS."""
        subprocess.run(["openssl", "genrsa", "-out", f"{name}.pem", "2048"], cwd=self.folder,
                       check=True, capture_output=True)
        modulus = subprocess.run(["openssl", "rsa", "-in", f"{name}.pem", "-noout", "-modulus"],
                                 cwd=self.folder, check=True, capture_output=True,
                                 text=True).stdout.strip().split("=")[1]
        return {"kty": "RSA", "kid": name, "use": "sig", "alg": "RS256", "e": "AQAB",
                "n": self.encode(bytes.fromhex(modulus))}

    def start_with(self, keys, extra="", callers=""):
        """A gateway that accepts tokens of the issuer with these `keys`."""
        _, self.gateway = self.start(
            f"{extra}jwt_issuers:\n  - {{issuer: \"{self.ISSUER}\", audiences: [assetgate], {keys}}}\n"
            f"callers:\n  - {{id: farm, roles: [WRITER], jwts: [{{issuer: \"{self.ISSUER}\", "
            "subject: \"system:serviceaccount:render:farm\"}]}\n" + callers)

    @staticmethod
    def encode(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    def token(self, header=None, key="one", **claims):
        body = {"iss": self.ISSUER, "aud": ["assetgate"], "exp": time.time() + 600,
                "sub": "system:serviceaccount:render:farm", **claims}
        text = ".".join(self.encode(json.dumps(part).encode())
                        for part in ({"alg": "RS256", "kid": key, **(header or {})}, body))
        (self.folder / "text").write_text(text)
        signature = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", f"{key}.pem", "text"], cwd=self.folder,
            check=True, capture_output=True).stdout
        return f"{text}.{self.encode(signature)}"


class JwtTest(IssuerTest):
    def test_a_service_account_is_a_caller(self):
        (self.folder / "jwks.json").write_text(json.dumps({"keys": [self.key]}))
        self.start_with("jwks_file: jwks.json")
        token = self.token()
        self.assertEqual(Caller(self.gateway.channel, token).create_asset("hero").creator, "farm")
        for why, bad in {
                "expired at": self.token(exp=time.time() - 600),
                "valid from": self.token(nbf=time.time() + 600),
                "audience": self.token(aud="somebody"),
                'alg \\"none\\"': self.token(header={"alg": "none"}),
                "is not in callers": self.token(sub="system:serviceaccount:render:other"),
                "jwt_issuers": self.token(iss="https://evil.example"),
                "is not complete": token[:40] + "." + token[41:60] + ".x",
                "invalid signature": token[:-20] + "A" * 20,
        }.items():
            with self.subTest(why):
                self.unknown(Caller(self.gateway.channel, bad).list_assets)
                self.gateway.wait_line(lambda line, why=why: '"message":"refused"' in line and
                                       why in line)
                self.assertNotIn(bad, self.gateway.text)


class KeyServer:
    """An issuer's endpoint on loopback: sends `answer`, or nothing."""

    def __init__(self):
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.seen.append((self.path, self.headers.get("Authorization")))
                status, body = server.answer
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.seen = []
        self.answer = (503, b"")
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/keys"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def publish(self, *keys):
        self.answer = (200, json.dumps({"keys": keys}).encode())

    def end(self):
        self._server.shutdown()
        self._server.server_close()


class FetchedKeysTest(IssuerTest):
    SECRET = "token-of-gateway-2a9d"

    def setUp(self):
        super().setUp()
        self.keys = KeyServer()
        self.addCleanup(self.keys.end)
        (self.folder / "token").write_text(self.SECRET)

    def lets_in(self, token):
        try:
            Caller(self.gateway.channel, token).list_assets()
            return True
        except grpc.RpcError as error:
            # Without keys no token can be verified; the caller is not at fault.
            self.assertEqual(reason_of(error), "ISSUER_KEYS_UNAVAILABLE")
            self.assertEqual(error.code(), grpc.StatusCode.UNAVAILABLE)
            self.assertEqual(dict(error.trailing_metadata())["grpc-retry-pushback-ms"], "1000")
            return False

    def test_keys_may_come_late_may_change_and_outlive_the_endpoint(self):
        self.start_with(f"jwks_url: \"{self.keys.url}\", token_file: token")
        token = self.token()
        self.gateway.wait_line(lambda line: "keys of a JWT issuer" in line and "HTTP 503" in line)
        self.assertFalse(self.lets_in(token))
        self.keys.publish(self.key)
        wait_for(lambda: self.lets_in(token), "the keys")
        # An unknown key is fetched when a token names it, unless keys were just fetched.
        self.keys.publish(self.make_key("two"))
        fetched = len(self.keys.seen)

        def rotated():
            try:
                Caller(self.gateway.channel, self.token(key="two")).list_assets()
                return True
            except grpc.RpcError as error:
                self.assertIn(reason_of(error), ("ISSUER_KEYS_UNAVAILABLE", "NOT_AUTHENTICATED"))
                return False
        wait_for(rotated, "the new key")
        self.assertLessEqual(len(self.keys.seen) - fetched, 2)
        self.unknown(Caller(self.gateway.channel, token).list_assets)
        self.keys.answer = (200, b"garbage")
        self.assertTrue(self.lets_in(self.token(key="two")))

        self.assertEqual(set(self.keys.seen), {("/keys", f"Bearer {self.SECRET}")})
        wait_for(lambda: re.search(
            r'issuer_keys_fetch_timestamp_seconds\{issuer="https://cluster.example"\} 1[.0-9e+]+',
            self.gateway.page("/metrics")), "when they were fetched")
        for secret in (self.SECRET, token):
            self.assertNotIn(secret, self.gateway.text)

    def test_the_doctor_fetches_the_keys(self):
        self.start_with(f"jwks_url: \"{self.keys.url}\"")
        self.keys.publish(self.key)
        done = self.run_program("assetgate", "--config", "assetgate.yaml", "--doctor")
        self.assertIn("issuer https://cluster.example: keys: can be fetched: 1 for signatures",
                      done.stdout)


class SecretsTest(AuthorityTest, IssuerTest):
    """A gateway sees every kind of credential, and none appears in any output."""

    def attempt(self, channel, token):
        """The answer to the caller, as bytes."""
        caller = Caller(channel, token)
        seen = []
        for call in (lambda: caller.create_asset("hero"), lambda: caller.create_video("kyy"),
                     lambda: caller.get_asset("nope"), lambda: next(caller.watch_assets())):
            try:
                seen.append(call().SerializeToString())
            except grpc.RpcError as error:
                seen.append(str(error.details()).encode())
                seen += [value if isinstance(value, bytes) else value.encode()
                         for _, value in error.trailing_metadata() or ()]
        return seen

    def test_no_secret_of_callers_is_in_any_output(self):
        keys = KeyServer()
        self.addCleanup(keys.end)
        keys.publish(self.key)
        own = "token-of-gateway-2a9d"
        (self.folder / "token").write_text(own)
        self.start_with(
            f"jwks_url: \"{keys.url}\", token_file: token",
            self.tls(", client_ca: ca.crt, client_certificate: OPTIONAL") +
            "log: {level: debug}\ndebug: {reflection: true}\n",
            f"  - {{id: script, roles: [WRITER], token_sha256: [{digest(TOKENS['writer'])}]}}\n"
            "  - {id: pod, roles: [READER], certificates: [\"spiffe://prod/ns/render/sa/farm\"]}\n")
        wait_for(lambda: keys.seen, "the keys")
        good = self.token()
        shown = [TOKENS["writer"], "wrong-token-6f6f", good, self.token(exp=1), self.token(aud="x"),
                 self.token(header={"kid": "made-up"}), good[:-9] + "AAAAAAAAA"]
        seen = []
        for client in (None, "farm"):
            for token in (*shown, None):
                seen += self.attempt(self.channel(self.gateway, client), token)
        self.write_config((self.folder / "assetgate.yaml").read_text().replace("[READER]", "[KING]"))
        self.gateway.process.send_signal(signal.SIGHUP)
        self.gateway.wait_line(lambda line: "config rejected" in line)
        seen += [self.gateway.page(path).encode() for path in ("/readyz", "/metrics")]
        self.assertEqual(self.gateway.end(), 0)
        seen.append(self.gateway.text.encode())
        seen += [path.read_bytes() for path in self.folder.glob("assetgate.db*")]
        self.assertEqual(list(self.folder.glob("*core*")), [])
        self.assertTrue(any(b"CreateAsset" in what for what in seen))

        secrets = [own, *shown, *(token.rsplit(".", 1)[1] for token in shown if "." in token)]
        for name in ("server.key", "farm.key", "one.pem"):
            lines = self.read(name).decode().splitlines()[1:-1]
            # As PEM, and decoded, without the prefix that all keys share.
            key = base64.b64decode("".join(lines))
            secrets += [lines[0], *(key[at:at + 32] for at in range(36, len(key) - 31, 32))]
        for secret in secrets:
            secret = secret.encode() if isinstance(secret, str) else secret
            for what in seen:
                self.assertNotIn(secret, what)


if __name__ == "__main__":
    unittest.main()
