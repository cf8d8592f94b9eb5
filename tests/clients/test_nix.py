#!/usr/bin/python3
"""Nix, which keeps store paths here as a binary cache.

usage: test_nix.py BUILD [CASE...]"""
import os
import sys

import bed
from bed import expect, expect_words, run, settings, started_with


class Machine:
    """A store of its own."""

    def __init__(self, work, name):
        self.work, self.root = work / name, f"local?root={work / name / 'store'}"
        self.work.mkdir()
        self.netrc = self.work / "netrc"
        self.environment = {**bed.clean_environment(), "HOME": str(self.work), "NETRC": str(self.netrc),
                            "NIX_REMOTE": self.root, "NIX_CONF_DIR": str(self.work),
                            "NIX_CONFIG": "experimental-features = nix-command\nsubstituters =\nrequire-sigs = false\n"
                                          "build-users-group =\nsandbox = false\nconnect-timeout = 5\n"
                                          "download-attempts = 1\n"}

    def nix(self, *words, code=0):
        return run(["nix", *words], self.environment, self.work, code)

    def add(self, data):
        (self.work / "file").write_bytes(data)
        return self.nix("store", "add-file", "file").strip().splitlines()[-1]

    def run(self, block, path, code=0):
        return run(["sh", "-ec", block], {**self.environment, "STORE_PATH": path}, self.work, code)

    def read(self, path):
        return (self.work / "store" / path.lstrip("/")).read_bytes()


def pull(machine, server, path, token, code=0):
    machine.netrc.write_text(f"machine 127.0.0.1 login ci password {token}\n")
    return machine.nix("copy", "--option", "netrc-file", str(machine.netrc), "--from", f"{server.url}/cache/nix", path,
                       code=code)


def case_documented(server, work):
    here, there = Machine(work, "here"), Machine(work, "there")
    data = os.urandom(200000)
    path = here.add(data)
    here.run(settings("Nix", server), path)
    keys = server.keys("nix")
    expect("nix-cache-info" in keys and any(key.endswith(".narinfo") for key in keys), keys)
    # The other machine only reads.
    pull(there, server, path, server.reader)
    expect(there.read(path) == data, "other bytes")


def case_rights(server, work):
    here, there = Machine(work, "here"), Machine(work, "there")
    path = here.add(b"data")
    output = here.run(settings("Nix", server, server.reader), path, code=1)
    expect(server.count("PUT", 403) == 1, output, server.requests())
    here.netrc.unlink()
    here.run(settings("Nix", server), path)
    output = pull(there, server, path, "wrong", code=1)
    expect(server.count("GET", 401) >= 1, output, server.requests())


@started_with("--max-body-mb", "0.1")
def case_too_large_a_body(server, work):
    here = Machine(work, "here")
    expect_words(here.run(settings("Nix", server), here.add(os.urandom(300000)), code=1), "413")


if __name__ == "__main__":
    bed.need("nix")
    sys.exit(bed.main(globals()))
