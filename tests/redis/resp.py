"""A client of Redis, of a few lines."""
import socket


class Refused(Exception):
    """What the server answers with a minus sign."""


class Client:
    def __init__(self, port, timeout=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb", buffering=1 << 16)

    def close(self):
        self.file.close()
        self.socket.close()

    @staticmethod
    def format(words):
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            if isinstance(word, (int, float)):
                word = str(word)
            if isinstance(word, str):
                word = word.encode()
            parts += [b"$%d\r\n" % len(word), word, b"\r\n"]
        return b"".join(parts)

    def read(self):
        line = self.file.readline()
        if not line:
            raise ConnectionError("the server has closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            return Refused(rest.decode(errors="replace"))
        if kind == b":":
            return int(rest)
        if kind == b"+":
            return rest
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        return None if rest == b"-1" else [self.read() for _ in range(int(rest))]

    def send(self, *words):
        self.socket.sendall(self.format(words))

    def __call__(self, *words):
        self.send(*words)
        reply = self.read()
        if isinstance(reply, Refused):
            raise reply
        return reply

    def pipeline(self, commands):
        """The replies, refusals among them."""
        self.socket.sendall(b"".join(self.format(words) for words in commands))
        return [self.read() for _ in commands]
