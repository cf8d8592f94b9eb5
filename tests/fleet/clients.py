"""Clients of a fleet, each of which knows what it must read."""
import contextlib
import http.client
import json
import threading
import time

KEY = "of/the fleet=+1"
CLIENTS = 24
SMALL, LARGE = b"small", b"x" * 100_000


def request(connection, method, target, body=None, **headers):
    connection.request(method, target, body, {"Authorization": f"Bearer {KEY}", **{
        name.replace("_", "-"): value for name, value in headers.items()}})
    answer = connection.getresponse()
    return answer.status, answer.read(), answer.headers


def ask(port, method, target, body=None, **headers):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        return request(connection, method, target, body, **headers)


class Client(threading.Thread):
    """Reads and writes keys of its own through the balancer until told to stop, and knows what each must hold."""

    def __init__(self, port, name):
        super().__init__(daemon=True)
        self.port, self.namespace = port, f"fleet-{name}"
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.over = threading.Event()
        self.done = 0
        self.failures = []  # (when it began, what)
        self.wrong = []

    def try_request(self, method, target, body=None, wanted=(200,)):
        """The answer's body. None: the request failed."""
        began = time.monotonic()
        try:
            status, answer, _ = request(self.connection, method, target, body)
            self.done += 1
            if status in wanted:
                return answer
            problem = f"{status} {answer[:200]}"
        except (OSError, http.client.HTTPException) as error:
            problem = repr(error)
        self.connection.close()
        self.failures.append((began, f"{method} {target}: {problem}"))
        return None

    def run(self):
        turn = 0
        while not self.over.is_set():
            turn += 1
            key = f"/cache/{self.namespace}/{turn % 7}"
            value = b"%d %s" % (turn, LARGE if turn % 2 else SMALL)
            if self.try_request("PUT", key, value, (200, 201, 204)) is None:
                continue  # it may have been done or not
            for _ in range(3):
                read = self.try_request("GET", key)
                if read not in (None, value):
                    self.wrong.append(f"{key}: {read[:40]} for {value[:40]}")
            batch = json.dumps({"keys": [str(turn % 7), "none"]})
            self.try_request("POST", f"/batch/{self.namespace}/get", batch)


def await_work(clients):
    """Waits until each has made some more requests."""
    before = [client.done for client in clients]
    end = time.monotonic() + 30
    while not all(client.done > done + 20 for client, done in zip(clients, before)):
        assert time.monotonic() < end, f"clients that get nowhere: {failures(clients)[-5:]}"
        time.sleep(0.02)


@contextlib.contextmanager
def load(port):
    """Clients at work; at the end nobody may have read a wrong value. Yields them."""
    clients = [Client(port, i) for i in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        await_work(clients)
        yield clients
    finally:
        for client in clients:
            client.over.set()
        for client in clients:
            client.join(60)
    assert not any(client.is_alive() for client in clients), "a request that does not end"
    wrong = [text for client in clients for text in client.wrong]
    assert not wrong, wrong[:5]


def failures(clients):
    return [failure for client in clients for failure in client.failures]
