"""A folder that its files are reached from, part by part: no link is followed, and nothing outside of it is touched.

Where the platform has descriptors of folders, each part of a path is opened relative to the one before it with
O_NOFOLLOW, so a link that somebody puts in the way between a check and an opening is an error and no way out. Elsewhere
(Windows) what was opened is compared with what is at its one real path. Only regular files with a single name are
opened: a device, a pipe or a socket may block or act, and where the other names of a file are cannot be told.
"""

import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Self

from server.errors import InvalidArguments, NotAllowed, NotFound, Storage
from server.text.names import is_device

HAS_DESCRIPTORS = {os.open, os.stat, os.rename, os.unlink, os.mkdir, os.rmdir} <= os.supports_dir_fd and all(
    hasattr(os, name) for name in ("O_NOFOLLOW", "O_DIRECTORY")
)
COMMON = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
READING = os.O_RDONLY | COMMON | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
DRAFTING = os.O_WRONLY | os.O_CREAT | os.O_EXCL | COMMON | getattr(os, "O_BINARY", 0)
ENTERING = os.O_RDONLY | COMMON | getattr(os, "O_DIRECTORY", 0)
DRIVE = re.compile(r"[A-Za-z]:")
DRAFT = ".{}.pm-draft"
DRAFTED = re.compile(r"\.[0-9a-f]{16}\.pm-draft")
STALE_SECONDS = 3600  # after which a draft is left over from a process that died
PERMISSIONS = 0o777
NEW_FILE, NEW_FOLDER = 0o666, 0o777  # as the umask says
BLOCK = 1024 * 1024

Parts = tuple[str, ...]


