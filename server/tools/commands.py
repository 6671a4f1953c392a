"""The command line as it works where it is printed."""

import shutil
import sys
from pathlib import Path

from server.settings import Settings, default_root

SCRIPT = "project-memory"


def command(settings: Settings, *words: str) -> str:
    """Return a command of ours for a person to type: the script if it is on the path, else the interpreter."""
    script = shutil.which(SCRIPT)
    is_ours = script is not None and Path(script).resolve().parent == Path(sys.executable).resolve().parent
    start = [SCRIPT] if is_ours else [sys.executable, "-I", "-m", "server"]
    root = [] if settings.data_root == Path(default_root()) else ["--data-root", str(settings.data_root)]
    return " ".join(_quoted(word) for word in (*start, *root, *words))


def _quoted(word: str) -> str:
    return f'"{word}"' if " " in word else word
