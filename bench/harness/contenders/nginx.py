"""nginx, the limit: it answers every request with the same bytes and looks up nothing."""

import shutil
import tempfile
from pathlib import Path

from ..placement import cores_of_server
from .base import Contender
from .certificate import make_certificate

# The longest word that nginx takes in its configuration.
CONSTANT_MAX_BYTES = 2048


def config(folder, port, http="", location="", listen=""):
    """A configuration with one worker per core and no log, all files in `folder`."""
    temporary = "\n".join(f"    {kind}_temp_path {folder}/{kind};"
                          for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return f"""
worker_processes {cores_of_server()};
worker_rlimit_nofile 16384;
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
{temporary}
    {http}
    server {{
        listen 127.0.0.1:{port} backlog=4096{listen};
        location / {{ {location} }}
    }}
}}
"""


class Nginx(Contender):
    """A constant answer of the value's length; a long one is a file in memory, sent by sendfile."""

    name = "nginx"
    title = "nginx (constant)"
    programs = ("nginx",)

    def __init__(self, setup):
        super().__init__(setup)
        self.memory_folder = None

    def kind_for(self, kind):
        return "get"

    def location(self):
        size = self.setup.value_bytes
        if size <= CONSTANT_MAX_BYTES:
            return f"default_type application/octet-stream; return 200 \"{'x' * size}\";"
        self.memory_folder = Path(tempfile.mkdtemp(prefix="steadycache-bench-", dir="/dev/shm"))
        self.memory_folder.chmod(0o755)  # workers run as another user
        (self.memory_folder / "value").write_bytes(b"x" * size)
        self.title = "nginx (file in memory)"
        return (f"sendfile on; tcp_nopush on; open_file_cache max=16; root {self.memory_folder}; "
                "rewrite ^ /value break;")

    def config(self):
        return config(self.folder, self.port, location=self.location())

    def launch_all(self):
        file = self.folder / "nginx.conf"
        file.write_text(self.config(), encoding="utf-8")
        self.launch(["nginx", "-p", self.folder, "-c", file], self.port)

    def stop(self):
        super().stop()
        if self.memory_folder:
            shutil.rmtree(self.memory_folder, ignore_errors=True)


class NginxTls(Nginx):
    """The same over TLS."""

    name = "nginx-tls"
    title = "nginx (constant), TLS"
    scheme = "https"
    programs = ("nginx", "openssl")

    def config(self):
        cert, key = make_certificate(self.folder)
        return config(self.folder, self.port, f"ssl_certificate {cert}; ssl_certificate_key {key};", self.location(),
                      " ssl")
