#!/usr/bin/python3
"""SteadyText's caches, as real Python makes them, through `steadycache import-steadytext` and the server's
--import-dir; judged by a client that does what SteadyText's D1 client does.

    test_import.py BUILD

Exit 77: numpy is missing."""
import concurrent.futures
import contextlib
import http.client
import http.server
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import traceback
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support"), str(HERE.parent / "process")]
from beds import MISSING, await_that, die_with_parent, free_port  # noqa: E402
from steadytext_client import D1Client  # noqa: E402

try:
    import caches
except ImportError as problem:
    print(f"skipped: {problem}")
    sys.exit(MISSING)

BUILD = Path(sys.argv[1]).resolve()
TOKEN = "a-token"


def expect(holds, what):
    if not holds:
        raise AssertionError(what)


class Server:
    def __init__(self, folder, *flags, token=TOKEN):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder, self.token = Path(folder), token
        self.words = [BUILD / "steadycache", f"--listen=127.0.0.1:{self.port}", f"--data-dir={folder}/data", *flags]

    def __enter__(self):
        self.folder.mkdir(exist_ok=True)
        self.log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(
            self.words, stderr=self.log, preexec_fn=die_with_parent,
            env={**os.environ, "STEADYCACHE_API_KEY": TOKEN})
        await_that(lambda: urllib.request.urlopen(self.url + "/healthz").status == 200, "a server")
        return self

    def __exit__(self, *problem):
        self.process.terminate()
        status = self.process.wait(20)
        self.log.close()
        expect(problem[0] or status == 0, f"the server ended with {status}:\n{self.logged()}")

    def logged(self):
        return (self.folder / "log").read_text()

    def ask(self, path, method="GET", body=None):
        request = urllib.request.Request(self.url + path, body, {"Authorization": f"Bearer {TOKEN}"}, method=method)
        return urllib.request.urlopen(request).read()

    def exported(self):
        lines = [json.loads(line) for line in self.ask("/export").splitlines()]
        return {(line["namespace"], line["key"]): line for line in lines if "key" in line}

    def import_from(self, folder, *flags, token=TOKEN, environment=None):
        words = [BUILD / "steadycache", "import-steadytext", *([folder] if folder else []), *flags]
        return subprocess.run(words, capture_output=True, text=True, timeout=60, env={
            **os.environ, "STEADYCACHE_URL": self.url, "STEADYCACHE_API_KEY": token, **(environment or {})})


def expect_run(done, code, *words):
    expect(done.returncode == code, f"exit {done.returncode}, not {code}:\n{done.stdout}{done.stderr}")
    for word in words:
        expect(word in done.stdout + done.stderr, f"no {word!r} in:\n{done.stdout}{done.stderr}")
    return done


def judge(server, content):
    """Every entry is found as SteadyText looks for it, with its value, and as often and lately used."""
    exported = server.exported()
    for ns, entries in content.items():
        client = D1Client(server.url, TOKEN, ns)
        counted = []
        for entry in entries:
            where = f"{ns} {entry.key!r:.80}"
            line = exported.get((ns, str(entry.key)))
            expect(line, f"{where} is missing")
            expect(line["frequency"] == entry.frequency, f"{where}: frequency {line['frequency']}, not {entry.frequency}")
            expect(line["expires_at"] is None, f"{where} expires")
            expect(line["content_type"] == "text/plain; charset=utf-8", f"{where} is {line['content_type']}")
            if ns.startswith("legacy"):
                counted.append(line["last_access"])
            else:
                expect(abs(line["last_access"] * 1e6 - entry.last_access_us) < 10, f"{where}: {line['last_access']}")
            got = client.get(entry.key)
            expect(caches.same(got, entry.value), f"{where}: {got!r:.200} is not {entry.value!r:.200}")
        expect(counted == sorted(counted), f"{ns}: the order of last uses is another")


@contextlib.contextmanager
def in_use(path):
    """While another process writes to the database."""
    words = [sys.executable, "-c", "import sys, caches; caches.use_db(sys.argv[1])", path]
    writer = subprocess.Popen(words, stdout=subprocess.PIPE, cwd=HERE, preexec_fn=die_with_parent)
    try:
        expect(writer.stdout.readline() == b"writing\n", "the writer does not write")
        yield
        expect(writer.poll() is None, "the writer has failed beside the import")
    finally:
        writer.kill()
        writer.wait()
        writer.stdout.close()


