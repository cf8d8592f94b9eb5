#!/usr/bin/env python3
"""Builds docker/Dockerfile and runs the result: its files, its user, the conformance suite, restarts, a kill, a
stop under a request, the health check. It uses a Docker engine of its own (engine.py). Where that does not start,
buildah builds the image, which then runs in namespaces (container.py).

usage: test_image.py BUILD [--archive FILE]
  BUILD   folder with the program `conformance`
  FILE    where the image is written as well, for `docker load`
STEADYCACHE_TEST_ENGINE=buildah leaves Docker out. Exit 77: skipped; see bed.py."""
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from bed import ROOT, Bed, enter, leave_network, need, run, wait_until
from container import Container
from engine import Engine, EngineContainer, is_there

BASE = "localhost/debian:bookworm-slim"
IMAGE = "localhost/steadycache:test"
MAX_IMAGE_BYTES = 40_000_000
MAX_BODY_MB = 4
KEY = "a-secret/key=+1"
PROGRAM = "/usr/bin/steadycache"
# Everything that may be in the image.
ALLOWED = [
    PROGRAM, r"/(usr/)?lib(64)?/([a-z0-9_]+-linux-gnu[a-z0-9]*/)?(ld-linux[a-z0-9_.-]*|lib[a-z0-9_+.-]+)\.so(\.[0-9]+)*",
    "/etc/(passwd|group)", "/etc/ssl/certs/ca-certificates.crt", "/usr/share/doc/[^/]+/copyright",
    "/var/lib/dpkg/status.d/[^/]+",
]


def build_arguments(version):
    return ["--build-arg", f"BASE={BASE}", "--build-arg", "WITH_PAGES=OFF", "--build-arg", f"VERSION={version}",
            "--file", "docker/Dockerfile"]


def build_by_docker(bed, engine, version):
    if not engine.has_image(BASE):
        engine.docker("import", bed.make_base(), BASE)
    # The name of the first stage keeps its layers, so that only what was changed is built again.
    for name, *target in ((IMAGE + "-build", "--target", "build"), (IMAGE,)):
        engine.docker("build", "--network", "host", *target, *build_arguments(version), "--tag", name, ".")
    engine.docker("image", "prune", "--force")


def build_by_buildah(bed, version):
    base = bed.make_base()
    bed.buildah("rm", "--all")  # of a run that was killed
    if not bed.buildah("images", "--quiet", "--filter", f"reference={BASE}"):
        container = bed.buildah("from", "scratch")
        bed.buildah("add", container, base, "/")
        bed.buildah("commit", "--rm", container, BASE)
    bed.buildah("bud", "--isolation", "chroot", "--pull-never", "--layers", "--format", "docker",
                *build_arguments(version), "--tag", IMAGE, ".")


def check_config(config, version):
    assert config["User"] == "65532:65532", config["User"]
    assert config["StopSignal"] == "SIGTERM", config["StopSignal"]
    assert list(config["ExposedPorts"]) == ["8080/tcp"], config["ExposedPorts"]
    assert list(config["Volumes"]) == ["/data"], config["Volumes"]
    assert config["Entrypoint"] == [PROGRAM] and config["Cmd"] == ["serve"], config
    assert config["Healthcheck"]["Test"][:3] == ["CMD", PROGRAM, "healthcheck"], config["Healthcheck"]
    for setting in ("STEADYCACHE_LISTEN=0.0.0.0:8080", "STEADYCACHE_DATA_DIR=/data"):
        assert setting in config["Env"], config["Env"]
    labels = config["Labels"]
    assert labels["org.opencontainers.image.title"] == "steadycache", labels
    assert labels["org.opencontainers.image.licenses"] == "MIT", labels
    assert labels["org.opencontainers.image.version"] == version, labels


