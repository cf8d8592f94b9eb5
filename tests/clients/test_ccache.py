#!/usr/bin/python3
"""ccache, which compiles with this server as its remote storage.

usage: test_ccache.py BUILD [CASE...]

The cases are those of ccache's own suite for HTTP storage and some more: layouts of keys, shards, what a remote may and
may not be written to, credentials, and what a build does if the cache fails."""
import random
import re
import shutil
import sys

import bed
from bed import Counted, expect, expect_words, run, settings, started_with

SOURCES = 3


class Compiler:
    """ccache with a cache of its own, and sources to compile."""

    def __init__(self, work, storage=None, environment=None, **more):
        self.work, self.local = work, work / "local"
        self.environment = {**bed.clean_environment(), **(environment or {}), "CCACHE_DIR": str(self.local), **more}
        if storage:
            self.environment["CCACHE_REMOTE_STORAGE"] = storage
        for number in range(SOURCES):
            (work / f"{number}.c").write_text(f"int function_{number}(int a)\n{{\n\treturn a + {number};\n}}\n")

    def forget(self):
        """Empties the local cache, as on another machine, and its counts."""
        shutil.rmtree(self.local, ignore_errors=True)
        return self

    def compile(self, **more):
        for number in range(SOURCES):
            run(["ccache", "gcc", "-c", "-o", f"{number}.o", f"{number}.c"], {**self.environment, **more}, self.work)
        expect((self.work / "0.o").stat().st_size > 0, "nothing was compiled")
        return self

    def counts(self):
        """What ccache has counted, by its own names."""
        rows = run(["ccache", "--print-stats"], self.environment).splitlines()
        return {row.split("\t")[0]: int(row.split("\t")[1]) for row in rows if row.count("\t") == 1}

    def stored_locally(self):
        return [path for path in self.local.rglob("*[RM]") if path.is_file()]


def expect_counts(compiler, **wanted):
    counts = compiler.counts()
    expect(all(counts.get(name, 0) == value for name, value in wanted.items()), f"expected {wanted} in:", counts)


def expect_cold_then_warm(server, compiler, namespace="ccache"):
    """A manifest and a result of each source are stored, and found by a machine that has neither."""
    with Counted(server, namespace) as cold:
        compiler.compile()
    expect(cold.sets == 2 * SOURCES and cold.hits == 0 and cold.misses > 0, "cold:", cold)
    expect_counts(compiler, cache_miss=SOURCES, remote_storage_write=2 * SOURCES, remote_storage_error=0)
    compiler.forget()
    with Counted(server, namespace) as warm:
        compiler.compile()
    expect(warm.hits == 2 * SOURCES and warm.sets == 0 and warm.misses == 0, "warm:", warm)
    expect_counts(compiler, direct_cache_hit=SOURCES, cache_miss=0, remote_storage_hit=SOURCES, remote_storage_error=0)


def bearer(server, path="ccache", token=None, more=""):
    return f"{server.url}/cache/{path}|bearer-token={token or server.key}{more}"


def case_documented(server, work):
    environment = bed.environment_of(settings("ccache", server))
    expect_cold_then_warm(server, Compiler(work, environment=environment))


def case_documented_pull_request(server, work):
    """A token that only reads: hits, and no attempt to write."""
    Compiler(work, bearer(server)).compile()
    environment = bed.environment_of(settings("ccache", server, server.reader, number=1))
    compiler = Compiler(work, environment=environment).forget()
    with Counted(server, "ccache") as warm:
        compiler.compile()
    expect(warm.hits == 2 * SOURCES and warm.sets == 0, "warm:", warm)
    (work / "0.c").write_text("int changed;\n")
    compiler.compile()
    expect_counts(compiler, cache_miss=1, remote_storage_write=0, remote_storage_error=0)
    expect(server.count("PUT", 403) == 0, server.requests())


def case_basic_in_the_address(server, work):
    storage = f"http://ci:{server.key}@127.0.0.1:{server.port}/cache/ccache"
    expect_cold_then_warm(server, Compiler(work, storage))


def case_layouts(server, work):
    for layout, form in (("flat", r"[0-9a-z]{32,}"), ("subdirs", r"[0-9a-z]{2}/[0-9a-z]{30,}"),
                         ("bazel", r"ac/[0-9a-f]{64}")):
        folder = work / layout
        folder.mkdir()
        compiler = Compiler(folder, bearer(server, f"cc-{layout}", more=f"|layout={layout}"))
        expect_cold_then_warm(server, compiler, f"cc-{layout}")
        keys = server.keys(f"cc-{layout}")
        expect(all(re.fullmatch(form, key) for key in keys), layout, keys)


def case_slash_at_the_end(server, work):
    expect_cold_then_warm(server, Compiler(work, bearer(server, "ccache/")))


