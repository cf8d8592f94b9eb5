#!/usr/bin/python3
"""Varnish in front: how long it may keep what it gets.

usage: test_varnish.py BUILD [CASE...]"""
import contextlib
import http.client
import subprocess
import sys

import bed
from bed import expect, settings

# Tells how often an answer was given before, and for how long it may still be.
MORE = """
sub vcl_deliver {
    set resp.http.X-Hits = obj.hits;
    set resp.http.X-Left = obj.ttl;
}
"""


class Varnish:
    def __init__(self, server, work):
        self.port = bed.free_port()
        (work / "default.vcl").write_text(settings("Varnish", server) + MORE)
        self.log = work / "varnish.log"
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [bed.find("varnishd"), "-j", "none", "-F", "-a", f"127.0.0.1:{self.port}", "-f", work / "default.vcl", "-n",
                 work / "varnish", "-s", "malloc,16m", "-T", "none"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=bed.die_with_parent)

    def __enter__(self):
        try:
            bed.await_that(self.is_ready, "a Varnish that answers", failures=(OSError, http.client.HTTPException))
        except RuntimeError as problem:
            self.__exit__()
            raise AssertionError(f"{problem}\n{self.log.read_text()[-2000:]}") from problem
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            bed.skip(f"Varnish does not start: {self.log.read_text()[-300:]}")
        return self.get("/healthz")[0] == 200

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        if self.process.poll() is None:
            self.process.kill()

    def get(self, path, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()


def age(server, path):
    return int(server.ask("GET", path)[1]["Age"])


def case_an_entry_with_a_ttl_is_kept_for_what_is_left_of_it(server, work):
    server.ask("PUT", "/cache/files/k?ttl=40", "value")
    with Varnish(server, work) as varnish:
        bed.await_that(lambda: age(server, "/cache/files/k") >= 3, "an entry of three seconds")
        _, headers, body = varnish.get("/cache/files/k")
        left = float(headers["X-Left"])
        # Not less the age a second time.
        expect(body == b"value" and 35 < left <= 37.5, headers)
        hits = server.stats("files")["hits"]
        _, headers, body = varnish.get("/cache/files/k")
        expect(body == b"value" and headers["X-Hits"] == "1" and server.stats("files")["hits"] == hits, headers)


def case_an_old_entry_with_a_ttl_is_kept_too(server, work):
    """Older than half of its time."""
    server.ask("PUT", "/cache/files/k?ttl=6", "value")
    with Varnish(server, work) as varnish:
        bed.await_that(lambda: age(server, "/cache/files/k") >= 4, "an entry of four seconds")
        varnish.get("/cache/files/k")
        _, headers, body = varnish.get("/cache/files/k")
        expect(body == b"value" and headers["X-Hits"] == "1", headers)


def case_an_entry_without_a_ttl_is_never_old(server, work):
    with Varnish(server, work) as varnish:
        for value in (b"old", b"new", b"newer"):
            server.ask("PUT", "/cache/files/k", value)
            expect(varnish.get("/cache/files/k")[2] == value, "an older value was given")


def case_what_is_not_there_is_not_kept(server, work):
    with Varnish(server, work) as varnish:
        expect(varnish.get("/cache/files/k")[0] == 404, "a miss")
        server.ask("PUT", "/cache/files/k?ttl=60", "value")
        expect(varnish.get("/cache/files/k")[2] == b"value", "the miss was kept")


def case_conditions_and_parts(server, work):
    server.ask("PUT", "/cache/files/k?ttl=60", "value")
    with Varnish(server, work) as varnish:
        _, headers, _ = varnish.get("/cache/files/k")
        expect(varnish.get("/cache/files/k", {"If-None-Match": headers["ETag"]})[0] == 304, headers)
        status, _, body = varnish.get("/cache/files/k", {"Range": "bytes=1-2"})
        expect(status == 206 and body == b"al", status, body)


if __name__ == "__main__":
    bed.need("varnishd")
    sys.exit(bed.main(globals()))
