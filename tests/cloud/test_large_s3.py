#!/usr/bin/env python3
"""Large values of real servers in a real S3: the whole path, with boto3 as the judge of the objects.

    test_large_s3.py BUILD KIND [--long]      KIND: s3rver, swift (bed.py)

Exit 77: boto3 or the bed is missing."""
import argparse
import contextlib
import hashlib
import importlib.util
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]
import bed as beds  # noqa: E402
from beds import MISSING, await_that, die_with_parent, free_port  # noqa: E402
import test_s3  # noqa: E402

expect = test_s3.expect
MIB = test_s3.MIB
TIMEOUT, BACK = 0.5, test_s3.BACK


def redis_bed():
    """The module tests/redis/bed.py, whose name is taken."""
    sys.path.append(str(HERE.parent / "redis"))
    spec = importlib.util.spec_from_file_location("redis_bed", HERE.parent / "redis" / "bed.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Server:
    """build/steadycache with large values in the bed's bucket, under a prefix of their own."""

    def __init__(self, build, bed, prefix, *flags, environment=None):
        self.folder = tempfile.mkdtemp(prefix="steadycache-large-")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.words = [
            os.path.join(build, "steadycache"), f"--listen=127.0.0.1:{self.port}",
            f"--data-dir={self.folder}", f"--large-values=s3://{bed.bucket}/{prefix}?endpoint={bed.endpoint}",
            f"--large-timeout={TIMEOUT if '--slow' not in flags else 30}",
            *(flag for flag in flags if flag != "--slow")]
        self.environment = {**os.environ, **bed.environment, **(environment or {})}

    def __enter__(self):
        self.log = open(os.path.join(self.folder, "log"), "ab")
        self.process = subprocess.Popen(self.words, env=self.environment, stdout=self.log,
                                        stderr=self.log, preexec_fn=die_with_parent)

        def is_up():
            expect(self.process.poll() is None, f"steadycache ended: {self.log_text()}")
            return self.ask("GET", "/healthz")[0] == 200
        await_that(is_up, "steadycache serves", 20)
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(20)
        finally:
            self.process.kill()
            self.process.wait()
            self.log.close()
        text = self.log_text()
        shutil.rmtree(self.folder, ignore_errors=True)
        expect(status == 0, f"steadycache ended with {status}: {text[-2000:]}")

    def log_text(self):
        return Path(self.folder, "log").read_text(errors="replace")

    def ask(self, method, path, body=None, headers=None, timeout=120):
        """(status, body, headers)"""
        request = urllib.request.Request(self.url + path, method=method, data=body,
                                         headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read(), refusal.headers

    def put_file(self, path, size, key):
        with open(path, "rb") as source:
            status, said, _ = self.ask("PUT", key, source, {"Content-Length": str(size)}, 600)
        expect(status in (200, 201, 204), f"PUT {key}: {status} {said}")

    def hash_of(self, key):
        hashed = hashlib.sha256()
        with urllib.request.urlopen(self.url + key, timeout=600) as answer:
            while piece := answer.read(MIB):
                hashed.update(piece)
        return hashed.hexdigest()

    def metric(self, name):
        for line in self.ask("GET", "/metrics")[1].decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        raise KeyError(name)

    def status(self, name):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1])
        raise KeyError(name)


class Scene:
    def __init__(self, build, bed, folder):
        self.build, self.bed, self.s3 = build, bed, test_s3.client(bed)
        self.files = test_s3.Scene(build, bed, folder)

    def server(self, prefix, *flags, **arguments):
        return Server(self.build, self.bed, prefix, *flags, **arguments)

    def names(self, prefix):
        listed = self.s3.list_objects_v2(Bucket=self.bed.bucket, Prefix=prefix + "/")
        return {thing["Key"].rsplit("/", 1)[1] for thing in listed.get("Contents", [])}


def value_of(seed, size=1200000):
    return random.Random(seed).randbytes(size)


def name_of(value):
    return hashlib.sha256(value).hexdigest()


