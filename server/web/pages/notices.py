"""What was just done, told on the page that follows, with a button that undoes it where something does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from server.tools import TOOLS
from server.web.rendering import query

WORDS = ("revoke", "reject")  # what is done by an argument, and what only a page does
DID, TOLD = "did", "did_"  # in an address: what was done, and the arguments of what undoes it


@dataclass(frozen=True)
class Undo:
    """The action that undoes another, and which of the arguments of that one it takes."""

    tool: str
    action: str
    takes: tuple[str, ...]
    also: Mapping[str, str] = field(default_factory=dict[str, str])


UNDO: Mapping[tuple[str, str], Undo] = {
    ("memory_plan", "pause_plan"): Undo("memory_plan", "resume_plan", ("plan_id",)),
    ("memory_plan", "archive"): Undo("memory_plan", "unarchive", ("plan_id",)),
    ("memory_plan", "unarchive"): Undo("memory_plan", "archive", ("plan_id",)),
    ("memory_plan", "confirm"): Undo(
        "memory_plan", "confirm", ("confirmation_scope", "plan_id", "confirm_phase", "step_id"), {"revoke": "true"}
    ),
    ("memory_program", "archive"): Undo("memory_program", "unarchive", ("program_id",)),
    ("memory_program", "unarchive"): Undo("memory_program", "archive", ("program_id",)),
    ("memory_steps", "claim"): Undo("memory_steps", "release", ("step_id",)),
}
RESTORE = Undo("memory_workspace", "restore", ("trash_id",))


def told(tool: str, action: str, sent: Mapping[str, str], found: Mapping[str, Any]) -> dict[str, str]:
    """Return what an address says of an action that was done: its name, and what undoing it takes."""
    has_trash = isinstance(found.get("trash_id"), str)
    undo = RESTORE if has_trash else UNDO.get((tool, action))
    given: Mapping[str, Any] = found if has_trash else sent
    takes = {f"{TOLD}{name}": str(given[name]) for name in undo.takes if given.get(name)} if undo else {}
    is_undone = "revoke" in sent
    return {DID: f"{tool}.{'revoke' if is_undone else action}", **({} if is_undone else takes)}


def without(address: str) -> str:
    """Return an address that tells of nothing that was done."""
    path, _, asked = address.partition("?")
    asked, _, place = asked.partition("#")
    kept = {name: value for name, value in parse_qsl(asked) if name != DID and not name.startswith(TOLD)}
    return f"{path}{'?' if kept else ''}{query(kept)}{'#' if place else ''}{place}"


def added(address: str, what: Mapping[str, str]) -> str:
    """Return an address that tells what was done."""
    parts = urlsplit(without(address))
    asked = "&".join(part for part in (parts.query, query(what)) if part)
    return parts._replace(query=asked).geturl()


def of(asked: Mapping[str, str]) -> dict[str, Any] | None:
    """Return what a page shows of what its address tells, if anything was done."""
    tool, _, action = asked.get(DID, "").partition(".")
    if tool not in TOOLS or (action not in TOOLS[tool].actions and action not in WORDS):
        return None
    given = {name.removeprefix(TOLD): value for name, value in asked.items() if name.startswith(TOLD)}
    undo = RESTORE if "trash_id" in given else UNDO.get((tool, action))
    is_there = undo is not None and bool(given) and given.keys() <= set(undo.takes)
    return {"what": action, "undo": undo if is_there else None, "fields": {**given, **undo.also} if undo else {}}
