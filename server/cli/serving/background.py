"""`serve start`, `stop`, `status`, `restart`: the one server of a data root, in the background."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from server import __version__, files
from server.cli.serving import running
from server.cli.serving.running import RunningServer
from server.cli.setup.launching import arguments_of, launch
from server.db.storage.lock_holder import describe
from server.errors import Conflict, Storage
from server.models.base import encode
from server.settings import Flags, Settings, load
from server.text.display import shown
from server.web.places import identity

SHOWN_LINES = 15
START_SECONDS = 30.0
STOP_SECONDS = 5.0
LOOK_SECONDS = 0.05
DETACHED = 0x00000208  # Windows: no console, and a group of its own
STOPPED, SILENT = 3, 4  # exit codes of `status`; 0 is one that runs


def start(flags: Flags, words: Sequence[str]) -> int:
    """Start a server and return when it answers; if it does not, fail with what it said last."""
    settings = load(flags)
    if running.is_locked(settings):
        found = running.read(settings)
        raise Conflict(f"This data root is served already{running.place(found)}. `serve status` says more.")
    for line in _last_end(settings):
        print(line)
    process = _launched(settings, flags, words)
    _wait(lambda: process.poll() is not None or _is(settings, process.pid), START_SECONDS)
    if process.poll() is not None:
        raise Storage("\n".join([f"The server ended with exit code {process.returncode}.", *_tail(settings)]))
    found = running.read(settings)
    if found is None or found.pid != process.pid:
        process.terminate()
        process.wait()
        raise Storage("\n".join([f"The server did not answer within {START_SECONDS:.0f} s.", *_tail(settings)]))
    print(f"Serving {settings.database}: pid {found.pid}", f"MCP: {found.url}/mcp (with a token)", sep="\n")
    print(f"Dashboard: {found.home} (`serve open` lets a browser in)")
    print(f"Log: {identity.folder(settings) / running.LOG}")
    return 0


def stop(flags: Flags) -> int:
    """End the server that runs. What does not prove to be it is never ended."""
    settings = load(flags)
    print("Stopped." if _stopped(settings) else "No server runs.")
    return 0


def restart(flags: Flags, words: Sequence[str]) -> int:
    """End the server that runs, if one does, and start it anew, as it was started if nothing else is said."""
    settings = load(flags)
    found = running.read(settings)
    _stopped(settings)
    return start(flags, words or (found.options if found else ()))


def status(flags: Flags, *, as_json: bool) -> int:
    """Print whether a server runs, and where."""
    settings = load(flags)
    found = running.read(settings)
    if not running.is_locked(settings):
        state, code = ("crashed" if found else "stopped"), STOPPED
    else:
        state, code = ("running", 0) if found and running.answers(found) else ("silent", SILENT)
    told: dict[str, object] = {"state": state, "data_root": str(settings.data_root), "version_on_disk": __version__}
    if found:
        told |= {name: getattr(found, name) for name in ("pid", "version", "started_at", "url", "home")}
    print(encode(told) if as_json else "\n".join(_status_lines(settings, state, found)))
    return code


def _status_lines(settings: Settings, state: str, found: RunningServer | None) -> list[str]:
    if state == "stopped":
        return [f"No server runs for {shown(str(settings.data_root))}."]
    if state == "crashed":
        return _last_end(settings)
    if found is None or state == "silent":
        who = f": {describe(found.pid)}" if found else ""
        return [f"A server has the data root, and does not answer{who}. It is not ended from here.", *_tail(settings)]
    lines = [f"Running: pid {found.pid}, version {found.version}, since {found.started_at}"]
    lines += [f"MCP: {found.url}/mcp", f"Dashboard: {found.home}"]
    newer = f"On the disk is version {__version__}: `serve restart` takes it."
    return [*lines, newer] if found.version != __version__ else lines


def _stopped(settings: Settings) -> bool:
    """End the server that runs; return whether one did."""
    if not running.is_locked(settings):
        return False
    found = running.read(settings)
    if found is None or not running.answers(found):
        who = f" ({describe(found.pid)} wrote that it is it)" if found else ""
        raise Conflict(f"What has this data root does not answer as our server{who}. It was not ended.")
    with suppress(ProcessLookupError):
        os.kill(found.pid, signal.SIGTERM)
    if not _wait(lambda: not running.is_locked(settings), STOP_SECONDS):
        raise Storage(f"The server was asked to end and did not within {STOP_SECONDS:.0f} s: {describe(found.pid)}.")
    return True


def _launched(settings: Settings, flags: Flags, words: Sequence[str]) -> subprocess.Popen[bytes]:
    command = launch()
    own = [*arguments_of({**flags, "data_root": str(settings.data_root)}), "serve", running.TO_FILE, *words]
    output = identity.folder(settings) / running.OUTPUT
    files.replace(output, "")
    with output.open("ab") as said:
        return subprocess.Popen(
            [command.command, *command.args, *own],
            env={**os.environ, **command.env},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=sys.platform != "win32",
            creationflags=DETACHED if sys.platform == "win32" else 0,
        )


def _is(settings: Settings, pid: int) -> bool:
    found = running.read(settings)
    return found is not None and found.pid == pid and running.answers(found)


def _last_end(settings: Settings) -> list[str]:
    """Return what is known of a server that left without signing off."""
    found = running.read(settings)
    if found is None:
        return []
    said = f"The last server (pid {found.pid}, since {found.started_at}) left without signing off."
    return [said, *_tail(settings)]


def _tail(settings: Settings) -> list[str]:
    """Return the last lines that a server said and logged."""
    found: list[str] = []
    for name in (running.LOG, running.OUTPUT):
        with suppress(OSError):
            text = Path(identity.folder(settings), name).read_text(encoding="utf-8", errors="replace")
            found += [f"  {shown(line)}" for line in text.splitlines()[-SHOWN_LINES:]]
    return ["It said last:", *found] if found else []


def _wait(is_done: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not is_done():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_SECONDS)
    return True
