"""Stores of a run: what the gateways of a cluster keep their state in, and what can go wrong with it."""

import os
import pathlib
import pwd
import select
import signal
import socket
import subprocess
import tempfile
import threading

from programs import SQLITE, wait_for


_GUARD = """
read -r _
if read -r pid <"$1/data/postmaster.pid"; then kill -QUIT "$pid"; fi 2>/dev/null
rm -rf "$1"
"""


class Sqlite:
    """A file in the gateway's folder, for one gateway."""

    # It is the only one.
    LEASE_SECONDS = 0

    def config(self, _):
        return SQLITE

    def close(self):
        pass


class Postgres:
    """A server of Debian's PostgreSQL with its own data, behind one proxy per gateway, so that the
    network between a gateway and the database can be cut. `close` takes it all down."""

    # Shorter than in production, so that more of them end within a run.
    LEASE_SECONDS = 5

    def __init__(self, gateways):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="assetgate-pg-"))
        # Cleans up when its input ends, which it also does when this process is killed.
        self._guard = subprocess.Popen(["sh", "-c", _GUARD, "guard", self.folder],
                                       stdin=subprocess.PIPE, start_new_session=True)
        self._server = None
        # It does not run as root.
        self._user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        if self._user:
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        self._run("initdb", "-D", self.folder / "data", "-U", "postgres", "-E", "UTF8",
                  "--locale=C", "--auth=trust", "--no-sync")
        self.start()
        self._run("createdb", "-h", self.folder, "-U", "postgres", "assetgate")
        self.proxies = [Proxy(self._socket) for _ in range(gateways)]

    def config(self, slot):
        return (f"store: {{postgres: {{lease_duration: {self.LEASE_SECONDS}s, uri: \"postgresql://"
                f"postgres@127.0.0.1:{self.proxies[slot].port}/assetgate?sslmode=disable\"}}}}")

    def start(self):
        # Only its socket is used: the number in its name is nobody's port.
        with open(self.folder / "log", "ab") as log:
            self._server = subprocess.Popen(
                [_programs() / "postgres", "-D", self.folder / "data", "-k", self.folder,
                 "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=150"],
                stdout=log, stderr=subprocess.STDOUT, **self._as())
        wait_for(lambda: self._ready() or self._ended(), "a PostgreSQL server that answers")
        if self._ended():
            raise AssertionError((self.folder / "log").read_text())

    def stop(self, signum=signal.SIGQUIT):
        """SIGQUIT: as a crash; SIGINT: an orderly end, which throws all clients out."""
        self._server.send_signal(signum)
        self._server.wait()

    def query(self, sql):
        """The rows of a statement, each a list of texts."""
        answer = self._run("psql", "-h", self.folder, "-U", "postgres", "-d", "assetgate", "-AtqX",
                           "-v", "ON_ERROR_STOP=1", "-c", sql)
        return [line.split("|") for line in answer.splitlines()]

    def close(self):
        for proxy in self.proxies:
            proxy.close()
        self.stop()
        self._guard.stdin.close()
        self._guard.wait()

    @property
    def _socket(self):
        return self.folder / ".s.PGSQL.5432"

    def _ready(self):
        return subprocess.run([_programs() / "pg_isready", "-q", "-h", self.folder],
                              check=False).returncode == 0

    def _ended(self):
        return self._server.poll() is not None

    def _as(self):
        if not self._user:
            return {"cwd": self.folder}
        return {"cwd": self.folder, "user": self._user.pw_uid, "group": self._user.pw_gid,
                "extra_groups": []}

    def _run(self, program, *arguments):
        done = subprocess.run([_programs() / program, *map(str, arguments)], text=True,
                              capture_output=True, check=False, **self._as())
        if done.returncode:
            raise AssertionError(f"{program}: {done.stderr}")
        return done.stdout


def _programs():
    """Where the newest server's programs are: Debian keeps them out of PATH."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"),
                   key=lambda path: int(path.parts[-3]))
    if not found:
        raise AssertionError("no PostgreSQL in /usr/lib/postgresql; run deploy/setup.sh")
    return found[-1].parent


class Proxy:
    """Forwards connections to a Unix socket, or does not."""

    def __init__(self, target):
        self._target = str(target)
        self._lock = threading.Lock()
        self._open = set()
        self._mode = "forward"
        self._changed = threading.Condition(self._lock)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def forward(self):
        self._set("forward")

    def cut(self):
        """Connections end, and new ones too: as a network that says no."""
        self._set("cut")
        with self._lock:
            for one in self._open:
                _shut(one)

    def hold(self):
        """Nothing goes through, and nobody is told: as a network that loses every packet."""
        self._set("hold")

    def close(self):
        self.cut()
        self._set("closed")
        _shut(self._listener)
        self._listener.close()

    def _set(self, mode):
        with self._changed:
            self._mode = mode
            self._changed.notify_all()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # Closed.
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        server = socket.socket(socket.AF_UNIX)
        with client, server:
            with self._lock:
                if self._mode in ("cut", "closed"):
                    return
                self._open.update((client, server))
            try:
                server.connect(self._target)
                self._pump(client, server)
            except OSError:
                pass  # An end of one side is the end of both.
            finally:
                with self._lock:
                    self._open.difference_update((client, server))

    def _pump(self, client, server):
        while True:
            for ready in select.select((client, server), (), ())[0]:
                data = ready.recv(1 << 16)
                with self._changed:
                    self._changed.wait_for(lambda: self._mode != "hold")
                    if self._mode != "forward":
                        return
                if not data:
                    return
                (server if ready is client else client).sendall(data)


def _shut(one):
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # It has ended by itself.
