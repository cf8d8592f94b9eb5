"""This project's Worker on the real workerd with a local D1, as worker/test/serve.mjs starts it."""

import re

from .base import Contender, ROOT, Unavailable
from .steadycache import load_by_batches

WORKER = ROOT / "worker"
API_KEY = "bench-key"
# A batch takes the Worker several statements of D1; a large one takes longer than a client waits.
LOAD_BATCH = 50


class Worker(Contender):
    name = "worker"
    title = "Worker on workerd"
    programs = ("node",)

    def launch_all(self):
        if not (WORKER / "test/serve.mjs").exists() or not (WORKER / "node_modules").is_dir():
            raise Unavailable("worker/node_modules is missing (npm ci in worker/)")
        self.launch(["node", WORKER / "test/serve.mjs", "--port", "0", "--api-key", API_KEY], None,
                    {"HOME": str(self.folder)})

    def answers(self, _port, log_path):
        """It picks its port itself and prints it when it is ready."""
        found = re.search(r"^listening http://127\.0\.0\.1:(\d+)", log_path.read_text(errors="replace"), re.M)
        if found:
            self.port = int(found.group(1))
        return found is not None

    def headers(self):
        return {"Authorization": f"Bearer {API_KEY}"}

    def load(self):
        load_by_batches(self, self.setup, LOAD_BATCH)
