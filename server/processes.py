"""Programs that are run for an agent: an argument vector and no shell, a group that ends as a whole, bounded output.

This is no sandbox: a program does whatever its user may.
"""

import asyncio
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from server import left_behind
from server.errors import Conflict, NotAllowed, NotFound, Storage

logger = logging.getLogger(__name__)

KEPT_BYTES = 100 * 1024  # of each stream
CHUNK_BYTES = 64 * 1024
GRACE_SECONDS = 3.0  # between asking a group to end and ending it
LAST_GRACE_SECONDS = 0.3  # the same, when the server itself has to end
DRAIN_SECONDS = 1.0  # for output that is still on its way when the group is gone
MOST_RUNNING = 20
MOST_KEPT = 50  # runs whose output can still be read
MARKER = "PROJECT_MEMORY_TERMINAL"  # set in everything that is run for an agent, which is no person's terminal then
PASSED_ON = (
    "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR",
    "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "TEMP", "TMP", "USERPROFILE", "APPDATA",
    "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES",
)  # fmt: skip
# A folder with the files of a bare repository in it, which any agent can write, is none unless it is named: its
# configuration would name programs that `git status` runs. Source: git-config(1), safe.bareRepository.
GIT = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.bareRepository", "GIT_CONFIG_VALUE_0": "explicit"}
SECRET = re.compile(r"TOKEN|SECRET|PASS|CREDENTIAL|AUTH|KEY|COOKIE|SESSION|PRIVATE", re.IGNORECASE)
IS_WINDOWS = sys.platform == "win32"
NEW_GROUP = 0x200 if IS_WINDOWS else 0  # CREATE_NEW_PROCESS_GROUP


class Ring:
    """The last bytes of a stream, and how many there were."""

    def __init__(self, most: int = KEPT_BYTES) -> None:
        self._most = most
        self._data = bytearray()
        self._lock = threading.Lock()
        self.total = 0

    def add(self, data: bytes) -> None:
        with self._lock:
            self.total += len(data)
            self._data += data
            if len(self._data) > 2 * self._most:
                del self._data[: -self._most]

    def since(self, offset: int, most: int) -> tuple[int, str, int]:
        """Return where what is left of a stream from `offset` on begins, up to so many bytes of it, and its end."""
        with self._lock:
            first = self.total - min(len(self._data), self._most)
            start = min(max(offset, first), self.total)
            at = len(self._data) - (self.total - start)
            data = bytes(self._data[at : at + most])
        if start + len(data) < self.total:
            data = _whole_characters(data)
        return start, data.decode("utf-8", "replace"), start + len(data)

    def tail(self, most: int) -> tuple[int, str, int]:
        """Return the last bytes in the same way."""
        return self.since(self.total - most, most)


def _whole_characters(data: bytes) -> bytes:
    """Return bytes without a character at the end that goes on behind them."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte >= 0xC0:  # the first of a character
            needed = 2 + (byte >= 0xE0) + (byte >= 0xF0)
            return data[:-back] if back < needed and len(data) > back else data
        if byte < 0x80:
            break
    return data


@dataclass
class Running:
    """A program that runs or ran, in a group of processes of its own."""

    run_id: str
    process: "subprocess.Popen[bytes]"
    done: asyncio.Event
    began: float = field(default_factory=time.monotonic)
    out: Ring = field(default_factory=Ring)
    err: Ring = field(default_factory=Ring)
    exit_code: int | None = None
    ended_by: str | None = None  # "killed", "timeout", "server_end"
    seconds: float = 0.0
    _asked: threading.Lock = field(default_factory=threading.Lock)
    _waiting: threading.Lock = field(default_factory=threading.Lock)
    _is_reaped: bool = False

    @property
    def elapsed(self) -> float:
        return self.seconds if self.is_over else time.monotonic() - self.began

    @property
    def is_over(self) -> bool:
        return self.done.is_set()

    def end(self, why: str, grace: float = GRACE_SECONDS) -> bool:
        """Ask the group to end, and end it after the grace; return whether this is what ends it."""
        with self._asked:
            if self.ended_by or self.exit_code is not None:
                return False
            self.ended_by = why
        threading.Thread(target=self._end, args=(grace,), name=f"end of {self.run_id}", daemon=True).start()
        return True

    def _end(self, grace: float) -> None:
        self.signal(gently=True)
        deadline = time.monotonic() + grace
        while time.monotonic() < deadline and self.exit_code is None:
            time.sleep(0.02)
        if self.exit_code is None:
            self.signal(gently=False)
        left_behind.end([self.run_id])

    def signal(self, *, gently: bool) -> None:
        """Reach every process of the group, as long as its number is sure to be its own."""
        with self._waiting:
            if self._is_reaped:
                return
            if IS_WINDOWS:
                _end_tree(self.process.pid, gently)
                return
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGTERM if gently else signal.SIGKILL)

    def reap(self) -> None:
        """Take the exit code of a first process that is over."""
        with self._waiting:
            code = self.process.wait()
            self._is_reaped = True
        self.seconds = time.monotonic() - self.began
        self.exit_code = code


def _end_tree(pid: int, gently: bool) -> None:
    """End a process and those it started, which Windows has no group for."""
    if not gently:
        tool = str(Path(os.environ.get("SYSTEMROOT", "C:\\Windows"), "System32", "taskkill.exe"))
        subprocess.run([tool, "/T", "/F", "/PID", str(pid)], check=False, capture_output=True)


class Processes:
    """The programs that one server runs."""

    def __init__(self) -> None:
        self._known: dict[str, Running] = {}
        self._followed: set[asyncio.Task[None]] = set()
        self._started: set[str] = set()  # what left the group of one may still be there when that is over
        self._is_over = False

    def start(self, run_id: str, vector: Sequence[str], program: str, cwd: str, env: Mapping[str, str]) -> Running:
        """Start a program; it has no input."""
        if self._is_over:
            raise Conflict("The server ends: nothing is started any more.")
        if sum(not run.is_over for run in self._known.values()) >= MOST_RUNNING:
            raise Conflict(f"{MOST_RUNNING} programs run already. Wait for one, or end one with action='kill'.")
        try:
            process = subprocess.Popen(
                list(vector), executable=program, cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, close_fds=True,
                start_new_session=not IS_WINDOWS, creationflags=NEW_GROUP,
            )  # fmt: skip
        except OSError as error:
            raise Storage(f"{vector[0]!r} cannot be started: {error.strerror}.") from error
        run = Running(run_id, process, asyncio.Event())
        self._known[run_id] = run
        self._started.add(run_id)
        loop = asyncio.get_running_loop()
        threading.Thread(target=_watch, args=(run, loop), name=run_id, daemon=True).start()
        self._forget()
        return run

    def _forget(self) -> None:
        over = [run_id for run_id, run in self._known.items() if run.is_over]
        for run_id in over[: max(len(self._known) - MOST_KEPT, 0)]:
            del self._known[run_id]

    def find(self, run_id: str) -> Running | None:
        return self._known.get(run_id)

    @property
    def running(self) -> list[Running]:
        return [run for run in self._known.values() if not run.is_over]

    def end_all(self) -> None:
        """End everything, soon: the server ends."""
        self._is_over = True
        for run in self.running:
            run.end("server_end", LAST_GRACE_SECONDS)
        self.end_left_behind()

    def end_left_behind(self) -> None:
        """End what left its group, but for what still runs in one and has its time to end."""
        left_behind.end(self._started - {run.run_id for run in self.running})

    def follow(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Have something done beside the call that began it."""
        task = asyncio.create_task(work)
        self._followed.add(task)
        task.add_done_callback(self._followed.discard)
        return task

    async def settle(self) -> None:
        """Wait until nothing runs any more, and until that is stored."""
        while self._followed:
            await asyncio.wait(self._followed)


