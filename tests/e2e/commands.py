"""How tests run commands and servers whose start is not what they are about.

Most of what a command takes is spent on imports. In a usual run it is a copy of a process that has them done: that is a
process as any other, with an environment, a folder, descriptors and an exit code of its own. What is about starts,
signals, terminals or encodings starts a Python of its own, and in CI everything does. Of signals a copy gets SIGKILL
alone.
"""

import atexit
import shutil
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from tests.populated_store import started_once
from tests.thoroughness import IS_WHOLE

HERE = Path(__file__).parent
PLAIN = (sys.executable, "-I", "-m", "server")
PATIENCE = 60
LOOK_SECONDS = 0.01


def program() -> tuple[str, ...]:
    """Return what runs `project-memory`; words may follow."""
    return PLAIN if IS_WHOLE else _copying()


def script(path: str) -> tuple[str, ...]:
    """Return what runs a program in Python; words may follow."""
    return (sys.executable, path) if IS_WHOLE else (*_copying(), path)


def furnish(data_root: Path) -> None:
    """In a usual run leave what the first start leaves, which takes longer than most of what is tested then."""
    if not IS_WHOLE and not data_root.exists():
        data_root.mkdir(mode=0o700, parents=True)
        shutil.copy(started_once(), data_root)


@cache
def _copying() -> tuple[str, ...]:
    folder = Path(mkdtemp(prefix="pm-"))
    path = folder / "commands"
    forking = subprocess.Popen([sys.executable, "-I", str(HERE / "forking.py"), str(path)], stdin=subprocess.PIPE)
    atexit.register(_end, forking, folder)
    end = time.monotonic() + PATIENCE
    while not path.with_suffix(".ready").exists():
        assert forking.poll() is None
        assert time.monotonic() < end
        time.sleep(LOOK_SECONDS)
    return (sys.executable, "-I", "-S", str(HERE / "forked_command.py"), str(path))


def _end(forking: subprocess.Popen[bytes], folder: Path) -> None:
    forking.communicate()
    shutil.rmtree(folder)
