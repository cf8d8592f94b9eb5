"""A machine in namespaces: systemd as process 1 on a Debian root, with its own processes, mounts, network,
host name and control groups. It sees no devices of the host, and leaves the host's kernel settings alone."""
import os
import subprocess
from pathlib import Path

from bed import wait_until

# In the outer mount namespace: a control group for the machine, so that it can manage its own.
OUTER = """set -eu
mount --make-rprivate /
mount -t cgroup2 none "$2"
mkdir -p "$2/$3"
echo $$ >"$2/$3/cgroup.procs"
exec unshare --mount --cgroup --pid --net --uts --ipc --fork --kill-child sh -c "$4" inner "$1"
"""
# pivot_root, not chroot: in a chroot the kernel refuses PrivateUsers=.
INNER = """set -eu
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 none sys/fs/cgroup
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for node in null zero full random urandom tty; do
	touch dev/$node
	mount --bind /dev/$node dev/$node
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs tmpfs dev/shm
hostname steadycache-test
ip link set lo up
mkdir -p run/host
pivot_root . run/host
umount -l /run/host
mount --make-rshared /
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --show-status=0
"""


def can_run(folder):
    """Whether control groups can be mounted here."""
    folder.mkdir(exist_ok=True)
    return subprocess.run(["unshare", "--mount", "mount", "-t", "cgroup2", "none", folder],
                          capture_output=True).returncode == 0


class Machine:
    def __init__(self, root, folder):
        self.root, self.groups = Path(root), Path(folder) / "cgroup"
        self.name = f"steadycache-test-{os.getpid()}"
        self.log = open(Path(folder) / "machine.log", "w+")
        self.groups.mkdir(exist_ok=True)
        # Not by a read-only /proc/sys: then the kernel allows no service a /proc of its own.
        for unit in ("systemd-sysctl.service", "systemd-modules-load.service"):
            mask = self.root / "etc/systemd/system" / unit
            mask.unlink(missing_ok=True)
            mask.symlink_to("/dev/null")
        self.unshare = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", OUTER, "outer", self.root, self.groups, self.name, INNER],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.pid = 0
        wait_until(self.has_booted, 60, "systemd to come up (machine.log)")

    def has_booted(self):
        assert self.unshare.poll() is None, "the machine ended: " + Path(self.log.name).read_text()
        children = Path(f"/proc/{self.unshare.pid}/task/{self.unshare.pid}/children").read_text().split()
        self.pid = int(children[0]) if children else 0
        try:
            # Before that, the process runs the commands of the scripts above.
            if not self.pid or not Path(f"/proc/{self.pid}/comm").read_text().startswith("systemd"):
                return False
        except FileNotFoundError:
            return False
        return self.run("systemctl", "is-active", "basic.target", check=False).stdout.strip() == "active"

    def run(self, *command, check=True, **settings):
        """Runs a command in the machine."""
        words = ["nsenter", "-t", str(self.pid), "-m", "-p", "-n", "-u", "-i", "-C", "-r", "-w", "env", "-i",
                 "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *(f"{name}={value}" for name, value in settings.items()), *command]
        result = subprocess.run(words, text=True, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
        assert result.returncode == 0 or not check, f"{command} ended with {result.returncode}: {result.stdout}{result.stderr}"
        return result

    def stop(self):
        self.unshare.kill()
        self.unshare.wait()
        self.log.close()
        # The groups can be removed once the kernel has released their processes.
        tidy = 'mount -t cgroup2 none "$1" && ! find "$1/$2" -depth -type d -exec rmdir {} + 2>&1 | grep -q .'
        wait_until(lambda: subprocess.run(["unshare", "--mount", "sh", "-c", tidy, "tidy", self.groups, self.name],
                                          capture_output=True).returncode == 0, 20, "the machine's end")
