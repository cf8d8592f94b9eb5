#!/usr/bin/python3
"""Nx, over its path at the root and below a namespace.

usage: test_nx.py BUILD [CASE...]"""
import json
import shutil
import sys

import bed
from bed import Counted, expect, expect_words, run, settings, started_with

TASKS = 2


class Workspace:
    """Two projects, each with a task that makes a file."""

    def __init__(self, work, environment, output_bytes=1000):
        self.folder = work
        self.environment = {**environment, "NX_DAEMON": "false", "NX_NO_CLOUD": "true", "HOME": str(work),
                            "NX_TUI": "false", "NX_ADD_PLUGINS": "false", "NX_ANALYTICS": "false",
                            "NX_SOCKET_DIR": str(work / "sockets")}
        (work / "node_modules").symlink_to(bed.PACKAGES)
        write(work / "package.json", {"name": "tests", "private": True})
        write(work / "nx.json", {"targetDefaults": {"build": {"cache": True, "outputs": ["{projectRoot}/dist"]}},
                                 "analytics": False})
        for number in range(TASKS):
            folder = work / f"p{number}"
            folder.mkdir()
            program = f"mkdir -p p{number}/dist && head -c {output_bytes} /dev/urandom >p{number}/dist/made"
            write(folder / "project.json", {"name": f"p{number}", "targets": {"build": {"command": program}}})

    def forget(self):
        """As on another machine."""
        shutil.rmtree(self.folder / ".nx", ignore_errors=True)
        for number in range(TASKS):
            shutil.rmtree(self.folder / f"p{number}/dist")

    def ask_for_build(self, code):
        return run([bed.PACKAGES / ".bin/nx", "run-many", "-t", "build", "--outputStyle=static"], self.environment,
                   self.folder, code)

    def build(self, code=0):
        output = self.ask_for_build(code)
        for number in range(TASKS):
            expect((self.folder / f"p{number}/dist/made").exists(), output)
        return output


def write(path, value):
    path.write_text(json.dumps(value))


def is_cached(output):
    return output.count("[remote cache]") == TASKS


def expect_cold_then_warm(server, workspace, namespace="nx"):
    with Counted(server, namespace) as cold:
        output = workspace.build()
    expect(cold.sets == TASKS and server.count("PUT", 200) == TASKS and not is_cached(output), cold, output)
    workspace.forget()
    with Counted(server, namespace) as warm:
        output = workspace.build()
    expect(warm.hits == TASKS and warm.sets == 0 and is_cached(output), warm, output)


def documented(server, token=None):
    return bed.environment_of(settings("Nx", server, token))


def case_documented(server, work):
    expect_cold_then_warm(server, Workspace(work, documented(server)))


def case_below_a_namespace(server, work):
    environment = {**documented(server), "NX_SELF_HOSTED_REMOTE_CACHE_SERVER": f"{server.url}/cache/artifacts"}
    expect_cold_then_warm(server, Workspace(work, environment), "artifacts")


def case_a_token_that_only_reads(server, work):
    """Nx takes that it may not write, and goes on."""
    workspace = Workspace(work, documented(server))
    workspace.build()
    workspace.forget()
    workspace.environment.update(documented(server, server.reader))
    expect(is_cached(workspace.build()), "no hits")
    server.clear("nx")
    workspace.forget()
    workspace.build()
    expect(server.count("PUT", 403) >= TASKS and server.stats("nx")["entry_count"] == 0, server.requests())


@started_with("--max-body-mb", "0.01")
def case_too_large_a_body(server, work):
    """Nx ends with 1, although everything was built: a cache for it wants a large limit."""
    output = Workspace(work, documented(server), 50000).build(code=1)
    expect_words(output, "413")


def case_a_wrong_token_or_no_server(server, work):
    """Nx builds nothing at all."""
    workspace = Workspace(work, documented(server, "wrong"))
    expect_words(workspace.ask_for_build(1), "Unauthorized")
    expect(server.stats("nx")["entry_count"] == 0, server.stats("nx"))
    server.stop()
    workspace.ask_for_build(1)
    server.start()


if __name__ == "__main__":
    bed.need_packages("nx")
    sys.exit(bed.main(globals()))
