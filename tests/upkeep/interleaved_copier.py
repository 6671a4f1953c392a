"""Copies like the `byte_copier.py` that COPIER names, but between any two pages another process does something.

What that does is drawn by SEED. How often the log had to be copied goes into the file TOLD.
"""

import importlib.util
import io
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

BUSY = Path(__file__).with_name("busy_database.py")
PAGE = 4096
spec = importlib.util.spec_from_file_location("byte_copier", os.environ["COPIER"])
assert spec
assert spec.loader
copier: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(copier)
busy = importlib.util.spec_from_file_location("busy_database", BUSY)
assert busy
assert busy.loader
busy_database: Any = importlib.util.module_from_spec(busy)
busy.loader.exec_module(busy_database)
things, weights = zip(*busy_database.THINGS.items(), strict=True)
draw = random.Random(int(os.environ["SEED"]))
is_early = draw.random() < 0.5  # else nothing happens before the log is copied, so that one is begun anew then
logs = 0


class Interleaved(io.FileIO):
    """A file before each page of which something happens."""

    def read(self, size: int | None = -1, /) -> bytes:
        happen()
        return super().read(-1 if size is None else size) or b""


def happen() -> None:
    """Let the other process do something, and wait until it is done."""
    assert other.stdin
    assert other.stdout
    for _ in range(draw.choice((0, 0, 1, 2)) if logs or is_early else 0):
        other.stdin.write(f"{draw.choices(things, weights)[0]}\n")
        other.stdin.flush()
        assert other.stdout.readline()


def opened(path: str, mode: str, **how: Any) -> Any:
    global logs  # noqa: PLW0603 - one process, one count
    logs += path.endswith("-wal") and mode == "wb"
    return Interleaved(path) if mode == "rb" else open(path, mode, **how)  # noqa: PTH123


database, into, *has_log = sys.argv[1:]
with subprocess.Popen(
    [sys.executable, str(BUSY), database, "steps"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
) as other:
    copier.open, copier.CHUNK = opened, PAGE
    copier.copy(database, into)
    is_done = copier.copy_log(f"{database}-wal", f"{into}-wal") if has_log else True
    assert other.stdin
    other.stdin.close()
Path(os.environ["TOLD"]).write_text(str(logs), encoding="utf-8")
sys.exit(0 if is_done else 1)