@dataclass(frozen=True)
class FileIdentity:
    """What tells a file from what was put in its place later."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int

    @classmethod
    def of(cls, found: os.stat_result) -> Self:
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


class OpenFolder:
    """An open folder. What is named here is one part of a path, and is in this very folder."""

    def __init__(self, path: Path, handle: int | None) -> None:
        self.path = path
        self._handle = handle

    @classmethod
    @contextmanager
    def opened(cls, root: str, parts: Iterable[str] = (), *, by_handle: bool = HAS_DESCRIPTORS) -> Generator[Self]:
        """Open a folder in `root`, part by part, for as long as the body runs."""
        with translated(root):
            folder = cls(Path(root), os.open(root, ENTERING) if by_handle else None)
        try:
            for part in parts:
                folder._enter(part)
            yield folder
        finally:
            folder._close()

    @property
    def handle(self) -> int | None:
        """Its descriptor, where there are any."""
        return self._handle

    def _enter(self, part: str) -> None:
        _refuse_way(part)
        with translated(part):
            if self._handle is None:
                self._refuse_link(part)
                if not stat.S_ISDIR(self.stat(part).st_mode):
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            else:
                entered = os.open(part, ENTERING, dir_fd=self._handle)
                self._close()
                self._handle = entered
        self.path /= part

    def _close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)

    def _at(self, name: str) -> tuple[str | Path, int | None]:
        _refuse_way(name)
        return (self.path / name if self._handle is None else name), self._handle

    def _refuse_link(self, name: str) -> None:
        path = self.path / name
        if os.path.normcase(os.path.realpath(path)) != os.path.normcase(path):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))

    def stat(self, name: str) -> os.stat_result:
        """Return what is called so, itself if it is a link; raise FileNotFoundError."""
        at, handle = self._at(name)
        return os.stat(at, dir_fd=handle, follow_symlinks=False)

    def find(self, name: str) -> os.stat_result | None:
        """Return what is called so, or None."""
        with translated(name):
            try:
                return self.stat(name)
            except FileNotFoundError:
                return None

    @contextmanager
    def reading(self, name: str, *, linked: bool = False) -> Generator[BufferedReader]:
        """Open a regular file with one name, or also with others if `linked`, without waiting for it."""
        with translated(name):
            before = refuse_odd(self.stat(name), name, linked=linked)  # opening a device may act
            at, handle = self._at(name)
            file = os.fdopen(os.open(at, READING, dir_fd=handle), "rb")
        with file, translated(name):
            after = refuse_odd(os.fstat(file.fileno()), name, linked=linked)
            if self._handle is None:
                self._refuse_link(name)
            if not os.path.samestat(before, after):
                raise NotAllowed(f"{name!r} was replaced while it was opened. Nothing was read; send the call again.")
            yield file

    def draft(self, content: Iterable[bytes], mode: int | None) -> str:
        """Write a file of this folder under a name of its own, safe from power loss, and return that name."""
        name = DRAFT.format(secrets.token_hex(8))
        at, handle = self._at(name)
        with translated(name):
            drafted = os.open(at, DRAFTING, NEW_FILE if mode is None else 0o600, dir_fd=handle)
            try:
                with os.fdopen(drafted, "wb") as file:
                    for block in content:
                        file.write(block)
                    if mode is not None and os.name != "nt":
                        os.fchmod(drafted, mode & PERMISSIONS)
                    file.flush()
                    os.fsync(drafted)
            except BaseException:
                self.drop(name)
                raise
        return name

    def draft_link(self, target: str) -> str:
        """Make a link under a name of its own, and return that."""
        name = DRAFT.format(secrets.token_hex(8))
        at, handle = self._at(name)
        with translated(name):
            os.symlink(target, at, dir_fd=handle)
        return name

    def draft_folder(self, mode: int) -> str:
        """Make a folder under a name of its own, and return that."""
        name = DRAFT.format(secrets.token_hex(8))
        at, handle = self._at(name)
        with translated(name):
            os.mkdir(at, mode, dir_fd=handle)
        return name

    def sweep(self) -> None:
        """Remove drafts that nobody will ever give a name."""
        for name in filter(DRAFTED.fullmatch, self.names()):
            found = self.find(name)
            if found and found.st_mtime < time.time() - STALE_SECONDS:
                self.drop(name)

    def link(self, name: str) -> str:
        """Return where a link leads."""
        at, handle = self._at(name)
        return os.readlink(at, dir_fd=handle)

    @property
    def device(self) -> int:
        return (self.path.stat() if self._handle is None else os.fstat(self._handle)).st_dev

    def rename(self, name: str, to: "OpenFolder", new: str) -> None:
        """Give it another name; what had that one is replaced."""
        (at, handle), (there, other) = self._at(name), to._at(new)
        os.replace(at, there, src_dir_fd=handle, dst_dir_fd=other)

    def drop(self, name: str, *, folder_only: bool = False) -> None:
        """Remove a file, a link or an empty folder, if it is there, or with `folder_only` nothing but a folder."""
        at, handle = self._at(name)
        with suppress(FileNotFoundError):
            if stat.S_ISDIR(self.stat(name).st_mode):
                os.rmdir(at, dir_fd=handle)
            elif not folder_only:
                os.unlink(at, dir_fd=handle)

    def make_folder(self, name: str, mode: int = NEW_FOLDER) -> bool:
        """Make a folder, if it is not there; return whether it was made."""
        at, handle = self._at(name)
        try:
            os.mkdir(at, mode, dir_fd=handle)
        except FileExistsError:
            return False
        return True

    def names(self) -> list[str]:
        """Return what is in it, in order."""
        where = self.path if self._handle is None else self._handle
        with translated(self.path.name), os.scandir(where) as found:
            return sorted(entry.name for entry in found)

    def entries(self) -> list[tuple[str, os.stat_result]]:
        """Return what is in it with what it is, in order; what goes meanwhile is left out."""
        return [(name, found) for name in self.names() if (found := self.find(name))]

    def sync(self) -> None:
        """Make the names in it safe from power loss, where a platform can."""
        if self._handle is not None:
            with suppress(OSError):
                os.fsync(self._handle)


def _refuse_way(name: str) -> None:
    """Refuse what is no name in a folder, but a way to somewhere else."""
    if name in ("", ".", "..") or not {"/", "\0", os.sep}.isdisjoint(name):
        raise NotAllowed(f"{name[:200]!r} is no name of a file or folder.")


def refuse_odd(found: os.stat_result, name: str, *, linked: bool = False) -> os.stat_result:
    """Refuse what is no regular file, or, unless `linked`, has other names than this one."""
    if stat.S_ISDIR(found.st_mode):
        raise InvalidArguments(f"{name!r} is a folder, and not a file. memory_filesystem action='list' shows it.")
    if not stat.S_ISREG(found.st_mode):
        raise NotAllowed(f"{name!r} is a {kind_of(found)}, and not a file: it is neither opened nor replaced.")
    if found.st_nlink > 1 and not linked:
        raise NotAllowed(
            f"{name!r} has {found.st_nlink} names (hard links). Where the others are cannot be told, so it is neither "
            "read nor changed here."
        )
    return found


def kind_of(found: os.stat_result) -> str:
    """Return what a file is."""
    kinds = ((stat.S_ISREG, "file"), (stat.S_ISDIR, "directory"), (stat.S_ISLNK, "symlink"))
    return next((kind for test, kind in kinds if test(found.st_mode)), "other")


@contextmanager
def translated(name: str) -> Generator[None]:
    """Turn what the system says about a path into an error that says what to do."""
    try:
        yield
    except OSError as error:
        raise _told(error, name) from error


def _told(error: OSError, name: str) -> Exception:
    shown = repr(name[:200])
    if error.errno == errno.ENOENT:
        return NotFound(f"There is no {shown}. memory_filesystem action='list' shows what is there.")
    if error.errno in (errno.ELOOP, errno.ENXIO, errno.EMLINK):
        return NotAllowed(f"{shown} is a link or something else that is not opened here. Nothing was changed.")
    if error.errno == errno.ENOTDIR:
        return NotAllowed(f"{shown} is no folder, or a link to one that is not followed here. Nothing was changed.")
    if error.errno in (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ):
        return InvalidArguments(f"{shown} is no name that this system takes: {error.strerror}.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return NotAllowed(f"{shown}: {error.strerror}. The server has no right to do that.")
    return Storage(f"{shown}: {error.strerror}.")


def place_of(root: str, text: str, *, follows_last: bool = True) -> tuple[Parts, Parts]:
    """Return a path's parts below `root` as they were asked for, and as they are once links are resolved.

    Whatever leads out is refused. A link is resolved now and not followed later, so one that is changed meanwhile leads
    nowhere. Without `follows_last` the last part is what has this very name, a link itself.
    """
    with translated(text):  # what is looked at may change meanwhile
        return _place_of(root, text, follows_last)


def _place_of(root: str, text: str, follows_last: bool) -> tuple[Parts, Parts]:
    asked = _asked(root, text)
    base = Path(root)
    if follows_last or not asked:
        real = Path(os.path.realpath(base.joinpath(*asked)))
    else:
        real = Path(os.path.realpath(base.joinpath(*asked[:-1])), asked[-1])
    if not real.is_relative_to(base):
        raise _outside(root, text)
    parts = real.relative_to(base).parts
    if not all(map(is_text, parts)):
        raise NotAllowed(f"{text[:200]!r} leads to a name that is no Unicode text, which cannot be recorded.")
    if follows_last and parts != asked and asked and base.joinpath(*asked).is_symlink() and not real.exists():
        raise NotAllowed(f"{text[:200]!r} is a link that leads nowhere. Remove it first, or name the file itself.")
    return asked, parts


def _asked(root: str, text: str) -> Parts:
    if "\0" in text:
        raise InvalidArguments("A path holds a NUL character, which no file has in its name.")
    spelled = text.replace("\\", "/")
    if os.name != "nt" and DRIVE.match(spelled):
        raise NotAllowed(f"{text[:200]!r} names a drive. Send a path relative to the workspace.")
    wanted = Path(os.path.normpath(Path(root, spelled)))
    if Path(spelled).is_absolute() and not wanted.is_relative_to(root):  # another spelling of the folder, perhaps
        wanted = Path(os.path.realpath(wanted.parent), wanted.name)
    if not wanted.is_relative_to(root):
        raise _outside(root, text)
    parts = wanted.relative_to(root).parts
    if os.name == "nt" and any(_is_odd_on_windows(part) for part in parts):
        raise NotAllowed(f"{text[:200]!r} holds a name that Windows reads as something else. Choose another.")
    return parts


def _is_odd_on_windows(part: str) -> bool:
    return ":" in part or part != part.rstrip(". ") or is_device(part)


def _outside(root: str, text: str) -> NotAllowed:
    return NotAllowed(f"{text[:200]!r} leads out of the workspace ({root}). Send a path in it, best a relative one.")


def is_text(name: str) -> bool:
    """Return whether a name can be told: some systems let any bytes be one."""
    return not any("\ud800" <= char <= "\udfff" for char in name)


def make_folders(root: str, parts: Sequence[str], mode: int = NEW_FOLDER) -> list[Parts]:
    """Make the folders on a path that are missing and return those that were made."""
    made: list[Parts] = []
    for end in range(1, len(parts) + 1):
        with OpenFolder.opened(root, parts[: end - 1]) as folder, translated(parts[end - 1]):
            if folder.make_folder(parts[end - 1], mode):
                made.append(tuple(parts[:end]))
    return made


def blocks(file: BinaryIO) -> Generator[bytes]:
    """Yield what is left of a file."""
    while block := file.read(BLOCK):
        yield block
