#!/usr/bin/python3
"""moon, with its HTTP form of a remote cache.

usage: test_moon.py BUILD [CASE...]"""
import shutil
import sys

import bed
from bed import Counted, expect, expect_words, run, settings, started_with

HEADING = "moon"


class Workspace:
    def __init__(self, work, server, token=None):
        self.folder = work / "workspace"
        self.environment = {**bed.environment_of(settings(HEADING, server, token, number=1)), "HOME": str(work),
                            "MOON_HOME": str(work / "home"), "PROTO_HOME": str(work / "proto"),
                            "MOON_TELEMETRY": "false", "PROTO_OFFLINE": "true", "MOON_DAEMON": "false", "NO_COLOR": "1"}
        (self.folder / ".moon").mkdir(parents=True)
        (self.folder / ".moon/workspace.yml").write_text(
            "projects:\n  app: 'app'\ntelemetry: false\n" + settings(HEADING, server))
        (self.folder / "app").mkdir()
        self.make(1000)
        # It takes the files of a task from Git.
        git = ["git", "-c", "user.name=tests", "-c", "user.email=tests@localhost"]
        for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "tests"]):
            run([*git, *words], self.environment, self.folder)

    def make(self, output_bytes):
        (self.folder / "app/moon.yml").write_text(f"""
tasks:
  build:
    script: 'mkdir -p dist && head -c {output_bytes} /dev/urandom >dist/made'
    inputs: ['moon.yml']
    outputs: ['dist']
    options: {{ cache: true }}
""")

    def forget(self):
        """As on another machine."""
        shutil.rmtree(self.folder / ".moon/cache", ignore_errors=True)
        shutil.rmtree(self.folder / "app/dist")

    def build(self):
        output = run([bed.PACKAGES / ".bin/moon", "run", "app:build"], self.environment, self.folder)
        expect((self.folder / "app/dist/made").exists(), output)
        return output


def case_documented(server, work):
    workspace = Workspace(work, server)
    with Counted(server, "moon") as cold:
        output = workspace.build()
    expect(cold.sets >= 2 and cold.hits == 0, cold, output)
    kinds = {key.split("/")[0] for key in server.keys("moon")}
    expect(kinds == {"ac", "cas"}, kinds)
    workspace.forget()
    with Counted(server, "moon") as warm:
        output = workspace.build()
    expect(warm.hits >= 2 and warm.sets == 0, warm, output)
    expect_words(output, "cached from remote")


def case_a_token_that_only_reads(server, work):
    workspace = Workspace(work, server)
    workspace.build()
    workspace.forget()
    workspace.environment["MOON_CACHE_TOKEN"] = server.reader
    expect_words(workspace.build(), "cached from remote")
    server.clear("moon")
    workspace.forget()
    workspace.build()
    expect(server.count("PUT", 403) > 0 and server.stats("moon")["entry_count"] == 0, server.requests())


@started_with("--max-body-mb", "0.01")
def case_too_large_a_body(server, work):
    workspace = Workspace(work, server)
    workspace.make(50000)
    workspace.build()
    expect(server.count("PUT", 413) > 0, server.requests())


def case_a_wrong_token(server, work):
    workspace = Workspace(work, server, "wrong")
    workspace.build()
    expect(server.stats("moon")["entry_count"] == 0, server.stats("moon"))


def case_the_cache_is_down(server, work):
    workspace = Workspace(work, server)
    server.stop()
    workspace.build()
    server.start()


if __name__ == "__main__":
    bed.need("git")
    bed.need_packages("@moonrepo/cli")
    sys.exit(bed.main(globals()))
