"""memory_workspace: editor workspaces that show of a project what a plan is about."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from anyio.to_thread import run_sync
from pydantic import Field

from server.confined.changes import PreparedChange
from server.confined.folder import OpenFolder, Parts, translated
from server.db.audit import events
from server.db.plans import plans
from server.errors import Conflict, InvalidArguments, NotAllowed, NotFound, ProjectMemoryError, TooLarge
from server.models.base import timestamp
from server.models.events import Event
from server.models.text import Id, Line, Lines, Text
from server.text import code_workspaces
from server.text.code_workspaces import SUFFIX, Focus
from server.text.ignore_rules import VENDORED
from server.text.names import is_device
from server.tools.common import Call
from server.tools.identity import FOLDER, own_folder
from server.tools.project_files import file_changes
from server.tools.project_files.places import Root, root_of
from server.tools.render import Page
from server.tools.workspace.tool import TOOL

HOME = (FOLDER, "workspaces")
UP = "../.."  # from there to the project folder
LARGEST = 1024 * 1024
MOST_LEFT_OUT = 1000
ODD = re.compile(r"[^\w.-]+")
NAME = re.compile(r"[\w-][\w .-]{0,150}")

Allowed = Annotated[Lines, Field(max_length=200)]
PathOfBase = Annotated[Text, Field(max_length=4096)]


@dataclass(frozen=True)
class Shown:
    """What of a project is shown, and what of it is left out, by paths."""

    directories: list[str]
    files: list[str]
    rest: list[str]


@TOOL.action(then=file_changes.carry_out)
async def generate_focused_workspace(
    call: Call,
    *,
    plan_id: Id,
    files_allowed: Allowed | None = None,
    directories_allowed: Allowed | None = None,
    base_workspace_path: PathOfBase | None = None,
    output_filename: Line | None = None,
) -> dict[str, Any]:
    """Write a VS Code workspace that shows what a plan needs.

    .projectmemory/workspaces/<plan_id>.code-workspace, or output_filename there. With directories_allowed these are its
    folders; with files_allowed outside of them the project folder is, and all else in it is hidden and not searched;
    without either it shows the whole project. Directories have to exist, files need not yet. Of base_workspace_path,
    a .code-workspace file of the project, everything but its folders is taken over. Sent again it changes nothing;
    another call replaces the file, but one that somebody else wrote or changed is a conflict: take another name. This
    limits nobody: it is a view for people, not a fence for agents.

    Example: {"action":"generate_focused_workspace","plan_id":"plan_1rqewqexykb7","directories_allowed":["src"]}
    """
    plan = await plans.require(call.db, plan_id)
    root = await root_of(call, workspace_id=plan.workspace_id)
    label = (await call.workspace(call.db, plan.workspace_id)).label
    shown = await run_sync(_shown, root, directories_allowed or (), files_allowed or ())
    base = await run_sync(_base, root, base_workspace_path) if base_workspace_path else {}
    focus = Focus(plan.plan_id, shown.directories, shown.files)
    text = code_workspaces.made(focus, label, UP, base=base, rest=shown.rest, vendored=sorted(VENDORED))
    change = call.ending.enter_context(
        PreparedChange(root.path, (*HOME, _name(output_filename or ODD.sub("-", plan.plan_id))))
    )
    is_same = await run_sync(_ready, call, change, text)
    path = "/".join(change.path)
    told = {"workspace_id": root.workspace_id, **focus.as_json, "path": path}
    told["workspace_file_path"] = str(Path(root.path, *change.path))
    async with call.write() as tx:
        await call.workspace_id(tx, root.workspace_id)
        if is_same:
            return {**told, "unchanged": True}
        await file_changes.decide(call, tx, change, root.workspace_id)
        data = {"path": path, **focus.as_json}
        summary = f"Editor workspace {path} shows what {plan.title!r} needs"
        events.record(
            tx, Event("workspace_scope_changed", "workspace", root.workspace_id, None, plan.plan_id, summary, data)
        )
        return told


def _name(told: str) -> str:
    """Return the name of a file of ours, which has no folder in it."""
    name = told if told.endswith(SUFFIX) else f"{told}{SUFFIX}"
    if not NAME.fullmatch(name) or is_device(name):
        raise InvalidArguments(
            f"output_filename {told[:200]!r} is no plain file name: letters, digits, '.', '-', '_', spaces, no folder. "
            f"It is written to {'/'.join(HOME)}/."
        )
    return name


def _shown(root: Root, directories: Sequence[str], files: Sequence[str]) -> Shown:
    """Return what is shown, each once and nothing that is inside of something else, and what is left out then."""
    found = {text: root.place(text) for text in (*directories, *files)}
    kinds = {text: _kind(root, parts) for text, parts in found.items()}
    problems = [f"{text!r} is no directory of the project" for text in directories if kinds[text] != "directory"]
    problems += [f"{text!r} is a directory" for text in files if kinds[text] == "directory"]
    if problems:
        raise InvalidArguments(
            f"{'; '.join(problems[:20])}. directories_allowed names directories that are there, files_allowed files."
        )
    folders = _outermost(found[text] for text in directories)
    single = sorted({found[text] for text in files if not _is_in(found[text], folders)})
    if () in folders:
        folders = []
    rest = _rest(root, [*folders, *single]) if single else []
    return Shown(["/".join(parts) for parts in folders], ["/".join(parts) for parts in single], rest)


def _kind(root: Root, parts: Parts) -> str | None:
    path = Path(root.path, *parts)
    return "directory" if path.is_dir() else "file" if path.exists() else None


def _outermost(found: Iterable[Parts]) -> list[Parts]:
    kept: list[Parts] = []
    for parts in sorted(set(found)):
        if not _is_in(parts, kept):
            kept.append(parts)
    return kept


def _is_in(parts: Parts, folders: Iterable[Parts]) -> bool:
    return any(parts[: len(folder)] == folder for folder in folders)


def _rest(root: Root, shown: Sequence[Parts]) -> list[str]:
    """Return what is beside the ways to what is shown: by its path, the topmost of it."""
    ways = {parts[:end] for parts in shown for end in range(len(parts))}
    left_out: list[str] = []
    for way in sorted(ways):
        try:
            with OpenFolder.opened(root.path, way) as folder:
                names = folder.names()
        except NotFound:  # of a file that is not there yet
            continue
        beside = [(*way, name) for name in names if (*way, name) not in ways and (*way, name) not in shown]
        left_out += ["/".join(parts) for parts in beside if parts[-1].isprintable()]
    if len(left_out) > MOST_LEFT_OUT:
        raise TooLarge(
            f"More than {MOST_LEFT_OUT} entries stand beside these files. Name the directories they are in instead."
        )
    return left_out


def _base(root: Root, path: str) -> dict[str, Any]:
    parts = root.file(path, writing=False)
    shown = "/".join(parts)
    if not shown.endswith(SUFFIX):
        raise NotAllowed(f"base_workspace_path {path[:200]!r} has to end in {SUFFIX}.")
    try:
        return code_workspaces.read(_text(root, parts))
    except (ValueError, RecursionError) as error:
        raise InvalidArguments(f"{shown!r} is no workspace file of VS Code: it is no JSON object.") from error


def _text(root: Root, parts: Parts) -> str:
    with OpenFolder.opened(root.path, parts[:-1]) as home, home.reading(parts[-1]) as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise TooLarge(f"{'/'.join(parts)!r} is larger than {LARGEST} bytes, which no workspace file has to be.")
    return data.decode()


def _ready(call: Call, change: PreparedChange, text: str) -> bool:
    """Make ready that the file is written, and return whether it says so already."""
    if len(text.encode()) > LARGEST:
        raise TooLarge(f"The file would be larger than {LARGEST} bytes. Nothing was written; name less.")
    with translated(FOLDER):
        if own_folder(change.root) is None:
            raise NotAllowed(f"{FOLDER} is a symbolic link in this project. Remove the link; nothing was written.")
    change.make_folders(HOME)
    change.put([text.encode()], file_changes.new_store(call.settings))
    if change.kept is None:
        return False
    if change.kept.sha256 == change.left:
        change.forget()
        return True
    if not _is_ours(change.kept.content or b""):
        raise Conflict(
            f"{'/'.join(change.path)!r} was written or changed by somebody else. Nothing was written. Name another "
            "output_filename, or ask your user to remove that file."
        )
    change.kept = None  # the call that wrote it makes it anew
    return False


def _is_ours(content: bytes) -> bool:
    """Return whether nobody changed a file since it was written here."""
    try:
        return code_workspaces.opened(content.decode()).is_untouched
    except (ValueError, RecursionError):
        return False


@TOOL.action(read_only=True, takes=("page",))
async def list_focused_workspaces(call: Call, *, plan_id: Id | None = None) -> Page:
    """The editor workspaces that were written, by name.

    With plan_id those of one plan. `changed` are those that somebody changed since, or wrote.

    Example: {"action":"list_focused_workspaces","plan_id":"plan_1rqewqexykb7"}
    """
    plan = await plans.require(call.db, plan_id) if plan_id else None
    root = await root_of(call, workspace_id=plan.workspace_id if plan else None)
    rows = await run_sync(_listed, root, plan.plan_id if plan else None)
    after, limit = call.after("focused_workspaces", 1), call.shared.limit
    rest = [row for row in rows if after is None or [row["path"]] > after]
    extra = {"workspace_id": root.workspace_id}
    return Page("files", rest[: limit + 1], len(rows), limit, lambda row: [row["path"]], "focused_workspaces", extra)


def _listed(root: Root, plan_id: str | None) -> list[dict[str, Any]]:
    try:
        with OpenFolder.opened(root.path, HOME) as home:
            names = [name for name in home.names() if name.endswith(SUFFIX)]
    except NotFound:
        return []
    found = [_told(root, (*HOME, name)) for name in names]
    return [row for row in found if plan_id is None or row.get("plan_id") == plan_id]


def _told(root: Root, parts: Parts) -> dict[str, Any]:
    """Return what a file is for, as far as it says so."""
    told: dict[str, Any] = {"path": "/".join(parts), "workspace_file_path": str(Path(root.path, *parts))}
    try:
        found = code_workspaces.opened(_text(root, parts))
        with OpenFolder.opened(root.path, HOME) as home:
            changed_at = home.stat(parts[-1]).st_mtime
    except (ProjectMemoryError, OSError, ValueError, RecursionError):
        return {**told, "problem": "it cannot be read"}
    told["updated_at"] = timestamp(datetime.fromtimestamp(changed_at, UTC))
    focus: Mapping[str, Any] = found.focus or {}
    return {**told, **focus, **({} if found.is_untouched else {"changed": True})}
