#!/usr/bin/python3
"""Gradle, whose only credentials are those of HTTP Basic.

usage: test_gradle.py BUILD [CASE...]"""
import shutil
import sys

import bed
from bed import Counted, expect, expect_words, run, settings, started_with


class Project:
    """A task whose output can be cached, without a compiler and without anything from a repository."""

    def __init__(self, work, cache, output_bytes=1000):
        self.folder, self.home = work / "project", work / "home"
        self.folder.mkdir()
        (self.folder / "settings.gradle").write_text(f"rootProject.name = 'tests'\n{cache}")
        (self.folder / "build.gradle").write_text(f"""
@CacheableTask
class Make extends DefaultTask {{
    @Input int size = {output_bytes}
    @OutputFile File made = project.file("build/made")
    @TaskAction void make() {{
        def bytes = new byte[size]
        new Random(1).nextBytes(bytes)
        made.bytes = bytes
    }}
}}
task make(type: Make)
""")

    def forget(self):
        """As on another machine."""
        shutil.rmtree(self.folder / "build")
        shutil.rmtree(self.home / "caches/build-cache-1", ignore_errors=True)

    def build(self):
        output = run(["gradle", "--no-daemon", "--build-cache", "--console=plain", f"-g{self.home}", "make"],
                     {**bed.clean_environment(), "HOME": str(self.home.parent)}, self.folder)
        expect((self.folder / "build/made").exists(), output)
        return output


def is_hit(output):
    return ":make FROM-CACHE" in output


def read_only(cache):
    return cache.replace("push = true", "push = false")


def case_documented(server, work):
    project = Project(work, settings("Gradle", server))
    with Counted(server, "gradle") as cold:
        output = project.build()
    expect(cold.sets == 1 and cold.hits == 0 and not is_hit(output), cold, output)
    project.forget()
    with Counted(server, "gradle") as warm:
        output = project.build()
    expect(warm.hits == 1 and warm.sets == 0 and is_hit(output), warm, output)
    # It sends them without being asked.
    expect(server.count("GET", 401) == 0, server.requests())


def case_a_token_that_only_reads(server, work):
    """With push = false it only asks; with push = true it says so and builds."""
    project = Project(work, settings("Gradle", server))
    project.build()
    project.forget()
    file = project.folder / "settings.gradle"
    file.write_text(file.read_text().replace(server.key, server.reader))
    output = project.build()
    expect(is_hit(output), output)
    script = project.folder / "build.gradle"
    script.write_text(script.read_text().replace("int size = 1000", "int size = 1001"))
    output = project.build()
    expect_words(output, "403")
    project.forget()
    file.write_text(read_only(file.read_text()))
    output = project.build()
    expect("403" not in output and server.count("PUT", 403) == 1, output, server.requests())


@started_with("--max-body-mb", "0.01")
def case_too_large_a_body(server, work):
    project = Project(work, settings("Gradle", server), 20000)
    project.build()
    expect(server.count("PUT", 413) == 1, server.requests())
    project.forget()
    expect(not is_hit(project.build()), "it was not stored")


def case_a_wrong_password(server, work):
    project = Project(work, settings("Gradle", server, "wrong"))
    expect_words(project.build(), "response status 401", "The remote build cache was disabled")
    expect(server.stats("gradle")["entry_count"] == 0, server.stats("gradle"))


def case_the_cache_is_down(server, work):
    project = Project(work, settings("Gradle", server))
    server.stop()
    expect_words(project.build(), "The remote build cache was disabled")
    server.start()


if __name__ == "__main__":
    bed.need("gradle")
    sys.exit(bed.main(globals()))
