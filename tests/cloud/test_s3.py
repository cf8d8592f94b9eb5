#!/usr/bin/env python3
"""The object store in S3 (build/objects) over a real server of S3, with boto3 as the judge of what was stored.

    test_s3.py BUILD KIND [--long]      KIND: s3rver, swift (bed.py)

Exit 77: boto3 or the bed is missing."""
import argparse
import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "support"))
import bed as beds  # noqa: E402
from beds import MISSING, die_with_parent  # noqa: E402

try:
    import boto3
    import botocore.config
except ImportError:
    boto3 = None

MIB = 1 << 20
PART = 64 * MIB
BACK = 3.0  # seconds until it serves again, on a machine that does other things too; alone: 1
TIMEOUT = 0.5  # of the store, in seconds, where it is to fail


def expect(holds, what):
    if not holds:
        raise AssertionError(what)


def client(bed):
    return boto3.client(
        "s3", endpoint_url=bed.endpoint, region_name=bed.environment["AWS_REGION"],
        aws_access_key_id=bed.environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=bed.environment["AWS_SECRET_ACCESS_KEY"],
        config=botocore.config.Config(s3={"addressing_style": "path"}, signature_version="s3v4"))


class Objects:
    """build/objects, one store for many commands."""

    def __init__(self, build, bed, timeout=30.0, parameters="", environment=None, bucket=None):
        url = f"s3://{bucket or bed.bucket}/a/b?endpoint={bed.endpoint}{parameters}"
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [os.path.join(build, "objects"), url, "serve"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self.errors, preexec_fn=die_with_parent,
            env={**os.environ, **bed.environment, "STEADYCACHE_LARGE_TIMEOUT": str(timeout),
                 **(environment or {})})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        status = self.process.wait(60)
        expect(status == 0, f"objects ended with {status}: {self.said()}")

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode()

    def run(self, *words):
        """(what it printed, whether it succeeded, the sentence if it did not, seconds)."""
        self.errors.seek(0)
        self.errors.truncate()
        begin = time.monotonic()
        self.process.stdin.write(" ".join(map(str, words)).encode() + b"\n")
        self.process.stdin.flush()
        lines = []
        while not (line := self.process.stdout.readline()).startswith(b"= "):
            expect(line, f"objects ended at {words}: {self.said()}")
            lines.append(line.decode())
        return "".join(lines), line == b"= 0\n", self.said().strip(), time.monotonic() - begin

    def must(self, *words):
        out, succeeded, said, _ = self.run(*words)
        expect(succeeded, f"{words}: {said}")
        return out

    def fails(self, status, words_said, *words):
        _, succeeded, said, seconds = self.run(*words)
        expect(not succeeded and said.startswith(status) and words_said in said,
               f"{words}: not {status} with \"{words_said}\": {said or 'it succeeded'}")
        return seconds

    def figures(self):
        return {line.split()[0]: line.split()[2] for line in self.must("figures").splitlines()}

    def listing(self, page=1000):
        return {line.split()[0]: int(line.split()[1])
                for line in self.must("list", page).splitlines()}

    def status(self, name):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1])
        raise KeyError(name)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


