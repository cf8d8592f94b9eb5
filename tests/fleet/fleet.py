#!/usr/bin/env python3
"""A fleet: three servers over one Redis (or a Cluster) behind HAProxy, with the configuration that docker/ has for it.

usage: fleet.py BUILD [SHAPE] [--whole]
  BUILD    folder with steadycache and conformance
  SHAPE    of tests/redis/bed.py: plain (the default), cluster
  --whole  also the conformance suite through the balancer
Exit 77: HAProxy or Redis is missing.

 - What one server says (ETags, cursors, leases) holds at the others.
 - All servers are stopped and started again, one after the other, under load: no request fails.
 - One is killed under load: only requests fail that had begun before.
 - Nobody ever reads a value other than the last that was acknowledged."""
import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/redis"))
import bed as redis_bed  # noqa: E402
from clients import CLIENTS, KEY, ask, await_work, failures, load  # noqa: E402

DRAIN_S = 2
# Connections of a killed process end at once; what HAProxy sends on one of them meanwhile was under way.
KILL_S = 0.1
# What is another program's, or one server's, behind a balancer (tests/conformance/conformance.h).
LACKS = "raw,one-server,request-figures"
# Clients that miss one key at once, and when the last must have its value after it was stored.
CROWD = 60
WAKE_S = 2


def find(program):
    return shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")


class Process:
    """One that ends with this program, and writes to a file."""

    def __init__(self, words, log, environment=None):
        self.log = Path(log)
        with open(log, "a", encoding="utf-8") as out:
            self.process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=out, env=environment, preexec_fn=redis_bed.die_with_parent)

    def text(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def end(self, sent):
        self.process.send_signal(sent)
        return self.process.wait(timeout=30)


class Server:
    def __init__(self, program, environment, log):
        self.program, self.environment, self.log = program, environment, log
        self.port = redis_bed.free_port()
        self.process = None

    def start(self):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("STEADY")}
        self.process = Process([self.program, "serve"], self.log, {
            **kept, **self.environment, "STEADYCACHE_API_KEY": KEY, "STEADYCACHE_DRAIN": str(DRAIN_S),
            "STEADYCACHE_LISTEN": f"127.0.0.1:{self.port}"})
        redis_bed.await_that(lambda: ask(self.port, "GET", "/readyz")[0] == 200, f"a server that is ready; see {self.log}")

    def stop(self):
        code = self.process.end(signal.SIGTERM)
        assert code == 0, f"a server ended with {code}:\n{self.process.text()[-4000:]}"

    def kill(self):
        self.process.end(signal.SIGKILL)


class Balancer:
    """HAProxy with docker/haproxy.cfg, of which only addresses are changed."""

    def __init__(self, servers, folder):
        self.port = redis_bed.free_port()
        self.socket = folder / "haproxy.sock"
        text = (ROOT / "docker/haproxy.cfg").read_text()
        text, binds = re.subn(r"^\tbind .*$", f"\tbind 127.0.0.1:{self.port}", text, flags=re.M)
        ports = iter(server.port for server in servers)
        text, count = re.subn(r"^(\tserver \S+) \S+", lambda found: f"{found.group(1)} 127.0.0.1:{next(ports)}", text,
                              flags=re.M)
        assert (binds, count) == (1, len(servers)), text
        # Where the test asks for the state of servers.
        text = text.replace("\nglobal\n", f"\nglobal\n\tstats socket {self.socket} level user\n", 1)
        (folder / "haproxy.cfg").write_text(text)
        self.process = Process([find("haproxy"), "-db", "-f", folder / "haproxy.cfg"], folder / "haproxy.log")

    def states(self):
        """How HAProxy calls each server: UP, DOWN, ..."""
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.socket))
            client.sendall(b"show stat\n")
            rows = [line.split(",") for line in client.makefile().read().splitlines()]
        column = rows[0].index("status")
        return [row[column] for row in rows if row[0] == "servers" and row[1] != "BACKEND"]

    def await_up(self):
        redis_bed.await_that(lambda: set(self.states()) == {"UP"}, "all servers up")


# ---- What is checked ----

def waiting(server):
    """How many requests wait for a value there."""
    return int(re.search(rb"^steadycache_requests_waiting (\d+)", ask(server.port, "GET", "/metrics")[1], re.M).group(1))


# ---- What is checked ----

