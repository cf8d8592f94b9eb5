"""Redis behind this server, Redis behind webdis (an HTTP front end of its own), and Redis under its own benchmark.

All three use one Redis process, each with keys of its own. redis-benchmark speaks Redis's protocol instead of HTTP: it shows what a client gets that need not speak HTTP,
without pipelining, as for a client that waits for its answer."""

import csv
import io
import json
import socket
import subprocess

from ..placement import generator
from .base import ROOT, Contender, Unavailable
from .steadycache import LOAD_BATCH, load_by_batches

LOAD_PIPELINE = 500
# The rate for which a run of redis-benchmark is planned; it takes a number of requests and no time.
EXPECTED_RATE = 60_000


class SharedRedis(Contender):
    """The one process. It is empty once nobody uses it any more, so that it can be filled anew."""

    running = None
    users = 0

    def launch_all(self):
        self.launch(["redis-server", "--bind", "127.0.0.1", "--port", self.port, "--save", "",
                     "--appendonly", "no", "--dir", self.folder, "--maxclients", "4096"], self.port)

    @classmethod
    def acquire(cls):
        if not cls.running:
            server = cls(None)
            try:
                server.launch_all()
            except BaseException:
                server.stop()
                raise
            cls.running = server
        cls.users += 1
        return cls.running

    @classmethod
    def release(cls):
        cls.users -= 1
        if cls.users == 0:
            cls.running.stop()
            cls.running = None


class Redis(Contender):
    shared = None  # while it is used

    def launch_redis(self):
        self.shared = SharedRedis.acquire()
        self.redis_port = self.shared.port

    def stop(self):
        super().stop()
        if self.shared:
            self.shared = None
            SharedRedis.release()

    def process_ids(self):
        return super().process_ids() + (self.shared.process_ids() if self.shared else [])

    def redis_key(self, number):
        raise NotImplementedError

    def load(self):
        value = b"x" * self.setup.value_bytes
        with socket.create_connection(("127.0.0.1", self.redis_port)) as connection:
            answers = connection.makefile("rb")
            for first in range(0, self.setup.keys, LOAD_PIPELINE):
                keys = [self.redis_key(number)
                        for number in range(first, min(first + LOAD_PIPELINE, self.setup.keys))]
                connection.sendall(b"".join(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n"
                                            % (len(key), key, len(value), value) for key in keys))
                for _ in keys:
                    if answers.readline() != b"+OK\r\n":
                        raise Unavailable("Redis refuses a SET")


class RedisFront(Redis):
    """This server on Redis, with and without the near cache."""

    programs = ("redis-server",)

    def __init__(self, setup, near_mb=0):
        super().__init__(setup)
        self.near_mb = near_mb
        self.name = "redis-near" if near_mb else "redis"
        self.title = self.name.replace("-near", ", near cache")

    def launch_all(self):
        self.launch_redis()
        # A prefix for each: both may be there.
        self.launch([ROOT / "build/steadycache", "serve"], self.port, {
            "STEADYCACHE_LISTEN": f"127.0.0.1:{self.port}",
            "STEADYCACHE_BACKEND": f"redis://127.0.0.1:{self.redis_port}/0?prefix={self.name}",
            "STEADYCACHE_NEAR_MB": str(self.near_mb),
            "STEADYCACHE_NEAR_TTL": "3600",
        })

    def load(self):
        if self.setup.keys:
            load_by_batches(self, self.setup, LOAD_BATCH)


class Webdis(Redis):
    name = "webdis"
    title = "webdis + Redis"
    programs = ("webdis", "redis-server")
    # webdis refuses a PUT now and then: 1 in 100,000.
    errors_allowed = 0.001

    def launch_all(self):
        self.launch_redis()
        file = self.folder / "webdis.json"
        file.write_text(json.dumps({
            "redis_host": "127.0.0.1", "redis_port": self.redis_port, "http_host": "127.0.0.1",
            "http_port": self.port, "threads": 2, "pool_size": 20, "daemonize": False, "websockets": False,
            "database": 0, "verbosity": 0, "http_max_request_size": 8 << 20,
            "acl": [{"enabled": ["*"]}], "logfile": str(self.folder / "webdis.log")}), encoding="utf-8")
        self.launch(["webdis", file], self.port)

    def redis_key(self, number):
        return b"key-%d" % number

    def kind_for(self, kind):
        return {"get": "webdis_get", "miss": "webdis_miss", "put": "webdis_put"}.get(kind, kind)


class RedisBenchmark(Redis):
    name = "redis-benchmark"
    title = "redis-benchmark (not HTTP)"
    programs = ("redis-server", "redis-benchmark")

    def launch_all(self):
        self.launch_redis()
        self.port = self.redis_port

    def redis_key(self, number):
        return b"key:%012d" % number

    def measure(self, load):
        count = EXPECTED_RATE * load.seconds
        before_s = self.cpu_s()
        output = subprocess.run(
            generator(["redis-benchmark", "-p", str(self.port), "-c", str(load.connections), "-n", str(count),
                       "-d", str(load.value_bytes), "-r", str(load.keys),
                       "-t", {"get": "get", "put": "set"}[load.kind], "--csv"]), capture_output=True, text=True, check=True).stdout
        cpu_s = self.cpu_s() - before_s
        row = list(csv.DictReader(io.StringIO(output)))[-1]
        return {"rate": float(row["rps"]), "cpu_us": cpu_s * 1e6 / count,
                "p50_us": float(row["p50_latency_ms"]) * 1000, "p99_us": float(row["p99_latency_ms"]) * 1000,
                "p999_us": None}
