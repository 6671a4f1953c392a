"""What kind of place a folder is: on which file system, and whether a program keeps it in step with other machines."""

import ctypes
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

# File systems whose locks or shared memory do not hold between machines, or between a machine and its host.
NETWORK = frozenset(
    {
        "9p", "afs", "beegfs", "ceph", "cifs", "davfs", "fuse.davfs2", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs",
        "fuse.sshfs", "fuse.vmhgfs-fuse", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "prl_fs", "smb3",
        "smbfs", "vboxsf", "webdav", "afpfs",
    }
)  # fmt: skip
SYNCED = ("dropbox", "onedrive", "google drive", "googledrive", "icloud drive", "iclouddrive", "nextcloud", "owncloud")
SYNCED_WHOLE = ("com~apple~clouddocs", "mobile documents", "cloudstorage", "box sync", "pclouddrive", "syncthing")
MARKS = (".dropbox", ".dropbox.cache", ".stfolder", ".nextcloudsync.log", ".owncloudsync.log", ".tmp.driveupload")
MOUNTS = Path("/proc/self/mountinfo")
ESCAPED = re.compile(r"\\([0-7]{3})")
REMOTE_DRIVE = 4  # of GetDriveType on Windows


def network(folder: Path) -> str | None:
    """Return the kind of network file system that a folder is on, or None for a local one, or where nothing tells."""
    if sys.platform == "win32":
        root = folder.resolve().anchor
        is_remote = root.startswith("\\\\") or ctypes.windll.kernel32.GetDriveTypeW(root) == REMOTE_DRIVE
        return "a network drive" if is_remote else None
    found = kind_of(os.path.realpath(folder), _mounts())
    return found if found in NETWORK else None


def kind_of(path: str, mounts: Iterable[tuple[str, str]]) -> str | None:
    """Return the kind of the file system of a path: that of the deepest mount point above it, the last one there."""
    above = [(len(point), kind) for point, kind in mounts if path == point or path.startswith(point.rstrip("/") + "/")]
    deepest = max((length for length, _ in above), default=0)
    return next((kind for length, kind in reversed(above) if length == deepest), None)


def _mounts() -> list[tuple[str, str]]:
    try:
        if MOUNTS.exists():
            return list(of_mountinfo(MOUNTS.read_text(encoding="utf-8", errors="replace")))
        told = subprocess.run(["mount"], capture_output=True, text=True, timeout=5, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return list(of_mount(told))


def of_mountinfo(text: str) -> Iterator[tuple[str, str]]:
    """Yield mount points and kinds out of Linux' table, where blanks are written as numbers."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        words = before.split()
        if len(words) > 4 and after:
            yield ESCAPED.sub(lambda found: chr(int(found[1], 8)), words[4]), after.split()[0]


def of_mount(text: str) -> Iterator[tuple[str, str]]:
    """Yield them out of lines such as `//me@host/share on /Volumes/share (smbfs, nodev)`."""
    for line in text.splitlines():
        if found := re.search(r" on (/.*) \((\w+)", line):
            yield found[1], found[2]


def synced(folder: Path) -> str | None:
    """Return by what a folder seems to be kept in step with other machines: a name in its path, or a mark above it."""
    for part in folder.parts:
        name = part.casefold()
        if name in SYNCED_WHOLE or any(name == sign or name.startswith((f"{sign} ", f"{sign}-")) for sign in SYNCED):
            return part
    marks = (above / mark for above in (folder, *folder.parents) for mark in MARKS)
    return next((str(mark) for mark in marks if _is_there(mark)), None)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False
