"""Redis behind webdis (its HTTP front end), and Redis under its own benchmark.

redis-benchmark speaks Redis's protocol instead of HTTP: it shows what a client gets that need not speak HTTP,
without pipelining, as for a client that waits for its answer."""

import csv
import io
import json
import socket
import subprocess

from ..placement import generator
from .base import Contender, Unavailable, free_port

LOAD_PIPELINE = 500
# The rate for which a run of redis-benchmark is planned; it takes a number of requests and no time.
EXPECTED_RATE = 60_000


class Redis(Contender):
    def __init__(self, setup):
        super().__init__(setup)
        self.redis_port = self.port

    def launch_redis(self):
        self.launch(["redis-server", "--bind", "127.0.0.1", "--port", self.redis_port, "--save", "",
                     "--appendonly", "no", "--dir", self.folder, "--maxclients", "4096"], self.redis_port)

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


class Webdis(Redis):
    name = "webdis"
    title = "webdis + Redis"
    programs = ("webdis", "redis-server")
    # webdis refuses a PUT now and then: 1 in 100,000.
    errors_allowed = 0.001

    def launch_all(self):
        self.redis_port = free_port()
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
