#!/usr/bin/env python3
"""Builds the Debian packages where nothing else is installed, and runs lintian on them. The server's is installed,
run, upgraded and removed on a Debian that systemd has booted: the units with all their hardening, a token as a
credential, the socket unit. With the library's, an example is built and run.

usage: test_package.py BUILD Exit 77: skipped; see bed.py."""
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import machine
from bed import ROOT, Bed, enter, need, run, skip, wait_until

SERVICE = "steadycache.service"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
DROP_IN = """[Service]
LoadCredential=api-key:/etc/steadycache/api-key
Environment=STEADYCACHE_API_KEY_FILE=%d/api-key
"""


def make_root(bed, name, packages):
    """A minimal Debian with these packages and their dependencies, kept as a tar file, and unpacked."""
    kept = bed.folder / f"{name}-{hashlib.sha256(' '.join(packages).encode()).hexdigest()[:12]}.tar"
    root = bed.folder / name
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    if kept.exists():
        run("tar", "-C", root, "-xf", kept)
        return root
    run("tar", "-C", root, "-xf", bed.make_base())
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    fetched = subprocess.run(
        ["chroot", root, "sh", "-c", "apt-get update -qq && apt-get install -y -qq --no-install-recommends "
         + " ".join(packages) + " && apt-get clean"], text=True, capture_output=True,
        env={"DEBIAN_FRONTEND": "noninteractive", "PATH": PATH})
    if fetched.returncode != 0:
        skip(f"the packages of the {name} cannot be had: " + fetched.stderr.strip().split("\n")[-1])
    for old in bed.folder.glob(f"{name}-*.tar"):
        old.unlink()
    run("tar", "--numeric-owner", "-C", root, "-cf", kept.with_suffix(".partial"), ".")
    kept.with_suffix(".partial").rename(kept)
    return root


INSIDE_ROOT = """mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && exec chroot "$1" """


def run_in(root, command, *words, **settings):
    """The output of a shell command there, with processes of its own and without a network."""
    return run("unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "sh", "-c",
               INSIDE_ROOT + 'sh -c "$2" "$@"', "sh", root, command, *words, env={"PATH": PATH, **settings})


def build_packages(bed):
    """Built by ./dev deb, on a Debian with only the packages that it names. The server's, and the others by name; and
    the root that they were built on."""
    root = make_root(bed, "builder", run(ROOT / "dev", "packages", "deb").split())
    source = root / "root/source"
    for path in run("git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        if path and (ROOT / path).is_file():
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, source / path)
    run_in(root, "exec /root/source/dev deb", WITH_PAGES="OFF")
    packages = {}
    for old in bed.folder.glob("*.deb"):
        old.unlink()
    for built in sorted((source / "build/deb").glob("*.deb")):
        packages[built.name.split("_")[0]] = bed.folder / built.name
        shutil.copy(built, bed.folder / built.name)
    assert set(packages) == {"steadycache", "libsteadycache0", "libsteadycache-dev", "steadycache-lmdb"}, packages
    return packages.pop("steadycache"), packages, root


LIBRARY = """set -eu
cd /root && mkdir program && cd program
dpkg --install /root/libsteadycache0.deb /root/libsteadycache-dev.deb >/dev/null
cp /usr/share/doc/steadycache/examples/cache.c .
cc -Wall -Wextra -Wpedantic -Werror -o shared cache.c $(pkg-config --cflags --libs steadycache)
cc -o static cache.c -l:libsteadycache.a -Wl,--as-needed $(pkg-config --cflags --static --libs steadycache)
./shared sqlite://./answers "Why?"
dpkg --purge libsteadycache-dev >/dev/null
./shared sqlite://./answers "Why?"
dpkg --purge libsteadycache0 >/dev/null
./static sqlite://./answers "Why?"
cd /root && rm -r program
"""


def check_library(root, packages):
    """The root has a compiler, and what the library's packages depend on."""
    for name in ("libsteadycache0", "libsteadycache-dev"):
        shutil.copy(packages[name], root / f"root/{name}.deb")
    told = run_in(root, LIBRARY).strip().split("\n")
    assert [line.split(":")[0] for line in told[-3:]] == ["new", "known", "known"], told
    shutil.rmtree(root / "root")
    assert remains(root) == [], remains(root)


def make_machine(bed, package):
    """A Debian with systemd and the package's dependencies."""
    depends = run("dpkg-deb", "--field", package, "Depends").strip()
    return make_root(bed, "machine", ["systemd", *(word.split()[0] for word in depends.split(","))])


def show(host, name, unit=SERVICE):
    return host.run("systemctl", "show", "--value", "--property", name, unit).stdout.strip()


def is_active(host, unit=SERVICE):
    return host.run("systemctl", "is-active", unit, check=False).stdout.strip() == "active"


def ask(host, *words, **settings):
    return host.run("steadycache", *words, **settings).stdout


def check_service(host):
    """systemctl start has waited for READY=1, so there is nothing to wait for here."""
    assert is_active(host) and show(host, "Type") == "notify"
    host.run("systemd-analyze", "verify", "--man=no", SERVICE, "steadycache.socket")
    ask(host, "healthcheck")
    ask(host, "set", "ns", "key", "value")
    pid = show(host, "MainPID")
    status = dict(line.split(":", 1) for line in host.run("cat", f"/proc/{pid}/status").stdout.splitlines())
    assert int(status["Uid"].split()[0]) >= 61184, status["Uid"]  # of systemd's dynamic range
    assert status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2", status
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0, status
    assert "/private/steadycache" in host.run("readlink", "/var/lib/steadycache").stdout or \
        host.run("readlink", "/var/lib/steadycache").stdout.strip() == "private/steadycache"
    assert host.run("stat", "-c", "%a", "/etc/default/steadycache").stdout.strip() == "600"
    # The limit of open files was raised, which the system call filter must allow.
    assert "open files" not in host.run("journalctl", "--no-pager", "-u", SERVICE).stdout


