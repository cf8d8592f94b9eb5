#!/usr/bin/env python3
"""Runs docker/compose.cluster.yaml on a Docker engine of the test's own (tests/deploy/engine.py), with the image of
these sources, and with Debian's redis-server and haproxy in the place of the published images: from nothing to a
service, a server restarted under load, a server and a Redis master killed.

usage: test_compose.py BUILD Exit 77: skipped; see tests/deploy/bed.py."""
import contextlib
import http.client
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/deploy"))
from bed import Bed, enter, leave_network, need, skip, wait_until  # noqa: E402
from clients import CLIENTS, KEY, ask, await_work, failures, load  # noqa: E402
from engine import Engine, is_there  # noqa: E402
from test_image import BASE, IMAGE, build_by_docker  # noqa: E402

FILE = ROOT / "docker/compose.cluster.yaml"
PROJECT = "steadycache-cluster"
PORT = 8080
NODES = range(1, 7)
# As the published images, as far as the file uses them.
STAND_INS = f"""FROM {BASE} AS redis
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends redis-server redis-tools \\
	&& install -d -o 999 -g 999 /data
VOLUME /data
WORKDIR /data
FROM {BASE} AS haproxy
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends haproxy
USER 99
CMD ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
"""


def build_images(bed, engine):
    build_by_docker(bed, engine, "test")
    engine.docker("tag", IMAGE, "steadycache:latest")
    for variable, target in (("REDIS_IMAGE", "redis"), ("HAPROXY_IMAGE", "haproxy")):
        name = re.search(rf"\$\{{{variable}:-(\S+)\}}", FILE.read_text()).group(1)
        engine.docker("build", "--network", "host", "--target", target, "--tag", name, "-", input=STAND_INS)


class Project:
    """What the file describes, in `folder`, beside which its secrets are."""

    def __init__(self, engine, folder):
        self.engine, self.folder = engine, folder / "docker"
        shutil.copytree(ROOT / "docker", self.folder)
        (folder / "secrets").mkdir()
        for name, text in (("api-key", KEY), ("redis-password", "a secret of Redis+/=")):
            (folder / "secrets" / name).write_text(text + "\n")
        # Debian's docker-compose 1.29 knows all but the name; this machine may allow fewer open files.
        file = self.folder / FILE.name
        text = re.sub(r"^name: .*\n", "", file.read_text(), flags=re.M)
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        file.write_text(re.sub(r"nofile: \d+", f"nofile: {min(65536, most)}", text))
        self.words = ["docker-compose", "--ansi", "never", "--project-name", PROJECT, "--file", str(file)]

    def compose(self, *words):
        made = subprocess.run([*self.words, *words], env=self.engine.environment, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=240)
        assert made.returncode == 0, f"docker-compose {words} ended with {made.returncode}:\n{made.stdout[-6000:]}"
        return made.stdout

    def container(self, service):
        return self.engine.inspect(self.compose("ps", "--quiet", service).strip())

    def kill(self, service):
        """The process, not the container: the engine starts it again."""
        state = self.container(service)["State"]
        os.kill(state["Pid"], signal.SIGKILL)

    def await_health(self, service):
        wait_until(lambda: self.container(service)["State"].get("Health", {}).get("Status") == "healthy", 60,
                   f"{service} to be healthy")

    def redis(self, node, *words):
        script = 'REDISCLI_AUTH="$(cat /run/secrets/redis-password)" exec redis-cli "$@"'
        return self.compose("exec", "-T", f"redis-{node}", "sh", "-c", script, "redis-cli", *words)


def check_guards(project):
    services = re.findall(r"^  ([a-z0-9-]+):", FILE.read_text().split("\nservices:\n")[1].split("\n# ")[0], re.M)
    for service in project.compose("config", "--services").split():
        container = project.container(service)
        host = container["HostConfig"]
        assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"], service
        assert host["SecurityOpt"] == ["no-new-privileges:true"] and host["Memory"] > 0, service
        assert container["Config"]["User"] not in ("", "0", "root"), service
        services.remove(service)
    assert not services, services


def check_restart(project):
    with load(PORT) as clients:
        for service in ("steadycache-1", "steadycache-2", "steadycache-3"):
            project.compose("restart", "--timeout", "20", service)
            project.await_health(service)
            await_work(clients)
    assert not failures(clients), failures(clients)[:10]
    print(f"rolling restart: {sum(client.done for client in clients)} requests, none failed")


def check_kills(project):
    with load(PORT) as clients:
        project.kill("steadycache-2")
        await_work(clients)
        project.await_health("steadycache-2")
    assert len(failures(clients)) <= CLIENTS, failures(clients)[:10]
    for i in range(100):
        assert ask(PORT, "PUT", f"/cache/kept/{i}", b"%d" % i)[0] in (201, 204)
    master = next(node for node in NODES if project.redis(node, "role").startswith("master"))
    project.kill(f"redis-{master}")
    for i in range(100):
        wait_until(lambda i=i: ask(PORT, "GET", f"/cache/kept/{i}")[:2] == (200, b"%d" % i), 30, f"the value {i}")


def gets(target):
    """What a GET answers; while nothing listens: nothing."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        return ask(PORT, "GET", target)[:2]


def check(project):
    project.compose("up", "--detach")
    wait_until(lambda: (gets("/readyz") or [0])[0] == 200, 60, "a service that is ready")
    for service in ("steadycache-1", "steadycache-2", "steadycache-3"):
        project.await_health(service)
    check_guards(project)
    assert "cluster_state:ok" in project.redis(3, "cluster", "info")
    check_restart(project)
    check_kills(project)
    # Down and up again: what Redis keeps is there.
    project.compose("down")
    project.compose("up", "--detach")
    wait_until(lambda: gets("/cache/kept/7") == (200, b"7"), 60, "a value of before")


def main():
    bed = Bed(sys.argv[1])
    need("debootstrap", "unshare", "ip", "docker-compose")
    if not is_there():
        skip("not installed: a Docker engine (./dev fleet installs it)")
    enter()
    try:
        engine = Engine(bed, host_network=True).start()
    except AssertionError as error:
        skip(f"no Docker engine starts here: {error}")
    with engine:
        build_images(bed, engine)
    leave_network()
    with tempfile.TemporaryDirectory() as folder, Engine(bed).start() as engine:
        os.chmod(folder, 0o755)
        project = Project(engine, Path(folder))
        try:
            check(project)
        except BaseException:
            print(project.compose("ps"), project.compose("logs", "--tail", "15"))
            raise
        finally:
            project.compose("down", "--volumes")


if __name__ == "__main__":
    main()
