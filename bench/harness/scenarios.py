"""The HTTP scenarios, as data. Neighbours with the same keys and values share their servers."""

from dataclasses import dataclass

FAST = ("memory", "sqlite")  # measured in every scenario beside nginx
REDIS = ("redis", "webdis")
WRITERS = (*FAST, "sqlite-full")
QUICK_CONTENDERS = ("nginx", "memory", "sqlite", "raw")


@dataclass(frozen=True)
class Goal:
    """Lowest ratio of a contender's rate to another's, measured in turns with it."""

    contender: str
    bound: float
    against: str = "nginx"


@dataclass(frozen=True)
class Scenario:
    kind: str  # of requests.lua
    title: str
    group: str  # the chart that shows it
    contenders: tuple = FAST
    goals: tuple = ()
    keys: int = 100_000
    distribution: str = "random"
    value_bytes: int = 1024
    connections: int = 64
    items: int = 1  # keys of a request
    singles: str = ""  # kind of the single requests that a batch is compared with, contender by contender
    singles_goals: tuple = ()  # lowest ratio of its keys to theirs, as Goal
    quick: bool = False


D1 = ("worker", "d1", "d1-near")
BACKENDS = ("memory", "memory-persist", "sqlite", "sqlite-large", "redis", "redis-near", "d1", "d1-near")
D1_GOALS = (Goal("d1", 5.0, "worker"), Goal("d1-near", 0.9, "memory"))


def size_text(size_bytes):
    for unit, factor in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size_bytes >= factor and size_bytes % factor == 0:
            return f"{size_bytes // factor} {unit}"
    return f"{size_bytes} B"


def of_sizes():
    """GET and PUT for each length of a value. There are fewer long ones: all stay in memory."""
    for size, keys in ((100, 100_000), (16 << 10, 5_000), (256 << 10, 500), (4 << 20, 16)):
        goals = (Goal("memory", 0.9),) if size == 4 << 20 else ()
        yield Scenario("get", f"GET {size_text(size)}", "sizes", keys=keys, value_bytes=size, goals=goals)
        yield Scenario("put", f"PUT {size_text(size)}", "sizes", keys=keys, value_bytes=size)


def of_backends():
    """One connection tells the latency, 64 the throughput. The Worker below d1 sets how many keys there are."""
    for kind, title in (("get", "GET hit"), ("put", "PUT"), ("batch_get", "/batch/{ns}/get of 50")):
        for connections, what in ((1, "latency"), (64, "throughput")):
            yield Scenario(kind, f"every backend, {title}, {what}", "backends", BACKENDS, keys=1_000,
                           connections=connections, items=50 if kind == "batch_get" else 1)


SCENARIOS = [
    Scenario("get", "GET hit", "reads",
             (*FAST, "nginx-memcached", *REDIS, "redis-near", "redis-benchmark"),
             (Goal("memory", 1.0), Goal("sqlite", 0.85), Goal("memory", 2.2, "nginx-memcached"),
              Goal("memory", 3.0, "webdis"), Goal("redis", 0.6, "memory"), Goal("redis", 2.0, "webdis")), quick=True),
    Scenario("get", "GET hit, Zipf", "reads", distribution="zipf"),
    Scenario("miss", "GET miss", "reads", (*FAST, "nginx-memcached", *REDIS)),
    Scenario("get", "GET hit, 1 connection", "connections", (*FAST, "nginx-memcached", *REDIS), connections=1),
    Scenario("get", "GET hit, 1,000 connections", "connections", (*FAST, "nginx-memcached", *REDIS),
             connections=1000),
    Scenario("api_get", "/api/get", "api", goals=(Goal("memory", 0.85), Goal("sqlite", 0.75)), quick=True),
    Scenario("api_batch_get", "/api/batch/get of 50", "api", items=50, singles="api_get",
             singles_goals=(Goal("memory", 5.0),)),
    Scenario("batch_get", "/batch/{ns}/get of 50", "api", (*FAST, "redis"), items=50),
    Scenario("put", "PUT", "writes", (*WRITERS, *REDIS, "redis-benchmark", "raw", "raw-full"),
             (Goal("memory", 0.75), Goal("sqlite", 0.6, "raw"), Goal("sqlite-full", 0.6, "raw-full"),
              Goal("redis", 1.5, "webdis")), quick=True),
    Scenario("put", "PUT, 1 connection", "connections", WRITERS, connections=1),
    Scenario("put", "PUT, 1,000 connections", "connections", WRITERS, connections=1000),
    Scenario("mix", "90 % GET, 10 % PUT", "writes", WRITERS, quick=True),
    Scenario("mix", "90 % GET, 10 % PUT, Zipf", "writes", FAST, distribution="zipf"),
    Scenario("delete", "PUT and DELETE in turn", "writes", WRITERS),
    Scenario("api_set", "/api/set", "api", WRITERS),
    Scenario("api_batch_set", "/api/batch/set of 50", "api", WRITERS, items=50, singles="api_set"),
    Scenario("batch_set", "/batch/{ns}/set of 50", "api", (*WRITERS, "redis"), items=50),
    Scenario("get", "GET hit, TLS", "connections", ("nginx-tls", "memory-tls")),
    Scenario("get", "GET hit, one hot key", "reads", (*FAST, "nginx-memcached", "webdis"), keys=1),
    *of_sizes(),
    # Every backend beside the others, for "which backend when" in README.md.
    *of_backends(),
    # The Worker is slower by a factor of hundreds: fewer keys, or filling it would take longer than measuring
    # it.
    Scenario("get", "GET hit, 1,000 keys", "worker", (*FAST, *D1), (*D1_GOALS,), keys=1_000),
    Scenario("api_get", "/api/get, 1,000 keys", "worker", (*FAST, *D1), (*D1_GOALS,), keys=1_000),
    Scenario("api_set", "/api/set, 1,000 keys", "worker", (*FAST, *D1), keys=1_000),
]
KINDS = {scenario.kind for scenario in SCENARIOS}
GROUPS = {scenario.group for scenario in SCENARIOS}
