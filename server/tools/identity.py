"""`.projectmemory/identity.json`: which workspace a project folder is, or was in another place, told by the folder."""

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from server.files import SHARED, replace
from server.models.base import encode
from server.tools.paths import normal_path

FOLDER = ".projectmemory"
FILE = "identity.json"
PREVIOUS = "identity.previous.json"
SCHEMA_VERSION = "1.0.0"
LARGEST = 64 * 1024
VALID_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
# A link is not followed, a pipe not waited for.
OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True)
class Identity:
    """What the file of a folder says, or the `problem` with it; `is_here` if it speaks of the folder it lies in."""

    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    problem: str | None = None
    is_here: bool = False

    @property
    def workspace_id(self) -> str | None:
        return self.fields.get("workspace_id")


def read(folder: str) -> Identity:
    """Read the identity file of a project folder."""
    try:
        found = _load(Path(folder) / FOLDER / FILE)
    except FileNotFoundError:
        return Identity()
    except (OSError, ValueError, RecursionError):
        return Identity(problem="it cannot be read")
    if found is None or not _is_id(found.get("workspace_id")):
        return Identity(problem="it names no workspace")
    return Identity(found, is_here=_is_about(found, folder))


def _is_id(value: object) -> bool:
    return isinstance(value, str) and VALID_ID.fullmatch(value) is not None


def _load(path: Path) -> dict[str, Any] | None:
    handle = os.open(path, OPEN_FLAGS)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError("not a file")
        found = json.loads(file.read(LARGEST))
    return cast(dict[str, Any], found) if isinstance(found, dict) else None


def _is_about(found: Mapping[str, Any], folder: str) -> bool:
    path = found.get("workspace_path")
    if not isinstance(path, str) or "\0" in path or not Path(path).is_absolute():
        return False
    return normal_path(Path(path)) == folder


def write(folder: str, known: Identity, fields: Mapping[str, str], now: str) -> str | None:
    """Make the folder say which workspace it is; touch no file that says so already. Return a warning, if any.

    A file with a problem is replaced, and kept beside it as PREVIOUS.
    """
    wanted = {**known.fields, "schema_version": SCHEMA_VERSION, **fields}
    try:
        home = own_folder(folder)
        if home is None:
            return f"{FOLDER} is a symbolic link, so no identity file was written. The workspace is registered."
        told = _kept(home, known.problem) if known.problem else None
        if wanted != known.fields:
            replace(home / FILE, encode({**wanted, "updated_at": now}) + "\n", mode=SHARED)
    except OSError as error:
        return f"No identity file was written ({error.strerror}). The workspace is registered."
    return told


def _kept(home: Path, problem: str) -> str:
    """Keep what is in the way of a new identity file, if it is a file and no link, and say so."""
    file = home / FILE
    told = f"{FOLDER}/{FILE} was ignored and replaced: {problem}."
    if not stat.S_ISREG(file.lstat().st_mode):
        return told
    replace(home / PREVIOUS, file.read_bytes(), mode=SHARED)
    return f"{told} It is kept as {PREVIOUS}."


def own_folder(folder: str) -> Path | None:
    """Return the folder of ours in a project folder, made and kept out of git if need be; None if it is a link."""
    home = Path(folder) / FOLDER
    home.mkdir(exist_ok=True)
    if home.is_symlink():
        return None
    if not os.path.lexists(home / ".gitignore"):
        replace(home / ".gitignore", "*\n", mode=SHARED)
    return home
