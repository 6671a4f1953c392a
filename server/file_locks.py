"""Locks of the operating system on files. They go with the process that has them, however it ends."""

import os
import sys
from pathlib import Path

if sys.platform == "win32":
    import ctypes
    import msvcrt
    from ctypes import wintypes

    FAIL_IMMEDIATELY, EXCLUSIVE = 1, 2
    LOCK_VIOLATION = 33
    PLACE = 0x40000000  # far behind what is in the file: others may not even read what is locked
    KERNEL = ctypes.WinDLL("kernel32", use_last_error=True)

    class _Overlapped(ctypes.Structure):
        _fields_ = (
            ("internal", ctypes.c_void_p),
            ("internal_high", ctypes.c_void_p),
            ("offset", wintypes.DWORD),
            ("offset_high", wintypes.DWORD),
            ("event", wintypes.HANDLE),
        )

    def locked(handle: int, *, exclusive: bool) -> bool:
        flags = FAIL_IMMEDIATELY | (EXCLUSIVE if exclusive else 0)
        file = wintypes.HANDLE(msvcrt.get_osfhandle(handle))
        if KERNEL.LockFileEx(file, flags, 0, 1, 0, ctypes.byref(_Overlapped(offset=PLACE))):
            return True
        code = ctypes.get_last_error()
        if code == LOCK_VIOLATION:
            return False
        raise ctypes.WinError(code)

else:
    import fcntl

    def locked(handle: int, *, exclusive: bool) -> bool:
        """Lock an open file without waiting; return whether that worked. OSError where there are no such locks.

        Each time that a file is opened counts as another one, in one process too.
        """
        try:
            fcntl.flock(handle, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def lockable(path: Path) -> int:
    """Open a file to lock, and make it for its owner alone if it is not there. Closing it ends the lock."""
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