def check_restarts(host):
    host.run("systemctl", "restart", SERVICE)
    assert ask(host, "get", "ns", "key") == "value"
    host.run("systemctl", "stop", SERVICE)
    assert show(host, "Result") == "success" and show(host, "ExecMainStatus") == "0"
    assert host.run("steadycache", "healthcheck", check=False).returncode == 1


def check_credential(host, root):
    (root / "etc/steadycache").mkdir()
    (root / "etc/steadycache/api-key").write_text("a token\n")
    (root / "etc/steadycache/api-key").chmod(0o600)
    drop_in = root / "etc/systemd/system/steadycache.service.d/token.conf"
    drop_in.parent.mkdir()
    drop_in.write_text(DROP_IN)
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "start", SERVICE)
    assert host.run("steadycache", "get", "ns", "key", check=False).returncode == 3
    assert ask(host, "get", "ns", "key", STEADYCACHE_API_KEY="a token") == "value"
    drop_in.unlink()
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "stop", SERVICE)


def check_socket(host):
    """systemd listens, and starts the server for the first client."""
    host.run("systemctl", "start", "steadycache.socket")
    assert not is_active(host)
    assert ask(host, "get", "ns", "key") == "value"
    # It answers before systemd has read that it is ready.
    wait_until(lambda: is_active(host), 20, "the service to be active")
    host.run("systemctl", "restart", SERVICE)
    assert ask(host, "get", "ns", "key") == "value"
    host.run("systemctl", "stop", "steadycache.socket", SERVICE)


def check_bad_settings(host, root):
    """Wrong settings are not retried."""
    settings = root / "etc/default/steadycache"
    kept = settings.read_text()
    settings.write_text(kept + "STEADYCACHE_LISTEN=0.0.0.0:8080\n")
    assert host.run("systemctl", "start", SERVICE, check=False).returncode != 0
    assert show(host, "ExecMainStatus") == "2" and show(host, "NRestarts") == "0"
    settings.write_text(kept)
    host.run("systemctl", "reset-failed", SERVICE)
    host.run("systemctl", "start", SERVICE)


def remains(root):
    found = subprocess.run(["find", root, "-xdev", "-iname", "*steadycache*", "-not", "-path", "*/var/lib/dpkg/info/*",
                            "-not", "-path", "*/var/log/*"], text=True, capture_output=True).stdout
    return sorted(line[len(str(root)):] for line in found.splitlines())


def check_machine(bed, root, package):
    shutil.copy(package, root / "root/steadycache.deb")
    host = machine.Machine(root, bed.folder)
    try:
        host.run("dpkg", "--install", "/root/steadycache.deb")
        check_service(host)
        check_restarts(host)
        check_credential(host, root)
        shutil.rmtree(root / "etc/steadycache")
        check_socket(host)
        check_bad_settings(host, root)
        before = show(host, "MainPID")
        host.run("dpkg", "--install", "/root/steadycache.deb")  # as an upgrade
        assert is_active(host) and show(host, "MainPID") != before
        assert ask(host, "get", "ns", "key") == "value"
        assert host.run("sh", "-c", "zcat /usr/share/man/man1/steadycache.1.gz | head -c 3").stdout
        host.run("dpkg", "--remove", "steadycache")
        wait_until(lambda: not is_active(host), 10, "the service to stop")
        (root / "root/steadycache.deb").unlink()
        shutil.rmtree(root / "etc/systemd/system/steadycache.service.d", ignore_errors=True)
        left = remains(root)
        assert "/etc/default/steadycache" in left and "/var/lib/private/steadycache" in left, left
        assert not any(path.startswith(("/usr", "/lib")) for path in left), left
        host.run("dpkg", "--purge", "steadycache")
        assert remains(root) == [], remains(root)
    except BaseException:
        print(host.run("journalctl", "--no-pager", "-u", SERVICE, "-n", "40", check=False).stdout)
        raise
    finally:
        host.stop()


def main():
    bed = Bed(sys.argv[1])
    need("debootstrap", "dpkg-deb", "git", "ip", "lintian", "nsenter", "unshare")
    enter()
    if not machine.can_run(bed.folder / "cgroup"):
        skip("control groups (cgroup2) cannot be mounted here, so systemd cannot be started")
    package, others, builder = build_packages(bed)
    print(run("lintian", "--allow-root", "--fail-on", "error,warning", "--no-tag-display-limit", package,
              *others.values()), end="")
    check_library(builder, others)
    shutil.rmtree(builder)
    if subprocess.run(["unshare", "--user", "true"], capture_output=True, check=False).returncode != 0:
        skip(f"{package.name} is built and checked but not run: the unit wants a user namespace, and here (as in a "
             "chroot) there are none")
    root = make_machine(bed, package)
    check_machine(bed, root, package)
    shutil.rmtree(root)
    print(f"{package.name}: {package.stat().st_size / 1e3:.0f} kB; installed, run, upgraded and removed under systemd")


if __name__ == "__main__":
    main()
