"""What a file and its folder tell without being opened as a database."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from server.db.storage.wal_checkpoints import WARNING_BYTES
from server.files import WIDER
from server.settings import Settings, is_to_narrow
from server.upkeep import file_systems

Seen = tuple[str, str]  # the name of a finding, and what was seen
MAGIC = b"SQLite format 3\0"
HEADER_BYTES = 100
LEAST_FREE = 64 * 1024 * 1024
COPIES = 3  # times its size that a disk should still have room for
CHUNK = 1024 * 1024
SHOWN = 3
WRITABLE_BY_OTHERS = 0o022


def obstacles(settings: Settings) -> Iterator[Seen]:
    """Yield what keeps the database from being opened; nothing else can be looked at then."""
    path = settings.database
    log = Path(f"{path}-wal")
    try:
        found = path.stat()
    except FileNotFoundError:
        if _size(log):
            yield "log-without-database", f"{path} is gone, but its log {log.name} is there with {told(_size(log))}."
        else:
            yield "database-missing", f"There is no {path.name} in {path.parent}."
        return
    except OSError as error:
        yield "database-unreadable", f"{path}: {error.strerror}."
        return
    if not stat.S_ISREG(found.st_mode):
        yield "not-a-database", f"{path} is no file."
    elif not found.st_size:
        is_lost = bool(_size(log))
        name = "log-without-database" if is_lost else "database-missing"
        yield name, f"{path} is empty{f', but its log {log.name} is there' if is_lost else ''}."
    else:
        yield from _of_header(path, found.st_size)


def _of_header(path: Path, size: int) -> Iterator[Seen]:
    try:
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
    except OSError as error:
        yield "database-unreadable", f"{path}: {error.strerror}."
        return
    if len(header) < HEADER_BYTES or not header.startswith(MAGIC):
        yield "not-a-database", f"{path} does not begin as an SQLite database does."


def cut_off(settings: Settings) -> Iterator[Seen]:
    """Yield whether the file is shorter than its own first page says. With a log, that page may be out of date."""
    path = settings.database
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
    page = int.from_bytes(header[16:18], "big")
    pages, size = int.from_bytes(header[28:32], "big"), path.stat().st_size
    is_current = header[24:28] == header[92:96] and not _size(Path(f"{path}-wal"))
    whole = (65_536 if page == 1 else page) * pages
    if is_current and size < whole:
        yield "truncated", f"{path} has {told(size)} and should have {told(whole)}."


def permissions(settings: Settings) -> Iterator[Seen]:
    if os.name == "nt":
        return
    wide = list(open_to_others(settings))
    if wide:
        shown = ", ".join(f"{path} ({mode:o})" for path, mode, _ in wide[:SHOWN])
        more = f" and {len(wide) - SHOWN} more" if wide[SHOWN:] else ""
        yield "permissions", f"Open to others: {shown}{more}."


def open_to_others(settings: Settings) -> Iterator[tuple[Path, int, int]]:
    """Yield what is ours and open to others, with the mode that it has and the one that it should have.

    Of the folder itself others may read the names: only that they change them would do harm.
    """
    root = settings.data_root
    mode = stat.S_IMODE(root.stat().st_mode)
    if mode & WRITABLE_BY_OTHERS and not mode & stat.S_ISVTX:
        yield root, mode, mode & ~WRITABLE_BY_OTHERS
    for path in sorted(root.iterdir()):
        if is_to_narrow(path):
            for inside in (path, *(sorted(path.rglob("*")) if path.is_dir() else ())):
                mode = stat.S_IMODE(inside.lstat().st_mode)
                if mode & WIDER and not inside.is_symlink():
                    yield inside, mode, mode & ~WIDER


def owner(settings: Settings) -> Iterator[Seen]:
    if os.name == "nt":
        return
    for path in (settings.data_root, settings.database):
        found = path.stat().st_uid
        if found != os.geteuid():
            yield "owner", f"{path} belongs to user {found}; this is user {os.geteuid()}."


def place(settings: Settings) -> Iterator[Seen]:
    """Yield what is wrong with where the folder is."""
    folder = settings.data_root
    if kind := file_systems.network(folder):
        yield "network-file-system", f"{folder} is on a network file system ({kind})."
    if sign := file_systems.synced(folder):
        yield "synced-folder", f"{folder} seems to be kept in step with other machines: {sign}."


def space(settings: Settings) -> Iterator[Seen]:
    free, size = shutil.disk_usage(settings.data_root).free, settings.database.stat().st_size
    if free < max(LEAST_FREE, COPIES * size):
        yield "disk-space", f"{told(free)} are free; the database has {told(size)}."


def log_size(settings: Settings) -> Iterator[Seen]:
    log = Path(f"{settings.database}-wal")
    if _size(log) > WARNING_BYTES:
        yield "log-size", f"{log.name} has {told(_size(log))}; it should stay below {told(WARNING_BYTES)}."


def every_byte(settings: Settings) -> Iterator[Seen]:
    """Read the whole file, pages that nothing is in too: a disk tells of a bad place when it is read."""
    path = settings.database
    try:
        with path.open("rb", buffering=0) as file:
            while file.read(CHUNK):
                pass
    except OSError as error:
        yield "unread-bytes", f"{path}: {error.strerror}."


def told(size: int) -> str:
    """Return a size as people read it."""
    for unit, of in (("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)):
        if size >= of:
            return f"{size / of:.1f} {unit}"
    return f"{size} bytes"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
