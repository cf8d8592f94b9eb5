#!/usr/bin/python3
"""Bazel, which keeps actions (ac/) and their outputs (cas/) here.

usage: test_bazel.py BUILD [CASE...]"""
import re
import shutil
import sys
from pathlib import Path

import bed
from bed import Counted, expect, expect_words, run, settings, started_with

RULES = """
genrule(name = "a", outs = ["a.txt"], cmd = "echo a > $@")
genrule(name = "b", srcs = ["a.txt"], outs = ["b.txt"], cmd = "cat $(SRCS) $(SRCS) > $@")
genrule(name = "empty", outs = ["empty.txt"], cmd = "touch $@")
genrule(name = "large", outs = ["large.bin"], cmd = "head -c %d /dev/zero | tr '\\\\0' '%s' > $@")
"""
ACTIONS = 4
# Says where Bazel's own files are.
DEBIAN = Path("/etc/bazel/bazelrc")


class Workspace:
    """A workspace, and Bazel's own files beside it."""

    def __init__(self, work, rc, large_bytes=1 << 20):
        self.folder, self.root = work / "workspace", work / "root"
        self.folder.mkdir()
        (self.folder / "WORKSPACE").write_text("")
        (self.folder / "BUILD").write_text(RULES % (large_bytes, "x"))
        (self.folder / ".bazelrc").write_text(rc)

    def forget(self):
        """As on another machine."""
        run(["chmod", "-R", "u+w", self.root])
        shutil.rmtree(self.root)

    def build(self):
        """Without a daemon that would outlive the test."""
        debian = [f"--bazelrc={DEBIAN}"] if DEBIAN.exists() else []
        output = run(["bazel", "--nohome_rc", *debian, "--batch", f"--output_user_root={self.root}", "build",
                      "--color=no", "--curses=no", "//..."],
                     {**bed.clean_environment(), "HOME": str(self.root.parent), "USER": "tests"}, self.folder)
        expect((self.folder / "bazel-bin/b.txt").read_text() == "a\na\n", "the build is wrong")
        return output


def hits(output):
    found = re.search(r"(\d+) remote cache hit", output)
    return int(found.group(1)) if found else 0


def expect_cold_then_warm(server, workspace):
    with Counted(server, "bazel") as cold:
        output = workspace.build()
    # Of each action itself and what it prints and makes; equal bytes are one entry.
    expect(cold.hits == 0 and cold.sets >= 2 * ACTIONS - 1 and hits(output) == 0, cold, output)
    expect(any(key.startswith("ac/") for key in server.keys("bazel")), server.keys("bazel"))
    workspace.forget()
    with Counted(server, "bazel") as warm:
        output = workspace.build()
    expect(hits(output) == ACTIONS and warm.sets == 0 and warm.misses == 0, warm, output)


def case_documented(server, work):
    expect_cold_then_warm(server, Workspace(work, settings("Bazel", server)))


def case_basic_in_the_address(server, work):
    rc = f"build --remote_cache=http://ci:{server.key}@127.0.0.1:{server.port}/cache/bazel\n"
    expect_cold_then_warm(server, Workspace(work, rc))


def case_documented_pull_request(server, work):
    """A token that only reads: hits, and nothing is sent."""
    workspace = Workspace(work, settings("Bazel", server))
    workspace.build()
    workspace.forget()
    (workspace.folder / ".bazelrc").write_text(settings("Bazel", server, server.reader, number=1))
    (workspace.folder / "BUILD").write_text(RULES % (1 << 20, "y"))
    with Counted(server, "bazel") as counted:
        output = workspace.build()
    expect(hits(output) == ACTIONS - 1 and counted.sets == 0 and server.count("PUT", 403) == 0, counted, output)


def case_evicted_outputs_are_made_again(server, work):
    """The action is known, and its output is gone."""
    workspace = Workspace(work, settings("Bazel", server))
    workspace.build()
    for key in server.keys("bazel"):
        if key.startswith("cas/"):
            expect(server.ask("DELETE", f"/cache/bazel/{key}")[0] == 204, key)
    workspace.forget()
    workspace.build()


@started_with("--max-body-mb", "1")
def case_too_large_a_body(server, work):
    """A warning with our sentence; the rest is cached."""
    workspace = Workspace(work, settings("Bazel", server), large_bytes=2 << 20)
    expect_words(workspace.build(), "413", "STEADYCACHE_MAX_BODY_MB")
    workspace.forget()
    output = workspace.build()
    expect(hits(output) == ACTIONS - 1, output)


def case_a_wrong_token(server, work):
    workspace = Workspace(work, settings("Bazel", server, "wrong"))
    expect_words(workspace.build(), "WARNING", "401")
    expect(server.stats("bazel")["entry_count"] == 0, server.stats("bazel"))


def case_the_cache_is_down(server, work):
    workspace = Workspace(work, settings("Bazel", server))
    server.stop()
    expect_words(workspace.build(), "WARNING", "Connection refused")
    server.start()


if __name__ == "__main__":
    bed.need("bazel")
    sys.exit(bed.main(globals()))