def case_shards(server, work):
    """Sources enough that both shards are asked."""
    compiler = Compiler(work, bearer(server, "cc-*", more="|shards=a,b"))
    compiler.compile()
    stored = [server.stats(f"cc-{shard}")["sets"] for shard in "ab"]
    expect(sum(stored) == 2 * SOURCES, stored)
    compiler.forget().compile()
    expect_counts(compiler, direct_cache_hit=SOURCES, remote_storage_error=0)


def case_a_connection_for_each_request(server, work):
    expect_cold_then_warm(server, Compiler(work, bearer(server, more="|keep-alive=false")))


def case_read_only(server, work):
    compiler = Compiler(work, bearer(server, more="|read-only"))
    with Counted(server, "ccache") as counted:
        compiler.compile()
    expect(counted.sets == 0 and server.count("GET", 404) == 2 * SOURCES, counted, server.requests())
    expect_counts(compiler, cache_miss=SOURCES, remote_storage_write=0, remote_storage_error=0)
    Compiler(work, bearer(server)).forget().compile()
    compiler.forget().compile()
    expect_counts(compiler, direct_cache_hit=SOURCES, remote_storage_write=0)


def case_reshare(server, work):
    """What is in the local cache is sent to a remote that lacks it."""
    compiler = Compiler(work, bearer(server)).compile()
    server.clear("ccache")
    with Counted(server, "ccache") as without:
        compiler.compile()
    with Counted(server, "ccache") as shared:
        compiler.compile(CCACHE_RESHARE="1")
    expect(without.sets == 0 and shared.sets == 2 * SOURCES, without, shared)
    expect_counts(compiler.forget().compile(), direct_cache_hit=SOURCES)


def case_recache(server, work):
    """Results are computed again, and replace what is stored."""
    compiler = Compiler(work, bearer(server)).compile()
    with Counted(server, "ccache") as counted:
        compiler.forget().compile(CCACHE_RECACHE="1")
    expect(counted.sets > 0 and counted.entries == 2 * SOURCES, counted)
    expect_counts(compiler, recache=SOURCES, remote_storage_error=0)
    expect_counts(compiler.forget().compile(), direct_cache_hit=SOURCES)


def case_remote_only(server, work):
    compiler = Compiler(work, bearer(server), CCACHE_REMOTE_ONLY="1").compile()
    expect(not compiler.stored_locally(), compiler.stored_locally())
    expect_counts(compiler.compile(), direct_cache_hit=SOURCES, cache_miss=SOURCES, remote_storage_hit=SOURCES)


def expect_build_without_the_cache(server, work, storage, status):
    """It is counted as an error, the log says which status, and everything is compiled."""
    log = work / "log"
    compiler = Compiler(work, storage, CCACHE_LOGFILE=str(log))
    with Counted(server, "ccache") as counted:
        compiler.compile()
    expect(counted.sets == 0 and counted.hits == 0, counted)
    counts = compiler.counts()
    expect(counts["cache_miss"] == SOURCES and counts["remote_storage_error"] > 0, counts)
    expect_words(log.read_text(errors="replace"), f"status code: {status}")


def case_a_wrong_token(server, work):
    expect_build_without_the_cache(server, work, bearer(server, token="wrong"), 401)


def case_a_wrong_password(server, work):
    expect_build_without_the_cache(server, work, f"http://ci:wrong@127.0.0.1:{server.port}/cache/ccache", 401)


def case_an_expired_token(server, work):
    expect_build_without_the_cache(server, work, bearer(server, token=server.expired), 401)


def case_a_token_that_only_reads(server, work):
    expect_build_without_the_cache(server, work, bearer(server, token=server.reader), 403)


@started_with("--max-body-mb", "0.001")
def case_too_large_a_body(server, work):
    """The result does not fit, and is compiled again by the next machine."""
    log = work / "log"
    compiler = Compiler(work, bearer(server), CCACHE_LOGFILE=str(log))
    numbers = ", ".join(str(number) for number in random.Random(1).sample(range(1 << 30), 2000))
    (work / "0.c").write_text(f"int table[] = {{{numbers}}};\n")
    compiler.compile()
    expect(server.count("PUT", 413) == 1, server.requests())
    expect_words(log.read_text(errors="replace"), "status code: 413")
    expect(compiler.counts()["remote_storage_error"] == 1, compiler.counts())
    expect_counts(compiler.forget().compile(), cache_miss=1, direct_cache_hit=SOURCES - 1)


def case_the_cache_is_down(server, work):
    """Builds go on, and use it again as soon as it is there."""
    compiler = Compiler(work, bearer(server)).compile()
    server.stop()
    compiler.forget().compile()
    expect_counts(compiler, cache_miss=SOURCES)
    expect(compiler.counts()["remote_storage_error"] > 0, compiler.counts())
    server.start()
    expect_counts(compiler.forget().compile(), direct_cache_hit=SOURCES, remote_storage_error=0)


if __name__ == "__main__":
    bed.need("ccache", "gcc")
    sys.exit(bed.main(globals()))
