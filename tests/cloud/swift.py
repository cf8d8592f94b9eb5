"""OpenStack Swift as Debian has it: proxy with s3api and tempauth, account, container and object servers,
and the memcached of the tokens, all on 127.0.0.1, in a temporary folder (whose filesystem has extended
attributes), as the user who runs this. No systemd, nothing in /etc but Debian's own swift.conf.

    with Swift() as bed: ...        # as a command: bed.py swift
"""
import contextlib
import getpass
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
from beds import await_that, die_with_parent, free_port  # noqa: E402

PROGRAMS = ("swift-proxy-server", "swift-account-server", "swift-container-server",
            "swift-object-server", "swift-ring-builder", "memcached")
ACCESS, SECRET, REGION = "bed:someone", "bedsecret", "eu-north-1"
BUCKET = "steadycache-bed"

PROXY = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {folder}
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats s3api tempauth copy container-quotas slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:tempauth]
use = egg:swift#tempauth
user_bed_someone = {secret} .admin
user_bed_reader = {secret} .reseller_reader
[filter:s3api]
use = egg:swift#s3api
location = {region}
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{memcached}
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:copy]
use = egg:swift#copy
[filter:container-quotas]
use = egg:swift#container_quotas
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
"""

STORAGE = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
disable_fallocate = {disable_fallocate}
fallocate_reserve = {reserve}
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""


def is_there():
    return all(shutil.which(name) for name in PROGRAMS) and os.access("/etc/swift/swift.conf", os.R_OK)


class Swift:
    bucket = BUCKET

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="steadycache-swift-")
        kinds = ("proxy", "account", "container", "object", "memcached")
        self.ports = {kind: free_port() for kind in kinds}
        self.processes = {}
        self.reserve = "0"
        self.endpoint = f"http://127.0.0.1:{self.ports['proxy']}"
        self.environment = {
            "AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true",
            "S3_BED_ENDPOINT": self.endpoint, "AWS_ENDPOINT_URL_S3": self.endpoint,
            "S3_BED_BUCKET": BUCKET}

    def __enter__(self):
        try:
            self.make_rings()
            self.start()
            self.make_bucket()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def make_rings(self):
        os.makedirs(os.path.join(self.folder, "devices", "disk"))
        for kind in ("account", "container", "object"):
            builder = os.path.join(self.folder, f"{kind}.builder")
            for words in (["create", "2", "1", "1"],
                          ["add", f"r1z1-127.0.0.1:{self.ports[kind]}/disk", "1"], ["rebalance"]):
                subprocess.run(["swift-ring-builder", builder, *words], check=True,
                               stdout=subprocess.DEVNULL)

    def start(self, *kinds):
        """The servers named, or all."""
        for kind in kinds or self.ports:
            log = open(os.path.join(self.folder, f"{kind}.log"), "ab")  # noqa: SIM115
            with log:
                self.processes[kind] = subprocess.Popen(
                    self.words(kind), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    preexec_fn=die_with_parent)
        if self.processes.keys() == self.ports.keys():
            await_that(self.answers, f"Swift at {self.endpoint}", 60)

    def words(self, kind):
        if kind == "memcached":
            return ["memcached", "-l", "127.0.0.1", "-p", str(self.ports[kind]), "-U", "0", "-u",
                    getpass.getuser()]
        conf = os.path.join(self.folder, f"{kind}.conf")
        text = PROXY if kind == "proxy" else STORAGE
        Path(conf).write_text(text.format(
            port=self.ports[kind], folder=self.folder, kind=kind, user=getpass.getuser(),
            secret=SECRET, region=REGION, memcached=self.ports["memcached"], reserve=self.reserve,
            disable_fallocate="true" if self.reserve == "0" else "false"))
        return [f"swift-{kind}-server", conf, "-v"]

    def answers(self):
        """Of the proxy and the servers behind it."""
        for kind, process in self.processes.items():
            if process.poll() is not None:
                sys.exit(f"bed: {kind} of Swift ended:\n{self.log_text(kind)[-3000:]}")
        for kind in ("account", "container", "object"):
            with contextlib.suppress(urllib.error.HTTPError):
                urllib.request.urlopen(f"http://127.0.0.1:{self.ports[kind]}/", timeout=10).close()
        return self.token() is not None

    def ask(self, method, path, headers):
        request = urllib.request.Request(self.endpoint + path, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return dict(answer.headers)

    def token(self):
        with contextlib.suppress(urllib.error.HTTPError):
            return self.ask("GET", "/auth/v1.0", {
                "X-Auth-User": ACCESS, "X-Auth-Key": SECRET})["X-Auth-Token"]
        return None

    def make_bucket(self):
        def is_made():
            with contextlib.suppress(urllib.error.HTTPError):
                self.ask("PUT", f"/v1/AUTH_bed/{BUCKET}", {"X-Auth-Token": self.token()})
                return True
            return False
        await_that(is_made, "a bucket", 30)

    def set_quota(self, size):
        """Of the bucket, in bytes; None: none."""
        name = "X-Container-Meta-Quota-Bytes" if size else "X-Remove-Container-Meta-Quota-Bytes"
        self.ask("POST", f"/v1/AUTH_bed/{BUCKET}", {
            "X-Auth-Token": self.token(), name: str(size or 1)})

    def log_text(self, kind):
        return Path(self.folder, f"{kind}.log").read_text(errors="replace")

    def signal(self, number, *kinds):
        for kind in kinds or self.ports:
            self.processes[kind].send_signal(number)

    def pause(self, *kinds):
        self.signal(signal.SIGSTOP, *kinds)

    def resume(self, *kinds):
        self.signal(signal.SIGCONT, *kinds)

    def kill(self, *kinds):
        for kind in kinds or list(self.processes):
            process = self.processes.pop(kind, None)
            if process:
                process.kill()
                process.wait()
