"""Who holds the locks of a database, where the platform tells."""

from pathlib import Path

from server.errors import Busy

WRITE_LOCK_BYTE = 120  # of the -shm file; source: sqlite.org/walformat.html, "WAL locks"
FIRST_READ_BYTE, LAST_READ_BYTE = 123, 127
LOCKS = Path("/proc/locks")


def holder(path: Path, locks: Path = LOCKS) -> int | None:
    """Return the process id of the writer, or None where nobody or nothing tells (anywhere but on Linux)."""
    return next(iter(_holding(path, locks, "WRITE", WRITE_LOCK_BYTE, WRITE_LOCK_BYTE)), None)


def readers(path: Path, locks: Path = LOCKS) -> set[int]:
    """Return the process ids of those who are in the middle of a read; nobody where nothing tells."""
    return set(_holding(path, locks, "READ", FIRST_READ_BYTE, LAST_READ_BYTE))


def _holding(path: Path, locks: Path, kind: str, first: int, last: int) -> list[int]:
    """Return who holds a lock of a kind on any of some bytes of the -shm file."""
    try:
        inode = Path(f"{path}-shm").stat().st_ino
        lines = locks.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    return [found for line in lines if (found := _holder_of(line.split(), inode, kind, first, last))]


def _holder_of(words: list[str], inode: int, kind: str, first: int, last: int) -> int | None:
    """Read a line such as `1: POSIX ADVISORY WRITE 4711 fd:00:1234 120 120`."""
    if len(words) != 8 or words[3] != kind or words[5].rpartition(":")[2] != str(inode):
        return None
    end = last if words[7] == "EOF" else int(words[7])
    return int(words[4]) if int(words[6]) <= last and first <= end else None


def describe(pid: int) -> str:
    """Return the process in words: its id, and its command line where it can be read."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        command = ""
    return f"process {pid} ({command[:120]})" if command else f"process {pid}"


def blamed(busy: Busy, path: Path) -> Busy:
    """Name the process that holds the lock, where the platform tells."""
    pid = holder(path)
    return Busy(f"{busy} The lock is held by {describe(pid)}.", held_by_pid=pid) if pid else Busy(str(busy))
