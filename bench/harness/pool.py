"""The running servers: filled once for all the scenarios that need the same content."""

from .contenders import make
from .contenders.base import Setup, Unavailable


class Pool:
    """Use it as a context: whatever happens, even Ctrl-C, its servers are stopped."""

    def __init__(self, allowed, say):
        self.allowed = allowed  # names, or None for all
        self.say = say
        self.setup = None
        self.running = {}
        self.missing = set()  # unavailable here

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.stop_all()

    def stop_all(self):
        for contender in self.running.values():
            contender.stop()
        self.running = {}

    def leave_out(self, name, reason, for_good=True):
        self.say(f"{name} is left out: {reason}")
        if for_good:
            self.missing.add(name)

    def allowed_of(self, names):
        return [name for name in names
                if name not in self.missing and (not self.allowed or name in self.allowed)]

    def get(self, names, keys, value_bytes):
        """Those of `names` that are allowed and available, filled, in this order."""
        setup = Setup(keys, value_bytes)
        if setup != self.setup:
            self.stop_all()
            self.setup = setup
        found = []
        for name in self.allowed_of(names):
            if name not in self.running:
                contender = make(name, setup)
                try:
                    contender.start()
                except Unavailable as reason:
                    contender.stop()
                    self.leave_out(name, reason)
                    continue
                except BaseException:
                    contender.stop()
                    raise
                self.running[name] = contender
            found.append(self.running[name])
        return found
