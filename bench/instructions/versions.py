"""What figures depend on besides this project's code. Figures are compared only if all of it is equal.

The processor hardly matters: valgrind shows the program one of its own (3.19: a Haswell with AVX2 and without
AVX-512 and SHA if the real one has AVX2, and a lesser one otherwise), and glibc and nettle choose their
variants by that. The choice of glibc is recorded under "processor"."""

import os
import platform
import re
import subprocess

LIBRARIES = ("libmicrohttpd", "sqlite3", "jansson", "nettle", "libxxhash")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def compiler_of(binary):
    """As the compiler wrote it into the program: "GCC 12.2.0"."""
    text = output("readelf", "--wide", "--string-dump=.comment", str(binary))
    names = re.findall(r"\]\s+(.+)", text)
    return "; ".join(sorted(re.sub(r":? \(.*?\)", "", name).strip() for name in names))


def processor_under_valgrind(binary):
    """The variants that the dynamic loader would use: "x86-64-v3 x86-64-v2 haswell ..."."""
    loader = re.search(r"interpreter: (\S+)\]", output("readelf", "--wide", "--program-headers", str(binary)))[1]
    text = output("valgrind", "--quiet", "--tool=none", loader, "--help")
    return " ".join(re.findall(r"^\s+(\S+) \((?:AT_PLATFORM; )?supported", text, re.MULTILINE))


def versions(binary):
    return {
        "machine": platform.machine(),
        "processor": processor_under_valgrind(binary),
        "compiler": compiler_of(binary),
        "valgrind": output("valgrind", "--version").strip().removeprefix("valgrind-"),
        "glibc": os.confstr("CS_GNU_LIBC_VERSION").removeprefix("glibc "),
        **{name: output("pkg-config", "--modversion", name).strip() for name in LIBRARIES},
    }
