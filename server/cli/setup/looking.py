"""What an editor's file says of this server, and what it would say after `setup`. Nothing is written here."""

import json
import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from server.cli.setup.editors import Editor, Entry, Machine, Scope
from server.cli.setup.launching import LaunchCommand, settings_in
from server.cli.setup.reaching import Reach, reach_of
from server.confined.folder import place_of
from server.errors import ProjectMemoryError
from server.settings import Flags
from server.text.editing import jsonc, toml_tables

State = Literal[
    "not there", "would add", "up to date", "differs", "cannot be read", "would remove", "nothing to remove",
    "added", "updated", "removed", "failed",
]  # fmt: skip
LARGEST = 64 * 1024 * 1024
# How an entry of any client starts or reaches a server. What else stands in it is the choice of whoever set it.
HOW = {
    "command", "args", "type", "transport", "source", "url", "httpUrl", "serverUrl", "headers", "http_headers",
    "env_http_headers", "bearer_token_env_var", "oauth",
}  # fmt: skip
VARIABLES = ("env", "environment")
OURS = "PYTHONPATH"  # the variable that only setup gives an entry


class BadEntries(ValueError):
    """A file is none that setup can edit; the message says why, for people."""


@dataclass(frozen=True)
class SetupJob:
    """What a run of `setup` is to do."""

    machine: Machine
    scope: Scope
    name: str
    start: LaunchCommand
    flags: Flags
    removes: bool = False
    reach: Reach | None = None


@dataclass(frozen=True)
class EditorLook:
    """What became of one editor, or would: `old` and `new` are its file before and after, None for no file."""

    editor: Editor
    file: Path
    state: State
    why: str = ""
    old: str | None = None
    new: str | None = None
    found: object = None
    wanted: Entry = field(default_factory=dict[str, object])
    commands: Sequence[Sequence[str]] = ()
    notes: Sequence[str] = ()
    backup: Path | None = None

    @property
    def reach(self) -> Reach | None:
        """How the entry that is wanted reaches a server that is elsewhere."""
        return reach_in(self.editor, self.wanted)


@dataclass(frozen=True)
class Checked:
    """What became of the entry of one client, when it was tried."""

    editor: Editor
    is_good: bool
    state: str
    told: str

    def payload(self) -> dict[str, object]:
        return {"client": self.editor.name, "ok": self.is_good, "state": self.state, "told": self.told}


@dataclass(frozen=True)
class Instructed:
    """What became of a file, or of the agents and skills for one client."""

    name: str
    state: str
    told: str = ""
    kept: Sequence[Mapping[str, str]] = field(default_factory=list[Mapping[str, str]])

    def payload(self) -> dict[str, object]:
        return {"name": self.name, "state": self.state, "told": self.told, "kept": list(self.kept)}


def look(editor: Editor, job: SetupJob, *, is_named: bool) -> EditorLook:
    """Return how it stands with an editor; one that is named counts as one that is there."""
    file = _file(editor, job)
    fresh = fresh_like(editor, None, job)
    try:
        old = text_of(file, job)
        found = _entry(editor, job, old)
        wanted = merged(editor, found, job)
        if job.removes:
            state: State = "nothing to remove" if found is None else "would remove"
        elif found is None:
            state = "would add" if is_named or is_there(editor, job) else "not there"
        else:
            state = "up to date" if is_same(editor, found, wanted) and not _lacks_token(editor, wanted) else "differs"
        is_done = state in ("up to date", "nothing to remove")
        commands = _commands(editor, job, found, wanted) if _has_command(editor, job) and not is_done else ()
        new = old if is_done or _has_command(editor, job) else _edited(editor, job, old or "", wanted)
    except (OSError, ValueError, ProjectMemoryError) as error:
        why = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        return EditorLook(editor, file, "cannot be read", why, wanted=fresh)
    why = _why(editor, found) if state == "differs" else ""
    return EditorLook(editor, file, state, why, old, new, found, wanted, commands, _notes(editor, job))


def is_there(editor: Editor, job: SetupJob) -> bool:
    """Return whether an editor is on this machine, or used in this project."""
    if any(job.machine.at(sign).exists() for sign in editor.signs_of(job.scope, job.machine.platform)):
        return True
    return job.scope == "user" and any(found_program(one, job.machine) for one in editor.programs)


def found_program(name: str, machine: Machine) -> str | None:
    return shutil.which(name, path=machine.environ.get("PATH", os.defpath))


def text_of(file: Path, job: SetupJob) -> str | None:
    """Return the text of an editor's file with its line ends, None if there is none."""
    if job.scope == "project":
        place_of(os.path.realpath(job.machine.project), file.relative_to(job.machine.project).as_posix())
    try:
        handle = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        return None
    with os.fdopen(handle, "rb") as source:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise BadEntries("it is no file")
        if found.st_size > LARGEST:
            raise BadEntries(f"it has more than {LARGEST} bytes")
        try:
            return source.read().decode("utf-8")
        except UnicodeDecodeError as error:
            raise BadEntries("it is no UTF-8 text") from error


def is_same(editor: Editor, found: object, wanted: Entry) -> bool:
    """Return whether two entries say the same, but for what the editor adds by itself."""
    if not isinstance(found, dict):
        return False
    return _canonical({**editor.usual, **cast(Entry, found)}) == _canonical({**editor.usual, **wanted})


def started_by(found: object) -> list[str]:
    """Return the command of an entry and its arguments; none if it has no such form."""
    if not isinstance(found, dict):
        return []
    entry = cast(Mapping[str, object], found)
    command, args = entry.get("command"), entry.get("args", [])
    words = [*(cast(list[object], command) if isinstance(command, list) else [command])]
    words += cast(list[object], args) if isinstance(args, list) else []
    return cast(list[str], words) if all(isinstance(word, str) for word in words) else []


