"""The requests that are counted, as data: fixed keys, fixed values of 1 KiB, so that runs repeat exactly."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from .server import Request

BACKENDS = ("memory", "sqlite")
STORED = 1000  # entries of the namespace `ns`: key-0 ... key-999
FULL = 200  # capacity of the namespace `full`, and its number of entries
BATCH = 50  # items of one batch
COUNT = 50  # requests of a turn, by default
VALUE_BYTES = 1024


def value(turn):
    """Written values change from turn to turn, in case a store notices that it already has one."""
    return chr(ord("a") + turn % 2) * VALUE_BYTES


def body(**members):
    return json.dumps(members, separators=(",", ":")).encode()


def put(ns, key, turn, status):
    return Request("PUT", f"/cache/{ns}/{key}", value(turn).encode(), status)


def batch_set(ns, keys, turn):
    items = [{"key": key, "value": value(turn)} for key in keys]
    return Request("POST", f"/batch/{ns}/set", body(items=items))


def fill():
    """Sent once to a new server."""
    limits = [Request("PUT", f"/cache/{ns}", body(**settings), 204) for ns, settings in
              (("ns", {"max_size_mb": 0}), ("full", {"max_size_mb": 0, "capacity": FULL}))]
    keys = [f"key-{number}" for number in range(STORED)]
    return [*limits,
            *(batch_set("ns", keys[first:first + BATCH], 0) for first in range(0, STORED, BATCH)),
            *(batch_set("full", keys[first:first + BATCH], 0) for first in range(0, FULL, BATCH))]


@dataclass(frozen=True)
class Path:
    """`request(turn, number)` is the number-th request of a turn; `before(turn)` are sent before a turn and
    not counted."""

    name: str
    backend: str
    count: int  # requests of a turn
    request: Callable
    before: Callable = lambda turn: ()


def get_hit(_turn, number):
    return Request("GET", f"/cache/ns/key-{number}")


def get_miss(_turn, number):
    return Request("GET", f"/cache/ns/absent-{number}", status=404)


def head(_turn, number):
    return Request("HEAD", f"/cache/ns/key-{number}")


def not_modified(etag):
    """`etag`: of an entry as `fill` made it; no other path writes its keys."""
    return lambda _turn, number: Request("GET", f"/cache/ns/key-{STORED - 1 - number}", status=304,
                                         headers=(f"If-None-Match: {etag}",))


def overwrite(turn, number):
    return put("ns", f"key-{number}", turn, 204)


def delete(_turn, number):
    return Request("DELETE", f"/cache/ns/extra-{number}", status=204)


def api_get(_turn, number):
    return Request("POST", "/api/get", body(cache_name="ns", key=f"key-{number}"), contains=b'"found":true')


def api_set(turn, number):
    return Request("POST", "/api/set",
                   body(cache_name="ns", key=f"key-{number}", value=value(turn), size=VALUE_BYTES))


def batch_keys(number):
    return [f"key-{key}" for key in range(number * BATCH, (number + 1) * BATCH)]


def api_batch_get(_turn, number):
    return Request("POST", "/api/batch/get", body(cache_name="ns", keys=batch_keys(number)), contains=b'"found":true')


def rest_batch_set(turn, number):
    return batch_set("ns", batch_keys(number), turn)


def evict(turn, number):
    """New keys in each turn, so that each PUT creates an entry and evicts one."""
    return put("full", f"turn-{turn:03}-{number:03}", turn, 201)


def extra_entries(turn):
    return [batch_set("ns", [f"extra-{number}" for number in range(COUNT)], turn)]


def empty_log(_turn):
    """The cost of a write in SQLite grows with the write-ahead log; emptying it makes all turns equal."""
    return [Request("POST", "/sync", status=204)]


def paths(etag):
    """In the order in which they are counted. SQLite's writes come first: a GET leaves a read transaction
    open, and a log that is being read cannot be emptied."""
    return (
        Path("memory GET hit", "memory", COUNT, get_hit),
        Path("memory GET miss", "memory", COUNT, get_miss),
        Path("memory GET not modified", "memory", COUNT, not_modified(etag)),
        Path("memory HEAD", "memory", COUNT, head),
        Path("memory PUT overwrite", "memory", COUNT, overwrite),
        Path("memory PUT evicting", "memory", COUNT, evict),
        Path("memory DELETE", "memory", COUNT, delete, extra_entries),
        Path("memory /api/get", "memory", COUNT, api_get),
        Path("memory /api/set", "memory", COUNT, api_set),
        Path("memory /api/batch/get of 50", "memory", 10, api_batch_get),
        Path("memory /batch/ns/set of 50", "memory", 5, rest_batch_set),
        Path("sqlite PUT overwrite", "sqlite", 20, overwrite, empty_log),
        Path("sqlite PUT evicting", "sqlite", 20, evict, empty_log),
        Path("sqlite GET hit", "sqlite", COUNT, get_hit),
        Path("sqlite /api/get", "sqlite", COUNT, api_get),
    )