def _watch(run: Running, loop: asyncio.AbstractEventLoop) -> None:
    """Read what a program says until it is over, then end what it left behind in its group."""
    assert run.process.stdout
    assert run.process.stderr
    readers = [
        threading.Thread(target=_read, args=(stream, ring), name=f"output of {run.run_id}", daemon=True)
        for stream, ring in ((run.process.stdout, run.out), (run.process.stderr, run.err))
    ]
    for reader in readers:
        reader.start()
    _wait_for_first(run)
    deadline = time.monotonic() + DRAIN_SECONDS
    for reader in readers:
        reader.join(max(deadline - time.monotonic(), 0))
    run.reap()
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(run.done.set)


def _wait_for_first(run: Running) -> None:
    """Wait until the first process of a group is over, and end the others before its number is anybody else's."""
    if IS_WINDOWS or not hasattr(os, "waitid"):
        run.process.wait()  # a group that has members keeps its number; one without is told to end in vain
    else:
        with suppress(ChildProcessError):
            os.waitid(os.P_PID, run.process.pid, os.WEXITED | os.WNOWAIT)
    run.signal(gently=False)


def _read(stream: IO[bytes], ring: Ring) -> None:
    with stream, suppress(OSError, ValueError):
        while data := os.read(stream.fileno(), CHUNK_BYTES):
            ring.add(data)


def environment(environ: Mapping[str, str], workspace: str, run_id: str) -> dict[str, str]:
    """Return the few variables that a program gets: none that looks like a secret, and the marks of its run."""
    passed = {name: value for name, value in environ.items() if _is_passed_on(name.upper())}
    ours = {"PATH": search_path(environ, workspace), "TERM": "dumb", MARKER: "1", left_behind.MARK: run_id}
    return {**passed, **GIT, **ours}


def _is_passed_on(name: str) -> bool:
    known = name in PASSED_ON or (name.startswith("LC_") and "LC_*" in PASSED_ON)
    return known and not SECRET.search(name)


def search_path(environ: Mapping[str, str], workspace: str) -> str:
    """Return where programs are looked for: in no folder that depends on where one is, nor in the project."""
    folders = environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if Path(folder).is_absolute() and not _is_in(folder, workspace))


def entrance(folder: Path, handle: int | None) -> str:
    """Return how a program comes to run in a folder that is open, whatever its path leads to by then."""
    told = Path(f"/proc/self/fd/{handle}")
    return str(told if handle is not None and told.exists() else folder)


def _is_in(path: str, folder: str) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(folder)


def found_program(name: str, cwd: str, path: str, workspace: str) -> str:
    """Return the file that a program's name stands for; one without a slash is looked for on the path alone."""
    if "/" in name or (IS_WINDOWS and "\\" in name):
        found = shutil.which(str(Path(cwd, name)))
    elif IS_WINDOWS:  # it looks into the current folder first, which is the project's perhaps
        places = (shutil.which(str(Path(folder, name))) for folder in path.split(os.pathsep))
        found = next(filter(None, places), None)
    else:
        found = shutil.which(name, path=path)
    if found is None or ("/" not in name and _is_in(found, workspace)):  # a link on the path may lead into the project
        raise NotFound(
            f"There is no program {name[:200]!r}. One of the project is named by its path, such as .venv/bin/pytest."
        )
    if IS_WINDOWS and found.lower().endswith((".bat", ".cmd")):
        raise NotAllowed(f"{name[:200]!r} is a batch file, which Windows gives to a shell. Name the program it starts.")
    return found
