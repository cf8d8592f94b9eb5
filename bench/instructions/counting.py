"""Counts the instructions of one request of each path.

A path is asked in TURNS turns of the same requests. The cheapest turn counts: what makes a turn dearer is not
the request, but what happens at one in many (a table that grows, threads that contend for a lock). The first
turn does not count: it opens SQLite's readers, grows buffers, resolves symbols."""

from harness.contenders.base import Setup

from .paths import BACKENDS, STORED, fill, paths
from .server import Request, Server

TURNS = 9
EMPTY_TURNS = 4  # with only the mark, whose own instructions are subtracted


def count_turns(server, path, of_mark):
    """Instructions of one request, turn by turn, without the first."""
    turns = []
    for turn in range(TURNS):
        for request in path.before(turn):
            server.ask(request)
        requests = [path.request(turn, number) for number in range(path.count)]
        server.mark()
        for request in requests:
            server.ask(request)
        turns.append((server.mark() - of_mark) / path.count)
    return turns[1:]


def count_backend(binary, backend, say, ret_figures):
    server = Server(Setup(), binary, backend)
    try:
        server.start()
        for request in fill():
            server.ask(request)
        etag = server.ask(Request("HEAD", f"/cache/ns/key-{STORED - 1}"))[0][b"etag"].decode()
        server.mark()
        of_mark = min(server.mark() for _ in range(EMPTY_TURNS))
        for path in paths(etag):
            if path.backend == backend:
                say(path.name)
                ret_figures[path.name] = round(min(count_turns(server, path, of_mark)))
    finally:
        server.stop()


def count(binary, say):
    """{name of a path: instructions of one request}"""
    figures = {}
    for backend in BACKENDS:
        count_backend(binary, backend, say, figures)
    return figures
