"""Resident memory: of an idle server, of an idle connection, and of an entry in the memory backend."""

import socket
import time

from .contenders import Steadycache
from .contenders.base import Setup
from .goals import at_most
from .store_process import run_store

CONNECTIONS = 1000
SETTLE_S = 1  # after this time the threads have done their start-up work
IDLE_GOAL_MIB = 10
CONNECTION_GOAL_BYTES = 10 * 1024
ENTRY_GOAL_BYTES = 96
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n"


def open_connections(port):
    """Connections that each had one answer, so that the server has allocated what a request needs."""
    connections = []
    for _ in range(CONNECTIONS):
        connection = socket.create_connection(("127.0.0.1", port))
        connections.append(connection)
        connection.sendall(REQUEST)
        connection.recv(4096)
    return connections


def idle_bytes(backend):
    """Measures the server, and each of its idle connections."""
    server = Steadycache(Setup(), backend)
    connections = []
    try:
        server.start()
        time.sleep(SETTLE_S)
        alone = server.resident_bytes()
        connections = open_connections(server.port)
        time.sleep(SETTLE_S)
        return {"server": alone, "connection": (server.resident_bytes() - alone) / CONNECTIONS}
    finally:
        for connection in connections:
            connection.close()
        server.stop()


def run(options, say):
    say("memory")
    entries = 200_000 if options.quick else 1_000_000
    entry = run_store("resident", "memory", "commit", 0, entries, 0)
    overhead = entry["bytes_per_entry"] - entry["payload_per_entry"]
    idle = {backend: idle_bytes(backend) for backend in ("sqlite", "memory")}
    goals = [at_most(f"idle server on {backend}, resident", sizes["server"] / (1 << 20), IDLE_GOAL_MIB, "MiB")
             for backend, sizes in idle.items()]
    goals += [at_most(f"{backend}: each of {CONNECTIONS:,} idle connections", sizes["connection"],
                      CONNECTION_GOAL_BYTES, "bytes") for backend, sizes in idle.items()]
    goals.append(at_most(f"memory backend, an entry beside key and value ({entries:,} entries of 100 bytes)",
                         overhead, ENTRY_GOAL_BYTES, "bytes"))
    return {"idle": idle, "entries": entries, "overhead_per_entry": overhead, "goals": goals}
