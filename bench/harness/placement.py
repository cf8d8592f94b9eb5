"""The cores that a server and its load generator run on.

If left to the scheduler, both share all cores, and a rate depends on where the threads run: the same server
was seen at 170,000 and at 320,000 requests a second. Pinned, the server has the first core for itself and the
generator the second: no server is as fast as with both, but figures repeat and ratios can be trusted."""

import os

SERVER_CORE = 0
GENERATOR_CORE = 1

_pinned = False


def pin():
    """Everything started from now on runs on the server's core, except generators."""
    global _pinned
    _pinned = True
    os.sched_setaffinity(0, {SERVER_CORE})


def cores_of_server():
    return len(os.sched_getaffinity(0))


def generator(command):
    """The form of `command` that loads a server."""
    return ["taskset", "-c", str(GENERATOR_CORE), *command] if _pinned else command
