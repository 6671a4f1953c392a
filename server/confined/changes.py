"""One change of one file, in an order that a crash at any moment leaves whole.

First all that takes time or may fail: what will be overwritten is copied, what is new is written beside it under
another name (the draft). Then the transaction stores that copy, and the change itself as a row. Only when that is
committed the file system is touched, by one rename or removal. Whoever dies before the commit has changed nothing; what
a process that died behind it left undone is carried out from the row by the next one that writes, which is why doing it
twice does no harm: it is done only to the very file that was looked at.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from server.confined.folder import (
    NEW_FOLDER,
    FileIdentity,
    OpenFolder,
    Parts,
    blocks,
    make_folders,
    refuse_odd,
    translated,
)
from server.errors import Conflict, NotAllowed, ProjectMemoryError, TooLarge
from server.files import FLAGS, PRIVATE, make_folder

IN_ROW = 1024 * 1024  # bytes of a file that a row may hold
MOST_BYTES = 256 * 1024 * 1024  # of a file that is changed here


@dataclass(frozen=True)
class FileChange:
    """What is to be done: `draft` takes the name `path`, or `path` goes away, or gets the name `to`.

    `found` and `found_there` are what was at `path` and `to` when it was decided; it is done to nothing else.
    """

    root: str
    path: Parts
    found: FileIdentity | None
    draft: str | None = None
    to: Parts | None = None
    found_there: FileIdentity | None = None
    spent: str | None = None  # a file of ours that is not needed any more once this is done

    @property
    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_json(cls, told: dict[str, Any]) -> Self:
        found, there, to = told["found"], told["found_there"], told["to"]
        return cls(
            told["root"],
            tuple(told["path"]),
            FileIdentity(**found) if found else None,
            told["draft"],
            tuple(to) if to else None,
            FileIdentity(**there) if there else None,
            told["spent"],
        )

    def check(self) -> None:
        """Raise Conflict if something else is there now than when it was decided."""
        with OpenFolder.opened(self.root, self.path[:-1]) as home:
            self._refuse_other(home, self.path[-1], self.found)
        if self.to:
            with OpenFolder.opened(self.root, self.to[:-1]) as there:
                self._refuse_other(there, self.to[-1], self.found_there)

    def _refuse_other(self, home: OpenFolder, name: str, expected: FileIdentity | None) -> None:
        now = home.find(name)
        if (FileIdentity.of(now) if now else None) != expected:
            raise Conflict(
                f"{'/'.join(self.path)!r} was changed by somebody else meanwhile. Nothing was written here. Read it "
                "again, then send the call again."
            )

    def carry_out(self) -> None:
        """Do it, unless it was done."""
        with OpenFolder.opened(self.root, self.path[:-1]) as home, translated(self.path[-1]):
            if self.draft:
                self._put(home, self.draft)
            elif self.to:
                self._rename(home, self.to)
            elif self.found and home.find(self.path[-1]):
                self._refuse_other(home, self.path[-1], self.found)
                self._remove(home, self.path[-1])
            home.sync()
        if self.spent:
            Path(self.spent).unlink(missing_ok=True)

    def _put(self, home: OpenFolder, draft: str) -> None:
        if home.find(draft) is None:
            return
        try:
            self._refuse_other(home, self.path[-1], self.found)
            home.rename(draft, home, self.path[-1])
        except Conflict:
            home.drop(draft)
            raise

    def _rename(self, home: OpenFolder, to: Parts) -> None:
        if (now := home.find(self.path[-1])) is None or FileIdentity.of(now) != self.found:
            return
        with OpenFolder.opened(self.root, to[:-1]) as there:
            self._refuse_other(there, to[-1], self.found_there)
            home.rename(self.path[-1], there, to[-1])
            there.sync()

    def _remove(self, home: OpenFolder, name: str) -> None:
        try:
            home.drop(name)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                raise not_empty("/".join(self.path)) from error
            raise


def not_empty(path: str) -> Conflict:
    return Conflict(f"The folder {path!r} is not empty. Nothing was removed; remove first what is in it.")


@dataclass
class KeptFile:
    """A file as it was before a change, or an empty folder: what comes back out of the trash."""

    path: str
    kind: str
    mode: int
    size: int = 0
    sha256: str = ""
    content: bytes | None = None
    stored: Path | None = None  # where a large one is


@dataclass
class PreparedChange:
    """A change that is made ready. Leave its body with an exception, and nothing of it stays."""

    root: str
    path: Parts
    to: Parts | None = None  # the new name, of a file that gets one
    kept: KeptFile | None = None
    left: str | None = None  # the hash of what is there afterwards
    size: int = 0  # of what is written
    spent: Path | None = None
    decided: FileChange | None = None
    _draft: str | None = None
    _made: list[Parts] = field(default_factory=list[Parts])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        if exc_type or self.decided is None:
            self._abandon()

    def forget(self) -> None:
        """Leave things as they are."""
        self.decided = None

    def _abandon(self) -> None:
        if self.kept and self.kept.stored:
            self.kept.stored.unlink(missing_ok=True)
        with suppress(ProjectMemoryError, OSError):
            if self._draft:
                with OpenFolder.opened(self.root, self.path[:-1]) as home:
                    home.drop(self._draft)
            for folder in reversed(self._made):
                with OpenFolder.opened(self.root, folder[:-1]) as home:
                    home.drop(folder[-1], folder_only=True)  # somebody may have put something else there

    def make_folders(self, parts: Parts, mode: int = NEW_FOLDER) -> None:
        """Make the folders above what is written."""
        self._made += make_folders(self.root, parts, mode)

    def put(self, content: Iterable[bytes], store: Path | None, *, mode: int | None = None) -> None:
        """Make ready that a file is written. One that is there keeps its mode, and with a `store` is kept itself."""
        with OpenFolder.opened(self.root, self.path[:-1]) as home:
            found = home.find(self.path[-1])
            if found:
                refuse_odd(found, "/".join(self.path))
                self.kept = keep(home, self.path, store) if store else None
                mode = found.st_mode
            home.sweep()
            self._draft = home.draft(self._counted(content), mode)
        self._decide(found)

    def put_link(self, target: str) -> None:
        """Make ready that a link comes back where nothing is."""
        with OpenFolder.opened(self.root, self.path[:-1]) as home:
            self._draft = home.draft_link(target)
        self._decide(None)

    def put_folder(self, mode: int) -> None:
        """Make ready that an empty folder comes back where nothing is."""
        with OpenFolder.opened(self.root, self.path[:-1]) as home:
            self._draft = home.draft_folder(mode)
        self._decide(None)

    def _decide(self, found: os.stat_result | None) -> None:
        spent = str(self.spent) if self.spent else None
        there = FileIdentity.of(found) if found else None
        self.decided = FileChange(self.root, self.path, there, self._draft, spent=spent)

    def _counted(self, content: Iterable[bytes]) -> Iterator[bytes]:
        digest = hashlib.sha256()
        for block in content:
            digest.update(block)
            self.size += len(block)
            yield block
        self.left = digest.hexdigest()

    def remove(self, store: Path) -> None:
        """Make ready that a file, a link or an empty folder is removed."""
        with OpenFolder.opened(self.root, self.path[:-1]) as home:
            found = home.find(self.path[-1])
            assert found is not None  # the caller looked
            self.kept = keep(home, self.path, store)
        self._decide(found)

    def rename(self, to: Parts, store: Path) -> None:
        """Make ready that something gets another name; a file that has that one is kept."""
        self.to = to
        with OpenFolder.opened(self.root, self.path[:-1]) as home:
            found = home.find(self.path[-1])
            assert found is not None  # the caller looked
            with OpenFolder.opened(self.root, to[:-1]) as there:
                if there.device != found.st_dev:
                    raise NotAllowed(f"{'/'.join(to)!r} is on another file system. Copy it there, then delete it here.")
                taken = there.find(to[-1])
                self.kept = keep(there, to, store) if taken else None
            if self.kept and stat.S_ISREG(found.st_mode):  # whoever restores has to know what took its place
                with home.reading(self.path[-1]) as file:
                    self.left = hashlib.file_digest(file, "sha256").hexdigest()
        ours = FileIdentity.of(found)
        self.decided = FileChange(self.root, self.path, ours, None, to, FileIdentity.of(taken) if taken else None)


def keep(home: OpenFolder, path: Parts, store: Path) -> KeptFile:
    """Return a file as it is now; what is too large for a row is copied to `store`."""
    name, told = path[-1], "/".join(path)
    found = home.stat(name)
    if stat.S_ISLNK(found.st_mode):
        return KeptFile(told, "symlink", 0, content=os.fsencode(home.link(name)))
    if stat.S_ISDIR(found.st_mode):
        return KeptFile(told, "directory", stat.S_IMODE(found.st_mode))
    if found.st_size > MOST_BYTES:
        raise TooLarge(
            f"{told!r} has {found.st_size} bytes; what is overwritten or removed here is kept for a while, and that is "
            f"done up to {MOST_BYTES} bytes. Ask your user to do it."
        )
    kept = KeptFile(told, "file", stat.S_IMODE(found.st_mode))
    with home.reading(name) as file:
        digest = hashlib.sha256()
        if found.st_size <= IN_ROW:
            kept.content = file.read(IN_ROW + 1)
            digest.update(kept.content)
            kept.size = len(kept.content)
        else:
            kept.stored = store
            kept.size = _copied(blocks(file), store, digest.update)
        kept.sha256 = digest.hexdigest()
    return kept


def _copied(content: Iterable[bytes], store: Path, seen: Callable[[bytes], None]) -> int:
    make_folder(store.parent)
    size = 0
    try:
        with os.fdopen(os.open(store, FLAGS, PRIVATE), "wb") as file:
            for block in content:
                seen(block)
                size += len(block)
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        store.unlink(missing_ok=True)
        raise
    return size
