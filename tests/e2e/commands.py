"""How tests run commands whose start is not what they are about.

Most of what a command takes is spent on imports. In a usual run it is a copy of a process that has them done: that is a
process as any other, with an environment, a folder, descriptors and an exit code of its own. What is about starts,
signals, terminals or encodings starts a Python of its own, and in CI everything does.
"""

import atexit
import shutil
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from tests.thoroughness import IS_WHOLE

HERE = Path(__file__).parent
PLAIN = (sys.executable, "-I", "-m", "server")
PATIENCE = 60
LOOK_SECONDS = 0.01


@cache
def program() -> tuple[str, ...]:
    """Return what runs `project-memory`; words may follow."""
    if IS_WHOLE:
        return PLAIN
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
