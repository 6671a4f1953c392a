"""The line in front of a database's write lock, so that our processes take turns instead of racing for it."""

import os
import threading
import time
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LINGER_SECONDS = 0.002  # the pause between two writes of one process that write without pause
TURN_SECONDS = 0.03
STUCK_SECONDS = 30.0  # how long a line that did not move is not waited for


class Line:
    """An advisory lock that a process holds while it writes; the kernel wakes the next one when it is let go.

    SQLite's own way is to sleep ever longer between two looks at its lock, which then lies idle while those who wait
    longest look least. The line only orders our processes: the lock that protects the data is still SQLite's, so one
    that does not get its turn in time, or a platform without flock, is slower, never wrong. A process that dies leaves
    the line.

    Who writes without pause may keep its turn for a while: a turn for every write costs more than the writes, as each
    process comes to its turn with cold caches.
    """

    def __init__(self, path: Path) -> None:
        self._path = f"{path}-line"
        self._place: _Place | None = None
        self._mutex = threading.Lock()
        self._has_turn = self._is_kept = self._is_hasty = False
        self._began = self._left = 0.0
        self._stuck_until = 0.0

    def enter(self, seconds: float) -> None:
        """Wait for the turn of this process, for so long at the most."""
        now = time.monotonic()
        self._is_hasty = now - self._left < LINGER_SECONDS
        if fcntl is None or self._resume() or now < self._stuck_until:
            return
        try:
            self._place = self._place or _Place(self._path)
            self._has_turn = self._place.take(seconds)
        except OSError:  # a file system without locks, or a full disk: SQLite says better what is wrong
            self.close()
        else:
            self._began = time.monotonic()
            if not self._has_turn:  # who has it was stopped, or hangs
                self._place = None  # given up, it closes itself when its turn comes
                self._stuck_until = self._began + STUCK_SECONDS

    def leave(self, *, linger: bool = False) -> bool:
        """End the turn. With `linger` it may be kept for a next write: it returns True then, and `give_way` is due."""
        self._left = time.monotonic()
        with self._mutex:
            kept = linger and self._has_turn and self._is_hasty and self._left - self._began < TURN_SECONDS
            self._is_kept = kept
            if not kept:
                self._end()
        return kept

    def give_way(self) -> None:
        """End a turn that was kept, if the next write has not begun."""
        with self._mutex:
            if self._is_kept:
                self._is_kept = False
                self._end()

    def close(self) -> None:
        place, self._place, self._has_turn = self._place, None, False
        if place:
            place.close()

    def _resume(self) -> bool:
        with self._mutex:
            kept, self._is_kept = self._is_kept, False
        return kept

    def _end(self) -> None:
        if self._place and self._has_turn:
            self._has_turn = False
            self._place.leave()


class _Place:
    """The open file through which a process stands in line.

    The system call that waits knows no timeout, so a thread of its own makes it, from the first time there is a wait.
    """

    def __init__(self, path: str) -> None:
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._wish, self._turn, self._mutex = threading.Lock(), threading.Lock(), threading.Lock()
        self._wish.acquire()
        self._turn.acquire()
        self._waiter: threading.Thread | None = None
        self._is_over = False

    def take(self, seconds: float) -> bool:
        """Wait for the turn; return False when it did not come in time, and close the file when it comes."""
        assert fcntl is not None
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._wait(seconds)
        return True

    def leave(self) -> None:
        assert fcntl is not None
        fcntl.flock(self._handle, fcntl.LOCK_UN)

    def close(self) -> None:
        self._is_over = True
        if self._waiter:
            self._wish.release()
        else:
            os.close(self._handle)

    def _wait(self, seconds: float) -> bool:
        if self._waiter is None:
            self._waiter = threading.Thread(target=self._run, daemon=True)
            self._waiter.start()
        self._wish.release()
        if self._turn.acquire(timeout=seconds):
            return True
        with self._mutex:
            self._is_over = not self._turn.acquire(blocking=False)
            return not self._is_over

    def _run(self) -> None:
        assert fcntl is not None
        while True:
            self._wish.acquire()
            if not self._is_over:
                fcntl.flock(self._handle, fcntl.LOCK_EX)
            with self._mutex:
                if self._is_over:
                    os.close(self._handle)
                    return
                self._turn.release()
