"""The line in front of a database's write lock, so that our processes take turns instead of racing for it."""

import os
import threading
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


class Line:
    """An advisory lock that a process holds while it writes; the kernel wakes the next one when it is let go.

    SQLite's own way is to sleep ever longer between two looks at its lock, which then lies idle while those who wait
    longest look least. The line only orders our processes: the lock that protects the data is still SQLite's, so one
    that does not get its turn in time, or a platform without flock, is slower, never wrong. A process that dies leaves
    the line.
    """

    def __init__(self, path: Path) -> None:
        self._path = f"{path}-line"
        self._handle: int | None = None

    def enter(self, seconds: float) -> None:
        """Wait for the turn of this process, for so long at the most."""
        if fcntl is None:
            return
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return  # SQLite says better than this file what is wrong with the disk
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not _Waiter(handle).wait(seconds):
                return
        except OSError:  # a file system without locks
            os.close(handle)
            return
        self._handle = handle

    def leave(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)


class _Waiter:
    """Waits for a lock in a thread of its own, since the system call knows no timeout. One given up closes the file."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._mutex = threading.Lock()
        self._given_up = False
        self._turn = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def wait(self, seconds: float) -> bool:
        if self._turn.wait(seconds):
            return True
        with self._mutex:
            self._given_up = not self._turn.is_set()
            return not self._given_up

    def _run(self) -> None:
        assert fcntl is not None
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        with self._mutex:
            self._turn.set()
            if self._given_up:
                os.close(self._handle)