# ---- The tests; each in a folder of its own ----


def all_of_it(folder):
    content = caches.make_folder(folder / "caches")
    before = {path.name: caches.digest(path) for path in (folder / "caches").glob("*.db")}
    with Server(folder / "server") as server:
        done = server.import_from(folder / "caches", "--dry-run")
        expect_run(done, 0, "would import")
        expect(not server.exported(), "a dry run has stored something")
        with in_use(folder / "caches" / "generation_cache.db"):
            done = server.import_from(folder / "caches")
        expect_run(done, 0, "STEADYTEXT_CACHE_BACKEND=d1", f"STEADYTEXT_D1_API_URL={server.url}")
        judge(server, content)
        expect(not list((folder / "caches").glob("*.pkl")), "a .pkl is left")
        for name, was in before.items():
            expect(name == "generation_cache.db" or caches.digest(folder / "caches" / name) == was, f"{name} is changed")
        # Once. What changes in the store stays.
        client = D1Client(server.url, TOKEN, "embedding_cache")
        client.set(("plain",), "newer")
        expect_run(server.import_from(folder / "caches"), 0, "imported 0 entries")
        expect_run(server.import_from(folder / "caches", "--again", "--quiet"), 0)
        expect(caches.same(client.get(("plain",)), "newer"), "an entry was replaced")
        done = server.import_from(folder / "caches", "--again", "--json")
        told = json.loads(expect_run(done, 0).stdout)
        expect(told["complete"] and told["files"] == 4 and told["imported"] < 60 and told["kept"] > 250, told)


def by_the_server(folder):
    content = caches.make_folder(folder / "caches")
    flags = [f"--import-dir={folder / 'caches'}"]
    with Server(folder / "server", *flags) as server, in_use(folder / "caches" / "generation_cache.db"):
        await_that(lambda: len(json.loads(server.ask("/cache/steadytext_imports"))["keys"]) == len(content),
                   f"{len(content)} marks: {server.logged()}")
        judge(server, content)
    await_that(lambda: not list((folder / "caches").glob("*.pkl")), "without .pkl")
    with Server(folder / "server", *flags) as server:
        before = server.exported()
    with Server(folder / "server", *flags) as server:
        expect(server.exported() == before, "a later start has changed entries")


def where_steadytext_has_them(folder):
    home = folder / "home" / "steadytext"
    with Server(folder / "server") as server:
        nowhere = {"XDG_CACHE_HOME": str(folder / "nowhere")}
        expect_run(server.import_from(None, environment=nowhere), 1, f"{folder}/nowhere/steadytext/caches")
        for place, name in (("models/caches", "generation_cache"), ("caches", "index_search_cache")):
            (home / place).mkdir(parents=True)
        expect_run(server.import_from(home), 1, "has no caches of SteadyText's")
        for place, name in (("models/caches", "generation_cache"), ("caches", "index_search_cache")):
            caches.make_db(home / place / f"{name}.db", caches.entries([("a", "b", 1)] if "index" in name else ["k"]))
        expect_run(server.import_from(None, environment={"XDG_CACHE_HOME": str(folder / "home")}), 0, "imported 2 entries")
        expect(D1Client(server.url, TOKEN, "index_search_cache").exists(("a", "b", 1)), "no entry of caches/")
        expect(D1Client(server.url, TOKEN, "generation_cache").exists("k"), "no entry of models/caches/")


def what_cannot_be_taken(folder):
    place = folder / "caches"
    place.mkdir()
    good = caches.entries(["good", "also good"])
    caches.make_db(place / "generation_cache.db", good)
    with contextlib.closing(sqlite3.connect(place / "generation_cache.db")) as db, db:
        db.execute("INSERT INTO cache VALUES ('not base64!', x'80054b012e', 1, 1, 1)")
    caches.make_pkl(place / "cut.pkl", good, 4)
    os.truncate(place / "cut.pkl", (place / "cut.pkl").stat().st_size - 5)
    cut = caches.digest(place / "cut.pkl")
    with contextlib.closing(sqlite3.connect(place / "other.db")) as db:
        db.execute("CREATE TABLE stranger (a)")
    (place / "notes.txt").write_text("no cache")
    with Server(folder / "server") as server:
        expect_run(server.import_from(place), 3, "cut.pkl", "base64", "imported 2 entries")
        judge(server, {"generation_cache": good})
        expect(caches.digest(place / "cut.pkl") == cut, "the damaged file is changed")


