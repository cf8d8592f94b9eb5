"""Runs the release server under callgrind with one persistent connection, and counts its instructions between
two marks.

callgrind runs the whole life of the process, and dumps its counts since the last dump whenever the server
enters MARK (`--dump-before`), the handler of /healthz. So a GET of /healthz is a mark, and the dump after it
covers everything that the process executed between two marks: every thread and every library, but nothing of
the start and of the filling. Work that threads do whenever the clock wakes them (the sweep, the folding of
uses, the watchdog) belongs to no request, and a slow machine has more of it between two marks: still.c,
preloaded, keeps these threads asleep. Rejected alternatives:
- callgrind_control and --instr-atstart=no reach the process through ptrace, from outside and at some moment
  between two instructions. The request itself places a mark, so the same requests give the same count.
- Two processes with N and 2N requests start the server twice for each figure, and the figure includes the
  difference of two starts.
- --toggle-collect of one of our functions leaves out the work of libmicrohttpd and of the writer's thread."""

import re
import socket
import subprocess
from pathlib import Path

from harness.contenders.base import Contender, Unavailable

MARK = "healthz_start"  # in handlers/admin/health.c; its symbol is kept because a table points to it
ANSWER_TIMEOUT_S = 60


class Request:
    """One request as bytes, and its expected answer: a status, and a piece of the body if that says more."""

    def __init__(self, method, target, body=b"", status=200, contains=b"", headers=()):
        lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.bytes = "\r\n".join([*lines, "", ""]).encode() + body
        self.title = f"{method} {target}"
        self.has_body = method != "HEAD"
        self.status = status
        self.contains = contains


class Server(Contender):
    """One event-loop thread; `start` returns once it answers, `stop` ends it and removes its folder."""

    programs = ("valgrind",)

    def __init__(self, setup, binary, backend):
        super().__init__(setup)
        self.binary = binary
        self.backend = backend
        self.dumps = 0
        self.connection = None

    def make_still(self):
        """The library of still.c, which keeps the clock from waking threads."""
        library = self.folder / "still.so"
        made = subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, Path(__file__).with_name("still.c")],
                              capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise Unavailable(f"still.c cannot be compiled: {made.stderr.strip()[-200:]}")
        return library

    def launch_all(self):
        profile = self.folder / "callgrind"
        self.launch(["valgrind", "--quiet", "--tool=callgrind", f"--dump-before={MARK}",
                     f"--callgrind-out-file={profile}", self.binary, "serve"], self.port, {
            "STEADYCACHE_LISTEN": f"127.0.0.1:{self.port}",
            "STEADYCACHE_BACKEND": self.backend,
            "STEADYCACHE_DATA_DIR": str(self.folder / "data"),
            "STEADYCACHE_THREADS": "1",
            "LD_PRELOAD": str(self.make_still()),
        })
        connection = socket.create_connection(("127.0.0.1", self.port), ANSWER_TIMEOUT_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection = connection
        self.answers_file = connection.makefile("rb")

    def stop(self):
        if self.connection:
            self.answers_file.close()
            self.connection.close()
        super().stop()

    def ask(self, request):
        """Sends a request and reads its answer, so that one is in flight at a time. Returns (headers, body)."""
        self.connection.sendall(request.bytes)
        line = self.answers_file.readline()
        if not line:
            raise Unavailable(f"the server ended at {request.title}")
        status, headers = int(line.split()[1]), {}
        while (line := self.answers_file.readline().strip()):
            name, _, text = line.partition(b":")
            headers[name.lower()] = text.strip()
        length = int(headers.get(b"content-length", 0)) if request.has_body and status != 304 else 0
        body = self.answers_file.read(length)
        if status != request.status or request.contains not in body:
            raise Unavailable(f"{request.title} is answered with {status} {body[:300]!r}")
        return headers, body

    def mark(self):
        """Instructions since the previous mark, of all threads. Each count includes the cost of one mark."""
        self.ask(Request("GET", "/healthz"))
        self.dumps += 1
        dump = self.folder / f"callgrind.{self.dumps}"
        if not dump.exists():
            raise Unavailable(f"callgrind knows no function {MARK}: it is the mark (bench/instructions/server.py), "
                              "and the handler of /healthz must have that name")
        summary = re.search(r"^summary: (\d+)$", dump.read_text(errors="replace"), re.MULTILINE)
        dump.unlink()
        return int(summary[1])
