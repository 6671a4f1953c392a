"""The folder an export goes to: nothing in it is overwritten unasked, nothing beside it is touched."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

from server.errors import Conflict, InvalidArguments, NotAllowed, Storage
from server.files import make_folder, replace

# What a plan's file is called in each format.
PLAN_FILES = {
    "json": ("*/plans/*.json",),
    "markdown": ("*/plans/*.md",),
    "legacy": ("*/plans/*/state.json", "*/plans/_archived/*/state.json"),
}


@dataclass(frozen=True, slots=True)
class File:
    """A file to write. `path` is relative, with "/" between its parts."""

    path: str
    content: bytes
    is_plan: bool = False
    note: str | None = None  # what somebody should know about it
    modified_at: str | None = None  # the time that the file gets, if not now


@dataclass
class ExportOutcome:
    """What an export wrote. `left_over` are files of plans that were there before and that it did not write."""

    folder: str
    files: int = 0
    size: int = 0
    plans: int = 0
    plans_before: int = 0
    left_over: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])
    left_out: dict[str, int] = field(default_factory=dict[str, int])  # what the format has no place for

    def count(self, file: File) -> None:
        self.files += 1
        self.size += len(file.content)
        self.plans += file.is_plan
        self.notes += [f"{file.path}: {file.note}"] if file.note else []


def check(folder: Path, *, force: bool) -> None:
    """Refuse a folder that an export would spoil."""
    try:
        if folder.exists() and not folder.is_dir():
            raise InvalidArguments(f"{str(folder)!r} is a file. Name a folder to export to.")
        if not force and folder.is_dir() and next(folder.iterdir(), None):
            raise Conflict(f"{str(folder)!r} is not empty. Nothing was written. Name a new folder, or add --force.")
    except OSError as error:
        raise Storage(f"{str(folder)!r} cannot be used: {error.strerror}. Name another folder.") from error


async def write(folder: Path, files: AsyncIterator[File], *, format: str, force: bool = False) -> ExportOutcome:
    """Write files one after the other, each whole or not at all, and say what was there and is not among them."""
    check(folder, force=force)
    before = _plan_files(folder, format)
    done = ExportOutcome(str(folder), plans_before=len(before))
    try:
        make_folder(folder)
        async for file in files:
            replace(inside(folder, file.path), file.content, modified_at=file.modified_at)
            before.discard(file.path)
            done.count(file)
    except OSError as error:
        raise Storage(
            f"{error.filename or str(folder)!r} cannot be written: {error.strerror}. {done.files} files were written."
        ) from error
    done.left_over = sorted(before)
    return done


def inside(folder: Path, path: str) -> Path:
    """Return where a relative path leads in the folder, and refuse one that leads out of it, by a link too."""
    parts = PurePosixPath(path).parts
    odd = ".." in parts or "\\" in path or "\0" in path or PureWindowsPath(path).drive or path.startswith("/")
    target = folder.joinpath(*parts)
    if odd or not parts or not Path(os.path.realpath(target.parent)).is_relative_to(os.path.realpath(folder)):
        raise NotAllowed(f"The path {path[:200]!r} leads out of {str(folder)!r}.")
    return target


def _plan_files(folder: Path, format: str) -> set[str]:
    found = (path for pattern in PLAN_FILES.get(format, ()) for path in folder.glob(pattern))
    return {path.relative_to(folder).as_posix() for path in found if path.parent.name != "_archived"}
