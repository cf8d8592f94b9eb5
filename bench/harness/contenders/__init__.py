"""The contenders, by kind; `make` finds one by its name.

A contender is one or more processes on free ports of loopback, with a folder of its own."""

from .base import Contender, Unavailable
from .d1_front import D1Front
from .memcached import NginxMemcached
from .nginx import Nginx, NginxTls
from .raw import RawSqlite
from .redis import RedisBenchmark, RedisFront, Webdis
from .steadycache import MemoryPersist, SqliteLarge, Steadycache, SteadycacheTls
from .worker import Worker

REFERENCE = "nginx"  # all ratios refer to it

FACTORIES = {
    "nginx": Nginx,
    "memory": lambda setup: Steadycache(setup, "memory"),
    "sqlite": lambda setup: Steadycache(setup, "sqlite"),
    "sqlite-full": lambda setup: Steadycache(setup, "sqlite", "full"),
    "memory-persist": MemoryPersist,
    "sqlite-large": SqliteLarge,
    "nginx-tls": NginxTls,
    "memory-tls": lambda setup: SteadycacheTls(setup, "memory"),
    "nginx-memcached": NginxMemcached,
    "redis": RedisFront,
    "redis-near": lambda setup: RedisFront(setup, near_mb=512),
    "webdis": Webdis,
    "redis-benchmark": RedisBenchmark,
    "worker": Worker,
    "d1": D1Front,
    "d1-near": lambda setup: D1Front(setup, near_mb=64),
    "raw": lambda setup: RawSqlite(setup, "commit"),
    "raw-full": lambda setup: RawSqlite(setup, "full"),
}


def make(name, setup) -> Contender:
    """A contender that is not started yet. A name that is not in the list is a backend of this server."""
    factory = FACTORIES.get(name)
    return factory(setup) if factory else Steadycache(setup, name, own_environment=True)
