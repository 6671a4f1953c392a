"""Paths as workspaces know them: one spelling a directory, and the repository behind a git worktree."""

import os
import sys
from pathlib import Path

if sys.platform != "win32":
    import fcntl


def normal_path(path: Path) -> str:
    """Return the one spelling of a directory: absolute, symlinks resolved, letters as the file system has them."""
    real = os.path.realpath(path.expanduser())
    return _as_stored(real) if sys.platform == "darwin" else real


def _as_stored(path: str) -> str:
    """Return the spelling macOS stores, which `realpath` does not look up there."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return path
    try:
        found = fcntl.fcntl(handle, getattr(fcntl, "F_GETPATH"), bytes(1024))  # noqa: B009 - exists on macOS only
        return found.rstrip(b"\0").decode()
    finally:
        os.close(handle)


def git_common_dir(path: Path) -> str | None:
    """Return the git directory that all worktrees of the repository around `path` share, or None outside of one.

    Source: gitrepository-layout. In a worktree `.git` is a file `gitdir: DIR`, and DIR/commondir leads to the
    shared directory.
    """
    for folder in (path, *path.parents):
        entry = folder / ".git"
        if entry.is_dir():
            return normal_path(entry)
        if entry.is_file():
            return _linked(entry)
    return None


def _linked(entry: Path) -> str | None:
    try:
        gitdir = entry.parent / entry.read_text(encoding="utf-8").partition("gitdir:")[2].strip()
        common = gitdir / "commondir"
        shared = gitdir / common.read_text(encoding="utf-8").strip() if common.is_file() else gitdir
    except (OSError, UnicodeDecodeError):
        return None
    return normal_path(shared)
