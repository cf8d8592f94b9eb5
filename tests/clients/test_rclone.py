#!/usr/bin/python3
"""rclone over WebDAV.

usage: test_rclone.py BUILD [CASE...]"""
import os
import sys

import bed
from bed import Counted, expect, expect_words, run, settings, started_with

FILES = {"a.txt": b"a", "empty": b"", "sub/b b.bin": os.urandom(300000), "sub/deep/ä.txt": b"umlaut"}


def make_reports(work):
    for name, data in FILES.items():
        path = work / "reports" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def environment(server, work, token=None):
    lines = [line for line in settings("rclone", server, token).splitlines() if line.startswith("export")]
    return {**bed.environment_of("\n".join(lines)), "HOME": str(work), "RCLONE_CONFIG": "/dev/null",
            "RCLONE_RETRIES": "1", "RCLONE_LOW_LEVEL_RETRIES": "1"}


def rclone(server, work, *words, token=None, code=0):
    return run(["rclone", *words], environment(server, work, token), work, code)


def case_documented(server, work):
    make_reports(work)
    with Counted(server, "files") as counted:
        run(["sh", "-ec", settings("rclone", server)], environment(server, work), work)
    expect(counted.sets == len(FILES), counted, server.keys("files"))
    for name, data in FILES.items():
        expect((f"reports/{name}") in server.keys("files"), server.keys("files"))
        expect(run(["rclone", "cat", f":webdav:reports/{name}"], environment(server, work), work).encode() == data or
               b"\0" in data or len(data) > 1000, name)


def case_there_and_back(server, work):
    """Every byte; what is there is not sent again; what is gone is deleted."""
    make_reports(work)
    rclone(server, work, "copy", "reports", ":webdav:reports")
    with Counted(server, "files") as again:
        rclone(server, work, "copy", "--size-only", "reports", ":webdav:reports")
    expect(again.sets == 0, again)
    rclone(server, work, "copy", ":webdav:reports", "copies")
    for name, data in FILES.items():
        expect((work / "copies" / name).read_bytes() == data, name)
    (work / "reports/a.txt").unlink()
    rclone(server, work, "sync", "--size-only", "reports", ":webdav:reports")
    listed = rclone(server, work, "lsf", "-R", "--files-only", ":webdav:reports").splitlines()
    expect(sorted(listed) == sorted(set(FILES) - {"a.txt"}), listed)
    rclone(server, work, "delete", ":webdav:reports")
    expect(server.stats("files")["entry_count"] == 0, server.keys("files"))


def case_basic(server, work):
    make_reports(work)
    obscured = run(["rclone", "obscure", server.key]).strip()
    variables = {name: value for name, value in environment(server, work).items() if not name.endswith("BEARER_TOKEN")}
    run(["rclone", "copy", "reports", ":webdav:reports"],
        {**variables, "RCLONE_WEBDAV_USER": "ci", "RCLONE_WEBDAV_PASS": obscured}, work)
    expect(server.stats("files")["sets"] == len(FILES), server.stats("files"))


def case_rights(server, work):
    make_reports(work)
    rclone(server, work, "copy", "reports", ":webdav:reports")
    rclone(server, work, "copy", ":webdav:reports", "copies", token=server.reader)
    expect((work / "copies/a.txt").read_bytes() == b"a", "it may read")
    expect_words(rclone(server, work, "copyto", "reports/a.txt", ":webdav:reports/new", token=server.reader, code=1),
                 "403")
    expect_words(rclone(server, work, "lsf", ":webdav:reports", token="wrong", code=1), "401")


@started_with("--max-body-mb", "0.1")
def case_too_large_a_body(server, work):
    make_reports(work)
    expect_words(rclone(server, work, "copy", "reports", ":webdav:reports", code=1), "413")
    expect(server.stats("files")["sets"] == len(FILES) - 1, server.keys("files"))


if __name__ == "__main__":
    bed.need("rclone")
    sys.exit(bed.main(globals()))
