"""What the beds of tests share: servers that other people wrote, started for as long as a command runs."""
import contextlib
import ctypes
import os
import random
import shlex
import signal
import socket
import subprocess
import sys
import time

MISSING = 77  # the exit status of what cannot run here


def free_port():
    """Below the ports that the system gives to outgoing connections: a server that is started again finds
    its port free."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


def die_with_parent():
    """For preexec_fn: nothing that is started here outlives the thread that started it."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def await_that(holds, what, seconds=20, step=0.02, failures=(OSError,)):
    """Waits until `holds()` is true; connections that fail meanwhile are no failures."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(*failures):
            if holds():
                return
        if time.monotonic() > end:
            raise RuntimeError(f"in {seconds} s: not {what}")
        time.sleep(step)


def run(bed, command):
    """The exit status of `command` with the bed's environment; it ends with this process."""
    child = subprocess.Popen(command, env={**os.environ, **bed.environment},
                             preexec_fn=die_with_parent)
    try:
        return child.wait()
    finally:
        if child.poll() is None:
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(20)
            child.kill()


def split_arguments():
    """The arguments of this program, and the command behind `--`."""
    words = sys.argv[1:]
    place = words.index("--") if "--" in words else len(words)
    return words[:place], words[place + 1:]


def serve(make, command):
    """Runs `command` on the bed that `make()` gives, or, without one, prints its environment and waits for
    the end of the input, or a signal."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        with make() as bed:
            if command:
                return run(bed, command)
            for name, value in bed.environment.items():
                print(f"{name}={shlex.quote(value)}", flush=True)
            sys.stdin.read()
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0
