"""A project folder full of ways out, and what is outside of it."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

SECRET = "the secret that is outside"
# Parts of paths: what is there, what leads out, and what some system reads as something else.
PARTS = (
    "a", "b", "file.txt", "none", "in", "out", "out_file", "chain", "loop", "broken", "swap", "up", "proc", "dev",
    "hard", "fifo", "socket", "secret.txt", "..", ".", "", " ", "...", "a.", "a ", "C:", "c:a", "\\\\server\\share",
    "NUL", "con", "..\\..", "a\\..\\..", "%2e%2e", "\uff0e\uff0e", "\u2024\u2024", "..\u200b", "~", "~root", "$HOME",
    "a" * 300, "\0", "file.txt\0.md", "file.txt::$DATA", "A\u0301", "\u202e", "null", "zero", "self", "root", "etc",
    "passwd", "fd", "0",
)  # fmt: skip


@dataclass(frozen=True)
class Traps:
    project: Path
    outside: Path

    def starts(self) -> tuple[str, ...]:
        """What a path may begin with."""
        root, other = str(self.project), str(self.outside)
        return (
            "", "", "", "/", "//", "\\\\", "./", "../", f"{root}/", f"{root}2/", f"{other}/", "/proc/self/root/",
            f"/proc/self/root{other}/", "/proc/self/cwd/", "/dev/", "/etc/", f"{root}/../", f"{root}/a/../../outside/",
        )  # fmt: skip

    def seen(self) -> dict[str, tuple[int, int, bytes]]:
        """Everything outside: what it is, when it was changed and what it holds."""
        found = [self.outside, *self.outside.rglob("*")]
        return {
            str(path): (path.lstat().st_mode, path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
            for path in found
        }


def set_up(folder: Path) -> Traps:
    project, outside = folder / "project", folder / "outside"
    for path in (project / "a/b", outside / "b"):
        path.mkdir(parents=True, exist_ok=True)
    (folder / "project2").mkdir()
    for path in (outside / "secret.txt", outside / "b/file.txt", folder / "project2/file.txt"):
        path.write_text(SECRET, encoding="utf-8")
    for path in (project / "file.txt", project / "a/file.txt", project / "a/b/file.txt"):
        path.write_text("inside", encoding="utf-8")
    links = {
        "in": "a", "out": str(outside), "up": "..", "out_file": "../outside/secret.txt", "chain": "a/next",
        "loop": "loop", "a/next": "../in/last", "a/last": "../../outside", "broken": "nowhere",
        "proc": "/proc/self/root", "dev": "/dev", "null": "/dev/null", "zero": "/dev/zero",
    }  # fmt: skip
    for name, target in links.items():
        (project / name).symlink_to(target)
    os.link(outside / "secret.txt", project / "hard")
    os.mkfifo(project / "fifo")
    with socket.socket(socket.AF_UNIX) as made:
        here = Path.cwd()
        os.chdir(project)  # the path of a socket is short
        made.bind("socket")
        os.chdir(here)
    return Traps(project, outside)
