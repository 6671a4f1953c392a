"""Moves a data root again and again, each time killed one step later; prints what each of them left.

`python -m tests.e2e.mover_that_dies STORE FOLDER`: a line of JSON a move. All is imported once, and a process forked
for each command, so that there is time for every step.
"""

import json
import os
import shutil
import signal
import sys
from itertools import count
from pathlib import Path
from typing import Any

from server.__main__ import main
from server.cli import app, run
from server.cli.calling import call
from server.cli.moving import data_root
from server.settings import MOVED_TO
from tests.thoroughness import often

STRIDE = often(1, usual=2)
STEPS = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree", "open")
EVERYTHING = (app, run, call, data_root)  # imported before the first fork


def command(*words: str, output: Path, dies_at: int = 0, place: str = "") -> int:
    """Run a command in a process of its own, killed before it touches something at `place` the nth time."""
    if pid := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
    left = dies_at

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if left and event in STEPS and any(place in str(one) for one in arguments[:2]):
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    sys.argv[1:] = words
    try:
        main()
    except SystemExit as end:
        sys.stdout.flush()
        os._exit(end.code if isinstance(end.code, int) else 0)
    os._exit(9)


def moved(store: Path, folder: Path, step: int) -> dict[str, Any]:
    """Move a copy of a store, killed at a step, and say what is left of it, and after a second try."""
    old, new, output = folder / "old", folder / "new", folder / "output"
    shutil.copytree(store, old)
    listing = ("call", "workspace", "list", "--json", "--data-root", str(old))
    moving = ("move", "--from", str(old), "--yes", "--data-root", str(new))
    told: dict[str, Any] = {"step": step}
    told["died"] = command(*moving, output=output, dies_at=step, place=str(folder)) == -signal.SIGKILL
    told["in force"] = "new" if (old / MOVED_TO).exists() else "old"
    told["listed"] = command(*listing, output=output), output.read_text(encoding="utf-8")
    told["again"] = command(*moving, output=output)
    told["files"] = sorted(path.relative_to(new).as_posix() for path in new.rglob("*"))
    told["left over"] = [path.name for path in folder.iterdir() if path.name not in ("old", "new", "output")]
    return told


def move_until_none_dies(store: Path, folder: Path) -> None:
    for step in count(1, STRIDE):
        told = moved(store, folder / str(step), step)
        sys.stdout.write(f"{json.dumps(told)}\n")
        sys.stdout.flush()
        if not told["died"]:
            return


if __name__ == "__main__":
    move_until_none_dies(Path(sys.argv[1]), Path(sys.argv[2]))
