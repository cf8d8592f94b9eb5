#!/usr/bin/env python3
"""Redis as people run it, in a temporary folder on free ports of 127.0.0.1, for as long as a command runs.

    bed.py [--query TEXT] [--program FILE] SHAPE [-- COMMAND [ARGUMENT]...]

SHAPE is one of
    plain         one server
    script        the same without functions, as Redis 6.2 has none: the policy is a script
    aof           the same with appendonly yes and appendfsync always
    acl           with TLS and a user who has the rights that docs/redis.md names; the default user is off
    mtls          the same, and clients show a certificate
    replica       one server with a replica
    cluster       three masters with a replica each
    cluster-acl   the same with TLS and that user

The command's environment has what steadycache and the tests need: STEADYCACHE_BACKEND and (for test_contract)
STEADYCACHE_TEST_REDIS_URL, for some shapes STEADYCACHE_REDIS_USER, _PASSWORD, _CA_FILE, _CERT_FILE and
_KEY_FILE, and for whoever looks at the servers themselves REDIS_BED_FOLDER and REDIS_BED_PORTS (without TLS;
masters first, then their replicas). Without a command it prints these and waits for the end of its input, or a
signal. --query goes behind the ? of the URL, e.g. 'partitions=1'. Exit 77: there is no such program.

As a module: `with Bed("cluster") as bed:`, then bed.nodes[0].kill() and the like.
"""
import argparse
import contextlib
import functools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from resp import Client, Refused

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
import beds  # noqa: E402
from beds import MISSING, die_with_parent, free_port  # noqa: E402

PROGRAM = os.environ.get("STEADYCACHE_REDIS_SERVER", "redis-server")
PASSWORD = "for-a-test"
SLOTS = 16384

# What a shape is beside one server.
SHAPES = {
    "plain": (), "script": (), "aof": (), "acl": ("tls",), "mtls": ("tls", "clients"),
    "replica": ("replica",), "cluster": ("cluster",), "cluster-acl": ("cluster", "tls"),
}
# Lines of redis.conf.
COMMON_LINES = ("port {node.port}", "bind 127.0.0.1", "dir {node.folder}", "logfile {node.log}",
                'save ""', "repl-diskless-sync-delay 0", "repl-ping-replica-period 1")
LINES = {
    "script": tuple(f'rename-command {name} ""' for name in ("FUNCTION", "FCALL", "FCALL_RO")),
    "aof": ("appendonly yes", "appendfsync always"),
}
CLUSTER_LINES = ("cluster-enabled yes", "cluster-port {node.bus_port}", "cluster-node-timeout 1000")


await_that = functools.partial(beds.await_that, failures=(OSError, Refused))


def lacks(program=PROGRAM):
    """Why there can be no bed; None: there can."""
    return None if shutil.which(program) else f"there is no {program}"


def rights():
    """What docs/redis.md says that a user needs."""
    with open(os.path.join(HERE, "../../docs/redis.md"), encoding="utf-8") as text:
        lines = re.findall(r"^ACL SETUSER steadycache (?:on >PASSWORD )?(.*)$", text.read(), re.M)
    return " ".join(lines)


class Node:
    """One redis-server with a folder of its own, which it keeps while it is stopped. `lines` are lines of
    redis.conf, with {node} for this object."""

    def __init__(self, folder, lines, program):
        os.makedirs(folder)
        self.folder = folder
        self.port, self.bus_port, self.tls_port = free_port(), free_port(), free_port()
        self.credentials = None
        self.log = os.path.join(folder, "log")
        self.words = [program, os.path.join(folder, "redis.conf")]
        self.process = None
        with open(self.words[1], "w", encoding="ascii") as conf:
            for line in (*COMMON_LINES, *lines):
                conf.write(line.format(node=self) + "\n")

    def launch(self):
        self.process = subprocess.Popen(self.words, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, preexec_fn=die_with_parent)

    def await_ready(self):
        def is_ready():
            if self.process.poll() is not None:
                sys.exit(f"bed: {' '.join(self.words)} ended:\n{self.log_text()[-2000:]}")
            return self.ask("PING") == b"PONG"
        await_that(is_ready, f"a server at port {self.port}")

    def start(self):
        self.launch()
        self.await_ready()

    def log_text(self):
        with contextlib.suppress(OSError), open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()
        return ""

    def client(self, timeout=20):
        client = Client(self.port, timeout)
        if self.credentials:
            client("AUTH", *self.credentials)
        return client

    def ask(self, *words):
        with contextlib.closing(self.client()) as client:
            return client(*words)

    def info(self, name):
        """The line `name` of INFO; None: there is none."""
        found = re.search(rb"^%s:(.*?)\r?$" % name.encode(), self.ask("INFO"), re.M)
        return found.group(1).decode() if found else None

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

    def stop(self):
        """As an administrator does it."""
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.kill()


