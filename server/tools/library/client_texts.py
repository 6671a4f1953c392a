"""The files of clients in a workspace: read, written and removed there, through no link that leads out of it."""

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from server.confined.changes import PreparedChange
from server.confined.folder import FileIdentity, OpenFolder, Parts, is_text, place_of, translated
from server.errors import NotAllowed, NotFound, ProjectMemoryError
from server.text import client_files
from server.text.client_files import place
from server.tools.project_files import guarded_paths

LARGEST = 1024 * 1024
CHANGED = "somebody changed it just now"


@dataclass
class FilesDone:
    """What became of each file."""

    written: list[str] = field(default_factory=list[str])
    removed: list[str] = field(default_factory=list[str])
    kept: list[dict[str, str]] = field(default_factory=list[dict[str, str]])


@dataclass(frozen=True)
class FileChangeWanted:
    """A file, or a block of one, that is to get a text, or to go. `seen` is the hash of what was there."""

    path: str
    block: str
    text: str | None
    seen: str | None

    @property
    def shown(self) -> str:
        return place(self.path, self.block)


def hash_of(text: str) -> str:
    """Return the hash of a text, however its lines end."""
    return hashlib.sha256(text.replace("\r\n", "\n").encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class SeenText:
    """The text of a file as it was read, and what tells that file from a later one."""

    text: str
    identity: FileIdentity

    def part(self, block: str) -> str | None:
        """Return the text, or that of a block in it, or None if there is none."""
        return client_files.blocks(self.text).get(block) if block else self.text


def _place(root: str, path: str) -> tuple[str, Parts]:
    """Return the folder of a workspace and where in it a file is.

    One behind a link is refused if that leads out, or to what is kept from agents: the library would show it.
    """
    base = os.path.realpath(root)
    try:
        asked, parts = place_of(base, path)
    except NotAllowed as error:
        raise NotAllowed(f"{path!r} is, or lies behind, a link that is not followed here: {error}") from error
    if "/".join(asked) != path:
        raise NotAllowed(f"{path!r} is no plain path. It is left alone.")
    if parts != asked and (why := guarded_paths.against("/".join(parts), writing=True)):
        raise NotAllowed(f"{path!r} is, or lies behind, a link to {'/'.join(parts)!r}: {why}. It is left alone.")
    return base, parts


def text_at(root: str, path: str) -> SeenText | None:
    """Return the text of a file, or None if there is none. What is no text file of a usual size is refused."""
    try:
        base, parts = _place(root, path)
        with OpenFolder.opened(base, parts[:-1]) as home, home.reading(parts[-1]) as file:
            found = FileIdentity.of(os.fstat(file.fileno()))
            data = file.read(LARGEST + 1)
    except NotFound:
        return None
    except ProjectMemoryError as error:
        raise NotAllowed(str(error)) from error
    if len(data) > LARGEST:
        raise NotAllowed(f"{path!r} has more than {LARGEST} bytes. It is left alone.")
    try:
        return SeenText(data.decode("utf-8"), found)
    except UnicodeDecodeError as error:
        raise NotAllowed(f"{path!r} is no UTF-8 text. It is left alone.") from error


def part_at(root: str, path: str, block: str) -> str | None:
    """Return the text of a file, or of a block of it, or None if there is none."""
    seen = text_at(root, path)
    return seen.part(block) if seen else None


def carry_out(root: str, changes: Sequence[FileChangeWanted]) -> FilesDone:
    """Write and remove what is wanted, where it is as it was seen."""
    done = FilesDone()
    for path in dict.fromkeys(one.path for one in changes):
        mine = [one for one in changes if one.path == path]
        try:
            _change(root, path, mine, done)
        except (OSError, ProjectMemoryError) as error:
            why = error.strerror or str(error) if isinstance(error, OSError) else str(error)
            done.kept += [{"path": one.shown, "why": why} for one in mine]
    return done


def _change(root: str, path: str, changes: Sequence[FileChangeWanted], done: FilesDone) -> None:
    old = text_at(root, path)
    still = [one for one in changes if _hash_of(old, one.block) == one.seen]
    done.kept += [{"path": one.shown, "why": CHANGED} for one in changes if one not in still]
    if not still:
        return
    if still[0].block:
        new = client_files.with_blocks(old.text if old else "", [(one.block, one.text) for one in still])
        gone = not new.strip()
    else:
        new, gone = still[0].text or "", still[0].text is None
    if gone and old is not None:
        _remove(root, path, old.identity)
    elif not gone:
        _write(root, path, new, old.identity if old else None)
    for one in still:
        (done.removed if one.text is None else done.written).append(one.shown)


def _hash_of(found: SeenText | None, block: str) -> str | None:
    text = found.part(block) if found else None
    return None if text is None else hash_of(text)


def _write(root: str, path: str, text: str, seen: FileIdentity | None) -> None:
    """Write a file whole, over the very one that was seen and no other."""
    base, parts = _place(root, path)
    with PreparedChange(base, parts) as change:
        change.make_folders(parts[:-1])
        change.put([text.encode()], None)
        if change.decided is None or change.decided.found != seen:
            raise NotAllowed(CHANGED)
        change.decided.carry_out()


def _remove(root: str, path: str, seen: FileIdentity) -> None:
    base, parts = _place(root, path)
    with OpenFolder.opened(base, parts[:-1]) as home, translated(path):
        found = home.find(parts[-1])
        if found and FileIdentity.of(found) != seen:
            raise NotAllowed(CHANGED)
        home.drop(parts[-1])
    if parts[-1] == "SKILL.md":
        with OpenFolder.opened(base, parts[:-2]) as above, suppress(OSError):  # there may be more in it
            above.drop(parts[-2], folder_only=True)


def files_in(root: str, folder: client_files.ClientFolder) -> list[str]:
    """Return the files in a folder of a client, by their paths in the workspace."""
    home = PurePosixPath(folder.path)
    try:
        base, parts = _place(root, folder.path)
        with OpenFolder.opened(base, parts) as opened:
            names = [name for name in opened.names() if is_text(name)]
    except ProjectMemoryError:  # there is none, or nothing that is looked into
        return []
    if folder.suffix:
        return [str(home / name) for name in names if name.endswith(folder.suffix)]
    return [path for name in names if _is_there(root, path := str(home / name / "SKILL.md"))]


def _is_there(root: str, path: str) -> bool:
    try:
        base, parts = _place(root, path)
        with OpenFolder.opened(base, parts[:-1]) as home:
            return home.find(parts[-1]) is not None
    except ProjectMemoryError:
        return False
