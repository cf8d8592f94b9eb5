"""This server on one of its backends."""

import http.client
import json
import os
import ssl

from .base import Contender, NAMESPACE, ROOT, Unavailable
from .certificate import make_certificate

LOAD_BATCH = 500
LOAD_BATCH_BYTES = 8 << 20


def load_by_batches(contender, setup, batch_max, timeout_s=120):
    """Fills any server that speaks this server's HTTP API."""
    if contender.scheme == "https":
        trusting = ssl._create_unverified_context()  # pylint: disable=protected-access
        connection = http.client.HTTPSConnection("127.0.0.1", contender.port, timeout=timeout_s, context=trusting)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", contender.port, timeout=timeout_s)

    def ask(method, path, body):
        connection.request(method, path, json.dumps(body), contender.headers())
        answer = connection.getresponse()
        text = answer.read()
        if answer.status // 100 != 2:
            raise Unavailable(f"{method} {path} is answered with {answer.status} {text[:200]}")

    ask("PUT", f"/cache/{NAMESPACE}", {"max_size_mb": 0})
    value = "x" * setup.value_bytes
    batch = max(1, min(batch_max, LOAD_BATCH_BYTES // max(1, setup.value_bytes)))
    for first in range(0, setup.keys, batch):
        items = [{"key": f"key-{key}", "value": value} for key in range(first, min(first + batch, setup.keys))]
        ask("POST", f"/batch/{NAMESPACE}/set", {"items": items})
    connection.close()


class Steadycache(Contender):
    """`own_environment`: takes settings (STEADYCACHE_...) of a backend that lies elsewhere from our environment."""

    def __init__(self, setup, backend, durability="commit", own_environment=False):
        super().__init__(setup)
        self.backend = backend
        self.durability = durability
        self.own_environment = own_environment
        self.name = backend if durability == "commit" else f"{backend}-{durability}"
        self.title = backend if durability == "commit" else f"{backend} ({durability})"

    def launch_all(self):
        environment = {}
        if self.own_environment:
            environment = {name: value for name, value in os.environ.items() if name.startswith("STEADYCACHE_")}
        environment |= {
            "STEADYCACHE_LISTEN": f"127.0.0.1:{self.port}",
            "STEADYCACHE_BACKEND": self.backend,
            "STEADYCACHE_DATA_DIR": str(self.folder),
            "STEADYCACHE_DURABILITY": self.durability,
        }
        environment.pop("STEADYCACHE_API_KEY", None)
        environment |= self.more_environment()
        self.launch([ROOT / "build/steadycache", "serve"], self.port, environment)

    def more_environment(self):
        return {}

    def load(self):
        if self.setup.keys:
            load_by_batches(self, self.setup, LOAD_BATCH)


class MemoryPersist(Steadycache):
    """The memory backend that writes what has changed to its database every five seconds: run it for longer, --seconds 12."""

    def __init__(self, setup):
        super().__init__(setup, "memory")
        self.name = "memory-persist"
        self.title = "memory, persisting"

    def more_environment(self):
        return {"STEADYCACHE_PERSIST_EVERY": "5"}


class SqliteLarge(Steadycache):
    """sqlite with every value in a directory of its own: what the layer for large values costs at least."""

    def __init__(self, setup):
        super().__init__(setup, "sqlite")
        self.name = "sqlite-large"
        self.title = "sqlite, values in a directory"

    def more_environment(self):
        return {"STEADYCACHE_LARGE_VALUES": f"dir:{self.folder}/large", "STEADYCACHE_LARGE_VALUE_BYTES": "0"}


class SteadycacheTls(Steadycache):
    scheme = "https"
    programs = ("openssl",)

    def __init__(self, setup, backend):
        super().__init__(setup, backend)
        self.name = f"{backend}-tls"
        self.title = f"{backend}, TLS"

    def more_environment(self):
        cert, key = make_certificate(self.folder)
        return {"STEADYCACHE_TLS_CERT": str(cert), "STEADYCACHE_TLS_KEY": str(key)}
