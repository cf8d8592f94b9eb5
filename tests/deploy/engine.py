"""A Docker engine of the test's own, in its namespaces (bed.enter), and the server's container in it."""
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from bed import ROOT, process_status, run, wait_until

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


class Engine:
    """`host_network`: for builds that fetch packages; their containers use it directly. Else the engine makes
    bridges, names and published ports in the network of the process, which should be its own."""

    def __init__(self, bed, host_network=False):
        self.scratch = Path(tempfile.mkdtemp(dir="/run"))  # private (bed.enter), and short, as sockets' paths must be
        self.log = bed.folder / "docker.log"
        (self.scratch / "daemon.json").write_text("{}")  # not the machine's
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DOCKER_", "COMPOSE_"))}
        self.environment = {**kept, "PATH": PATH, "DOCKER_HOST": f"unix://{self.scratch}/socket", "DOCKER_BUILDKIT": "0",
                            "DOCKER_CONFIG": str(self.scratch)}
        words = ["dockerd", "--storage-driver", "overlay2" if bed.has_overlay() else "vfs", "--data-root",
                 bed.folder / "docker", "--exec-root", self.scratch / "run", "--pidfile", self.scratch / "pid",
                 "--config-file", self.scratch / "daemon.json", "--group", os.getgid(), "--host",
                 self.environment["DOCKER_HOST"]]
        if host_network:
            words += ["--bridge", "none", "--iptables=false", "--ip-masq=false", "--ip-forward=false"]
        with open(self.log, "w") as log:
            self.daemon = subprocess.Popen([str(word) for word in words], env=self.environment,
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start(self):
        try:
            wait_until(lambda: self.daemon.poll() is not None or self.answers(), 30, f"dockerd to start ({self.log})")
            assert self.daemon.poll() is None, f"dockerd ended with {self.daemon.returncode} ({self.log})"
        except BaseException:
            self.__exit__()
            raise
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.daemon.terminate()
        try:
            self.daemon.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()

    def answers(self):
        return subprocess.run(["docker", "version"], env=self.environment, capture_output=True).returncode == 0

    def docker(self, *words, **options):
        """The output of a command that must succeed."""
        return run("docker", *words, env=self.environment, cwd=ROOT, **options).strip()

    def inspect(self, name):
        return json.loads(self.docker("inspect", name))[0]

    def has_image(self, name):
        return self.docker("images", "--quiet", name) != ""


def is_there():
    """Whether Debian's docker.io, or what is like it, is installed."""
    return all(shutil.which(program, path=PATH) for program in ("docker", "dockerd", "containerd", "runc", "iptables"))


class EngineContainer:
    """As container.Container. The server runs as docs/deploy.md says; its port is published."""

    NAME = "steadycache"
    is_restarted = True

    def __init__(self, engine, image, volume):
        self.engine, self.image, self.volume = engine, image, volume
        self.config = engine.inspect(image)["Config"]

    def flags(self, environment):
        return ["--volume", f"{self.volume}:/data", "--read-only", "--cap-drop", "ALL", "--security-opt",
                "no-new-privileges", *(f"--env={name}={value}" for name, value in environment.items())]

    def run(self, *command, **environment):
        """Runs a process of the image to its end."""
        assert command[0] == self.config["Entrypoint"][0], command
        return subprocess.run(["docker", "run", "--rm", "--network", "host", *self.flags(environment), self.image,
                               *command[1:]], env=self.engine.environment, text=True, capture_output=True, timeout=60)

    def state(self):
        return self.engine.inspect(self.NAME)["State"]

    @property
    def pid(self):
        return self.state()["Pid"]

    def status(self, name):
        return process_status(self.pid, name)

    def await_health(self):
        wait_until(lambda: self.state()["Health"]["Status"] == "healthy", 30, "a healthy container")

    def start(self, **environment):
        """Starts the image's own command; returns once the engine calls it healthy."""
        self.engine.docker("run", "--detach", "--name", self.NAME, "--publish", "127.0.0.1:8080:8080", "--restart",
                           "unless-stopped", "--health-interval", "500ms", *self.flags(environment), self.image)
        self.await_health()

    def text(self):
        return subprocess.run(["docker", "logs", self.NAME], env=self.engine.environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout

    def stop(self):
        self.engine.docker("stop", "--time", "15", self.NAME)
        code = self.state()["ExitCode"]
        assert code == 0, f"the server ended with {code}:\n{self.text()[-4000:]}"
        self.engine.docker("rm", self.NAME)

    def kill(self):
        subprocess.run(["docker", "rm", "--force", self.NAME], env=self.engine.environment, capture_output=True)
