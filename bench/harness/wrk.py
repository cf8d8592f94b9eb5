"""One run of wrk with the requests of bench/requests.lua."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .contenders.base import Unavailable
from .placement import generator

SCRIPT = Path(__file__).resolve().parent.parent / "requests.lua"
# A DELETE may come before its PUT does.
MAY_MISS = {"miss", "delete"}


@dataclass(frozen=True)
class Load:
    """The requests, whoever they are sent to."""

    kind: str  # of requests.lua
    keys: int
    value_bytes: int
    distribution: str = "random"
    connections: int = 64
    seconds: int = 5


def run_wrk(contender, load):
    threads = min(2, load.connections)
    headers = [part for name, value in contender.headers().items() for part in ("-H", f"{name}: {value}")]
    kind = contender.kind_for(load.kind)
    ready = contender.folder / "wrk-ready"
    ready.unlink(missing_ok=True)
    command = ["wrk", f"-t{threads}", f"-c{load.connections}", f"-d{load.seconds}s", "--timeout", "30s", *headers,
               "-s", str(SCRIPT), contender.url(), "--", kind, str(load.keys), str(load.value_bytes),
               load.distribution, str(threads), str(ready)]
    before_s = contender.cpu_s()
    done = subprocess.run(generator(command), capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"wrk ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-200:]}")
    result = json.loads(done.stdout.strip().splitlines()[-1])
    cpu_s = contender.cpu_s() - before_s
    allowed = result["requests"] if load.kind in MAY_MISS else result["requests"] * contender.errors_allowed
    if result["socket_errors"] or result["non_2xx"] > allowed:
        raise Unavailable(f"{result['non_2xx']} of {result['requests']} answers are errors, "
                          f"{result['socket_errors']} failed in the socket")
    if not result["requests"]:
        raise Unavailable(f"no answer in {load.seconds} s")
    return {"rate": result["requests"] * 1e6 / result["duration_us"], "cpu_us": cpu_s * 1e6 / result["requests"],
            "p50_us": result["p50_us"], "p99_us": result["p99_us"], "p999_us": result["p999_us"]}
