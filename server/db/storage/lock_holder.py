"""Who holds the write lock of a database, where the platform tells."""

from pathlib import Path

from server.errors import Busy

WRITE_LOCK_BYTE = 120  # of the -shm file; source: sqlite.org/walformat.html, "WAL locks"
LOCKS = Path("/proc/locks")


def holder(path: Path, locks: Path = LOCKS) -> int | None:
    """Return the process id of the writer, or None where nobody or nothing tells (anywhere but on Linux)."""
    try:
        inode = Path(f"{path}-shm").stat().st_ino
        lines = locks.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((found for line in lines if (found := _writer(line.split(), inode))), None)


def _writer(words: list[str], inode: int) -> int | None:
    """Read a line such as `1: POSIX ADVISORY WRITE 4711 fd:00:1234 120 120`."""
    if len(words) != 8 or words[3] != "WRITE" or words[5].rpartition(":")[2] != str(inode):
        return None
    last = WRITE_LOCK_BYTE if words[7] == "EOF" else int(words[7])
    return int(words[4]) if int(words[6]) <= WRITE_LOCK_BYTE <= last else None


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