def a_full_server(folder):
    """Nothing is lost silently: the .pkl stays, and the sentence names the limit."""
    place = folder / "caches"
    place.mkdir()
    content = caches.entries([f"prompt {n}" for n in range(40)])
    with Server(folder / "server") as server:
        for limit in ({"capacity": 10}, {"capacity": 0}):
            caches.make_pkl(place / "legacy.pkl", content, 4)
            server.ask("/cache/legacy", "PUT", json.dumps(limit).encode())
            expect_run(server.import_from(place), 3, "legacy has evicted", "PUT /cache/legacy")
            expect((place / "legacy.pkl").exists(), "the .pkl is gone")
        server.ask("/cache/legacy", "PUT", b'{"capacity":100}')
        expect_run(server.import_from(place, "--again"), 0)
        judge(server, {"legacy": content})


def a_forgetful_server(folder):
    place = folder / "caches"
    place.mkdir()
    caches.make_pkl(place / "legacy.pkl", caches.entries(["k"]), 4)
    with Server(folder / "server", "--backend=memory") as server:
        expect_run(server.import_from(place), 0, "imported 1 entry", "the file stays")
        expect((place / "legacy.pkl").exists(), "the .pkl is gone")
    with Server(folder / "server", "--backend=memory", "--persist-every=60") as server:
        expect_run(server.import_from(place), 0, "imported 1 entry of 1 file;")
        expect(not (place / "legacy.pkl").exists(), "the .pkl is left")
    with Server(folder / "server", "--backend=memory", "--persist-every=60") as server:
        expect(D1Client(server.url, TOKEN, "legacy").exists("k"), "a persistent memory has lost what it took")


def who_may(folder):
    place = folder / "caches"
    place.mkdir()
    caches.make_db(place / "generation_cache.db", caches.entries(["k"]))
    tokens = {}
    for name, rights, namespaces in (("reader", "read", "*"), ("other", "read,write", "other"),
                                     ("writer", "read,write", "generation_cache,steadytext_imports")):
        done = subprocess.run([BUILD / "steadycache", "token", "new", "--name", name, "--rights", rights,
                               "--namespaces", namespaces], capture_output=True, text=True, check=True)
        tokens[name] = re.search("sc_[A-Za-z0-9_-]+", done.stdout + done.stderr)[0]
        with open(folder / "tokens", "a") as file:
            file.write(re.search("name=.*\n", done.stdout + done.stderr)[0])
    with Server(folder / "server", f"--token-file={folder / 'tokens'}") as server:
        expect_run(server.import_from(place, token="wrong"), 3, "STEADYCACHE_API_KEY")
        expect_run(server.import_from(place, token=tokens["reader"]), 3, "rights read and write")
        expect_run(server.import_from(place, token=tokens["other"]), 3, "steadytext_imports")
        expect_run(server.import_from(place, token=tokens["writer"]), 0, "imported 1 entry")
    expect_run(server.import_from(place), 4, "no answer")


