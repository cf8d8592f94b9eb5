"""A TCP proxy before a Redis that does what networks do: it cuts, delays and stalls, and can lead elsewhere."""
import contextlib
import random
import socket
import threading
import time


class Proxy:
    """Listens at `port` of 127.0.0.1 until its `with` block ends. What it does may be changed at any time."""

    def __init__(self, to_port, seed=1):
        self.to_port = to_port
        self.delay_s = 0.0      # of each piece, in both directions
        self.piece_bytes = 0    # pieces have no more; 0: as they come
        self.cut_after = 0      # a connection ends within so many bytes of one direction; 0: never
        self.random = random.Random(seed)
        self.cuts = 0
        self.lock = threading.Lock()
        self.sockets = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.hang_up()

    def lead_to(self, port):
        """From now on, and for whoever is connected after a new connection."""
        self.to_port = port
        self.hang_up()

    def hang_up(self):
        with self.lock:
            sockets, self.sockets = self.sockets, set()
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self.to_port))
                except OSError:
                    near.close()
                    continue
                for each in (near, far):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self.lock:
                    self.sockets |= {near, far}
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self.pump, args=ends, daemon=True).start()

    def pump(self, source, target):
        left = self.random.randrange(1, self.cut_after) if self.cut_after else 0
        with contextlib.suppress(OSError):
            while True:
                piece = source.recv(self.piece_bytes or 65536)
                if not piece:
                    break
                if self.delay_s:
                    time.sleep(self.delay_s)
                if left and len(piece) >= left:
                    target.sendall(piece[:left])
                    self.cuts += 1
                    break
                left -= len(piece) if left else 0
                target.sendall(piece)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            with self.lock:
                self.sockets.discard(each)