def check_agreement(servers):
    """What one server says holds at the others."""
    one, two, three = (server.port for server in servers)
    status, _, headers = ask(one, "PUT", "/cache/agree/k", b"v", Content_Type="text/x")
    assert status == 201, status
    for port in (two, three):
        status, body, seen = ask(port, "GET", "/cache/agree/k")
        assert (status, body, seen["ETag"], seen["Content-Type"]) == (200, b"v", headers["ETag"], "text/x"), (status, body)
        assert ask(port, "GET", "/cache/agree/k", If_None_Match=headers["ETag"])[0] == 304
        assert ask(port, "PUT", "/cache/agree/k", b"w", If_None_Match="*")[0] == 412
    # A listing whose pages come from different servers.
    for i in range(25):
        assert ask(one, "PUT", f"/cache/agree/page-{i:02}", b"v")[0] == 201
    listed, cursor, ports = [], "", [one, two, three]
    while cursor is not None:
        page = json.loads(ask(ports[len(listed) // 10 % 3], "GET", f"/cache/agree?prefix=page-&limit=10{cursor}")[1])
        listed += [entry["key"] for entry in page["keys"]]
        cursor = f"&cursor={page['cursor']}" if page.get("cursor") else None
    assert listed == [f"page-{i:02}" for i in range(25)], listed
    # Settings and clears.
    assert ask(two, "PUT", "/cache/agree", json.dumps({"capacity": 30}))[0] in (200, 204)
    assert json.loads(ask(three, "GET", "/stats/agree")[1])["capacity"] == 30
    assert ask(three, "POST", "/api/clear", json.dumps({"cache_name": "agree"}), Content_Type="application/json")[0] == 200
    for port in ports:
        assert ask(port, "GET", "/cache/agree/k")[0] == 404


def check_single_flight(servers):
    """Of a crowd that misses one key at all servers one is told to compute, and stores at another server."""
    answers = []

    def miss(index):
        port = servers[index % 3].port
        status, body, headers = ask(port, "GET", "/cache/crowd/k?wait=20&lease=20")
        answers.append((status, body, time.monotonic()))
        if status == 404 and "Lease" in headers:
            redis_bed.await_that(lambda: sum(waiting(server) for server in servers) == CROWD - 1, "that all others wait")
            stored = ask(servers[(index + 1) % 3].port, "PUT", "/cache/crowd/k", b"computed", Lease=headers["Lease"])[0]
            answers.append((stored, b"", time.monotonic()))

    crowd = [threading.Thread(target=miss, args=(i,), daemon=True) for i in range(CROWD)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join(90)
    found = sorted(status for status, _, _ in answers)
    assert found == [200] * (CROWD - 1) + [201, 404], found
    assert all(body == b"computed" for status, body, _ in answers if status == 200), answers
    stored = next(at for status, _, at in answers if status == 201)
    last = max(at for _, _, at in answers)
    assert last - stored < WAKE_S, f"the last of a crowd waits {last - stored:.3f} s after the value was stored"
    return last - stored


def check_rolling_restart(servers, balancer):
    with load(balancer.port) as clients:
        for server in servers:
            server.stop()
            server.start()
            balancer.await_up()
    assert not failures(clients), failures(clients)[:10]
    return sum(client.done for client in clients)


def check_kill(servers, balancer):
    with load(balancer.port) as clients:
        servers[1].kill()
        killed = time.monotonic()
        redis_bed.await_that(lambda: balancer.states()[1].startswith("DOWN"), "that HAProxy sees a killed server")
        await_work(clients)
    late = [what for began, what in failures(clients) if began > killed + KILL_S]
    assert not late, late[:10]
    assert len(failures(clients)) <= CLIENTS, failures(clients)
    servers[1].start()
    balancer.await_up()
    return len(failures(clients))


def run_conformance(build, balancer):
    suite = subprocess.run([build / "conformance", "-j4", "--color=never"], text=True, capture_output=True, env={
        **os.environ, "STEADYCACHE_URL": f"http://127.0.0.1:{balancer.port}", "STEADYCACHE_API_KEY": KEY,
        "STEADYCACHE_LACKS": LACKS})
    assert suite.returncode == 0, suite.stdout[-8000:] + suite.stderr[-8000:]
    return re.search(r"Tested: .*", suite.stdout + suite.stderr).group(0)


@contextlib.contextmanager
def fleet(build, shape, query=""):
    """Servers and their balancer over the Redis of a shape; at the end all must stop well."""
    with redis_bed.Bed(shape, query=query) as bed:
        folder = Path(bed.folder)
        environment = {name: value for name, value in bed.environment.items() if "_TEST_" not in name}
        servers = [Server(build / "steadycache", environment, folder / f"server-{i}.log") for i in range(3)]
        balancer = None
        try:
            for server in servers:
                server.start()
            balancer = Balancer(servers, folder)
            balancer.await_up()
            yield servers, balancer
            for server in servers:
                server.stop()
        except BaseException:
            for name in sorted(folder.glob("*.log")):
                print(f"---- {name.name}\n{name.read_text(errors='replace')[-3000:]}")
            raise
        finally:
            for process in [server.process for server in servers] + [balancer and balancer.process]:
                if process and process.process.poll() is None:
                    process.end(signal.SIGKILL)


def main():
    parser = argparse.ArgumentParser(usage=__doc__, add_help=False)
    parser.add_argument("build", type=Path)
    parser.add_argument("shape", nargs="?", default="plain")
    parser.add_argument("--whole", action="store_true")
    options = parser.parse_args()
    for program in ("haproxy", redis_bed.PROGRAM):
        if not find(program):
            print(f"skipped: not installed: {program} (./dev test installs it)")
            return 77
    build = options.build.resolve()
    with fleet(build, options.shape) as (servers, balancer):
        check_agreement(servers)
        print(f"single flight: {CROWD} clients, one computes, the last has the value after "
              f"{check_single_flight(servers) * 1000:.0f} ms")
        print(f"rolling restart: {check_rolling_restart(servers, balancer)} requests, none failed")
        print(f"a kill: {check_kill(servers, balancer)} requests failed, which were under way")
    if options.whole:
        # Partitions would not hold the suite's small limits.
        query = "partitions=1" if options.shape.startswith("cluster") else ""
        with fleet(build, options.shape, query) as (_, balancer):
            print(f"conformance: {run_conformance(build, balancer)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
