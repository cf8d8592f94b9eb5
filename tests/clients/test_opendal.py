#!/usr/bin/python3
"""OpenDAL's WebDAV, which is how sccache keeps its entries: sccache's own sequence of requests.

usage: test_opendal.py BUILD [CASE...]"""
import sys

import bed
import test_node
from bed import Counted, expect, settings, started_with

# What sccache does at its start and for an entry: read and write the check file, read, write and stat an entry.
PROGRAM = """
import opendal from 'opendal';
const { Operator } = opendal;

const operator = new Operator('webdav', OPTIONS);
const outcome = async (work) => {
	try {
		const value = await work();
		return value instanceof Buffer ? value.toString() : value ?? 'done';
	} catch (error) {
		return String(error).split(' ')[1] ?? String(error);
	}
};
const results = [
	await outcome(() => operator.read('.sccache_check')),
	await outcome(() => operator.write('.sccache_check', 'Hello, World!')),
	await outcome(() => operator.read('.sccache_check')),
	await outcome(() => operator.read('a/b/c/abcdef')),
	await outcome(() => operator.write('a/b/c/abcdef', 'object')),
	await outcome(() => operator.read('a/b/c/abcdef')),
	await outcome(async () => Number((await operator.stat('a/b/c/abcdef')).contentLength)),
	await outcome(() => operator.delete('a/b/c/abcdef')),
	await outcome(() => operator.read('a/b/c/abcdef')),
];
console.log(JSON.stringify(results));
"""


def ask(server, work, credentials):
    """At the address that sccache is given."""
    endpoint = bed.environment_of(settings("sccache", server))["SCCACHE_WEBDAV_ENDPOINT"]
    return test_node.node(work, PROGRAM.replace(
        "OPTIONS", f"{{ endpoint: '{endpoint}', root: '/', {credentials} }}"))


def expect_works(server, work, options):
    with Counted(server, "sccache") as counted:
        results = ask(server, work, options)
    expect(results[2] == "Hello, World!" and results[5] == "object" and results[6] == len("object"), results)
    expect("NotFound" in results[0] and "NotFound" in results[3] and "NotFound" in results[8], results)
    expect(counted.sets == 2, counted)
    expect(server.keys("sccache") == [".sccache_check"], server.keys("sccache"))


def case_documented(server, work):
    token = bed.environment_of(settings("sccache", server))["SCCACHE_WEBDAV_TOKEN"]
    expect_works(server, work, f"token: '{token}'")


def case_user_and_password(server, work):
    expect_works(server, work, f"username: 'ci', password: '{server.key}'")


def case_a_token_that_only_reads(server, work):
    """sccache then only reads."""
    server.ask("PUT", "/cache/sccache/.sccache_check", "Hello, World!")
    results = ask(server, work, f"token: '{server.reader}'")
    expect(results[0] == results[2] == "Hello, World!" and "PermissionDenied" in results[1], results)


def case_a_wrong_token(server, work):
    results = ask(server, work, "token: 'wrong'")
    expect("done" not in results and server.stats("sccache")["entry_count"] == 0, results)


@started_with("--facades", "none")
def case_without_webdav(server, work):
    """What --facades=none takes away."""
    results = ask(server, work, f"token: '{server.key}'")
    expect("NotFound" in results[0] and results[1] != "done", results)


if __name__ == "__main__":
    bed.need_packages("opendal", "@opendal/lib-linux-x64-gnu")
    sys.exit(bed.main(globals()))
