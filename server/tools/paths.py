"""Paths as workspaces know them: one spelling a directory, and the repository behind a git worktree."""

import os
import sys
import unicodedata
from pathlib import Path, PurePath, PurePosixPath
from typing import Literal

from server.db.storage.connection import Reader
from server.db.workspaces import workspaces
from server.errors import InvalidArguments, NotAllowed
from server.models.workspaces import Checkout, Workspace

Whereabouts = Literal["same", "there", "gone", "unreachable"]


def expanded(text: str) -> Path:
    """Return a path with `~` resolved, if there is such a user."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def absolute(text: str, name: str) -> Path:
    """Return the path that the argument `name` gives, `~` resolved, or refuse a relative one."""
    path = expanded(text)
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise InvalidArguments(f"{name} holds a lone surrogate, which is no character. Send valid Unicode.")
    if not path.is_absolute():
        raise InvalidArguments(f"{name} {text[:200]!r} is not absolute. Send the full path of the project folder.")
    return path


def project_folder(text: str) -> str:
    """Return the one spelling of an existing project folder, or refuse."""
    folder = normal_path(absolute(text, "workspace_path"))
    try:
        Path(folder).stat()
        problem = None if Path(folder).is_dir() else "is a file. Send the folder of the project."
    except OSError as error:
        problem = f"cannot be used: {error.strerror}. Send the folder of an existing project."
    if not problem and folder == Path(folder).anchor:
        problem = "is the root of the file system, which would hold every project. Send the folder of one."
    if not problem and folder == normal_path(expanded("~")):
        problem = "is your home folder, which would hold every project in it. Send the folder of one."
    if problem:
        raise InvalidArguments(f"workspace_path {text[:200]!r} {problem}")
    return folder


def whereabouts(path: str, folder: str) -> Whereabouts:
    """Return where the folder of a workspace is: at its `path`, in `folder` by another name, gone, or out of reach."""
    try:
        if Path(path).is_dir():
            return "same" if Path(path).samefile(folder) else "there"
        Path(path).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return "gone" if Path(path).parent.is_dir() else "unreachable"
    except OSError:
        return "unreachable"
    return "gone"


def normal_path(path: Path) -> str:
    """Return the one spelling of a directory: absolute, symlinks resolved, letters as the file system has them."""
    return _as_stored(os.path.realpath(path))


if sys.platform == "darwin":
    import fcntl

    def _as_stored(path: str) -> str:
        """Return the spelling macOS stores, which `realpath` does not look up there."""
        try:
            handle = os.open(path, os.O_RDONLY)
        except OSError:
            return path
        try:
            return fcntl.fcntl(handle, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0").decode()
        finally:
            os.close(handle)

else:

    def _as_stored(path: str) -> str:
        return path


def checkout(folder: str) -> Checkout | None:
    """Return the git working tree around `folder`, or None outside of one."""
    path = Path(folder)
    for root in (path, *path.parents):
        if common := _common_dir(root / ".git"):
            prefix = path.relative_to(root).as_posix()
            return Checkout(str(root), "" if prefix == "." else prefix, common)
    return None


def _common_dir(entry: Path) -> str | None:
    """Return the directory that all worktrees of a repository share, given the `.git` of one of them.

    Source: gitrepository-layout. In a worktree `.git` is a file `gitdir: DIR`, and DIR/commondir leads to the
    shared directory.
    """
    try:
        if entry.is_dir():
            return normal_path(entry)
        if not entry.is_file():
            return None
        key, _, target = entry.read_text(encoding="utf-8").partition(":")
        if key != "gitdir":
            return None
        gitdir = entry.parent / target.strip()
        common = gitdir / "commondir"
        return normal_path(gitdir / common.read_text(encoding="utf-8").strip() if common.is_file() else gitdir)
    except (OSError, ValueError):
        return None


def inside(workspace: Workspace, folder: str) -> str | None:
    """Return where in a workspace a path lies, git worktrees of it included, or None if it does not."""
    if workspace.path is None:
        return None
    if PurePath(folder).is_relative_to(workspace.path):
        return PurePath(folder).relative_to(workspace.path).as_posix()
    tree = checkout(folder)
    home = tree.place_of(workspace) if tree else None
    if tree is None or home is None or not PurePosixPath(tree.prefix).is_relative_to(home):
        return None
    return PurePosixPath(tree.prefix).relative_to(home).as_posix()


def outside(workspace: Workspace, text: str) -> NotAllowed:
    return NotAllowed(
        f"{text[:200]!r} is outside the workspace {workspace.workspace_id} ({workspace.path}). Send a path in it, "
        "best one relative to it."
    )


def file_in(workspace: Workspace, text: str, name: str) -> str:
    """Return a file's path relative to the workspace, as edits are stored: `/` between parts, Unicode in NFC.

    A directory that is a link out of the workspace is outside; the file itself may be a link, or gone.
    """
    base = Path(workspace.folder)
    wanted = Path(os.path.normpath(base / expanded(text)))
    place = PurePosixPath(wanted.relative_to(base)) if wanted.is_relative_to(base) else None
    if place == PurePosixPath("."):
        raise InvalidArguments(f"{name} {text[:200]!r} is the project folder, and no file in it.")
    if base.is_absolute():  # a workspace of another platform has no folder here to look into
        home = inside(workspace, normal_path(wanted.parent))
        place = None if home is None else place or PurePosixPath(home, wanted.name)
    if place is None:
        raise outside(workspace, text)
    return unicodedata.normalize("NFC", str(place))


def folder_in(workspace: Workspace, text: str, name: str) -> str:
    """Return a folder's path relative to the workspace, which is `.`; one that a link leads out of it is refused."""
    if os.path.normpath(Path(workspace.folder, expanded(text))) == os.path.normpath(workspace.folder):
        return "."
    return file_in(workspace, text, name)


async def fallback(db: Reader, chosen: str) -> Workspace | None:
    """Return the workspace of PM_WORKSPACE, which is `chosen`, else the deepest registered one that holds our cwd."""
    path = expanded(chosen) if chosen else cwd()
    by_id = await workspaces.find(db, chosen) if chosen else None
    return by_id or (await holding(db, path) if path.is_absolute() else None)


async def holding(db: Reader, path: Path) -> Workspace | None:
    """Return the deepest registered workspace that holds `path`, a git worktree of it included."""
    folder = normal_path(path)
    return await workspaces.holding(db, folder, checkout(folder))


def cwd() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path(os.sep)  # the folder was removed under the server; the root is never a workspace
