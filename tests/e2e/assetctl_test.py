#!/usr/bin/env python3
"""assetctl as people use it: each example of its help as written, and its messages when TLS, a
token or a name is wrong. Run by CTest."""

import hashlib
import os
import re
import signal
import subprocess
import unittest

from programs import BIN, DEADLINE, ProgramTest, config_text, video_task_pb2, wait_for

TOKEN = "token-of-a-person-83d1"


def run_assetctl(*words, **env):
    # As in a shell: CTest silences gRPC.
    whole = {name: value for name, value in os.environ.items() if name != "GRPC_VERBOSITY"}
    return subprocess.run([BIN / "assetctl", *words], text=True, stdin=subprocess.DEVNULL, capture_output=True,
                          check=False, timeout=DEADLINE, env={**whole, **env})


def pages_of_help(*words):
    """The help of a command and of its subcommands, as {words: text}."""
    text = run_assetctl(*words, "--help").stdout
    pages = {words: text}
    below = re.search(r"^Subcommands:\n((?:  .*\n)*)", text, re.M)
    for name in re.findall(r"^  (\S+) ", below.group(1), re.M) if below else ():
        pages.update(pages_of_help(*words, name))
    return pages


def examples_in(page):
    """The commands that a page of help shows, with continued lines joined."""
    joined = re.sub(r"\\\n\s*", "", page)
    # Examples are indented; "Usage: assetctl …" is not.
    return re.findall(r"^  (assetctl .*)$", joined, re.M)


class HelpTest(ProgramTest):
    SIMULATOR_FLAGS = ("--asset-delay", "50ms", "--queue-delay", "50ms", "--video-delay", "100ms")
    # (command, exit code, why)
    OTHERWISE = [
        (r"videos cancel", 6, "what is submitted cannot be cancelled at these providers"),
        (r"watch(?!.*--until-settled)", 8, "it would never end; the test gives it half a second"),
    ]
    NOT_RUN = {"assetctl --server gateway.internal:8080 doctor": "there is no such gateway here"}

    def start_world(self, simulator, page):
        """A gateway of its own, with the resources that the examples of the page name."""
        folder = self.folder / re.sub(r"\W+", "-", "-".join(page) or "top")
        folder.mkdir()
        self.folder, whole = folder, self.folder
        self.write_config(config_text(simulator.url))
        gateway = self.start_gateway()
        self.folder = whole
        (folder / "assets.jsonl").write_text('{"source_uri": "https://example.com/b.mp4", "media_type": "VIDEO"}\n')
        return folder, gateway

    def prepare(self, gateway, simulator, examples):
        text = "\n".join(examples)
        env = {"ASSETCTL_SERVER": gateway.address}
        for name, words in (("hero", "assets create https://example.com/hero.png --id hero --provider kyy"),
                            ("voice", "assets create https://example.com/voice.mp3 --id voice --provider kyy"),
                            ("summer", "groups create --id summer")):
            if name in text and f"--id {name}" not in text:
                done = run_assetctl(*words.split(), **env)
                self.assertEqual(done.returncode, 0, done.stderr)
        if "my-video" in text and "videos resolve" not in text:
            self.make_video(gateway, simulator, in_doubt=0)

    def make_video(self, gateway, simulator, in_doubt):
        """videoTasks/my-video with that many submissions in doubt, one after the other."""
        env = {"ASSETCTL_SERVER": gateway.address}
        if in_doubt > 0:
            simulator.fail("zerozero", "video.create", {"kind": "reset", "after_work": True}, times=in_doubt)
        words = "videos create --id my-video --model providers/zerozero/models/seedance-2-0 --prompt x"
        self.assertEqual(run_assetctl(*words.split(), **env).returncode, 0)
        for _ in range(in_doubt - 1):
            self.wait_unconfirmed(gateway)
            done = run_assetctl("videos", "resolve", "my-video", "--not-accepted", "--resubmit", **env)
            self.assertEqual(done.returncode, 0, done.stderr)
        if in_doubt > 0:
            self.wait_unconfirmed(gateway)
        else:
            gateway.settle(["videoTasks/my-video"])

    def wait_unconfirmed(self, gateway):
        def is_unconfirmed():
            found = [event.video_task for event in self.first_events(gateway) if event.video_task.name]
            return found and found[0].state == video_task_pb2.VideoTask.UNCONFIRMED
        wait_for(is_unconfirmed, "the task to be in doubt")

    @staticmethod
    def first_events(gateway):
        stream = gateway.watch_videos(["videoTasks/my-video"])
        events = [next(stream), next(stream)]
        stream.cancel()
        return events

    def run_example(self, folder, gateway, example):
        code = next((code for pattern, code, _ in self.OTHERWISE if re.search(pattern, example)), 0)
        command = example.replace("assetctl ", "assetctl --timeout 500ms ", 1) if code == 8 else example
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, text=True, stdin=subprocess.DEVNULL, capture_output=True,
            check=False, timeout=DEADLINE,
            env={**os.environ, "ASSETCTL_SERVER": gateway.address, "PATH": f"{BIN}:{os.environ['PATH']}"})
        self.assertEqual(done.returncode, code, f"{example}\n{done.stdout}{done.stderr}")

    def test_every_example_of_the_help_works(self):
        simulator = self.start_simulator()
        run = 0
        for page, text in pages_of_help().items():
            examples = [each for each in examples_in(text) if each not in self.NOT_RUN]
            if not examples:
                continue
            folder, gateway = self.start_world(simulator, page)
            self.prepare(gateway, simulator, examples)
            for example in examples:
                with self.subTest(page=" ".join(page), example=example):
                    if "videos resolve" in example:
                        # A settled task cannot be resolved again.
                        gateway.end(signal.SIGKILL)
                        folder, gateway = self.start_world(simulator, (*page, re.sub(r"\W+", "-", example)))
                        self.make_video(gateway, simulator, in_doubt=2 if "--attempt 1" in example else 1)
                    self.run_example(folder, gateway, example)
                    run += 1
            gateway.end(signal.SIGKILL)
        self.assertGreater(run, 35)

    def test_help_has_several_spellings(self):
        for words, shown in ((("help",), ()), (("help", "videos", "create"), ("videos", "create")),
                             (("videos", "help"), ("videos",))):
            self.assertEqual(run_assetctl(*words).stdout, run_assetctl(*shown, "--help").stdout)
        self.assertEqual(run_assetctl("version").stdout, run_assetctl("--version").stdout)


