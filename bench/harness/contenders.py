"""What is measured: each contender is a process on a free port of loopback, with a folder of its own."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
NAMESPACE = "bench"
LOAD_BATCH = 500


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def processes_of(pid):
    """The process and its children (nginx has workers)."""
    found = [pid]
    for thread in Path(f"/proc/{pid}/task").iterdir():
        children = (thread / "children").read_text().split()
        for child in children:
            found += processes_of(int(child))
    return found


class Contender:
    """A server under test. `start` returns when it answers."""

    name = ""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="steadycache-bench-"))
        self.port = free_port()
        self.process = None

    def command(self):
        raise NotImplementedError

    def environment(self):
        return {}

    def start(self):
        with open(self.folder / "log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                self.command(),
                env={"PATH": os.environ["PATH"], **self.environment()},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended: {(self.folder / 'log').read_text()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError(f"{self.name} does not answer")

    def stop(self):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def load(self, keys, value_bytes):
        """Fills the cache with key-0 ... key-(keys - 1)."""

    def cpu_s(self):
        ticks = 0
        for pid in processes_of(self.process.pid):
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self):
        pages = sum(
            int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            for pid in processes_of(self.process.pid)
        )
        return pages * os.sysconf("SC_PAGESIZE")


class Nginx(Contender):
    """The limit: nginx with one constant answer of the value's length, two workers, no log."""

    name = "nginx"

    def __init__(self, value_bytes):
        super().__init__()
        self.value_bytes = value_bytes

    def command(self):
        config = self.folder / "nginx.conf"
        config.write_text(
            f"""
worker_processes 2;
daemon off;
pid {self.folder}/pid;
error_log {self.folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {self.folder}/body;
    proxy_temp_path {self.folder}/proxy;
    fastcgi_temp_path {self.folder}/fastcgi;
    uwsgi_temp_path {self.folder}/uwsgi;
    scgi_temp_path {self.folder}/scgi;
    server {{
        listen 127.0.0.1:{self.port} backlog=4096;
        location / {{ default_type application/octet-stream; return 200 "{'x' * self.value_bytes}"; }}
    }}
}}
""",
            encoding="utf-8",
        )
        return ["nginx", "-p", str(self.folder), "-c", str(config)]


class Steadycache(Contender):
    """This server on one of its backends."""

    def __init__(self, backend, durability="commit"):
        super().__init__()
        self.backend = backend
        self.durability = durability
        self.name = backend if durability == "commit" else f"{backend} ({durability})"

    def command(self):
        return [str(ROOT / "build/steadycache"), "serve"]

    def environment(self):
        return {
            "STEADYCACHE_LISTEN": f"127.0.0.1:{self.port}",
            "STEADYCACHE_BACKEND": self.backend,
            "STEADYCACHE_DATA_DIR": str(self.folder),
            "STEADYCACHE_DURABILITY": self.durability,
        }

    def post(self, connection, method, path, body):
        connection.request(method, path, json.dumps(body))
        answer = connection.getresponse()
        text = answer.read()
        if answer.status // 100 != 2:
            raise RuntimeError(f"{self.name}: {method} {path}: {answer.status} {text[:200]}")

    def load(self, keys, value_bytes):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        self.post(connection, "PUT", f"/cache/{NAMESPACE}", {"max_size_mb": 0})
        value = "x" * value_bytes
        for first in range(0, keys, LOAD_BATCH):
            items = [
                {"key": f"key-{key}", "value": value}
                for key in range(first, min(first + LOAD_BATCH, keys))
            ]
            self.post(connection, "POST", f"/batch/{NAMESPACE}/set", {"items": items})
        connection.close()
