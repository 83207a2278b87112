#!/usr/bin/env python3
"""Files that break, block or disappear while a gateway serves: the former content stays in force,
the log reports it, a mended file needs no restart, and signals are handled. With the program as it
is shipped. Run by CTest."""

import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import unittest
import urllib.error

import grpc

import programs
from programs import DEADLINE, KEY, MODELS, config_text, reason_of, wait_for
from security_test import AuthorityTest, Caller, IssuerTest

NOBODY = 65534


class UserGateway(programs.Gateway):
    """A gateway under a user whom file permissions restrict."""

    USER = None


def unprivileged():
    """The id of a user without privileges for programs of root; None where there is no need or way."""
    if os.geteuid() != 0:
        return None
    tried = subprocess.run([programs.BIN / "assetgate", "--version"], user=NOBODY, check=False,
                           capture_output=True)
    return NOBODY if tried.returncode == 0 else None


class Broken:
    """The ways in which a file breaks. Each takes the path and the former content."""

    @staticmethod
    def missing(_path, _content):
        pass

    @staticmethod
    def empty(path, _content):
        path.write_bytes(b"")

    @staticmethod
    def cut_in_half(path, content):
        path.write_bytes(content[:len(content) // 2])

    @staticmethod
    def garbage(path, _content):
        path.write_bytes(b"\x00\x80garbage{\n" * 100)

    @staticmethod
    def a_directory(path, _content):
        path.mkdir()

    @staticmethod
    def a_fifo(path, _content):
        os.mkfifo(path, 0o644)

    @staticmethod
    def a_device(path, _content):
        path.symlink_to("/dev/zero")

    @staticmethod
    def without_rights(path, content):
        path.write_bytes(content)
        path.chmod(0)


KINDS = [kind for name, kind in vars(Broken).items() if isinstance(kind, staticmethod)]


class FilesTest(AuthorityTest, IssuerTest):
    # The setting that names each file; the config itself has none.
    FILES = {
        "assetgate.yaml": "",
        "kyy.key": f"providers[{list(MODELS).index('kyy')}].credential.api_key",
        "server.crt": "tls.certificate",
        "server.key": "tls.key",
        "ca.crt": "tls.client_ca",
        "jwks.json": "jwt_issuers[0].jwks_file",
        "issuer.ca": "jwt_issuers[1].ca_file",
        "issuer.token": "jwt_issuers[1].token_file",
    }
    # Half of such a file is valid as well.
    GOOD = {("cut_in_half", "kyy.key"), ("cut_in_half", "issuer.token"),
            ("cut_in_half", "assetgate.yaml")}

    def setUp(self):
        super().setUp()
        shutil.copy(self.folder / "ca.crt", self.folder / "issuer.ca")
        (self.folder / "issuer.token").write_text("token-of-gateway-2a9d")
        (self.folder / "kyy.key").write_text(KEY + "\n")
        (self.folder / "jwks.json").write_text(json.dumps({"keys": [self.key]}))
        simulator = self.start_simulator()
        text = config_text(simulator.url, self.tls(", client_ca: ca.crt, client_certificate: OPTIONAL") +
                           "jwt_issuers:\n"
                           f"  - {{issuer: \"{self.ISSUER}\", audiences: [assetgate], jwks_file: jwks.json}}\n"
                           "  - {issuer: \"https://fetched.example\", audiences: [assetgate],\n"
                           "     jwks_url: \"http://127.0.0.1:9/\", ca_file: issuer.ca, token_file: issuer.token}\n"
                           "callers:\n"
                           f"  - {{id: farm, roles: [WRITER], jwts: [{{issuer: \"{self.ISSUER}\", "
                           "subject: \"system:serviceaccount:render:farm\"}]}\n")
        # The third provider.
        before, after = text.split("/kyy\", credential: {api_key: {env: E2E_KEY}}")
        self.write_config(f"{before}/kyy\", credential: {{api_key: {{file: kyy.key}}}}{after}")
        self.caller_token = self.token()
        self.whole = {name: (self.folder / name).read_bytes() for name in self.FILES}
        user = unprivileged()
        UserGateway.USER = user
        self.rights_count = os.geteuid() != 0 or user is not None
        self.give()
        self.gateway = self._started(UserGateway(self.folder))
        self.shown = self.certificate_shown()

    def give(self):
        """Gives all files to the user of the gateway."""
        if UserGateway.USER is not None:
            for path in (self.folder, *self.folder.iterdir()):
                os.chown(path, UserGateway.USER, UserGateway.USER)

    def certificate_shown(self):
        host, port = self.gateway.address.rsplit(":", 1)
        return ssl.get_server_certificate((host, int(port)), timeout=DEADLINE)

    def put(self, name, content):
        """Replaces the file by a new one with this content."""
        following = self.folder / f"{name}.following"
        following.write_bytes(content)
        if UserGateway.USER is not None:
            os.chown(following, UserGateway.USER, UserGateway.USER)
        if (self.folder / name).is_dir():
            (self.folder / name).rmdir()
        os.replace(following, self.folder / name)

    @staticmethod
    def remove(path):
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)

    def read_again(self):
        """Reloads all files, and returns the message and the details of the log."""
        before = len(self.gateway.lines)
        self.gateway.process.send_signal(signal.SIGHUP)

        def said():
            lines = [json.loads(line) for line in self.gateway.text.split("\n")[before:]
                     if line.startswith("{")]
            return [line for line in lines if line["message"].startswith("config ")]
        lines = wait_for(said, "what became of the config")
        return lines[0]["message"], "\n".join(line.get("detail", "") for line in lines)

    def serves_as_before(self):
        """New connections still get the former certificate, and the former keys verify tokens."""
        self.assertEqual(self.certificate_shown(), self.shown)
        channel = grpc.secure_channel(
            self.gateway.address, grpc.ssl_channel_credentials(self.whole["ca.crt"]),
            options=[("grpc.use_local_subchannel_pool", 1)])
        Caller(channel, self.caller_token).list_assets()
        channel.close()

    def test_a_broken_file_leaves_the_former_content_in_force(self):
        for name, key in self.FILES.items():
            for kind in KINDS:
                what = kind.__name__
                if (what, name) in self.GOOD:
                    continue
                with self.subTest(file=name, what=what):
                    if what == "without_rights" and not self.rights_count:
                        self.skipTest("root may read everything, and nobody else can run this program")
                    self.remove(self.folder / name)
                    kind(self.folder / name, self.whole[name])
                    message, detail = self.read_again()
                    self.assertEqual(message, "config rejected; keeping the current one")
                    self.assertIn(f"{key}: " if key else "assetgate.yaml:1: ", detail)
                    self.serves_as_before()
                    self.put(name, self.whole[name])
                    message, _ = self.read_again()
                    self.assertEqual(message, "config reloaded")
        self.serves_as_before()
        self.assertNotIn(KEY, self.gateway.text)
        self.assertNotIn("token-of-gateway", self.gateway.text)

    def test_an_unfit_file_is_rejected_and_a_new_key_pair_is_adopted(self):
        self.authority("next")
        self.certificate("new", "next", "DNS:localhost,IP:127.0.0.1")
        pair = {end: (self.folder / f"new.{end}").read_bytes() for end in ("crt", "key")}
        # As `cp` does: one file after the other.
        self.put("server.crt", pair["crt"])
        message, detail = self.read_again()
        self.assertEqual(message, "config rejected; keeping the current one")
        self.assertIn("tls.key: the file that it names is not the key of the certificate", detail)
        self.serves_as_before()
        (self.folder / "server.key").write_bytes(pair["key"])
        self.assertEqual(self.read_again()[0], "config reloaded")
        self.assertIn(self.certificate_shown().strip(), pair["crt"].decode())
        # Restored by rename, as a careful rotation does.
        for end in ("crt", "key"):
            (self.folder / f"server.{end}.next").write_bytes(self.whole[f"server.{end}"])
            os.chmod(self.folder / f"server.{end}.next", 0o644)
            os.replace(self.folder / f"server.{end}.next", self.folder / f"server.{end}")
        self.assertEqual(self.read_again()[0], "config reloaded")
        self.serves_as_before()
        # A config without callers would admit every client.
        self.put("assetgate.yaml", self.whole["assetgate.yaml"].split(b"jwt_issuers:")[0])
        message, detail = self.read_again()
        self.assertEqual(message, "config rejected; keeping the current one")
        self.assertIn("callers: ", detail)

    def test_a_file_that_is_only_touched_changes_nothing(self):
        for name in self.FILES:
            for i in range(1000):
                os.utime(self.folder / name, (i, i))
        before = len(self.gateway.lines)
        self.assertEqual(self.read_again()[0], "config reloaded")
        said = [line for line in self.gateway.text.split("\n")[before:]
                if '"message":"config reloaded"' in line]
        self.assertIn('"changed":"nothing"', said[0])

    def test_a_change_is_seen_without_a_signal_and_logged_once(self):
        self.put("server.key", b"")
        self.gateway.wait_line(lambda line: '"message":"config rejected' in line)
        self.put("server.key", self.whole["server.key"])
        self.assertEqual(self.read_again()[0], "config reloaded")
        self.assertEqual(self.gateway.text.count('"message":"config rejected'), 1)

    def test_signals_are_answered_when_every_file_blocks(self):
        for name in self.FILES:
            self.remove(self.folder / name)
            os.mkfifo(self.folder / name, 0o644)
        for _ in range(3):
            self.assertEqual(self.read_again()[0], "config rejected; keeping the current one")
        self.serves_as_before()
        self.assertEqual(self.gateway.end(signal.SIGTERM), 0)

    def test_check_config_finds_what_would_prevent_a_start(self):
        for name, what in (("server.crt", "missing"), ("server.crt", "cut_in_half"),
                           ("server.key", "empty"), ("ca.crt", "garbage"), ("jwks.json", "a_fifo"),
                           ("kyy.key", "a_device")):
            with self.subTest(file=name, what=what):
                self.remove(self.folder / name)
                getattr(Broken, what)(self.folder / name, self.whole[name])
                checked = self.run_program("assetgate", "--check-config", "assetgate.yaml")
                self.assertEqual(checked.returncode, 2, checked.stdout)
                line = rf"assetgate\.yaml:\d+: {re.escape(self.FILES[name])}: "
                self.assertRegex(checked.stderr, "^" + line)
                examined = self.run_program("assetgate", "--config", "assetgate.yaml", "--doctor")
                self.assertEqual(examined.returncode, 1, examined.stdout)
                self.assertRegex(examined.stdout, "FAILED   config: " + line)
                self.put(name, self.whole[name])
        self.certificate("server", "ca", "DNS:localhost", days=-1)
        self.give()
        checked = self.run_program("assetgate", "--check-config", "assetgate.yaml")
        self.assertEqual(checked.returncode, 2)
        self.assertIn("tls.certificate: the file that it names expired at ", checked.stderr)
        examined = self.run_program("assetgate", "--config", "assetgate.yaml", "--doctor")
        self.assertIn("the file that it names expired at ", examined.stdout)
        message, detail = self.read_again()
        self.assertEqual(message, "config rejected; keeping the current one")
        self.assertIn("expired at ", detail)
        self.serves_as_before()


class StoreFilesTest(programs.ProgramTest):
    def readyz(self):
        try:
            return 200, self.gateway.page("/readyz")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def test_no_create_is_acknowledged_once_the_store_is_gone(self):
        _, self.gateway = self.start_both()
        self.gateway.create_asset("https://cdn.example.org/a.png", ["kyy"])
        self.assertEqual(self.readyz()[0], 200)
        (self.folder / "assetgate.db").unlink()
        with self.assertRaises(grpc.RpcError) as raised:
            self.gateway.create_asset("https://cdn.example.org/b.png", ["kyy"])
        self.assertIn(reason_of(raised.exception), ("STORE_UNAVAILABLE", "COMMIT_UNKNOWN"))
        status, text = wait_for(lambda: (page := self.readyz())[0] == 503 and page, "it is not ready")
        self.assertIn("assetgate.db was deleted", text)
        self.assertEqual(status, 503)
        self.gateway.wait_line(lambda line: "the store has lost its files" in line)
        self.assertEqual(self.gateway.end(), 0)

    def test_a_second_gateway_is_refused_even_without_the_lock_file(self):
        _, self.gateway = self.start_both()
        (self.folder / "assetgate.db.lock").unlink()
        second = self.run_program("assetgate", "--config", "assetgate.yaml")
        self.assertEqual(second.returncode, 1, second.stdout)
        self.assertIn(f"in use by process {self.gateway.process.pid}", second.stderr)
        self.gateway.create_asset("https://cdn.example.org/a.png", ["kyy"])


if __name__ == "__main__":
    unittest.main()
