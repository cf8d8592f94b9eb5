#!/usr/bin/python3
"""Programs and libraries that speak plain HTTP: curl, wget, HTTPie, Python's requests.

usage: test_plain.py BUILD [CASE...]"""
import gzip
import os
import re
import sys

import bed
from bed import Counted, expect, expect_words, run, settings

REPORT = b"<p>\xc3\xa4 report</p>\n" * 100
PATH = "/cache/files/report.html"


def shell(block, work, code=0):
    """Runs lines of sh; the output."""
    return run(["sh", "-ec", block], {**bed.clean_environment(), "HOME": str(work)}, work, code)


def expect_documented(server, work, heading, token=None):
    """The lines of the page: the first stores, the others read."""
    (work / "report.html").write_bytes(REPORT)
    lines = settings(heading, server, token).splitlines(keepends=True)
    with Counted(server, "files") as stored:
        shell(lines[0], work)
    expect(stored.sets == 1 and server.ask("GET", PATH)[2] == REPORT, stored)
    with Counted(server, "files") as read:
        shell("".join(lines[1:]), work)
    expect(read.hits == 1 and read.sets == 0 and (work / "report.copy").read_bytes() == REPORT, read)


def fill(server):
    status, headers, _ = server.ask("PUT", PATH, REPORT, {"Content-Type": "text/html"})
    expect(status == 201, status)
    return headers["ETag"]


# ---- The server of the page ----

def case_server(server, work):
    """Its tokens may do what the page says, and its settings are those of the profile."""
    make, serve, configure = (settings("The server", server, number=number) for number in range(3))
    variables = {**bed.clean_environment(), "PATH": f"{server.build}:{os.environ['PATH']}"}
    run(["sh", "-ec", make], variables, work)
    lines = (work / "tokens.new").read_text().split()
    writer, reader, owner = (word for word in lines if "=" not in word)
    expect((work / "tokens.new").stat().st_mode & 0o077 == 0, "tokens are for nobody else")
    words = re.sub(r"--listen \S+", "--listen 127.0.0.1:0", serve).split()
    expect(words[:2] == ["steadycache", "serve"], words)
    # The same in the place of the server that has been started.
    server.stop()
    server.flags = [word for word in words[2:] if word not in ("--listen", "127.0.0.1:0")]
    server.flags[server.flags.index("tokens")] = work / "tokens"
    server.start()
    expect(server.ask("PUT", "/cache/ccache/k", "v", token=writer)[0] == 201, "it may write")
    expect(server.ask("PUT", "/cache/ccache/k", "v", token=reader)[0] == 403, "it may only read")
    expect(server.ask("GET", "/cache/ccache/k", token=reader)[2] == b"v", "it may read")
    stats = server.stats("ccache")
    expect(stats["eviction"] == "lru" and stats["max_size_bytes"] == 10240 << 20, stats)
    shell(configure.replace(server.key, owner), work)
    stats = server.stats("ccache")
    expect(stats["max_idle"] == 2592000 and stats["max_size_bytes"] == 50000 << 20, stats)


# ---- curl ----

def case_curl(server, work):
    bed.need("curl")
    expect_documented(server, work, "curl")
    # The second read brings nothing: it is not modified.
    with Counted(server, "files"):
        shell(settings("curl", server).splitlines()[1], work)
    expect(server.count("GET", 304) == 1 and (work / "report.copy").read_bytes() == REPORT, server.requests())


def case_curl_credentials(server, work):
    bed.need("curl")
    fill(server)
    (work / ".netrc").write_text(f"machine 127.0.0.1 login ci password {server.key}\n")
    url, address = server.url + PATH, f"127.0.0.1:{server.port}{PATH}"
    for words in (f"-u ci:{server.key} {url}", f"http://ci:{server.key}@{address}", f"--netrc {url}",
                  f"--oauth2-bearer {server.key} {url}", f"-H 'Authorization: Bearer {server.key}' {url}",
                  # It asks without credentials first, and takes the scheme that is offered.
                  f"--anyauth -u ci:{server.key} {url}"):
        expect(shell(f"curl --fail -sS {words}", work) == REPORT.decode(), words)
    expect(server.count("GET", 401) == 1, server.requests())
    for words in ("-u ci:wrong", f"-u {server.key}:", f"-u ci:{server.expired}", ""):
        expect(shell(f"curl -s -o /dev/null -w '%{{http_code}}' {words} {url}", work) == "401", words)


