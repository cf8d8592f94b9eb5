#!/usr/bin/python3
"""Rush, with its plugin for a cache over HTTP.

usage: test_rush.py BUILD [CASE...]

Rush installs pnpm from npm's registry: without it the test is skipped."""
import json
import shutil
import sys

import bed
from bed import Counted, expect, expect_words, run, settings

HEADING = "Rush"


def version(package):
    return json.loads((bed.PACKAGES / package / "package.json").read_text())["version"]


class Repository:
    """One project, whose build makes a file."""

    def __init__(self, work, server, token=None, output_bytes=1000):
        self.folder = work / "repository"
        self.environment = {**bed.environment_of(settings(HEADING, server, token, number=1)), "HOME": str(work),
                            "RUSH_GLOBAL_FOLDER": str(work / "rush")}
        config = self.folder / "common/config/rush"
        config.mkdir(parents=True)
        (config / "build-cache.json").write_text(settings(HEADING, server))
        write(self.folder / "rush.json", {
            "rushVersion": version("@microsoft/rush"), "pnpmVersion": "9.15.9", "nodeSupportedVersionRange": ">=18",
            "projects": [{"packageName": "app", "projectFolder": "app"}]})
        project = self.folder / "app"
        (project / "config").mkdir(parents=True)
        write(project / "config/rush-project.json", {
            "operationSettings": [{"operationName": "build", "outputFolderNames": ["dist"]}]})
        program = f"mkdir -p dist && head -c {output_bytes} /dev/urandom >dist/made"
        write(project / "package.json", {"name": "app", "version": "1.0.0", "scripts": {"build": program}})
        git = ["git", "-c", "user.name=tests", "-c", "user.email=tests@localhost"]
        (self.folder / ".gitignore").write_text("dist\nnode_modules\n.rush\ntemp\n*.log\nrush-logs\n")
        for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "tests"]):
            run([*git, *words], self.environment, self.folder)
        output = self.rush("update", code=None)
        if not (self.folder / "common/temp/last-link.flag").exists() and "pnpm" in output:
            bed.skip(f"Rush could not install pnpm: {output[-300:]}")

    def rush(self, *words, code=0):
        return run(["node", bed.PACKAGES / "@microsoft/rush/bin/rush", *words], self.environment, self.folder, code)

    def forget(self):
        """As on another machine."""
        shutil.rmtree(self.folder / "common/temp/build-cache", ignore_errors=True)
        shutil.rmtree(self.folder / "app/dist")
        for path in (self.folder / "app/.rush/temp").iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != "shrinkwrap-deps.json":
                path.unlink()

    def build(self, code=0):
        output = self.rush("build", "--verbose", code=code)
        expect((self.folder / "app/dist/made").exists(), output)
        return output


def write(path, value):
    path.write_text(json.dumps(value))


def case_documented(server, work):
    repository = Repository(work, server)
    with Counted(server, "rush") as cold:
        output = repository.build()
    expect(cold.sets == 1 and cold.hits == 0, cold, output)
    repository.forget()
    with Counted(server, "rush") as warm:
        output = repository.build()
    expect(warm.hits == 1 and warm.sets == 0, warm, output)
    expect_words(output, "Build cache hit")
    # A token that only reads: hits, and a warning where something is new.
    repository.environment["RUSH_BUILD_CACHE_CREDENTIAL"] = f"Bearer {server.reader}"
    repository.forget()
    expect_words(repository.build(), "Build cache hit")
    server.clear("rush")
    repository.forget()
    expect_words(repository.build(code=None), "403")
    expect(server.stats("rush")["entry_count"] == 0, server.stats("rush"))


if __name__ == "__main__":
    bed.need("git")
    bed.need_packages("@microsoft/rush")
    sys.exit(bed.main(globals()))