@contextlib.contextmanager
def bad_network(server, *troubles):
    """A way to the server on which each of the troubles (a path and a status, or 0: the answer is lost) is met once."""
    troubles = list(troubles)

    class Relay(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, status, body, headers):
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                    self.send_header(name, value)
            self.send_header("Content-Length", len(body))
            self.end_headers()
            self.wfile.write(body)

        def relay(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            trouble = next((t for t in troubles if self.path.startswith(t[0]) and (body or t[1] in (404, 429))), None)
            if trouble:
                troubles.remove(trouble)
                if trouble[1]:
                    return self.answer(trouble[1], b"{}", [("Retry-After", "0")])
            link = http.client.HTTPConnection("127.0.0.1", server.port)
            link.request(self.command, self.path, body or None, dict(self.headers))
            answer = link.getresponse()
            text = answer.read()
            link.close()
            if trouble:
                self.close_connection = True
                return self.connection.shutdown(socket.SHUT_RDWR)
            return self.answer(answer.status, text, answer.getheaders())

        do_GET = do_POST = do_PUT = relay

        def log_message(self, *_):
            pass

    relays = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Relay)
    thread = threading.Thread(target=relays.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{relays.server_port}"
        expect(not troubles, f"what was not met: {troubles}")
    finally:
        relays.shutdown()
        thread.join()
        relays.server_close()


def a_bad_way(folder):
    place = folder / "caches"
    place.mkdir()
    content = {"legacy": caches.entries([f"prompt {n}" for n in range(100)])}
    caches.make_pkl(place / "legacy.pkl", content["legacy"], 2)
    with Server(folder / "server") as server:
        with bad_network(server, ("/import", 503), ("/import", 0), ("/cache/steadytext_imports", 0),
                         ("/stats", 429)) as url:
            expect_run(server.import_from(place, environment={"STEADYCACHE_URL": url}), 0, "legacy.pkl")
        judge(server, content)
        expect(not (place / "legacy.pkl").exists(), "the .pkl is left")
        # A proxy that hides what tells whether a memory forgets.
        caches.make_pkl(place / "other.pkl", caches.entries(["k"]), 2)
        with bad_network(server, ("/readyz", 404)) as url:
            expect_run(server.import_from(place, environment={"STEADYCACHE_URL": url}), 0, "imported 1 entry")
        expect((place / "other.pkl").exists(), "the .pkl is gone, and nothing told that its entries are safe")


def from_the_original_worker(folder):
    """The recipe of docs/steadytext.md, on a database as `wrangler d1 export` gives it."""
    text = (HERE.parent.parent / "docs" / "steadytext.md").read_text()
    recipe = next(block for block in re.findall(r"```sh\n(.*?)```", text, re.S) if "wrangler d1 export" in block)
    recipe = re.sub(r"^npx wrangler.*\n", "", recipe, flags=re.M)
    content = {"generation_cache": caches.entries([text for text in caches.TEXTS if "\0" not in text]),
               "embedding_cache": caches.entries([("a",), ("it's", 'a "b"')])}

    def quoted(text):
        literal = "'" + text.replace("'", "''") + "'"
        return f"replace({literal},'\n',char(10))".replace("\n", "\\n") if "\n" in text else literal

    columns = "key TEXT PRIMARY KEY, value TEXT NOT NULL, frequency INTEGER DEFAULT 1, last_access INTEGER NOT NULL, " \
        "size INTEGER NOT NULL, created_at INTEGER NOT NULL"
    lines = ["PRAGMA defer_foreign_keys=TRUE;", "CREATE TABLE cache_metadata (cache_name TEXT PRIMARY KEY);"]
    for ns, entries in content.items():
        lines.append(f"CREATE TABLE {ns}_cache ({columns});")
        for key, e in [("has\nno\0place", entries[0]), *((str(e.key), e) for e in entries)]:
            lines.append(f"INSERT INTO \"{ns}_cache\" VALUES({quoted(key)},'{D1Client.pack(e.value)}',{e.frequency},"
                         f"{e.last_access_us},1,{e.last_access_us});")
    (folder / "d1.sql").write_text("\n".join(lines))
    with Server(folder / "server") as server:
        environment = {**os.environ, "STEADYCACHE_URL": server.url, "STEADYCACHE_API_KEY": TOKEN,
                       "PATH": f"{BUILD}:{os.environ['PATH']}"}
        done = subprocess.run(["sh", "-ec", recipe], cwd=folder, env=environment, capture_output=True, text=True)
        expect_run(done, 0)
        judge(server, content)


def run(test):
    folder = Path(tempfile.mkdtemp(prefix="steadycache-steadytext-"))
    try:
        test(folder)
        return True
    except Exception:
        traceback.print_exc()
        return False
    finally:
        shutil.rmtree(folder)


def main():
    tests = [all_of_it, by_the_server, where_steadytext_has_them, what_cannot_be_taken, a_full_server,
             a_forgetful_server, who_may, a_bad_way, from_the_original_worker]
    chosen = [test for test in tests if not sys.argv[2:] or test.__name__ in sys.argv[2:]]
    # They wait much.
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        failed = [test.__name__ for test, good in zip(chosen, pool.map(run, chosen)) if not good]
    if failed:
        sys.exit("failed: " + ", ".join(failed))
    print(f"{len(chosen)} tests passed")


if __name__ == "__main__":
    main()