class ConnectionTest(ProgramTest):
    """A failed connection is explained, with the option that mends it."""

    def make_certificate(self, name, subject_names):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
             "-subj", f"/CN={name}", "-addext", f"subjectAltName={subject_names}",
             "-keyout", self.folder / f"{name}.key", "-out", self.folder / f"{name}.crt"],
            check=True, capture_output=True)

    def start_with(self, extra):
        self.write_config(config_text("http://127.0.0.1:1", extra))
        return self.start_gateway()

    def fails_with(self, words, *parts, code=7, **env):
        done = run_assetctl("--timeout", "10s", *map(str, words), **env)
        self.assertEqual(done.returncode, code, done.stderr)
        for part in parts:
            self.assertIn(part, done.stderr)
        # gRPC's own log lines are for its developers: "E1130 12:00:00.123456789 …".
        self.assertNotRegex(done.stderr, r"(?m)^[EIW]\d{4} ")
        self.assertNotIn(TOKEN, done.stderr)

    def test_tls_on_one_side_only_and_unfit_certificates_are_explained(self):
        self.make_certificate("gateway", "DNS:gateway.internal")
        self.make_certificate("other", "DNS:localhost")
        plain = self.start_gateway_in("plain", "")
        tls = self.start_gateway_in("tls", "tls: {certificate: ../gateway.crt, key: ../gateway.key}\n")
        mutual = self.start_gateway_in("mutual", "tls: {certificate: ../other.crt, key: ../other.key, client_ca: "
                                       "../other.crt, client_certificate: REQUIRED}\n")
        port = tls.address.rsplit(":", 1)[1]
        ca, other = self.folder / "gateway.crt", self.folder / "other.crt"
        self.fails_with(["--server", tls.address, "models"], "it uses TLS: pass --ca FILE")
        self.fails_with(["--server", plain.address, "--ca", ca, "models"], "it does not use TLS: leave out --ca")
        self.fails_with(["--server", tls.address, "--ca", other, "models"], "is not signed by the CA that --ca names",
                        "CN=gateway")
        self.fails_with(["--server", tls.address, "--ca", "system", "models"], "a CA that this machine trusts")
        self.fails_with(["--server", f"localhost:{port}", "--ca", ca, "models"],
                        "is for gateway.internal and not for localhost")
        self.fails_with(["--server", f"localhost:{mutual.address.rsplit(':', 1)[1]}", "--ca", other, "models"],
                        "pass --certificate FILE and --key FILE")
        self.make_certificate("stranger", "DNS:stranger")
        self.fails_with(["--server", f"localhost:{mutual.address.rsplit(':', 1)[1]}", "--ca", other, "--certificate",
                         self.folder / "stranger.crt", "--key", self.folder / "stranger.key", "models"],
                        "it rejects the certificate that --certificate names")
        self.fails_with(["--server", "127.0.0.1:1", "models"], "is the gateway running at 127.0.0.1:1?")
        done = run_assetctl("--server", tls.address, "doctor")
        self.assertEqual(done.returncode, 1)
        self.assertIn("it uses TLS", done.stdout)

    def start_gateway_in(self, name, extra):
        whole, self.folder = self.folder, self.folder / name
        self.folder.mkdir()
        try:
            return self.start_with(extra)
        finally:
            self.folder = whole

    def test_an_unauthenticated_user_is_asked_for_a_token(self):
        digest = hashlib.sha256(TOKEN.encode()).hexdigest()
        gateway = self.start_with(f"callers: [{{id: reader, token_sha256: [{digest}], roles: [READER]}}]\n")
        good, bad = self.folder / "good", self.folder / "bad"
        good.write_text(TOKEN)
        bad.write_text("another")
        server = {"ASSETCTL_SERVER": gateway.address}
        self.fails_with(["models"], "pass a credential: --token-file FILE", code=1, **server)
        self.fails_with(["--token-file", bad, "models"], "check --token-file or --certificate", code=1, **server)
        self.fails_with(["--token-file", good, "videos", "cancel", "a"], "operator to allow it", code=1, **server)
        self.assertEqual(run_assetctl("--token-file", str(good), "models", **server).returncode, 0)
        done = run_assetctl("doctor", **server)
        self.assertIn("refuses: ", done.stdout)
        self.assertIn("pass a credential", done.stdout)

    def test_a_token_is_sent_in_clear_text_to_loopback_only(self):
        (self.folder / "token").write_text(TOKEN)
        words = ["--server", "gateway.internal:8080", "--token-file", self.folder / "token", "models"]
        self.fails_with(words, "in clear text; pass --ca FILE", "--insecure", code=2)


if __name__ == "__main__":
    unittest.main()
