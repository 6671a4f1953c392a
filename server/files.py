"""Files that are written: whole or not at all, and readable by their owner alone, whatever the umask says."""

import logging
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

logger = logging.getLogger(__name__)

PRIVATE, PRIVATE_FOLDER = 0o600, 0o700
SHARED = 0o666  # as the umask says: of a project, and no secret
WIDER = 0o077
Content = bytes | str | Iterable[str]  # of a file: whole, or text in parts
FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


if sys.platform == "darwin":
    import fcntl

    def _flush(fd: int) -> None:
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)  # else it is content when the disk has taken it, into a cache of its own

else:
    _flush = os.fsync


def replace(
    path: Path,
    content: Content,
    *,
    mode: int = PRIVATE,
    modified_at: str | None = None,
    scratch: Path | None = None,
) -> None:
    """Write a file whole or not at all. What had its name, a link too, is replaced.

    `modified_at` is the time that it gets, if not now; `scratch` a folder of the same file system to write it in first.
    """
    with drafted(path, content, mode=mode, modified_at=modified_at, scratch=scratch) as put:
        put()


def rewrite(path: Path, content: bytes, *, mode: int = PRIVATE) -> None:
    """Write a file of somebody's whole or not at all. One that is there keeps its mode, and a link stays a link.

    `mode` is that of a new one, less what the umask takes.
    """
    target = Path(os.path.realpath(path))
    kept = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
    with drafted(target, content, mode=mode if kept is None else PRIVATE, kept_mode=kept) as put:
        put()


@contextmanager
def drafted(
    path: Path,
    content: Content,
    *,
    mode: int = PRIVATE,
    modified_at: str | None = None,
    scratch: Path | None = None,
    kept_mode: int | None = None,
) -> Generator[Callable[[], None]]:
    """Yield what gives a file its name, once it is on the disk under another. Without that nothing of it stays."""
    make_folder(path.parent)
    draft = (scratch or path.parent) / f".{secrets.token_hex(8)}.tmp"
    is_named = False

    def put() -> None:
        nonlocal is_named
        draft.replace(path)
        is_named = True

    try:
        with os.fdopen(os.open(draft, FLAGS, mode), "wb") as file:
            file.writelines(_parts(content))
            file.flush()
            _flush(file.fileno())
        if kept_mode is not None:
            draft.chmod(kept_mode)
        if modified_at:
            seconds = datetime.fromisoformat(modified_at).timestamp()
            os.utime(draft, (seconds, seconds))
        yield put
    finally:
        if not is_named:
            draft.unlink(missing_ok=True)


def _parts(content: Content) -> Iterable[bytes]:
    if isinstance(content, bytes | str):
        return [content.encode() if isinstance(content, str) else content]
    return (part.encode() for part in content)


def copy(source: Path, target: Path) -> None:
    """Copy a file and its times. A link is not followed."""
    make_folder(target.parent)
    reading = os.open(source, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(reading, "rb") as found, os.fdopen(os.open(target, FLAGS, PRIVATE), "wb") as file:
        shutil.copyfileobj(found, file)
        times = os.fstat(reading)
    os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))


def make_folder(path: Path) -> None:
    """Make a folder and those above it that are missing. The mode of one that is there is its owner's business."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def narrow(folder: Path, is_ours: Callable[[Path], bool]) -> None:
    """Take everybody else's rights from what is ours in a folder, and say so."""
    if os.name == "nt" or not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        try:
            found = _narrowed(path) if is_ours(path) else None
        except FileNotFoundError:
            continue  # another process ends, and takes its log along
        except OSError as error:
            logger.warning("%s is open to others and cannot be narrowed: %s", path, error.strerror)
        else:
            if found:
                logger.warning("%s was open to others (%s); it is its owner's alone now", path, found)


def _narrowed(path: Path) -> str | None:
    """Narrow a file, or a folder with all that is in it, and return the mode that it had; None if that was narrow."""
    mode = path.lstat().st_mode
    if path.is_symlink() or not mode & WIDER:
        return None
    if path.is_dir():
        for inside in path.iterdir():
            _narrowed(inside)
    path.chmod(mode & ~WIDER & 0o7777)
    return f"{mode & 0o7777:o}"


def sync(path: Path) -> None:
    """Bring a file to the disk."""
    handle = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))  # Windows does so for who may write alone
    try:
        _flush(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)
