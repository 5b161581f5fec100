"""What a test wants to go wrong, by path."""

import threading


class Faults:
    """A fault is a dictionary: `path` (a part of it), `kind`, `count` (how often; absent: always), `skip` (how many
    requests it lets pass before), and what the kind needs. The newest that fits is played."""

    def __init__(self):
        self.lock = threading.Lock()
        self.planned = []
        # Set when those who hang may go on.
        self.released = threading.Event()

    def add(self, fault):
        with self.lock:
            self.planned.append(dict(fault))

    def clear(self):
        with self.lock:
            self.planned = []
            released, self.released = self.released, threading.Event()
        released.set()

    def take(self, path):
        with self.lock:
            for fault in reversed(self.planned):
                if fault["path"] in path and fault.get("count", 1) > 0:
                    if fault.get("skip", 0) > 0:
                        fault["skip"] -= 1
                        continue
                    if "count" in fault:
                        fault["count"] -= 1
                    return fault, self.released
        return None, self.released
