"""nginx in front of memcached, by nginx's own memcached_pass: a common way to serve a cache over HTTP."""

import getpass
import socket

from .base import Contender, NAMESPACE, free_port
from .nginx import config


class NginxMemcached(Contender):
    name = "nginx-memcached"
    title = "nginx + memcached"
    programs = ("nginx", "memcached")

    def launch_all(self):
        memcached_port = free_port()
        self.launch(["memcached", "-l", "127.0.0.1", "-p", memcached_port, "-U", "0", "-t", "2", "-m", "2048",
                     "-c", "4096", "-u", getpass.getuser()], memcached_port)
        self.memcached_port = memcached_port
        upstream = f"upstream memcached {{ server 127.0.0.1:{memcached_port}; keepalive 64; }}"
        location = "default_type application/octet-stream; set $memcached_key $uri; memcached_pass memcached;"
        file = self.folder / "nginx.conf"
        file.write_text(config(self.folder, self.port, upstream, location), encoding="utf-8")
        self.launch(["nginx", "-p", self.folder, "-c", file], self.port)

    def load(self):
        value = b"x" * self.setup.value_bytes
        with socket.create_connection(("127.0.0.1", self.memcached_port)) as connection:
            for key in range(self.setup.keys):
                connection.sendall(b"set /cache/%s/key-%d 0 0 %d noreply\r\n%s\r\n"
                                   % (NAMESPACE.encode(), key, len(value), value))
            connection.sendall(b"version\r\n")  # answered once everything before it is stored
            connection.recv(64)
