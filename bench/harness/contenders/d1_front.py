"""This server in front of the Worker: the d1 backend, with and without the near cache."""

from .base import ROOT
from .steadycache import load_by_batches
from .worker import API_KEY, LOAD_BATCH, Worker


class D1Front(Worker):
    def __init__(self, setup, near_mb=0):
        super().__init__(setup)
        self.near_mb = near_mb
        self.name = "d1-near" if near_mb else "d1"
        self.title = "d1 over the Worker" + (", near cache" if near_mb else "")

    def launch_all(self):
        super().launch_all()
        upstream, self.port = self.url(), self.free_port()
        self.launch([ROOT / "build/steadycache", "serve"], self.port, {
            "STEADYCACHE_LISTEN": f"127.0.0.1:{self.port}",
            "STEADYCACHE_BACKEND": "d1",
            "STEADYTEXT_D1_API_URL": upstream,
            "STEADYTEXT_D1_API_KEY": API_KEY,
            "STEADYCACHE_NEAR_MB": str(self.near_mb),
            "STEADYCACHE_NEAR_TTL": "3600",
        })

    def answers(self, port, log_path):
        # The Worker starts first and reports its port; the server is told its own.
        return super().answers(port, log_path) if port is None else self.accepts(port)

    def headers(self):
        return {}

    def load(self):
        load_by_batches(self, self.setup, LOAD_BATCH)