def case_curl_rights_and_sizes(server, work):
    bed.need("curl")
    (work / "large").write_bytes(os.urandom(2 << 20))
    put = f"curl -sS --fail-with-body -u ci:{server.reader} -T large {server.url}/cache/files/large"
    expect_words(shell(put, work, 22), 'the token \\"reader\\" has not the right \\"write\\"')
    put = put.replace(server.reader, server.key)
    expect_words(shell(put, work, 22), "the server takes up to", "STEADYCACHE_MAX_BODY_MB")
    # Of a length that is not declared.
    expect_words(shell(f"cat large | {put.replace('-T large', '-T -')}", work, 22), "STEADYCACHE_MAX_BODY_MB")
    expect(server.stats("files")["sets"] == 0, server.stats("files"))


case_curl_rights_and_sizes.flags = ("--max-body-mb", "1")


def case_curl_transfers(server, work):
    """Streams, parts, and reads on a condition."""
    bed.need("curl")
    curl = f"curl --fail -sS -u ci:{server.key}"
    url = server.url + PATH
    (work / "report.html").write_bytes(REPORT)
    shell(f"cat report.html | {curl} -T - {url}", work)
    shell(f"head -c 1000 report.html >part && {curl} -C - -o part {url}", work)
    expect((work / "part").read_bytes() == REPORT and server.count("GET", 206) == 1, server.requests())
    shell(f"{curl} -z report.html -o none {url}", work)
    expect(not (work / "none").exists() or (work / "none").stat().st_size == 0, server.requests())
    expect(shell(f"{curl} -r 0-2 {url}", work) == "<p>", "a range")
    expect(shell(f"{curl} --compressed {url}", work) == REPORT.decode(), "compressed")
    expect_words(shell(f"{curl} -I {url}", work), f"Content-Length: {len(REPORT)}")
    shell(f"{curl} -H 'Expect: 100-continue' -T report.html {url}", work)
    shell(f"{curl} -X DELETE {url}", work)
    expect(server.ask("GET", PATH)[0] == 404, "it was deleted")


# ---- wget ----

def case_wget(server, work):
    bed.need("wget")
    expect_documented(server, work, "wget")


def case_wget_more(server, work):
    """Credentials that it sends once it is asked for them, a transfer that goes on, a file that is as new."""
    bed.need("wget")
    fill(server)
    wget = f"wget -nv --user=ci --password={server.key}"
    url = server.url + PATH
    shell(f"{wget} -O first {url}", work)
    expect((work / "first").read_bytes() == REPORT and server.count("GET", 401) == 1, server.requests())
    (work / "report.html").write_bytes(REPORT[:1000])
    shell(f"{wget} --auth-no-challenge -c {url}", work)
    expect((work / "report.html").read_bytes() == REPORT and server.count("GET", 206) == 1, server.requests())
    # A time of whole seconds says nothing about an entry that may yet change in this one.
    def is_as_new():
        shell(f"{wget} --auth-no-challenge -N {url}", work)
        return server.count("GET", 304) > 0
    bed.await_that(is_as_new, "304", step=0.2)
    expect_words(shell(f"wget -nv --auth-no-challenge --user=ci --password=wrong -O - {url}", work, 6),
                 "Authentication Failed")


# ---- HTTPie ----

def case_httpie(server, work):
    bed.need("http")
    expect_documented(server, work, "HTTPie")


def case_httpie_more(server, work):
    bed.need("http")
    fill(server)
    http = "http --ignore-stdin --check-status --print=b"
    url = server.url + PATH
    expect_words(shell(f"{http} -A bearer -a {server.key} {url}", work), "report")
    (work / "part").write_bytes(REPORT[:1000])
    shell(f"http --ignore-stdin -q -a ci:{server.key} --download -c -o part {url}", work)
    expect((work / "part").read_bytes() == REPORT and server.count("GET", 206) == 1, server.requests())
    expect_words(shell(f"{http} -a ci:{server.reader} DELETE {url}", work, 4), "has not the right")
    shell(f"{http} -a ci:wrong {url}", work, 4)
    expect(server.count("GET", 401) == 1, server.requests())


# ---- requests ----

def need_requests():
    try:
        import requests  # pylint: disable=import-outside-toplevel
        return requests
    except ImportError:
        bed.skip("not installed: python3-requests")


def case_requests(server, work):
    need_requests()
    (work / "report.html").write_bytes(REPORT)
    with Counted(server, "files") as counted:
        run([sys.executable, "-c", settings("Python requests", server) + "print(len(answer.content))\n"], cwd=work)
    expect(counted.sets == 1 and counted.hits == 1 and server.ask("GET", PATH)[2] == REPORT, counted)