def fresh_like(editor: Editor, found: object, job: SetupJob) -> Entry:
    """Return what setup writes where nothing is yet, with the settings that an entry of ours has."""
    if reach := _wanted_reach(reach_in(editor, found), job.reach):
        assert editor.reached
        return editor.reached(reach)
    kept = settings_in(started_by(found)) or {}
    return editor.entry(job.start.with_settings({**kept, **job.flags}))


def merged(editor: Editor, found: object, job: SetupJob) -> Entry:
    """Return the entry that is to stand there: with what a person set in one of ours, and nothing of another's."""
    fresh = fresh_like(editor, found, job)
    if not _is_ours(editor, found):
        return fresh
    old = cast(Entry, found)
    kept = {key: value for key, value in old.items() if key not in HOW and key not in VARIABLES}
    if reach_in(editor, fresh):
        return {**fresh, **kept}
    variables = {key: _variables(old.get(key), fresh.get(key)) for key in VARIABLES if key in fresh or key in old}
    return {**fresh, **kept, **{key: value for key, value in variables.items() if value or key in fresh}}


def reach_in(editor: Editor, entry: object) -> Reach | None:
    """Return how an entry of ours reaches a server that is elsewhere; None for one that starts it, or another's."""
    return reach_of(entry, editor.reference) if editor.reached else None


def _lacks_token(editor: Editor, entry: Entry) -> bool:
    reach = reach_in(editor, entry)
    return reach is not None and reach.lacks_token


def _wanted_reach(known: Reach | None, wanted: Reach | None) -> Reach | None:
    """Return what an entry is to say: what it says already, if nothing else is asked for."""
    if known and wanted and wanted.lacks_token and not known.lacks_token and wanted.url == known.url:
        return known
    return wanted or known


def _is_ours(editor: Editor, found: object) -> bool:
    return settings_in(started_by(found)) is not None or reach_in(editor, found) is not None


def _variables(old: object, new: object) -> dict[str, object]:
    kept = cast(Entry, old) if isinstance(old, dict) else {}
    return {**{key: value for key, value in kept.items() if key != OURS}, **cast(Entry, new or {})}


def _file(editor: Editor, job: SetupJob) -> Path:
    """Return the file that is meant: the one with an entry of ours, or one that exists, or the first."""
    files = [job.machine.at(place) for place in editor.places(job.scope, job.machine.platform)]
    there = [file for file in files if os.path.lexists(file)]
    for file in there if len(there) > 1 else ():
        try:
            if _entry(editor, job, text_of(file, job)) is not None:
                return file
        except (OSError, ValueError, ProjectMemoryError):
            continue
    return (there or files)[0]


def _entry(editor: Editor, job: SetupJob, text: str | None) -> object:
    """Return the entry under our name, None if there is none."""
    syntax = toml_tables if editor.is_toml else jsonc
    content: Any = syntax.read(text or "")
    for key in (editor.key, job.name):
        if content is None:
            return None
        if not isinstance(content, dict):
            raise BadEntries(f"what should hold {key!r} is no object")
        content = cast(dict[str, Any], content).get(key)
    return content


def _edited(editor: Editor, job: SetupJob, old: str, wanted: Entry) -> str:
    """Return a file with the entry or without it, once it is sure that it says the same as before in all else."""
    syntax = toml_tables if editor.is_toml else jsonc
    path = (editor.key, job.name)
    new = syntax.without_member(old, path) if job.removes else syntax.with_member(old, path, wanted)
    before, after = (cast(dict[str, Any], syntax.read(text)) for text in (old, new))
    servers = {**before.get(editor.key, {}), job.name: wanted}
    if job.removes:
        del servers[job.name]
    said = {**after, editor.key: after.get(editor.key, {})}
    if _canonical(said) != _canonical({**before, editor.key: servers}):
        raise BadEntries("it is written in a way that setup does not edit")
    return new


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=repr)


def _has_command(editor: Editor, job: SetupJob) -> bool:
    return bool(editor.command) and job.scope == "user"


def _commands(editor: Editor, job: SetupJob, found: object, wanted: Entry) -> list[list[str]]:
    """Return the commands that do it where only the client's own may: as they are for `claude mcp`."""
    remove = [editor.command, "mcp", "remove", "--scope", "user", job.name]
    if job.removes:
        return [remove]
    add = adding(editor, job.name, wanted)
    return [add] if found is None else [remove, add]


def adding(editor: Editor, name: str, wanted: Entry) -> list[str]:
    """Return a client's own command for a new entry."""
    if reach := reach_in(editor, wanted):
        header = f"Authorization: {reach.headers(editor.reference)['Authorization']}"
        words = ["--transport", "http", "--scope", "user", name, reach.url, "--header", header]
        return [editor.command, "mcp", "add", *words]
    variables = cast(dict[str, str], wanted.get("env", {}))
    told = [word for variable, value in variables.items() for word in ("--env", f"{variable}={value}")]
    return [editor.command, "mcp", "add", *told, "--scope", "user", name, "--", *started_by(wanted)]


def _why(editor: Editor, found: object) -> str:
    if _is_ours(editor, found):
        return "an entry of another version or with other settings"
    words = " ".join(started_by(found))
    return f"it starts something else: {words}" if words else "it is no command"


def _notes(editor: Editor, job: SetupJob) -> tuple[str, ...]:
    if job.scope == "project" and not job.removes and not job.reach:
        return ("The path in it is this machine's: who shares the project runs setup for theirs.",)
    if job.reach and job.reach.variable:
        return (f"Set {job.reach.variable} to a token (`serve token add`) where the client starts.",)
    return ()
