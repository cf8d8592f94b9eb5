"""Shared by the tests of clients: a server for each, its tokens and counts, and settings out of the documentation.

A test is a program: `test_NAME.py BUILD [CASE...]`. Its cases are its functions `case_...`, each with a server and a
folder of its own. It ends with 77 if the client is missing: skipped.

What docs/build-caches.md says is what runs: `settings` reads the code blocks of a client there, and puts the address
and the token of this server in the places of those that are written there."""
import base64
import contextlib
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from beds import MISSING, await_that, die_with_parent, free_port  # noqa: E402,F401

PAGE = ROOT / "docs/build-caches.md"
# As the documentation writes them.
ADDRESS = "cache.example:8080"
TOKEN = "TOKEN"
PACKAGES = Path(__file__).resolve().parent / "node_modules"


def skip(reason):
    print(f"skipped: {reason}", flush=True)
    sys.exit(MISSING)


def need(*programs):
    missing = [program for program in programs if not find(program)]
    if missing:
        skip(f"not installed: {' '.join(missing)} (./dev test clients installs them)")


def find(program):
    """A program of the system, also of those that only administrators have on their path."""
    return shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")


def need_packages(*names):
    """Packages of npm (tests/clients/package.json)."""
    missing = [name for name in names if not (PACKAGES / name / "package.json").exists()]
    if missing or not find("node"):
        skip(f"not installed: {' '.join(missing) or 'node'} (./dev test clients installs them)")


def sections(text):
    """The lines of each heading, code blocks included: {heading: text}."""
    found, heading, in_code = {}, "", False
    for line in text.splitlines():
        in_code ^= line.startswith("```")
        if line.startswith("#") and not in_code:
            heading = line.lstrip("# ")
        found[heading] = found.get(heading, "") + line + "\n"
    return found