def case_requests_more(server, _work):
    requests = need_requests()
    url = server.url + PATH
    session = requests.Session()
    session.trust_env = False
    session.auth = ("ci", server.key)
    expect(session.get(url).status_code == 404, "a miss")
    put = session.put(url, data=(REPORT[at:at + 700] for at in range(0, len(REPORT), 700)))
    expect(put.status_code == 201, put.text)
    got = session.get(url)
    expect(got.content == REPORT, got.headers)
    expect(session.get(url, headers={"If-None-Match": got.headers["ETag"]}).status_code == 304, "not modified")
    expect(session.get(url, headers={"Range": "bytes=3-5"}).content == REPORT[3:6], "a range")
    expect(session.put(server.url + "/cache/files/ä b", data=b"").status_code == 201, "a name that is not ASCII")
    expect(session.get(server.url + "/cache/files/ä b").content == b"", "no bytes")
    session.auth = ("", server.reader)
    refused = session.put(url, data=b"x")
    expect(refused.status_code == 403 and "has not the right" in refused.json()["error"], refused.text)
    session.auth = ("ci", "wrong")
    refused = session.get(url)
    expect(refused.status_code == 401, refused.text)
    schemes = re.findall(r"(Bearer|Basic) ", refused.headers["WWW-Authenticate"])
    expect(schemes == ["Bearer", "Basic"], refused.headers)


# ---- Content codings ----

def expect_read_by_all(server, work):
    """Each gets the bytes that it understands, whatever it accepts."""
    curl = f"curl --fail -sS -u ci:{server.key}"
    url = server.url + PATH
    for words in (curl, f"{curl} --compressed", f"{curl} -H 'Accept-Encoding: identity'",
                  f"wget -q --auth-no-challenge --user=ci --password={server.key} -O -",
                  f"http --ignore-stdin --check-status --print=b --pretty=none -a ci:{server.key}"):
        expect(shell(f"{words} {url}", work).rstrip("\n") == REPORT.decode().rstrip("\n"), words)
    requests = need_requests()
    session = requests.Session()
    session.trust_env = False
    session.auth = ("ci", server.key)
    for codings in ("gzip, deflate", "gzip", "identity", None):
        got = session.get(url, headers={"Accept-Encoding": codings})
        expect(got.content == REPORT, codings, got.headers)


def case_a_value_that_came_encoded(server, work):
    """By HTTPie, which compresses what it sends, and with gzip by hand."""
    bed.need("curl", "wget", "http", "gzip")
    (work / "report.html").write_bytes(REPORT)
    url = server.url + PATH
    shell(f"gzip -c report.html | curl --fail -sS -u ci:{server.key} -H 'Content-Encoding: gzip' -T - {url}", work)
    expect_read_by_all(server, work)
    _, headers, body = server.ask("GET", PATH, headers={"Accept-Encoding": "gzip"})
    expect(headers["Content-Encoding"] == "gzip" and gzip.decompress(body) == REPORT, headers)
    # Nobody here knows deflate, so it goes as it came to whom takes it.
    shell(f"http --check-status -q -x -a ci:{server.key} PUT {url} <report.html", work)
    expect(server.ask("GET", PATH, headers={"Accept-Encoding": "deflate"})[1]["Content-Encoding"] == "deflate",
           "it came as deflate")
    expect(shell(f"curl --fail -sS --compressed -u ci:{server.key} {url}", work) == REPORT.decode(), "deflate")
    expect(server.ask("GET", PATH, headers={"Accept-Encoding": "identity"})[0] == 406, "not for whom does not")


def case_a_compressed_namespace(server, work):
    """What is compressed at rest is seen by those who take zstd, and by nobody else."""
    bed.need("curl", "wget", "http")
    server.configure("files", compression="zstd")
    fill(server)
    expect_read_by_all(server, work)
    _, headers, body = server.ask("GET", PATH, headers={"Accept-Encoding": "zstd"})
    expect(headers["Content-Encoding"] == "zstd" and len(body) < len(REPORT) // 2, headers)
    stats = server.stats("files")
    expect(stats["total_size"] < len(REPORT) // 2, stats)
    expect(shell(f"curl --fail -sS -r 0-2 -u ci:{server.key} {server.url}{PATH}", work) == "<p>", "a range")


# ---- Any of them while the server is down ----

def case_down(server, work):
    bed.need("curl", "wget", "http")
    (work / "report.html").write_bytes(REPORT)
    server.stop()
    for heading, code in (("curl", 7), ("wget", 4), ("HTTPie", 1)):
        shell(settings(heading, server).splitlines()[0], work, code)
    server.start()


if __name__ == "__main__":
    sys.exit(bed.main(globals()))
