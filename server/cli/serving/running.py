"""The one server of a data root: the lock that it holds for life, and what it writes beside it."""

import json
import logging
import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from hmac import compare_digest

from server import files
from server.errors import Conflict
from server.file_locks import lockable, locked
from server.settings import Settings
from server.web.health import proof
from server.web.places.answers import health_at
from server.web.places.identity import folder

logger = logging.getLogger(__name__)

LOCK = "lock"
RUNNING = "running.json"
LOG = "serve.log"  # of one in the background, with two older ones
OUTPUT = "serve.out"  # what the last one in the background said besides
TO_FILE = "--log-to-file"
ASK_SECONDS = 2.0


@dataclass(frozen=True)
class RunningServer:
    """A server that runs, as it says itself. `nonce` proves that who answers is the one that wrote this."""

    pid: int
    port: int
    version: str
    started_at: str
    nonce: str = field(repr=False)
    url: str
    home: str
    options: list[str]


@contextmanager
def lock(settings: Settings) -> Generator[None]:
    """Be the one server of a data root while the body runs, or raise Conflict."""
    handle = lockable(folder(settings) / LOCK)
    try:
        if not locked(handle, exclusive=True):
            raise Conflict(f"This data root is served already{place(read(settings))}. `serve status` says more.")
        if last := read(settings):
            logger.warning("the last server (pid %d) left without signing off", last.pid)
        yield
    finally:
        os.close(handle)


def place(running: RunningServer | None) -> str:
    """Return where a server runs, as a part of a sentence."""
    return f" at {running.url}, pid {running.pid}" if running else ""


def forget(settings: Settings) -> None:
    """Sign off."""
    (folder(settings) / RUNNING).unlink(missing_ok=True)


def is_locked(settings: Settings) -> bool:
    """Return whether a process holds the lock."""
    path = folder(settings) / LOCK
    if not path.exists():
        return False
    handle = lockable(path)
    try:
        return not locked(handle, exclusive=True)
    finally:
        os.close(handle)


def write(settings: Settings, running: RunningServer) -> None:
    files.replace(folder(settings) / RUNNING, json.dumps(asdict(running)))


def read(settings: Settings) -> RunningServer | None:
    """Return what the last server wrote of itself, which may be gone."""
    try:
        return RunningServer(**json.loads((folder(settings) / RUNNING).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def answers(running: RunningServer) -> bool:
    """Return whether who listens there is the server that wrote this: only that one can answer the challenge."""
    challenge = secrets.token_hex(32)
    told = health_at(running.url, f"?challenge={challenge}", seconds=ASK_SECONDS)
    return compare_digest(str(told.get("proof")).encode(), proof(running.nonce, challenge).encode())
