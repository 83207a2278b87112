"""The stores of a run, in which a cluster keeps its state, and their faults."""

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
for data in "$1"/*/data; do
  if read -r pid <"$data/postmaster.pid"; then kill -QUIT "$pid"; fi 2>/dev/null
done
rm -rf "$1"
"""


class Sqlite:
    """A SQLite file in the gateway's folder, for one gateway."""

    # It is the only one.
    LEASE_SECONDS = 0

    def config(self, _):
        return SQLITE

    def close(self):
        pass


class Server:
    """A PostgreSQL server from Debian in a folder of its own. Clients use only its socket: the
    number in the socket's name is not a TCP port."""

    def __init__(self, folder, user, options=()):
        """`user`: the user that runs it, as in pwd; None: the current one."""
        self.folder = folder
        self._user = user
        self._options = options
        self._server = None
        folder.mkdir()
        if user:
            os.chown(folder, user.pw_uid, user.pw_gid)

    def init(self):
        self.run("initdb", "-D", self.folder / "data", "-U", "postgres", "-E", "UTF8",
                 "--locale=C", "--auth=trust", "--no-sync")

    def copy(self, primary):
        """Makes it a standby of `primary`, with the name "standby"."""
        self.run("pg_basebackup", "-D", self.folder / "data", "--no-sync", "-R", "-X", "stream",
                 "-c", "fast", "-d",
                 f"host={primary.folder} user=postgres application_name=standby")

    def start(self, *options):
        with open(self.folder / "log", "ab") as log:
            self._server = subprocess.Popen(
                [_programs() / "postgres", "-D", self.folder / "data", "-k", self.folder,
                 "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=150",
                 *self._options, *options],
                stdout=log, stderr=subprocess.STDOUT, **self._as())
        wait_for(lambda: self._ready() or self.ended, "a PostgreSQL server that answers")
        if self.ended:
            raise AssertionError((self.folder / "log").read_text())

    def stop(self, signum=signal.SIGQUIT):
        """SIGQUIT: a crash; SIGINT: an orderly shutdown, which disconnects all clients."""
        if self._server is not None:
            self._server.send_signal(signum)
            self._server.wait()

    def promote(self):
        """Promotes a standby to the primary."""
        self.run("pg_ctl", "promote", "-D", self.folder / "data")

    def query(self, sql, database="assetgate"):
        """The rows of a statement, each a list of texts."""
        answer = self.run("psql", "-h", self.folder, "-U", "postgres", "-d", database, "-AtqX",
                          "-v", "ON_ERROR_STOP=1", "-c", sql)
        return [line.split("|") for line in answer.splitlines()]

    @property
    def socket(self):
        return self.folder / ".s.PGSQL.5432"

    @property
    def ended(self):
        return self._server is None or self._server.poll() is not None

    def run(self, program, *arguments):
        done = subprocess.run([_programs() / program, *map(str, arguments)], text=True,
                              capture_output=True, check=False, **self._as())
        if done.returncode:
            raise AssertionError(f"{program}: {done.stderr}")
        return done.stdout

    def _ready(self):
        return subprocess.run([_programs() / "pg_isready", "-q", "-h", self.folder],
                              check=False).returncode == 0

    def _as(self):
        if not self._user:
            return {"cwd": self.folder}
        return {"cwd": self.folder, "user": self._user.pw_uid, "group": self._user.pw_gid,
                "extra_groups": []}


class Postgres:
    """A database behind one proxy per gateway, so that a test can cut the network between them.
    `standby`: commits wait for a second server, which `fail_over` promotes. `close` stops all."""

    # Shorter than in production, so that more leases expire within a run.
    LEASE_SECONDS = 5
    # A commit waits until the standby has it.
    SYNCHRONOUS = ("-c", "synchronous_standby_names=standby")

    def __init__(self, gateways, standby=False):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="assetgate-pg-"))
        # Cleans up when its input ends, which it also does when this process is killed.
        self._guard = subprocess.Popen(["sh", "-c", _GUARD, "guard", self.folder],
                                       stdin=subprocess.PIPE, start_new_session=True)
        # PostgreSQL refuses to run as root.
        user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        if user:
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        self.server = Server(self.folder / "first", user)
        self.server.init()
        self.server.start()
        self.server.run("createdb", "-h", self.server.folder, "-U", "postgres", "assetgate")
        self.standby = None
        if standby:
            self.standby = Server(self.folder / "second", user)
            self.standby.copy(self.server)
            self.standby.start()
            self.server.stop(signal.SIGINT)
            self.server.start(*self.SYNCHRONOUS)
            self.await_standby()
        self.proxies = [Proxy(self.server.socket) for _ in range(gateways)]

    def config(self, slot):
        return (f"store: {{postgres: {{lease_duration: {self.LEASE_SECONDS}s, uri: \"postgresql://"
                f"postgres@127.0.0.1:{self.proxies[slot].port}/assetgate?sslmode=disable\"}}}}")

    def start(self):
        self.server.start(*(self.SYNCHRONOUS if self.standby else ()))

    def stop(self, signum=signal.SIGQUIT):
        self.server.stop(signum)

    def query(self, sql):
        return self.server.query(sql)

    def await_standby(self):
        """Waits until the standby confirms commits synchronously."""
        wait_for(lambda: self.server.query(
            "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'", "postgres"),
            "a standby that follows")

    def waiting_for_standby(self):
        """The number of commits that wait for the standby."""
        [[count]] = self.server.query(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'", "postgres")
        return int(count)

    def fail_over(self):
        """The first server dies, and the standby takes its place."""
        self.server.stop(signal.SIGQUIT)
        for proxy in self.proxies:
            proxy.cut()
        self.standby.promote()
        self.server, self.standby = self.standby, None
        wait_for(lambda: self.server.query("SELECT NOT pg_is_in_recovery()") == [["t"]],
                 "a standby that takes writes")
        for proxy in self.proxies:
            proxy.point_to(self.server.socket)
            proxy.forward()

    def close(self):
        for proxy in self.proxies:
            proxy.close()
        for server in (self.server, self.standby):
            if server is not None:
                server.stop()
        self._guard.stdin.close()
        self._guard.wait()


def _programs():
    """The folder of the newest server's programs, which Debian keeps out of PATH."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"),
                   key=lambda path: int(path.parts[-3]))
    if not found:
        raise AssertionError("no PostgreSQL in /usr/lib/postgresql; run deploy/setup.sh")
    return found[-1].parent


class Proxy:
    """Forwards connections to a Unix socket until told otherwise."""

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

    def point_to(self, target):
        """Sets the target of new connections."""
        with self._lock:
            self._target = str(target)

    def cut(self):
        """Closes connections, and new ones at once: a network that rejects them."""
        self._set("cut")
        with self._lock:
            for one in self._open:
                _shut(one)

    def hold(self):
        """Forwards nothing and closes nothing: a network that loses every packet."""
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
                pass  # If one side closes, both are closed.
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
