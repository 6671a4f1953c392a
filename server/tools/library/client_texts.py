"""The files of clients in a workspace: read, written and removed there, through no link that leads out of it."""

import hashlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from server.errors import NotAllowed
from server.files import SHARED, replace
from server.text import client_files
from server.tools.identity import OPEN_FLAGS
from server.tools.paths import normal_path

LARGEST = 1024 * 1024


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
        return f"{self.path}#{self.block}" if self.block else self.path


def hash_of(text: str) -> str:
    """Return the hash of a text, however its lines end."""
    return hashlib.sha256(text.replace("\r\n", "\n").encode("utf-8", "surrogatepass")).hexdigest()


def place(root: str, path: str) -> Path:
    """Return where a file of a workspace is, or refuse one that a link leads out of it."""
    found = Path(normal_path(Path(root, path)))
    if not found.is_relative_to(normal_path(Path(root))):
        raise NotAllowed(f"{path!r} is, or lies behind, a link that leads out of the workspace. It is left alone.")
    return found


def text_at(root: str, path: str) -> str | None:
    """Return the text of a file, or None if there is none. What is no text file of a usual size is refused."""
    try:
        handle = os.open(place(root, path), OPEN_FLAGS)
    except (FileNotFoundError, NotADirectoryError):
        return None
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise NotAllowed(f"{path!r} is no file. It is left alone.")
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise NotAllowed(f"{path!r} has more than {LARGEST} bytes. It is left alone.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotAllowed(f"{path!r} is no UTF-8 text. It is left alone.") from error


def part_at(root: str, path: str, block: str) -> str | None:
    """Return the text of a file, or of a block of it, or None if there is none."""
    text = text_at(root, path)
    return client_files.blocks(text).get(block) if text is not None and block else text


def carry_out(root: str, changes: Sequence[FileChangeWanted]) -> FilesDone:
    """Write and remove what is wanted, where it is as it was seen."""
    done = FilesDone()
    for path in dict.fromkeys(one.path for one in changes):
        mine = [one for one in changes if one.path == path]
        try:
            _change(root, path, mine, done)
        except (OSError, NotAllowed) as error:
            why = error.strerror or str(error) if isinstance(error, OSError) else str(error)
            done.kept += [{"path": one.shown, "why": why} for one in mine]
    return done


def _change(root: str, path: str, changes: Sequence[FileChangeWanted], done: FilesDone) -> None:
    still = [one for one in changes if _hash_at(root, path, one.block) == one.seen]
    done.kept += [{"path": one.shown, "why": "somebody changed it just now"} for one in changes if one not in still]
    if not still:
        return
    old = text_at(root, path)
    if still[0].block:
        new = client_files.with_blocks(old or "", [(one.block, one.text) for one in still])
        gone = not new.strip()
    else:
        new, gone = still[0].text or "", still[0].text is None
    if gone and old is not None:
        _remove(root, path)
    elif not gone:
        _write(root, path, new)
    for one in still:
        (done.removed if one.text is None else done.written).append(one.shown)


def _hash_at(root: str, path: str, block: str) -> str | None:
    text = part_at(root, path, block)
    return None if text is None else hash_of(text)


def _write(root: str, path: str, text: str) -> None:
    target = place(root, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else SHARED
    replace(target, text, mode=mode)


def _remove(root: str, path: str) -> None:
    target = place(root, path)
    target.unlink(missing_ok=True)
    if target.name == "SKILL.md" and not any(target.parent.iterdir()):
        target.parent.rmdir()


def files_in(root: str, folder: client_files.ClientFolder) -> list[str]:
    """Return the files in a folder of a client, by their paths in the workspace."""
    home = PurePosixPath(folder.path)
    try:
        names = sorted(entry.name for entry in os.scandir(place(root, folder.path)))
    except (OSError, NotAllowed):
        return []
    if folder.suffix:
        return [str(home / name) for name in names if name.endswith(folder.suffix)]
    return [str(home / name / "SKILL.md") for name in names if Path(root, folder.path, name, "SKILL.md").is_file()]
