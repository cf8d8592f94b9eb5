"""Shared by all contenders: starting and stopping processes, waiting for them, their CPU time and memory."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent.parent
NAMESPACE = "bench"
START_TIMEOUT_S = 60


class Unavailable(Exception):
    """The contender cannot be measured here; the sentence says why."""


@dataclass(frozen=True)
class Setup:
    """The content of a contender: key-0 ... key-(keys - 1)."""

    keys: int = 0
    value_bytes: int = 1024


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def processes_of(pid):
    """The process and its children (nginx has workers). Processes that end meanwhile are left out."""
    found = [pid]
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                found += processes_of(int(child))
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def read_proc(pid, file):
    try:
        return Path(f"/proc/{pid}/{file}").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None


class Contender:
    """A server under test. `start` returns once it answers."""

    name = ""  # on the command line
    title = ""  # in tables
    programs: tuple = ()  # programs that must be installed
    scheme = "http"
    errors_allowed = 0.0  # part of the answers; a contender that fails more often is not measured

    def __init__(self, setup):
        self.setup = setup
        self.folder = Path(tempfile.mkdtemp(prefix="steadycache-bench-"))
        self.port = free_port()
        self.processes = []

    def start(self):
        for program in self.programs:
            if not shutil.which(program):
                raise Unavailable(f"{program} is not installed")
        self.launch_all()
        self.load()

    def launch_all(self):
        """Starts the processes, last the one that gets the requests."""
        raise NotImplementedError

    def load(self):
        """Fills it as `setup` says."""

    def headers(self):
        """Headers that a client must send with each request."""
        return {}

    def kind_for(self, kind):
        """The kind in requests.lua that asks this contender for what `kind` asks the others for."""
        return kind

    def measure(self, load):
        """Figures of one run: rate, cpu_us, p50_us, p99_us, p999_us; unknown ones are None."""
        from ..wrk import run_wrk  # which imports contenders

        return run_wrk(self, load)

    def launch(self, command, port, environment=None):
        """Starts a process in its own process group (Ctrl-C is ours to handle) and waits for its port."""
        log_path = self.folder / f"log-{len(self.processes)}"
        with open(log_path, "w", encoding="utf-8") as log:
            process = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.folder, env={"PATH": os.environ["PATH"], **(environment or {})}, start_new_session=True)
        self.processes.append(process)
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if process.poll() is not None:
                lines = log_path.read_text(errors="replace").strip().splitlines()
                raise Unavailable(f"{Path(command[0]).name} ended: {lines[-1] if lines else 'without a word'}")
            if self.answers(port, log_path):
                return
            time.sleep(0.02)
        raise Unavailable(f"{Path(command[0]).name} does not answer")

    free_port = staticmethod(free_port)

    def answers(self, port, _log_path):
        return self.accepts(port)

    @staticmethod
    def accepts(port):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False

    def stop(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in reversed(self.processes):
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.processes = []
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def process_ids(self):
        return [pid for process in self.processes for pid in processes_of(process.pid)]

    def cpu_s(self):
        ticks = 0
        for pid in self.process_ids():
            stat = read_proc(pid, "stat")
            if stat:
                fields = stat.rsplit(")", 1)[1].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self):
        sizes = (read_proc(pid, "statm") for pid in self.process_ids())
        return sum(int(size.split()[1]) for size in sizes if size) * os.sysconf("SC_PAGESIZE")