def check_files(root):
    """The image has the program, what it needs, and nothing useful to an intruder. Returns the size."""
    size = 0
    for path in root.rglob("*"):
        name = "/" + str(path.relative_to(root))
        status = path.lstat()
        if stat.S_ISDIR(status.st_mode):
            assert name == "/data" or not status.st_mode & 0o022, f"{name} can be written by all"
            continue
        assert stat.S_ISREG(status.st_mode), f"{name} is not a plain file"
        assert any(re.fullmatch(pattern, name) for pattern in ALLOWED), f"{name} does not belong into the image"
        assert not status.st_mode & (stat.S_ISUID | stat.S_ISGID), f"{name} is setuid"
        assert status.st_uid == 0, f"{name} is not root's"
        size += status.st_size
    data = (root / "data").stat()
    assert (data.st_uid, data.st_gid, stat.S_IMODE(data.st_mode)) == (65532, 65532, 0o700), data
    assert size < MAX_IMAGE_BYTES, f"the image has {size} bytes"
    copyrights = len(list(root.glob("usr/share/doc/*/copyright")))
    assert copyrights == len(list(root.glob("var/lib/dpkg/status.d/*"))) > 5, copyrights
    return size


def check_start(container):
    result = container.run(PROGRAM, "--version")
    assert result.returncode == 0 and result.stdout.startswith("steadycache "), result
    result = container.run(PROGRAM, "serve")  # all addresses, no token
    assert result.returncode == 2 and "STEADYCACHE_API_KEY_FILE" in result.stderr, result


def check_process(container):
    assert container.status("Uid").split() == ["65532"] * 4, container.status("Uid")
    assert container.status("Gid").split() == ["65532"] * 4, container.status("Gid")
    assert set(container.status("Groups").split()) <= {"65532"}, container.status("Groups")
    assert container.status("NSpid").split()[-1] == "1", container.status("NSpid")
    for share in ("CapEff", "CapPrm"):
        assert int(container.status(share), 16) == 0, share


def check_health(container, is_well):
    test = container.config["Healthcheck"]["Test"][1:]
    result = container.run(*test)
    assert result.returncode == (0 if is_well else 1), result


def client(container, *words):
    result = container.run(PROGRAM, *words, STEADYCACHE_API_KEY=KEY)
    assert result.returncode == 0, result
    return result.stdout


