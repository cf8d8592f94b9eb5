#!/usr/bin/env python3
"""What stands in for the services of a cloud, in a temporary folder on a free port of 127.0.0.1, for as long
as a command runs.

    bed.py [--faults JSON] KIND [-- COMMAND [ARGUMENT]...]

KIND is one of
    dynalite   DynamoDB: npm's dynalite with transactions and checked signatures (dynamodb.mjs)
    s3rver     S3: npm's s3rver, with the bucket that S3_BED_BUCKET names
    swift      S3: Debian's swift with s3api (swift.py), likewise

The command's environment has the credentials AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, and
    dynalite   DYNAMODB_BED_ENDPOINT = AWS_ENDPOINT_URL_DYNAMODB, http://127.0.0.1:PORT, and
               STEADYCACHE_BACKEND, a dynamodb://... that is made
    s3rver, swift  S3_BED_ENDPOINT = AWS_ENDPOINT_URL_S3, S3_BED_BUCKET
--faults is a list of what goes wrong meanwhile (dynalite only; faults.mjs). Without a command it prints the
environment and waits for the end of its input, or a signal. Exit 77: node or the npm packages of this folder are
missing (npm ci), or Debian's of Swift.

As a module: `with Dynalite() as bed:`, then bed.pause() and the like.
"""
import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from urllib.parse import quote

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
from swift import Swift, is_there as swift_is_there  # noqa: E402
from beds import MISSING, await_that, die_with_parent, free_port, serve, split_arguments  # noqa: E402

ACCESS, SECRET, REGION = "bed-access-key", "bed/secret+key=", "eu-north-1"


def lacks(kind=None):
    """Why there can be no bed of that kind (a class); None: there can."""
    if kind is Swift:
        return None if swift_is_there() else "Debian's packages of Swift are missing, or memcached"
    package = (kind or Dynalite).package
    if shutil.which("node") and (HERE / "node_modules" / package).is_dir():
        return None
    return f"no node, or no {package} in {HERE} (npm ci)"


class Service:
    """A program of node with a folder of its own, which it keeps while it is stopped."""
    package = None  # of npm

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="steadycache-cloud-")
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.process = None
        self.environment = {
            "AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true"}

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        log = os.path.join(self.folder, "log")
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                ["node", *self.words()], stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=HERE,
                env={**os.environ, **self.variables()}, preexec_fn=die_with_parent)

        def is_ready():
            if self.process.poll() is not None:
                sys.exit(f"bed: {self.package} ended:\n{Path(log).read_text(errors='replace')[-3000:]}")
            return self.answers()
        await_that(is_ready, f"{self.package} at port {self.port}", 60)

    def variables(self):
        return {}

    def answers(self):
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(self.endpoint, timeout=5).close()
        return True

    def log_text(self):
        return Path(self.folder, "log").read_text(errors="replace")

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        """SIGKILL, which ends a paused one as well."""
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None


class Dynalite(Service):
    """`in_memory`: faster, and empty after start()."""
    package = "dynalite"

    def __init__(self, in_memory=True, faults=()):
        super().__init__()
        self.in_memory, self.faults = in_memory, faults
        self.keys = {ACCESS: {"secret": SECRET}}
        self.environment.update(
            DYNAMODB_BED_ENDPOINT=self.endpoint, AWS_ENDPOINT_URL_DYNAMODB=self.endpoint,
            STEADYCACHE_BACKEND=f"dynamodb://steadycache-bed?endpoint={quote(self.endpoint, safe='')}&create-table=1")

    def words(self):
        kept = () if self.in_memory else ("--path", os.path.join(self.folder, "tables"))
        return ["dynamodb.mjs", "--port", str(self.port), *kept]

    def variables(self):
        return {"STEADYCACHE_BED_KEYS": json.dumps(self.keys)}

    def start(self):
        super().start()
        self.set_faults(*self.faults)

    def manage(self, what, data=None):
        request = urllib.request.Request(
            f"{self.endpoint}/bed/{what}", method="GET" if data is None else "PUT",
            data=None if data is None else json.dumps(data).encode())
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def set_keys(self, keys):
        """By access key: {"secret", "token"?, "ended"?}."""
        self.keys = keys
        self.manage("keys", keys)

    def set_faults(self, *faults):
        """As in faults.mjs; none: it is well again."""
        self.manage("faults", faults)

    def figures(self):
        return self.manage("figures")


class S3rver(Service):
    package = "s3rver"
    bucket = "steadycache-bed"

    def __init__(self):
        super().__init__()
        self.environment.update(S3_BED_ENDPOINT=self.endpoint, AWS_ENDPOINT_URL_S3=self.endpoint,
                                S3_BED_BUCKET=self.bucket)

    def words(self):
        return ["s3.mjs", "--port", str(self.port), "--path", os.path.join(self.folder, "objects"),
                "--bucket", self.bucket]

    def variables(self):
        return {"STEADYCACHE_BED_KEYS": json.dumps({ACCESS: {"secret": SECRET}})}


KINDS = {"dynalite": Dynalite, "s3rver": S3rver, "swift": Swift}


def main():
    arguments, command = split_arguments()
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--faults", type=json.loads, default=[])
    parser.add_argument("kind", choices=KINDS)
    options = parser.parse_args(arguments)
    kind = KINDS[options.kind]
    if lacks(kind):
        print(f"bed: skipped: {lacks(kind)}")
        return MISSING
    return serve((lambda: Dynalite(faults=options.faults)) if options.faults else kind, command)


if __name__ == "__main__":
    sys.exit(main())