class Bed:
    """The servers of a shape."""

    def __init__(self, shape, lines=(), query="", program=PROGRAM):
        options = SHAPES[shape]
        self.is_cluster, self.has_tls = "cluster" in options, "tls" in options
        self.folder = tempfile.mkdtemp(prefix="steadycache-redis-")
        self.environment = {}
        self.nodes = []
        masters, replicas = (3, 3) if self.is_cluster else (1, 1 if "replica" in options else 0)
        lines = [*LINES.get(shape, ()), *lines]
        if self.is_cluster:
            lines += CLUSTER_LINES
        if self.has_tls:
            self.make_certificates()
            lines += self.tls_lines("yes" if "clients" in options else "no")
        for i in range(masters + replicas):
            more = [f"replicaof 127.0.0.1 {self.nodes[0].port}"] \
                if i >= masters and not self.is_cluster else []
            self.nodes.append(Node(self.path(str(i)), [*lines, *more], program))
            self.nodes[-1].credentials = ("bed", PASSWORD) if self.has_tls else None
        self.masters, self.replicas = self.nodes[:masters], self.nodes[masters:]
        seeds = self.masters if self.is_cluster else self.masters[:1]
        self.url = self.url_of(*seeds, query="&".join(
            part for part in ("cluster=1" if self.is_cluster else "", query) if part))
        self.environment.update(
            STEADYCACHE_BACKEND=self.url, STEADYCACHE_TEST_REDIS_URL=self.url, REDIS_BED_FOLDER=self.folder,
            REDIS_BED_PORTS=" ".join(str(node.port) for node in self.nodes))

    def __enter__(self):
        try:
            if self.is_cluster:
                self.write_nodes()
            for node in self.nodes:
                node.launch()
            for node in self.nodes:
                node.await_ready()
            for node in self.nodes if self.is_cluster else ():
                await_that(lambda node=node: self.is_whole(node), "a whole Cluster")
            for node in self.replicas:
                await_that(lambda node=node: node.info("master_link_status") == "up",
                           "a replica that follows its master")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            node.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def url_of(self, *nodes, query=""):
        hosts = ",".join(f"127.0.0.1:{node.tls_port if self.has_tls else node.port}"
                         for node in nodes)
        return f"redis{'s' if self.has_tls else ''}://{hosts}" + ("?" + query if query else "")

    # ---- TLS, and a user ----

    def make_certificates(self):
        def openssl(words):
            subprocess.run(["openssl", *words.split()], cwd=self.folder, check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
        openssl(f"req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=bed")
        for name, host in (("server", "IP:127.0.0.1"), ("client", "DNS:client")):
            openssl(f"req {key} -keyout {name}.key -out {name}.csr -subj /CN={name} "
                    f"-addext subjectAltName={host}")
            openssl(f"x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
                    f"-copy_extensions copy -out {name}.pem")

    def tls_lines(self, clients):
        self.environment.update(
            STEADYCACHE_REDIS_USER="steadycache", STEADYCACHE_REDIS_PASSWORD=PASSWORD,
            STEADYCACHE_REDIS_CA_FILE=self.path("ca.pem"))
        if clients == "yes":
            self.environment.update(STEADYCACHE_REDIS_CERT_FILE=self.path("client.pem"),
                                    STEADYCACHE_REDIS_KEY_FILE=self.path("client.key"))
        return ["tls-port {node.tls_port}", f"tls-auth-clients {clients}",
                f"tls-cert-file {self.path('server.pem')}", f"tls-key-file {self.path('server.key')}",
                f"tls-ca-cert-file {self.path('ca.pem')}",
                "tls-replication yes", "tls-cluster yes",
                f"masteruser bed\nmasterauth {PASSWORD}",
                "user default off", f"user bed on >{PASSWORD} ~* &* +@all",
                f"user steadycache on >{PASSWORD} {rights()}"]

    # ---- A Cluster ----

    def write_nodes(self):
        """Each node's file of what it knows of the others, as if they had met before: sooner than to have
        them meet."""
        count = len(self.masters)
        lines = []
        for i, node in enumerate(self.nodes):
            port = node.tls_port if self.has_tls else node.port
            last = f"master - 0 0 {i + 1} connected {SLOTS * i // count}-{SLOTS * (i + 1) // count - 1}" \
                if i < count else f"slave {i - count:040x} 0 0 {i - count + 1} connected"
            lines.append(f"{i:040x} 127.0.0.1:{port}@{node.bus_port} {last}\n")
        for i, node in enumerate(self.nodes):
            with open(os.path.join(node.folder, "nodes.conf"), "w", encoding="ascii") as file:
                for j, line in enumerate(lines):
                    kind = "master" if j < count else "slave"
                    file.write(line.replace(kind, "myself," + kind, 1) if j == i else line)
                file.write(f"vars currentEpoch {count} lastVoteEpoch 0\n")

    def is_whole(self, node):
        """Whether this node of a Cluster knows of every slot's master and replica."""
        return b"cluster_state:ok" in node.ask("CLUSTER", "INFO") and \
            [len(line) for line in node.ask("CLUSTER", "SLOTS")] == [4] * len(self.masters)


# ---- Main ----

def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--query", default="")
    parser.add_argument("--program", default=PROGRAM)
    parser.add_argument("shape", choices=SHAPES)
    arguments, command = beds.split_arguments()
    options = parser.parse_args(arguments)

    if lacks(options.program):
        print(f"bed: skipped: {lacks(options.program)}")
        return MISSING
    return beds.serve(lambda: Bed(options.shape, query=options.query, program=options.program), command)


if __name__ == "__main__":
    sys.exit(main())
