"""PUT by clients that send head and body apart, with Nagle's algorithm on, as ccache does (cpp-httplib): the body
leaves the client when the head is acknowledged, which a server's kernel may delay by 40 ms."""

import socket
import statistics
import time

from .contenders import Steadycache
from .contenders.base import Setup, Unavailable
from .contenders.nginx import Nginx
from .goals import at_most

BODY_BYTES = 2800  # an object file of a small source, compressed
PUTS = 20
GOAL_MS = 1


class Dav(Nginx):
    """nginx, which keeps what it is sent as files."""

    title = "nginx (WebDAV)"

    def __init__(self):
        super().__init__(Setup())

    def location(self):
        files = self.folder / "files"
        files.mkdir(exist_ok=True)
        files.chmod(0o777)  # workers run as another user
        self.folder.chmod(0o755)
        return f"root {files}; dav_methods PUT DELETE; create_full_put_path on;"


class Client:
    """One connection, as the system makes it."""

    def __init__(self, server):
        self.connection = socket.create_connection(("127.0.0.1", server.port), 10)

    def close(self):
        self.connection.close()

    def ask(self, *parts):
        """Sends the parts one by one; returns the seconds until the answer has come whole."""
        began = time.perf_counter()
        for part in parts:
            self.connection.sendall(part)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.connection.recv(65536)
        head, body = answer.split(b"\r\n\r\n", 1)
        lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        left = int(lengths[0]) - len(body) if lengths else 0
        while left > 0:
            left -= len(self.connection.recv(65536))
        self.status = int(head[9:12])
        return time.perf_counter() - began

    def put(self, key, in_parts):
        """A miss and then the PUT, as a compiler cache asks."""
        path = f"/cache/bench/{key}"
        self.ask(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head = f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {BODY_BYTES}\r\n\r\n".encode()
        body = b"b" * BODY_BYTES
        seconds = self.ask(head, body) if in_parts else self.ask(head + body)
        if self.status not in (201, 204):
            raise Unavailable(f"a PUT is answered with {self.status}")
        return seconds


def measure(server, name):
    client = Client(server)
    try:
        return {what: statistics.median(client.put(f"{name}-{what}-{number}", what == "apart")
                                        for number in range(PUTS)) for what in ("apart", "one")}
    finally:
        client.close()


def run(options, say):
    runs = {}
    servers = [Dav(), Steadycache(Setup(), "memory"), Steadycache(Setup(), "sqlite")]
    started = []
    try:
        for server in servers:
            try:
                server.start()
                started.append(server)
            except Unavailable as reason:
                say(f"{server.title} is left out: {reason}")
        for number in range(options.rounds):
            say(f"parts: round {number + 1} of {options.rounds}")
            for server in started:
                runs.setdefault(server.title, []).append(measure(server, f"round-{number}"))
    finally:
        for server in servers:
            server.stop()
    rows = [{"contender": title, "apart_us": statistics.median(run["apart"] for run in of_server) * 1e6,
             "one_us": statistics.median(run["one"] for run in of_server) * 1e6}
            for title, of_server in runs.items()]
    goals = [at_most(f"PUT with head and body apart, {row['contender']}", row["apart_us"] / 1e3, GOAL_MS, "ms")
             for row in rows if row["contender"] == "memory"]
    return {"rows": rows, "goals": goals}