class Scene:
    def __init__(self, build, bed, folder):
        self.build, self.bed, self.folder, self.s3 = build, bed, folder, client(bed)

    def file(self, size, seed=None):
        """A file of random bytes, and the hash of them."""
        path = os.path.join(self.folder, f"{size}-{seed}")
        source, hashed = random.Random(seed if seed is not None else size), hashlib.sha256()
        with open(path, "wb") as out:
            for at in range(0, size, MIB):
                piece = source.randbytes(min(MIB, size - at))
                hashed.update(piece)
                out.write(piece)
        return path, hashed.hexdigest()

    def key(self, name):
        return f"a/b/{name}"

    def objects(self, **arguments):
        return Objects(self.build, self.bed, **arguments)

    def get(self, objects_url_words, environment=None):
        """`objects get`, its output hashed as it comes: (hash, length, exit status, sentence)."""
        url = f"s3://{self.bed.bucket}/a/b?endpoint={self.bed.endpoint}"
        child = subprocess.Popen(
            [os.path.join(self.build, "objects"), url, "get", *map(str, objects_url_words)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=die_with_parent,
            env={**os.environ, **self.bed.environment, **(environment or {})})
        hashed, size = hashlib.sha256(), 0
        while piece := child.stdout.read(MIB):
            hashed.update(piece)
            size += len(piece)
        return hashed.hexdigest(), size, child.wait(), child.stderr.read().decode()


def stored_hash(scene, name):
    hashed = hashlib.sha256()
    body = scene.s3.get_object(Bucket=scene.bed.bucket, Key=scene.key(name))["Body"]
    for piece in body.iter_chunks(MIB):
        hashed.update(piece)
    return hashed.hexdigest()


def stores_what_boto3_reads(scene, sizes):
    with scene.objects() as objects:
        for size in sizes:
            path, name = scene.file(size)
            expect(objects.must("put", path).strip() == name, "the name is not the hash")
            expect(stored_hash(scene, name) == name, f"{size} bytes: others are stored")
            objects.must("put", path)  # again
            os.unlink(path)
        expect(sorted(objects.listing(3).values()) == sorted(sizes), "the listing differs")
        expect(objects.figures()["puts"] == str(2 * len(sizes)), "puts are not counted")
        for name in objects.listing():
            objects.fails("precondition_failed", "", "remove", name, 1)
            objects.must("remove", name)
            objects.must("remove", name)  # there is none
        listed = scene.s3.list_objects_v2(Bucket=scene.bed.bucket, Prefix="a/b/")
        expect(listed["KeyCount"] == 0, "boto3 still lists objects")


def reads_what_boto3_stores(scene, sizes):
    import boto3.s3.transfer
    parts = boto3.s3.transfer.TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB)
    with scene.objects() as objects:
        for size in sizes:
            path, name = scene.file(size)
            scene.s3.upload_file(path, scene.bed.bucket, scene.key(name), Config=parts)
            hashed, got, status, said = scene.get([name, size])
            expect((hashed, got, status) == (name, size, 0), f"{size}: {got} bytes, {said}")
            for offset, length in ((0, 2), (size // 3, size // 2), (size - 1, 1)):
                with open(path, "rb") as source:
                    source.seek(offset)
                    part = hashlib.sha256(source.read(length)).hexdigest()
                hashed, got, status, said = scene.get([name, size, offset, length])
                expect((hashed, got, status) == (part, length, 0), f"{size}@{offset}: {said}")
            objects.must("remove", name)
            os.unlink(path)


def never_gives_other_bytes(scene, size):
    path, name = scene.file(size)
    damaged = bytearray(Path(path).read_bytes())
    damaged[size // 2] ^= 1
    for body, words in ((damaged, "other bytes"), (damaged[1:], "length"), (None, "does not have")):
        if body is None:
            scene.s3.delete_object(Bucket=scene.bed.bucket, Key=scene.key(name))
        else:
            scene.s3.put_object(Bucket=scene.bed.bucket, Key=scene.key(name), Body=bytes(body))
        _, got, status, said = scene.get([name, size])
        expect(status == 1 and got < size and said.startswith("corrupt") and words in said,
               f"damaged: {got} bytes, status {status}, {said}")


def lists_ours_among_others(scene, count):
    names = set()
    for i in range(count):
        name = hashlib.sha256(str(i).encode()).hexdigest()
        scene.s3.put_object(Bucket=scene.bed.bucket, Key=scene.key(name), Body=str(i).encode())
        names.add(name)
    foreign = ["a/b/x", "a/b/0", "a/b/f&f <ü> +%41", "a/b/deep/er", "a/c", "a/b/" + 63 * "a",
               "a/b/" + 64 * "A"]
    for key in foreign:
        scene.s3.put_object(Bucket=scene.bed.bucket, Key=key, Body=b"not ours")
    with scene.objects() as objects:
        for page in (1, 7, 1000) if count < 100 else (100, 1000):
            expect(objects.listing(page).keys() == names, f"pages of {page} list others")
        for name in names:
            objects.must("remove", name)
        expect(not objects.listing(), "objects are left")
    for key in foreign:
        scene.s3.get_object(Bucket=scene.bed.bucket, Key=key)
        scene.s3.delete_object(Bucket=scene.bed.bucket, Key=key)


def says_what_is_wrong(scene):
    wrong = {"STEADYCACHE_LARGE_ACCESS_KEY": scene.bed.environment["AWS_ACCESS_KEY_ID"],
             "STEADYCACHE_LARGE_SECRET_KEY": "wrong"}
    path, _ = scene.file(1000)
    with scene.objects(environment={**wrong, "STEADYCACHE_LARGE_ACCESS_KEY": "nobody:else"}) as objects:
        objects.fails("unavailable", "", "check")
        objects.fails("unavailable", "", "put", path)
    if isinstance(scene.bed, beds.Swift):  # s3rver does not look at signatures
        with scene.objects(environment=wrong) as objects:
            objects.fails("unavailable", "STEADYCACHE_LARGE_SECRET_KEY", "check")
            objects.fails("unavailable", "STEADYCACHE_LARGE_SECRET_KEY", "put", path)
    with scene.objects(bucket="not-there") as objects:
        objects.fails("unavailable", "no such bucket", "check")
        objects.fails("unavailable", "bucket", "put", path)
    if isinstance(scene.bed, beds.Swift):
        with scene.objects(parameters="&region=elsewhere-1") as objects:
            objects.fails("unavailable", "region=", "check")
        reader = {"STEADYCACHE_LARGE_ACCESS_KEY": "bed:reader", "STEADYCACHE_LARGE_SECRET_KEY": "bedsecret"}
        with scene.objects(environment=reader) as objects:
            objects.fails("unavailable", "right to", "put", path)


def is_full(scene):
    """Swift only: a quota, which counts what is put in one request."""
    with scene.objects() as objects:
        scene.bed.set_quota(2 * MIB)
        small, name = scene.file(MIB)
        objects.must("put", small)
        big, _ = scene.file(3 * MIB)
        objects.fails("no_space", "quota", "put", big)
        objects.must("remove", name)
        scene.bed.set_quota(None)
        objects.must("put", big)
        for name in objects.listing():
            objects.must("remove", name)


def await_check(objects, what):
    """Until it can be used again, from when the server answers."""
    begin = time.monotonic()
    while not objects.run("check")[1]:
        expect(time.monotonic() - begin < BACK, f"{what}: not back in {BACK} s")
        time.sleep(0.01)
    print(f"  {what}: back after {time.monotonic() - begin:.2f} s", flush=True)


def survives_a_store_that_fails(scene):
    path, name = scene.file(300000)
    with scene.objects(timeout=TIMEOUT) as objects:
        objects.must("put", path)
        threads, descriptors = objects.status("Threads"), objects.descriptors()
        scene.bed.pause()
        seconds = objects.fails("timeout", "--large-timeout", "put", path)
        expect(TIMEOUT * 0.9 < seconds < TIMEOUT * 3, f"paused: {seconds:.2f} s")
        objects.fails("", "", "get", name, 300000)
        for _ in range(5):
            objects.run("check")
        seconds = objects.fails("unavailable", "", "check")
        expect(seconds < TIMEOUT / 2, f"the breaker is open, and it took {seconds:.2f} s")
        scene.bed.resume()
        await_check(objects, "resumed")
        scene.bed.kill()
        objects.fails("unavailable", "", "put", path)
        objects.fails("", "", "get", name, 300000)
        scene.bed.start()
        await_check(objects, "restarted")
        objects.must("put", path)
        expect(name in objects.listing(), "the object is not there after a restart")
        objects.must("remove", name)
        expect(objects.status("Threads") <= threads, "threads are left")
        expect(objects.descriptors() <= descriptors + 3, "descriptors are left")


def goes_on_after_a_restart(scene, size):
    """The server is killed while an object is read, and started again."""
    path, name = scene.file(size)
    with scene.objects() as objects:
        objects.must("put", path)
        result = []
        reader = threading.Thread(target=lambda: result.append(scene.get(
            [name, size], {"OBJECTS_READ_RATE": str(size / 3), "STEADYCACHE_LARGE_TIMEOUT": "60"})))
        reader.start()
        time.sleep(1)
        scene.bed.kill()
        scene.bed.start()
        reader.join()
        expect(result[0][:3] == (name, size, 0), f"{result}")
        objects.must("remove", name)
    os.unlink(path)


def takes_little_memory(scene, size):
    path, name = scene.file(size)
    with scene.objects() as objects:
        begin = time.monotonic()
        objects.must("put", path)
        put = time.monotonic() - begin
        peak = objects.status("VmHWM") / 1024
        expect(peak < 64, f"putting {size} bytes took {peak:.0f} MiB")
        begin = time.monotonic()
        hashed, _, status, said = scene.get([name, size])
        got = time.monotonic() - begin
        expect(hashed == name and status == 0, said)
        print(f"  {size >> 20} MiB: put {size / put / 1e6:.0f} MB/s with {peak:.1f} MiB of memory, "
              f"get {size / got / 1e6:.0f} MB/s", flush=True)
        objects.must("remove", name)
    os.unlink(path)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("build")
    parser.add_argument("kind", choices=["s3rver", "swift"])
    parser.add_argument("--long", action="store_true")
    options = parser.parse_args()
    lack = beds.lacks(beds.KINDS[options.kind]) or (None if boto3 else "no boto3")
    if lack:
        print(f"test_s3: skipped: {lack}")
        return MISSING
    folder = tempfile.mkdtemp(prefix="steadycache-s3-")
    try:
        with beds.KINDS[options.kind]() as bed:
            scene = Scene(options.build, bed, folder)
            tests = [
                (stores_what_boto3_reads, ([0, 1, 5 * MIB, PART, PART + 1, 3 * PART - 5]
                                           if options.long else [0, 1, PART + 1],)),
                (reads_what_boto3_stores, ([1000, 17 * MIB],)),
                (never_gives_other_bytes, (3 * MIB,)),
                # More than a page of S3; Swift takes too long for that.
                (lists_ours_among_others,
                 (1100 if options.long and options.kind == "s3rver" else 30,)),
                (says_what_is_wrong, ()),
                (survives_a_store_that_fails, ()),
            ]
            if options.long:
                tests += [(goes_on_after_a_restart, (64 * MIB,)), (takes_little_memory, (1 << 30,))]
            if options.kind == "swift":
                tests.append((is_full, ()))
            for test, arguments in tests:
                begin = time.monotonic()
                test(scene, *arguments)
                print(f"{options.kind}: {test.__name__}: {time.monotonic() - begin:.1f} s", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
