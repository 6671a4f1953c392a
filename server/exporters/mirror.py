"""The folder of a mirror: documents as `export --format json` writes them, kept like the database one by one.

It leaves out the logs, which change with every call. `.mirror/` in it is the mirror's own: the lock of who writes, how
far it got, and in `removed/` the documents of what the database no longer has. Nothing in the folder is destroyed.
"""

import json
import os
from collections.abc import Collection, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath

from server.errors import Conflict
from server.exporters.folder import File, inside
from server.exporters.formats import JSON
from server.file_locks import lockable, locked
from server.files import make_folder, replace
from server.models.documents import MANIFEST

OWN = ".mirror"
# Where documents are, in the folder and in that of a workspace; what stands elsewhere is none of a mirror's business.
OF_NONE = ("global.json",)
OF_WORKSPACE = ("workspace.json", "plans/*.json", "programs/*.json")
LEDGER = "ledger/*.json"


@dataclass(frozen=True)
class Cursor:
    """How far a mirror got: the database it is of, the last event it has seen, and when that was."""

    database: str
    event_id: int
    at: str


@dataclass
class Done:
    """The paths of what was written, and of what was moved away."""

    written: list[str] = field(default_factory=list[str])
    removed: list[str] = field(default_factory=list[str])


class Folder:
    """The files of a mirror."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.own = path / OWN
        self.aside = self.own / "removed"
        self.has_lock = True

    @property
    def format(self) -> str:
        """Return what it is written as: documents, unless the folder was begun otherwise."""
        try:
            return (self.own / "format").read_text(encoding="utf-8").strip() or JSON
        except OSError:
            return JSON

    def begin(self, format: str) -> None:
        """Make it a mirror of a format: one that has begun stays what it is."""
        if format == self.format:
            return
        if self.path.is_dir() and any(self.path.iterdir()):
            raise Conflict(
                f"{str(self.path)!r} is a mirror of the format {self.format}, or holds something else. Name a new or "
                f"empty folder for one of the format {format}."
            )
        replace(self.own / "format", f"{format}\n")

    def listed(self) -> set[str]:
        """Return the paths of what was written in another format than ours."""
        try:
            return set(json.loads((self.own / "files.json").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return set()

    def note(self, names: Collection[str]) -> None:
        """Remember what was written."""
        if set(names) != self.listed():
            replace(self.own / "files.json", json.dumps(sorted(names), ensure_ascii=False))

    def check(self) -> None:
        """Refuse a folder that has other things in it."""
        if self.path.is_file():
            raise Conflict(f"{str(self.path)!r} is a file. Name a folder for the mirror.")
        names = sorted(path.name for path in self.path.iterdir()) if self.path.is_dir() else []
        strange = [name for name in names if not name.startswith(".")]
        if strange and MANIFEST not in names and self.format == JSON:
            raise Conflict(
                f"{str(self.path)!r} holds something else ({', '.join(strange[:3])}). Name a new or empty folder for "
                "the mirror."
            )

    @contextmanager
    def lock(self) -> Generator[bool]:
        """Yield whether this process may write now. The lock of one that dies is free at once.

        Where there are no such locks every process writes for itself: that costs more, and ends with the same files.
        """
        ignored = self.own / ".gitignore"
        if not ignored.exists():
            replace(ignored, "*\n")
        handle = lockable(self.own / "lock")
        try:
            yield self._is_mine(handle)
        finally:
            os.close(handle)

    def _is_mine(self, handle: int) -> bool:
        try:
            return locked(handle, exclusive=True)
        except OSError:  # a file system without locks
            self.has_lock = False
            return True

    def cursor(self) -> Cursor | None:
        """Return how far the mirror got, or None if that is not known."""
        try:
            return Cursor(**json.loads((self.own / "cursor.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def keep(self, cursor: Cursor) -> None:
        replace(self.own / "cursor.json", json.dumps(asdict(cursor)))

    def sweep(self) -> None:
        """Remove what one who died was writing."""
        for draft in self.own.glob("*.tmp"):
            draft.unlink(missing_ok=True)

    def roots(self) -> set[str]:
        """Return the names of the folders of workspaces."""
        return {path.name for path in self.path.iterdir() if path.is_dir() and not path.name.startswith(".")}

    def present(self, root: str | None, *, with_ledger: bool = True) -> set[str]:
        """Return the paths of the documents of a workspace's folder, or of those of no workspace."""
        home = self.path / root if root else self.path
        patterns = (*(OF_WORKSPACE if root else OF_NONE), *((LEDGER,) if with_ledger else ()))
        found = (path for pattern in patterns for path in home.glob(pattern))
        return {path.relative_to(self.path).as_posix() for path in found}

    def plans(self) -> int:
        """Return how many documents of plans there are."""
        return sum(1 for _ in self.path.glob("[!.]*/plans/*.json"))

    def read(self, name: str) -> bytes | None:
        try:
            return inside(self.path, name).read_bytes()
        except FileNotFoundError:
            return None

    def put(self, file: File) -> bool:
        """Make a document be as it should; return whether it was not."""
        if self.read(file.path) == file.content:
            return False
        replace(inside(self.path, file.path), file.content, scratch=self.own)
        return True

    def remove(self, name: str) -> None:
        """Move a document out of the way, where it stays."""
        source = inside(self.path, name)
        home = self.aside / PurePosixPath(name).parent
        make_folder(home)
        target, copies = home / source.name, 1
        while target.exists():
            copies += 1
            target = home / f"{source.stem}-{copies}{source.suffix}"
        source.rename(target)
