#!/usr/bin/python3
"""Libraries of JavaScript: axios, got, undici, unstorage.

usage: test_node.py BUILD [CASE...]"""
import json
import sys

import bed
from bed import Counted, expect, run, settings, started_with

HEADING = "JavaScript libraries"
# In the order of the page.
LIBRARIES = ("axios", "got", "undici", "unstorage")


def write(work, program):
    """Puts it where it finds the packages; the folder."""
    if not (work / "node_modules").exists():
        (work / "node_modules").symlink_to(bed.PACKAGES)
    (work / "program.mjs").write_text(program)
    return work


def node(work, program):
    """What a program prints, as JSON."""
    return json.loads(run(["node", "program.mjs"], cwd=write(work, program)))


def documented(library, server, token=None):
    return settings(HEADING, server, token, LIBRARIES.index(library)) + "console.log(JSON.stringify(data));\n"


def expect_documented(library, server, work):
    with Counted(server, "files") as counted:
        data = node(work, documented(library, server))
    expect(data == {"value": 42} and counted.sets == 1 and counted.hits == 1, library, data, counted)


def expect_refused(library, server, work):
    """A program that does not look at the status, as with fetch, gets the sentence."""
    for token, status in ((server.reader, 403), ("wrong", 401)):
        output = run(["sh", "-c", "node program.mjs 2>&1 || true"], cwd=write(work, documented(library, server, token)))
        expect(str(status) in output or server.count("PUT", status) >= 1, library, token, output)
        expect(server.count("PUT", status) == 1, library, server.requests())
    expect(server.stats("files")["sets"] == 0, server.stats("files"))


def case_axios(server, work):
    expect_documented("axios", server, work)


def case_axios_refused(server, work):
    expect_refused("axios", server, work)


def case_got(server, work):
    expect_documented("got", server, work)


def case_got_refused(server, work):
    expect_refused("got", server, work)


def case_undici(server, work):
    expect_documented("undici", server, work)


def case_undici_refused(server, work):
    expect_refused("undici", server, work)


def case_unstorage(server, work):
    expect_documented("unstorage", server, work)
    _, headers, _ = server.ask("GET", "/cache/files/answer")
    expect("max-age=36" in headers["Cache-Control"] or "max-age=35" in headers["Cache-Control"], headers)


def case_unstorage_more(server, work):
    program = settings(HEADING, server, number=LIBRARIES.index("unstorage")) + """
await storage.setItemRaw('raw', Buffer.from([0, 1, 255]));
const raw = Buffer.from(await storage.getItemRaw('raw'));
const has = [await storage.hasItem('raw'), await storage.hasItem('none')];
const meta = await storage.getMeta('raw');
await storage.removeItem('raw');
console.log(JSON.stringify({ raw: [...raw], has, mtime: meta.mtime, gone: !(await storage.hasItem('raw')) }));
"""
    found = node(work, program)
    expect(found["raw"] == [0, 1, 255] and found["has"] == [True, False] and found["mtime"] and found["gone"], found)


def case_fetch_of_node(server, work):
    """A body that is streamed, part of a value, and a condition."""
    program = f"""
const url = '{server.url}/cache/files/k', headers = {{ Authorization: 'Bearer {server.key}' }};
const body = new ReadableStream({{ start(c) {{ c.enqueue(new TextEncoder().encode('hello ')); c.enqueue(new TextEncoder().encode('world')); c.close(); }} }});
const put = await fetch(url, {{ method: 'PUT', headers, body, duplex: 'half' }});
const got = await fetch(url, {{ headers }});
const part = await fetch(url, {{ headers: {{ ...headers, Range: 'bytes=0-4' }} }});
const same = await fetch(url, {{ headers: {{ ...headers, 'If-None-Match': got.headers.get('etag') }} }});
console.log(JSON.stringify([put.status, await got.text(), part.status, await part.text(), same.status, await same.text()]));
process.exit(); // after a 304 with a length Node awaits the end of the connection
"""
    found = node(work, program)
    expect(found == [201, "hello world", 206, "hello", 304, ""], found)


@started_with("--max-body-mb", "0.001")
def case_too_large_a_body(server, work):
    program = f"""
import axios from 'axios';
import got from 'got';
const url = '{server.url}/cache/files/k', data = 'x'.repeat(100000);
const first = await axios.put(url, data, {{ auth: {{ username: '', password: '{server.key}' }}, validateStatus: null }});
const second = await got.put(url, {{ body: data, username: '', password: '{server.key}', throwHttpErrors: false }});
const third = await fetch(url, {{ method: 'PUT', body: data, headers: {{ Authorization: 'Bearer {server.key}' }} }});
console.log(JSON.stringify([first.status, second.statusCode, third.status, first.data.error]));
"""
    found = node(work, program)
    expect(found[:3] == [413, 413, 413] and "STEADYCACHE_MAX_BODY_MB" in found[3], found)


def case_pipelined(server, work):
    """Ten at a time on one connection: each answer belongs to its request."""
    for number in range(30):
        server.ask("PUT", f"/cache/files/{number}", str(number))
    program = f"""
import {{ Client }} from 'undici';
const client = new Client('{server.url}', {{ pipelining: 10 }});
const headers = {{ Authorization: 'Bearer {server.key}' }};
const texts = await Promise.all([...Array(30).keys()].map(async (number) => {{
	const {{ body }} = await client.request({{ path: `/cache/files/${{number}}`, method: 'GET', headers }});
	return body.text();
}}));
await client.close();
console.log(JSON.stringify(texts));
"""
    expect(node(work, program) == [str(number) for number in range(30)], "mixed up")


if __name__ == "__main__":
    bed.need_packages(*LIBRARIES)
    sys.exit(bed.main(globals()))
