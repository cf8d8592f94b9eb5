#!/usr/bin/python3
"""Turborepo, over its paths at the root and below a namespace.

usage: test_turborepo.py BUILD [CASE...]"""
import json
import os
import shutil
import sys

import bed
from bed import Counted, expect, expect_words, run, settings, started_with

TASKS = 2
SIGNATURE_KEY = "a key for signatures of thirty-two bytes"


class Repository:
    """Two packages, each with a task that makes a file."""

    def __init__(self, work, environment, remote=None, output_bytes=1000):
        self.folder = work
        self.environment = {**environment, "TURBO_TELEMETRY_DISABLED": "1", "DO_NOT_TRACK": "1", "HOME": str(work)}
        write(work / "package.json", {"name": "tests", "private": True, "packageManager": "npm@10.0.0",
                                      "workspaces": ["packages/*"]})
        write(work / "package-lock.json", {"name": "tests", "lockfileVersion": 3, "packages": {}})
        write(work / "turbo.json", {"tasks": {"build": {"outputs": ["dist/**"]}}, "remoteCache": remote or {}})
        for number in range(TASKS):
            folder = work / f"packages/p{number}"
            folder.mkdir(parents=True)
            program = f"require('fs').mkdirSync('dist',{{recursive:true}});require('fs').writeFileSync('dist/made',require('crypto').randomBytes({output_bytes}))"
            write(folder / "package.json", {"name": f"p{number}", "version": "1.0.0",
                                            "scripts": {"build": f"node -e \"{program}\""}})

    def forget(self):
        """As on another machine."""
        shutil.rmtree(self.folder / ".turbo", ignore_errors=True)
        shutil.rmtree(self.folder / "node_modules", ignore_errors=True)
        for number in range(TASKS):
            shutil.rmtree(self.folder / f"packages/p{number}/dist")
            shutil.rmtree(self.folder / f"packages/p{number}/.turbo", ignore_errors=True)

    def build(self, *flags):
        output = run([bed.PACKAGES / ".bin/turbo", "run", "build", "--cache=remote:rw", *flags],
                     self.environment, self.folder)
        for number in range(TASKS):
            expect((self.folder / f"packages/p{number}/dist/made").exists(), output)
        return output


def write(path, value):
    path.write_text(json.dumps(value))


def is_cached(output, count=TASKS):
    return f"{count} cached, {TASKS} total" in output


def expect_cold_then_warm(server, repository, namespace="turbo", *flags):
    with Counted(server, namespace) as cold:
        output = repository.build(*flags)
    expect(cold.sets == TASKS and is_cached(output, 0), cold, output)
    expect_words(output, "Remote caching enabled")
    expect("unavailable" not in output, output)
    repository.forget()
    with Counted(server, namespace) as warm:
        output = repository.build(*flags)
    expect(warm.hits >= TASKS and warm.sets == 0 and is_cached(output), warm, output)
    expect_words(output, "FULL TURBO")


def documented(server, token=None):
    return bed.environment_of(settings("Turborepo", server, token))


def below_a_namespace(server, token=None):
    return {**documented(server, token), "TURBO_API": f"{server.url}/cache/artifacts", "TURBO_TEAM": "team"}


def case_documented(server, work):
    expect_cold_then_warm(server, Repository(work, documented(server)))


def case_below_a_namespace(server, work):
    expect_cold_then_warm(server, Repository(work, below_a_namespace(server)), "artifacts")


def case_signatures(server, work):
    """Turborepo refuses an artifact whose tag is missing or wrong."""
    environment = {**documented(server), "TURBO_REMOTE_CACHE_SIGNATURE_KEY": SIGNATURE_KEY}
    repository = Repository(work, environment, {"signature": True})
    expect_cold_then_warm(server, repository)
    repository.forget()
    repository.environment["TURBO_REMOTE_CACHE_SIGNATURE_KEY"] = SIGNATURE_KEY[::-1]
    expect(is_cached(repository.build(), 0), "an artifact with somebody else's signature was taken")


def case_time_saved(server, work):
    """The duration of a task comes back with its artifact."""
    repository = Repository(work, documented(server))
    repository.build()
    key = [key for key in server.keys("turbo") if "/artifacts/" in key][0]
    _, headers, _ = server.ask("GET", f"/cache/turbo/{key}")
    expect(int(headers["x-artifact-duration"]) >= 0, headers)


def case_preflight(server, work):
    expect_cold_then_warm(server, Repository(work, documented(server)), "turbo", "--preflight")
    expect(server.count("OPTIONS", 204) > 0, server.requests())


def case_a_token_that_only_reads(server, work):
    repository = Repository(work, documented(server))
    repository.build()
    repository.forget()
    repository.environment.update(documented(server, server.reader))
    expect(is_cached(repository.build()), "no hits")
    server.clear("turbo")
    repository.forget()
    output = repository.build()
    expect_words(output, "rejected an upload with 403")
    expect(server.stats("turbo")["entry_count"] == 0, server.stats("turbo"))


@started_with("--max-body-mb", "0.01")
def case_too_large_a_body(server, work):
    repository = Repository(work, documented(server), output_bytes=50000)
    expect_words(repository.build(), "413")
    expect(server.stats("turbo")["entry_count"] == 0, server.stats("turbo"))


def case_a_wrong_token(server, work):
    repository = Repository(work, documented(server, "wrong"))
    expect(is_cached(repository.build(), 0), "a hit")
    expect(server.count("PUT", 201) == 0 and server.count("GET", 200) <= 2, server.requests())


def case_the_cache_is_down(server, work):
    repository = Repository(work, documented(server))
    server.stop()
    expect(is_cached(repository.build(), 0), "a hit")
    server.start()


if __name__ == "__main__":
    bed.need_packages("turbo")
    os.environ["TURBO_NO_UPDATE_NOTIFIER"] = "1"
    sys.exit(bed.main(globals()))