def check_certificates(container, folder):
    """A server whose certificate nobody has signed is refused for that, and not because a list of authorities
    is missing; one on the list is accepted."""
    key, certificate = folder / "key.pem", container.volume / "certificate.pem"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate)
    certificate.chmod(0o644)
    with open(folder / "tls.log", "w") as log:
        server = subprocess.Popen(["openssl", "s_server", "-accept", "127.0.0.1:8443", "-cert", certificate, "-key",
                                   key, "-www"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 20
        while "ACCEPT" not in (folder / "tls.log").read_text():
            assert server.poll() is None and time.monotonic() < end, (folder / "tls.log").read_text()
            time.sleep(0.02)
        settings = {"STEADYCACHE_URL": "https://127.0.0.1:8443"}
        result = container.run(PROGRAM, "healthcheck", **settings)
        assert result.returncode == 1 and "self-signed certificate" in result.stderr, result
        result = container.run(PROGRAM, "healthcheck", STEADYCACHE_CA_FILE="/data/certificate.pem", **settings)
        assert "certificate" not in result.stderr, result
    finally:
        server.kill()
        server.wait()
    certificate.unlink()


def check_drain(container):
    """A stop while a request is being sent: it is answered, its connection closed, and what it wrote is kept."""
    with socket.create_connection(("127.0.0.1", 8080), timeout=15) as sender:
        sender.sendall(f"PUT /cache/ns/last HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
                       "Content-Length: 10\r\n\r\nthe l".encode())
        assert client(container, "get", "ns", "kept") == "through a restart"  # by now the first bytes have arrived
        stopping = threading.Thread(target=container.stop)
        stopping.start()
        wait_until(lambda: "msg=stopping" in container.text(), 10, "the stop")
        sender.sendall(b"ast 1")
        answer = sender.makefile("rb").read().decode()
        stopping.join()
    assert answer.startswith("HTTP/1.1 201 ") and "\r\nConnection: close\r\n" in answer, answer


def check_kill(container):
    """The engine starts a server that was killed again, with all that it had acknowledged."""
    client(container, "set", "ns", "acknowledged", "before the kill")
    killed = container.pid
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: container.pid not in (0, killed), 30, "the container's restart")
    container.await_health()
    assert client(container, "get", "ns", "acknowledged") == "before the kill"


def run_conformance(bed):
    suite = subprocess.run([bed.build / "conformance", "-j8", "--color=never"], text=True, capture_output=True,
                           env={**os.environ, "STEADYCACHE_URL": "http://127.0.0.1:8080", "STEADYCACHE_API_KEY": KEY,
                                "STEADYCACHE_TEST_MAX_BODY": str(MAX_BODY_MB << 20)})
    assert suite.returncode == 0, suite.stdout[-8000:] + suite.stderr[-8000:]
    print(re.search(r"Synthesis: .*", suite.stdout + suite.stderr).group(0))


def check_image(bed, container, root, version, scratch):
    size = check_files(root)
    check_config(container.config, version)
    try:
        check_start(container)
        check_health(container, False)
        (container.volume / "token").write_text(KEY + "\n")
        settings = {"STEADYCACHE_API_KEY_FILE": "/data/token", "STEADYCACHE_MAX_BODY_MB": str(MAX_BODY_MB)}
        container.start(**settings)
        check_process(container)
        check_health(container, True)
        run_conformance(bed)
        client(container, "set", "ns", "kept", "through a restart")
        check_drain(container)
        container.start(**settings)
        assert client(container, "get", "ns", "kept") == "through a restart"
        assert client(container, "get", "ns", "last") == "the last 1"
        assert (container.volume / "steadycache.db").stat().st_uid == 65532
        if container.is_restarted:
            check_kill(container)
        container.stop()
        check_certificates(container, scratch)
    finally:
        container.kill()
    print(f"the image's files have {size / 1e6:.1f} MB")


def unpack(archive, root):
    """The files of an image that `docker save` has written."""
    root.mkdir(mode=0o755)
    with tempfile.TemporaryDirectory() as folder:
        run("tar", "-C", folder, "-xf", archive)
        for layer in json.loads((Path(folder) / "manifest.json").read_text())[0]["Layers"]:
            run("tar", "-C", root, "-xpf", Path(folder) / layer)


def test_by_docker(bed, engine, version, scratch, volume):
    """Leaves the image's archive in `scratch`."""
    with engine:
        build_by_docker(bed, engine, version)
        name = f"steadycache:{version}"
        engine.docker("tag", IMAGE, name)
        engine.docker("save", "--output", scratch / "image.tar", name)
    unpack(scratch / "image.tar", scratch / "root")
    leave_network()
    with Engine(bed).start() as engine:
        check_image(bed, EngineContainer(engine, IMAGE, volume), scratch / "root", version, scratch)


def test_by_buildah(bed, version, scratch, volume):
    """As test_by_docker."""
    build_by_buildah(bed, version)
    bed.buildah("push", IMAGE, f"docker-archive:{scratch}/image.tar:steadycache:{version}")
    config = json.loads(bed.buildah("inspect", "--type", "image", IMAGE))["Docker"]["config"]
    leave_network()
    mounted = bed.buildah("from", "--pull-never", IMAGE)
    try:
        root = Path(bed.buildah("mount", mounted))
        check_image(bed, Container(config, root, volume, scratch / "log"), root, version, scratch)
    finally:
        bed.buildah("rm", mounted)


def start_docker(bed):
    """None: there is no engine, or it does not start here."""
    if os.environ.get("STEADYCACHE_TEST_ENGINE") == "buildah" or not is_there():
        return None
    try:
        return Engine(bed, host_network=True).start()
    except AssertionError as error:
        print(f"no Docker engine starts here: {error}")
        return None


def main():
    bed = Bed(sys.argv[1])
    need("buildah", "debootstrap", "unshare", "ip", "openssl", "python3")
    enter()
    version = re.search(r"project\(steadycache VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text()).group(1)
    scratch = Path(tempfile.mkdtemp(prefix="steadycache-image-"))
    volume = scratch / "data"
    volume.mkdir(mode=0o700)
    os.chown(volume, 65532, 65532)  # an engine copies the owner from the image's /data
    try:
        engine = start_docker(bed)
        if engine:
            test_by_docker(bed, engine, version, scratch, volume)
        else:
            test_by_buildah(bed, version, scratch, volume)
        if sys.argv[2:3] == ["--archive"]:
            shutil.move(scratch / "image.tar", sys.argv[3])
    finally:
        shutil.rmtree(scratch)
    print(f"by {'a Docker engine' if engine else 'buildah, and run in namespaces'}")


if __name__ == "__main__":
    main()
