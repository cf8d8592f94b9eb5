"""A container without an engine: an image's root, read-only, in its own namespaces, with the user,
environment and volume of the image's configuration."""
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from bed import process_status, wait_until

# As container engines do it: the volume can be written, the root cannot.
START = """set -eu
mount --make-rprivate /
mount --bind "$1" "$1"
mount --bind "$2" "$1/data"
mount -o remount,bind,ro "$1"
shift 2
exec "$@"
"""


class Container:
    """`config` is the image's configuration, `root` where its files are mounted, `volume` the folder of the
    host that becomes /data."""

    is_restarted = False  # after a kill

    def __init__(self, config, root, volume, log):
        self.config, self.root, self.volume, self.log = config, Path(root), Path(volume), Path(log)
        self.unshare = None
        self.pid = 0  # of the server, which is process 1 inside

    def words(self, command, environment):
        settings = {**dict(pair.split("=", 1) for pair in self.config["Env"]), **environment}
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", START, "start",
                self.root, self.volume, "env", "-i", *(f"{name}={value}" for name, value in settings.items()),
                shutil.which("chroot"), f"--userspec={self.config['User']}", "--groups=", self.root, *command]

    def run(self, *command, **environment):
        """Runs a process of the image to its end."""
        return subprocess.run(self.words(command, environment), text=True, capture_output=True, timeout=60)

    def start(self, **environment):
        """Starts the image's own command; returns once it listens."""
        command = [*self.config["Entrypoint"], *self.config["Cmd"]]
        with open(self.log, "w") as log:
            self.unshare = subprocess.Popen(self.words(command, environment), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        wait_until(lambda: self.unshare.poll() is not None or re.search("msg=listening", self.log.read_text()),
                   30, f"the server to listen; see {self.log}")
        assert self.unshare.poll() is None, self.log.read_text()
        children = Path(f"/proc/{self.unshare.pid}/task/{self.unshare.pid}/children").read_text().split()
        self.pid = int(children[0])

    def status(self, name):
        """A line of the server's /proc/PID/status."""
        return process_status(self.pid, name)

    def text(self):
        return self.log.read_text()

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)
        code = self.unshare.wait(timeout=15)
        assert code == 0, f"the server ended with {code}:\n{self.text()[-4000:]}"

    def kill(self):
        if self.unshare and self.unshare.poll() is None:
            self.unshare.kill()
            self.unshare.wait()