def stores_entries_here_and_bytes_there(scene):
    """PUT, GET, Range, conditions, DELETE, sweep."""
    with scene.server("whole", "--backend=sqlite", "--large-grace=0.2", "--large-sweep=0.3") as server:
        values = {f"/cache/ns/{i}": value_of(i) for i in range(3)}
        for key, value in values.items():
            status, _, headers = server.ask("PUT", key, value, {"Content-Type": "model/x"})
            expect(status == 201 and headers["ETag"] == f'"{name_of(value)[:32]}"', f"PUT: {status}")
        expect(scene.names("whole") == {name_of(value) for value in values.values()},
               "the objects are not the values")
        for key, value in values.items():
            status, body, headers = server.ask("GET", key)
            expect(status == 200 and body == value and headers["Content-Type"] == "model/x", "GET differs")
            status, body, headers = server.ask("GET", key, headers={"Range": "bytes=1000000-1000009"})
            expect(status == 206 and body == value[1000000:1000010], f"Range: {status}")
        key = "/cache/ns/0"
        tag = {"If-Match": f'"{name_of(values[key])[:32]}"'}
        other = value_of(99)
        expect(server.ask("PUT", key, other, tag)[0] in (200, 204), "a PUT with the right If-Match is refused")
        expect(server.ask("PUT", key, value_of(98), tag)[0] == 412, "a PUT with an old If-Match is accepted")
        expect(server.ask("GET", key)[1] == other, "another value was stored")
        server.ask("PUT", "/cache/ns/small", b"small")
        for i in (1, 2):
            expect(server.ask("DELETE", f"/cache/ns/{i}")[0] == 204, "DELETE")
        await_that(lambda: scene.names("whole") == {name_of(other)},
                   "only what an entry names is kept", 20, 0.1)
        expect(server.ask("GET", key)[1] == other, "a value that is named was swept")
        # Bytes that somebody else removed or changed are no value.
        scene.s3.put_object(Bucket=scene.bed.bucket, Key=f"whole/{name_of(other)}",
                            Body=bytes(len(other)))
        with contextlib.suppress(Exception):  # the connection ends before the last byte
            expect(server.ask("GET", key)[1] != bytes(len(other)), "other bytes are given as the whole")
        scene.s3.delete_object(Bucket=scene.bed.bucket, Key=f"whole/{name_of(other)}")
        with contextlib.suppress(OSError):
            expect(server.ask("GET", key)[0] >= 500, "a missing object is a value")
        expect(server.metric("steadycache_s3_damaged_total") >= 2, "damage is not counted")
        expect(server.ask("PUT", key, other)[0] in (200, 204), "it cannot be put again")
        expect(server.ask("GET", key)[1] == other, "it was put again, and differs")


def answers_while_the_store_fails(scene):
    with scene.server("faults", "--backend=sqlite") as server:
        value = value_of("faults")
        server.ask("PUT", "/cache/ns/large", value)
        server.ask("PUT", "/cache/ns/small", b"small")
        threads = server.status("Threads")
        descriptors = len(os.listdir(f"/proc/{server.process.pid}/fd"))

        def await_recovery(what):
            begin = time.monotonic()
            while server.ask("PUT", "/cache/ns/probe", value_of("probe"))[0] >= 500:
                expect(time.monotonic() - begin < BACK, f"{what}: not back in {BACK} s")
            print(f"  {what}: back after {time.monotonic() - begin:.2f} s", flush=True)
            expect(server.ask("GET", "/cache/ns/large")[1] == value, f"{what}: another value")

        def expect_failures(what, statuses):
            for _ in range(8):
                begin = time.monotonic()
                status, said, _ = server.ask("PUT", "/cache/ns/more", value_of(random.random()))
                expect(status in statuses and b"object store" in said, f"{what}: PUT: {status} {said}")
                expect(time.monotonic() - begin < 3, f"{what}: PUT took {time.monotonic() - begin:.1f} s")
                with contextlib.suppress(OSError):
                    status, said, _ = server.ask("GET", "/cache/ns/large")
                    expect(status in (500, 503, 504), f"{what}: GET: {status}")
                begin = time.monotonic()
                expect(server.ask("GET", "/cache/ns/small")[1] == b"small", f"{what}: a small value is lost")
                expect(time.monotonic() - begin < 0.5, f"{what}: a small value waits")
        scene.bed.pause()
        expect_failures("paused", (503, 504))
        scene.bed.resume()
        await_recovery("resumed")
        scene.bed.kill()
        expect_failures("down", (503,))
        scene.bed.start()
        await_recovery("restarted")

        def is_calm():
            return (server.status("Threads") <= threads + 4 and
                    len(os.listdir(f"/proc/{server.process.pid}/fd")) <= descriptors + 12)
        await_that(is_calm, "no threads and descriptors are left", 10, 0.1)
    wrong = {"STEADYCACHE_LARGE_ACCESS_KEY": "nobody:else", "STEADYCACHE_LARGE_SECRET_KEY": "hidden"}
    with scene.server("faults", "--backend=memory", environment=wrong) as server:
        status, said, _ = server.ask("PUT", "/cache/ns/large", value)
        expect(status == 503 and b"object store" in said and b"hidden" not in said, f"refused: {status} {said}")
        expect(server.ask("GET", "/cache/ns/large")[0] == 404, "a value that was not stored is there")
        expect("hidden" not in server.log_text(), "the log has the secret key")


