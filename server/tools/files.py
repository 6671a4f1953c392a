"""Files that the server writes into a project: whole or not at all."""

import os
import secrets
from pathlib import Path


def replace(path: Path, text: str) -> None:
    """Write a file whole or not at all. What had its name, a link too, is replaced."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        with draft.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
