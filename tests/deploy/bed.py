"""Shared by the deployment tests: a Debian base made by debootstrap, buildah without a daemon, and processes
in their own root file system. Everything is in BUILD/deploy, so that a second run is quick. It needs root,
and the network once. If these are missing, a test ends with 77: skipped.

A test runs with mounts and processes of its own (`enter`): whatever ends it, a kill included, ends all that it
has started, and no mount is left below BUILD."""
import ctypes
import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUITE = "bookworm"
INSIDE = "STEADYCACHE_DEPLOY_INSIDE"


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


def run(*command, **options):
    """The standard output of a command that must succeed."""
    result = subprocess.run([str(word) for word in command], text=True, capture_output=True, **options)
    if result.returncode != 0:
        output = (result.stdout + result.stderr)[-8000:]
        raise AssertionError(f"{' '.join(map(str, command))} ended with {result.returncode}:\n{output}")
    return result.stdout


def need(*programs):
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        skip(f"not installed: {' '.join(missing)} (./dev test installs them)")
    if os.getuid() != 0:
        skip("this test wants to be root, for chroot and mounts")
    probe = subprocess.run(["unshare", "--mount", "--pid", "--net", "--fork", "true"], capture_output=True)
    if probe.returncode != 0:
        skip("no namespaces for mounts, processes and networks here (unshare)")


def enter():
    """Starts the program again where its mounts and processes are its own, and ends with its exit code. /run is
    empty there: what else runs on this machine is not met."""
    if os.environ.pop(INSIDE, None):
        names = Path("/etc/resolv.conf").resolve()
        text = names.read_bytes() if names.is_relative_to("/run") else None
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
        if text is not None:
            names.parent.mkdir(parents=True, exist_ok=True)
            names.write_bytes(text)
        return
    sys.stdout.flush()
    os.execvpe("setpriv", ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--mount-proc", "--fork",
                           "--kill-child", sys.executable, *sys.argv], {**os.environ, INSIDE: "yes"})


def leave_network():
    """Gives this process, and what it starts from now on, a network of its own with loopback only."""
    assert ctypes.CDLL(None, use_errno=True).unshare(0x40000000) == 0, "CLONE_NEWNET"
    run("ip", "link", "set", "lo", "up")


def wait_until(condition, seconds, what):
    """Polls until the condition holds; returns its value."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain: {what}")
        time.sleep(0.02)
    return value


def process_status(pid, name):
    """A line of /proc/PID/status."""
    return re.search(rf"^{name}:[ \t]*(.*)$", Path(f"/proc/{pid}/status").read_text(), re.M).group(1)


class Bed:
    """BUILD/deploy."""

    def __init__(self, build):
        self.build = Path(build).resolve()
        self.folder = self.build / "deploy"
        self.folder.mkdir(exist_ok=True)
        self.base = self.folder / f"{SUITE}.tar"

    def make_base(self):
        """The tar file of a minimal Debian, made once."""
        with open(self.folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.base.exists():
                return self.base
            tree = self.folder / "debootstrap"
            shutil.rmtree(tree, ignore_errors=True)
            made = subprocess.run(["debootstrap", "--variant=minbase", SUITE, tree], text=True, capture_output=True)
            if made.returncode != 0:
                shutil.rmtree(tree, ignore_errors=True)
                skip("debootstrap failed: " + (made.stdout + made.stderr).strip().split("\n")[-1])
            # As in the published images: without downloaded packages and package lists.
            for path in [*tree.glob("var/cache/apt/archives/*.deb"), *tree.glob("var/lib/apt/lists/*_*")]:
                path.unlink()
            partial = self.base.with_suffix(".partial")
            run("tar", "--numeric-owner", "-C", tree, "-cf", partial, ".")
            partial.rename(self.base)
            shutil.rmtree(tree)
            return self.base

    def has_overlay(self):
        """Whether layers can share files here; otherwise each is a copy."""
        probe = self.folder / "probe"
        for name in ("lower", "upper", "work", "merged"):
            (probe / name).mkdir(parents=True, exist_ok=True)
        options = f"lowerdir={probe}/lower,upperdir={probe}/upper,workdir={probe}/work"
        mounted = subprocess.run(
            ["unshare", "--mount", "mount", "-t", "overlay", "overlay", "-o", options, f"{probe}/merged"],
            capture_output=True)
        shutil.rmtree(probe, ignore_errors=True)
        return mounted.returncode == 0

    def buildah(self, *arguments):
        storage = self.folder / "storage"
        driver = storage / "driver"
        if not driver.exists():
            storage.mkdir(exist_ok=True)
            driver.write_text("overlay" if self.has_overlay() else "vfs")
        return run("buildah", "--root", storage / "layers", "--runroot", storage / "run",
                   "--storage-driver", driver.read_text(), *arguments, cwd=ROOT).strip()
