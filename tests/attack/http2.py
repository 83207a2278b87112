"""The parts of HTTP/2 that misuse needs: frames, header blocks, and a connection that enforces no
rule unless asked to."""

import socket
import ssl
import struct
import threading

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    0x0, 0x1, 0x3, 0x4, 0x6, 0x7, 0x8, 0x9)
ACK = END_STREAM = 0x1
END_HEADERS = 0x4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# The initial window of a connection and of each of its streams.
INITIAL_WINDOW = 65535


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _text(value):
    value = value if isinstance(value, bytes) else value.encode()
    if len(value) < 127:
        return bytes([len(value)]) + value
    rest, octets = len(value) - 127, [127]
    while rest >= 128:
        octets.append(rest % 128 + 128)
        rest //= 128
    return bytes(octets + [rest]) + value


def field(name, value):
    """A header field that is never indexed (RFC 7541, 6.2.3)."""
    return b"\x10" + _text(name) + _text(value)


def call_headers(path, *more):
    """The header block of a gRPC call."""
    return (b"\x83\x86" + field(":path", path) + field(":authority", "localhost") +
            field("content-type", "application/grpc") + field("te", "trailers") +
            b"".join(field(*each) for each in more))


class Connection:
    """Sends raw frames. A thread of its own reads, so that unread answers never block the peer."""

    def __init__(self, address, acknowledges=True, tls=None):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self._acknowledges = acknowledges
        self._sending = threading.Lock()
        self.opened = threading.Condition()
        # The open send window by stream; 0 is the connection.
        self.windows = {0: INITIAL_WINDOW}
        self.stream_window = INITIAL_WINDOW
        self.closed = False
        # Received frames, counted by type.
        self.seen = {}
        self.send(PREFACE + frame(SETTINGS, 0, 0))
        threading.Thread(target=self._read, daemon=True).start()

    def send(self, data):
        """Returns False if the peer has closed."""
        if self.closed:
            return False
        try:
            with self._sending:
                self.socket.sendall(data)
            return True
        except OSError:
            self._lost()
            return False

    def take_window(self, stream, wanted, timeout):
        """How many of `wanted` bytes the window of a stream permits; waits for the first."""
        def room():
            return min(wanted, self.windows[0], self.windows.get(stream, self.stream_window))
        with self.opened:
            self.opened.wait_for(lambda: self.closed or room() > 0, timeout)
            size = 0 if self.closed else max(0, room())
            self.windows[0] -= size
            self.windows[stream] = self.windows.get(stream, self.stream_window) - size
            return size

    def close(self):
        self._lost()
        self.socket.close()

    def _lost(self):
        with self.opened:
            self.closed = True
            self.opened.notify_all()

    def _read(self):
        held = b""
        while True:
            try:
                data = self.socket.recv(1 << 16)
            except (OSError, ssl.SSLError, ValueError):
                data = b""
            if not data:
                return self._lost()
            held += data
            at = 0
            while len(held) - at >= 9:
                size = int.from_bytes(held[at:at + 3], "big")
                if len(held) - at < 9 + size:
                    break
                kind, flags, stream = struct.unpack(">BBI", held[at + 3:at + 9])
                self._take(kind, flags, stream & 0x7fffffff, held[at + 9:at + 9 + size])
                at += 9 + size
            held = held[at:]

    def _take(self, kind, flags, stream, payload):
        with self.opened:
            self.seen[kind] = self.seen.get(kind, 0) + 1
            if kind == WINDOW_UPDATE:
                more = int.from_bytes(payload, "big") & 0x7fffffff
                self.windows[stream] = self.windows.get(stream, self.stream_window) + more
            elif kind == SETTINGS and not flags & ACK:
                for at in range(0, len(payload), 6):
                    name, value = struct.unpack(">HI", payload[at:at + 6])
                    if name == 0x4:
                        self.stream_window = value
            self.opened.notify_all()
        if kind == SETTINGS and not flags & ACK and self._acknowledges:
            self.send(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK and self._acknowledges:
            self.send(frame(PING, ACK, 0, payload))
