"""Large values: GET and PUT of 64 MiB, kept in a directory, beside nginx sending the same file; and the memory that
5 GB take on their way in and out."""

import hashlib
import os
import shutil
import socket
import time

from .contenders import Steadycache
from .contenders.base import Setup
from .contenders.nginx import Nginx
from .goals import at_least, at_most
from .http_suite import median_of, ratio
from .wrk import Load, run_wrk

MIB = 1 << 20
VALUE_BYTES = 64 * MIB
LONG_BYTES = 5 << 30
QUICK_LONG_BYTES = 300 * MIB
CONNECTIONS = 8
GET_GOAL = 0.8
MEMORY_GOAL_MIB = 64
KEY = "/cache/bench/key-0"


class Large(Steadycache):
    """This server with a directory for large values, on the same disk as its data."""

    def __init__(self):
        super().__init__(Setup(), "sqlite")
        self.title = "dir:"

    def more_environment(self):
        return {"STEADYCACHE_LARGE_VALUES": f"dir:{self.folder / 'large'}", "STEADYCACHE_DEFAULT_MAX_SIZE_MB": "0"}

    def most_memory_bytes(self):
        return max(int(line.split()[1]) << 10 for process in self.processes
                   for line in open(f"/proc/{process.pid}/status", encoding="ascii")
                   if line.startswith("VmHWM:"))


class File(Nginx):
    """nginx, which sends a file on the disk of this server."""

    def __init__(self, file):
        super().__init__(Setup())
        self.file = file
        self.title = "nginx (the same file)"

    def location(self):
        return (f"sendfile on; tcp_nopush on; open_file_cache max=16; root {self.file.parent}; "
                f"rewrite ^ /{self.file.name} break;")


def put(connection, length, pieces):
    """Sends a PUT of `length` bytes; returns the seconds until its answer."""
    began = time.monotonic()
    connection.sendall(f"PUT {KEY} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode())
    for piece in pieces:
        connection.sendall(piece)
    answer = connection.recv(4096)
    if not answer.startswith(b"HTTP/1.1 20"):
        raise RuntimeError(f"a PUT was answered with {answer[:200]}")
    return time.monotonic() - began


def connect(server):
    return socket.create_connection(("127.0.0.1", server.port))


def write_alone(folder, value):
    """The same without a server: the hash of the bytes, and a file of them."""
    began = time.monotonic()
    hashlib.sha256(value).digest()
    with open(folder / "alone", "wb", buffering=0) as file:
        file.write(value)
    return time.monotonic() - began


def gets(server, value, rounds, seconds, say):
    file = server.folder / "public"
    file.mkdir(mode=0o755)
    server.folder.chmod(0o755)  # nginx's workers run as another user
    (file / "value").write_bytes(value)
    nginx = File(file / "value")
    load = Load("get", 1, VALUE_BYTES, connections=CONNECTIONS, seconds=seconds)
    runs = {"nginx": [], "dir": []}
    try:
        nginx.start()
        for number in range(rounds):
            say(f"large: GET, round {number + 1} of {rounds}")
            runs["nginx"].append(run_wrk(nginx, load))
            runs["dir"].append(run_wrk(server, load))
    finally:
        nginx.stop()
        shutil.rmtree(file)
    return [{"what": "GET", "contender": title, "mib_per_s": median_of(runs[name], "rate") * VALUE_BYTES / MIB,
             "cpu_ms_per_mib": median_of(runs[name], "cpu_us") / 1e3 / (VALUE_BYTES / MIB),
             "ratio": ratio(runs[name], runs["nginx"])}
            for name, title in (("nginx", nginx.title), ("dir", server.title))]


def puts(server, value, rounds, say):
    say("large: PUT")
    runs = {"alone": [], "dir": []}
    with connect(server) as connection:
        for _ in range(rounds):
            runs["alone"].append({"rate": 1 / write_alone(server.folder, value)})
            runs["dir"].append({"rate": 1 / put(connection, len(value), [value])})
    return [{"what": "PUT", "contender": title, "mib_per_s": median_of(runs[name], "rate") * VALUE_BYTES / MIB,
             "cpu_ms_per_mib": None, "ratio": ratio(runs[name], runs["alone"])}
            for name, title in (("alone", "hash and file alone"), ("dir", server.title))]


def memory(length, say):
    """The most memory of a server through which `length` bytes went in and out."""
    say(f"large: {length / MIB:,.0f} MiB in and out")
    server = Large()
    piece = os.urandom(MIB)
    try:
        server.start()
        with connect(server) as connection:
            put(connection, length, (piece for _ in range(length // MIB)))
            connection.sendall(f"GET {KEY} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            got = 0
            while data := connection.recv(MIB):
                got += len(data)
        if got < length:
            raise RuntimeError(f"{got} bytes of {length} came back")
        return server.most_memory_bytes()
    finally:
        server.stop()


def run(options, say):
    value = os.urandom(VALUE_BYTES)
    server = Large()
    try:
        server.start()
        with connect(server) as connection:
            put(connection, len(value), [value])
        rows = gets(server, value, options.rounds, options.seconds, say)
        rows += puts(server, value, options.rounds, say)
    finally:
        server.stop()
    length = QUICK_LONG_BYTES if options.quick else LONG_BYTES
    most = memory(length, say)
    goals = [at_least("GET of 64 MiB from dir:, of nginx sending the same file", rows[1]["ratio"]["median"], GET_GOAL),
             at_most(f"{length / MIB:,.0f} MiB in and out, most resident memory", most / MIB, MEMORY_GOAL_MIB, "MiB")]
    return {"rows": rows, "long_bytes": length, "most_memory_bytes": most, "goals": goals}