def settings(heading, server, token=None, number=0):
    """The code block of that number under a heading of the page, for this server."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", sections(PAGE.read_text(encoding="utf-8"))[heading], re.M | re.S)
    text = blocks[number].replace(f"https://{ADDRESS}", server.url).replace(f"http://{ADDRESS}", server.url)
    # Credentials in an address; host and port on their own.
    text = text.replace(ADDRESS, f"127.0.0.1:{server.port}")
    host, port = ADDRESS.split(":")
    text = text.replace(f'"{port}"', f'"{server.port}"').replace(host, "127.0.0.1")
    return re.sub(rf"\b{TOKEN}\b", token or server.key, text)


def environment_of(block, base=None):
    """The environment after the `export` lines of a block."""
    done = subprocess.run(["sh", "-ec", f"{block}\nenv -0"], env=base or clean_environment(), check=True,
                          capture_output=True)
    return dict(line.split("=", 1) for line in done.stdout.decode().split("\0") if line)


def clean_environment():
    """Without what would change a client: proxies, and variables of this server or of the clients."""
    dropped = re.compile(r"STEADY|CCACHE|TURBO|NX_|MOON|RUSH|GRADLE|NIX|CI$|.*_proxy$|.*_PROXY$")
    return {name: value for name, value in os.environ.items() if not dropped.match(name)}


class Server:
    """build/steadycache, with a key, a token that only reads, and one that has expired."""

    def __init__(self, build, folder, *flags, **environment):
        self.build, self.folder = Path(build).resolve(), Path(folder)
        self.key, self.reader, self.expired = "key-of-the-tests", "reader-of-the-tests", "expired-token-of-the-tests"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.flags, self.environment = flags, environment
        self.process, self.marks = None, 0
        tokens = self.folder / "tokens"
        tokens.write_text("".join(
            f"name={name} sha256={hashlib.sha256(token.encode()).hexdigest()} rights=read namespaces=*{more}\n"
            for name, token, more in (("reader", self.reader, ""), ("old", self.expired, " expires=2020-01-01"))))
        self.start()

    def start(self):
        kept = clean_environment()
        self.log = self.folder / "server.log"
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [self.build / "steadycache", "serve", "--access-log", "--token-file", self.folder / "tokens",
                 "--data-dir", self.folder / "data", *self.flags],
                env={**kept, "STEADYCACHE_LISTEN": f"127.0.0.1:{self.port}", "STEADYCACHE_API_KEY": self.key,
                     "STEADYCACHE_LOG_FORMAT": "json", **self.environment},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent)
        await_that(lambda: self.ask("GET", "/readyz")[0] == 200, f"a server that is ready; see {self.log}")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        text = self.log.read_text(encoding="utf-8", errors="replace")
        assert code == 0, f"the server ended with {code}:\n{text[-4000:]}"
        assert "Sanitizer" not in text and "runtime error" not in text, text[-8000:]
        for secret in (self.key, self.reader, base64.b64encode(self.key.encode()).decode()):
            assert secret not in text, "the log holds a token"

    def ask(self, method, path, body=None, headers=None, token=None):
        """Status, headers and body of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {token or self.key}", **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def configure(self, namespace, **settings_of_it):
        status, _, text = self.ask("PUT", f"/cache/{namespace}", json.dumps(settings_of_it))
        assert status in (200, 201, 204), text

    def stats(self, namespace):
        """Counts of a namespace: hits, misses, sets, entry_count; zeros before there is one."""
        status, _, text = self.ask("GET", f"/stats/{namespace}")
        return json.loads(text) if status == 200 else {"hits": 0, "misses": 0, "sets": 0, "entry_count": 0}

    def keys(self, namespace):
        return [entry["key"] for entry in json.loads(self.ask("GET", f"/cache/{namespace}?limit=1000")[2])["keys"]]

    def clear(self, namespace):
        status, _, text = self.ask("DELETE", f"/cache/{namespace}?all")
        assert status in (200, 204, 404), text

    def records(self):
        """The lines of the log, the newest last."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}\n")]

    def requests(self):
        """(method, status) of each request of a client, the newest last. A request is logged after its answer, so
        one more is sent, and its line awaited."""
        if self.process.poll() is None:
            self.marks += 1
            mark = f"mark-{self.marks}"
            self.ask("GET", "/readyz", headers={"X-Request-Id": mark})
            await_that(lambda: any(record.get("request_id") == mark for record in self.records()), "the line of a request")
        return [(record["method"], int(record["status"])) for record in self.records()
                if "method" in record and record["route"] not in ("/readyz", "/stats/{ns}")]

    def count(self, method, status):
        return sum(1 for request in self.requests() if request == (method, status))


class Counted:
    """What happens to the counts of a namespace inside a `with`."""

    def __init__(self, server, namespace):
        self.server, self.namespace = server, namespace

    def __enter__(self):
        self.before = self.server.stats(self.namespace)
        return self

    def __exit__(self, *_):
        after = self.server.stats(self.namespace)
        self.hits, self.misses, self.sets = (after[name] - self.before[name] for name in ("hits", "misses", "sets"))
        self.entries = after["entry_count"]

    def __str__(self):
        return f"{self.hits} hits, {self.misses} misses, {self.sets} sets, {self.entries} entries"


def run(words, environment=None, cwd=None, code=0, text=None, seconds=300):
    """The output, both kinds, of a client that must end with `code` (None: any)."""
    done = subprocess.run([str(word) for word in words], env=environment or clean_environment(), cwd=cwd, input=text,
                          stdin=subprocess.DEVNULL if text is None else None, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", timeout=seconds, check=False,
                          preexec_fn=die_with_parent)
    if code is not None and done.returncode != code:
        raise AssertionError(f"{' '.join(str(word) for word in words)} ended with {done.returncode}, not {code}:\n"
                             f"{done.stdout[-6000:]}")
    return done.stdout


def expect(holds, *what):
    """An assertion that says what there was instead."""
    if not holds:
        raise AssertionError("\n".join(str(part)[-6000:] for part in what))


def expect_words(text, *words):
    for word in words:
        expect(word in text, f"expected {word!r} in:", text)


def main(cases, *flags, **environment):
    """Runs the functions `case_...` of a module, or those that the command line names."""
    if len(sys.argv) < 2:
        sys.exit(f"usage: {sys.argv[0]} BUILD [CASE...]")
    build, wanted = sys.argv[1], sys.argv[2:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    failed = 0
    for name, case in list(cases.items()):
        if not name.startswith("case_") or (wanted and name.removeprefix("case_") not in wanted):
            continue
        with tempfile.TemporaryDirectory(prefix="steadycache-client-") as folder:
            more = getattr(case, "environment", {})
            server = None
            try:
                server = Server(build, folder, *getattr(case, "flags", flags), **{**environment, **more})
                work = Path(folder) / "work"
                work.mkdir()
                began = time.monotonic()
                case(server, work)
                print(f"ok {name.removeprefix('case_')} {time.monotonic() - began:.1f} s", flush=True)
            except Exception:  # pylint: disable=broad-except
                failed += 1
                print(f"FAILED {name.removeprefix('case_')}\n{traceback.format_exc()}", flush=True)
                if server:
                    print(f"the server's log:\n{server.log.read_text(errors='replace')[-3000:]}", flush=True)
            finally:
                if server:
                    with contextlib.suppress(ProcessLookupError):
                        try:
                            server.stop()
                        except AssertionError as problem:
                            failed += 1
                            print(f"FAILED {name.removeprefix('case_')} at its end: {problem}", flush=True)
    sys.exit(1 if failed else 0)


def started_with(*flags, **environment):
    """Of a case: flags and environment of its server."""
    def mark(case):
        case.flags, case.environment = flags, environment
        return case
    return mark