def shares_a_bucket(scene):
    """Two servers over one Redis and one bucket put and remove the same values while both sweep."""
    module = redis_bed()
    if not shutil.which(module.PROGRAM):
        print("  no redis-server: skipped")
        return
    with module.Bed("plain") as redis, contextlib.ExitStack() as stack:
        flags = ("--large-grace=2", "--large-sweep=0.2", "--slow")
        servers = [stack.enter_context(scene.server("shared", *flags, environment=redis.environment))
                   for _ in range(2)]
        values = [value_of(i) for i in range(4)]
        wrong = []

        def work(index):
            server, choose = servers[index % 2], random.Random(index)
            end = time.monotonic() + 4
            while time.monotonic() < end and not wrong:
                value = choose.choice(values)
                key = f"/cache/ns/{index}-{choose.randrange(3)}"
                status, said, _ = server.ask("PUT", key, value)
                if status not in (200, 201, 204):
                    wrong.append(f"PUT {status} {said}")
                other = servers[(index + 1) % 2]
                status, body, _ = other.ask("GET", key)
                if status != 200 or body != value:
                    wrong.append(f"GET by the other server: {status}, {body[:400]}")
                if choose.random() < 0.4:
                    server.ask("DELETE", key)
        workers = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        expect(not wrong, wrong[:2])
        status, listing, _ = servers[0].ask("GET", "/export")
        named = {}
        for line in listing.decode().splitlines():
            entry = json.loads(line)
            if "key" in entry:
                named[entry["key"]] = f"/cache/ns/{entry['key']}"
        left = {name_of(servers[1].ask("GET", key)[1]) for key in named.values()}
        await_that(lambda: scene.names("shared") == left, "objects and entries match", 20, 0.2)


def streams_in_little_memory(scene, size):
    path, name = scene.files.file(size)
    with scene.server("stream", "--backend=sqlite", "--slow", "--default-max-size-mb=100000") as server:
        begin = time.monotonic()
        server.put_file(path, size, "/cache/ns/stream")
        put = time.monotonic() - begin
        begin = time.monotonic()
        expect(server.hash_of("/cache/ns/stream") == name, "other bytes came back")
        got = time.monotonic() - begin
        peak = server.status("VmHWM") / 1024
        expect(peak < 64, f"{size} bytes took {peak:.0f} MiB")
        expect(name in scene.names("stream"), "boto3 does not list the object")
        print(f"  {size >> 20} MiB through a server: PUT {size / put / 1e6:.0f} MB/s, GET "
              f"{size / got / 1e6:.0f} MB/s, {peak:.1f} MiB of memory at most", flush=True)
    os.unlink(path)


def is_full(scene):
    with scene.server("full", "--backend=sqlite", "--slow") as server:
        scene.bed.set_quota(1)
        status, said, _ = server.ask("PUT", "/cache/ns/large", value_of("full"))
        expect(status == 507 and b"quota" in said, f"full: {status} {said}")
        scene.bed.set_quota(None)
        expect(server.ask("PUT", "/cache/ns/large", value_of("full"))[0] == 201, "still full")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("build")
    parser.add_argument("kind", choices=["s3rver", "swift"])
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--only", metavar="TEST")
    options = parser.parse_args()
    lack = beds.lacks(beds.KINDS[options.kind]) or (None if test_s3.boto3 else "no boto3")
    if lack:
        print(f"test_large_s3: skipped: {lack}")
        return MISSING
    folder = tempfile.mkdtemp(prefix="steadycache-s3-")
    try:
        with beds.KINDS[options.kind]() as bed:
            scene = Scene(options.build, bed, folder)
            tests = [(stores_entries_here_and_bytes_there, ())]
            if options.long:
                tests += [(answers_while_the_store_fails, ()), (streams_in_little_memory, (1 << 30,))]
            if options.long and options.kind == "swift":
                # A reader of s3rver sees a PUT of the same name half done.
                tests += [(shares_a_bucket, ()), (is_full, ())]
            for test, arguments in tests:
                if options.only not in (None, test.__name__):
                    continue
                begin = time.monotonic()
                test(scene, *arguments)
                print(f"{options.kind}: {test.__name__}: {time.monotonic() - begin:.1f} s", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
