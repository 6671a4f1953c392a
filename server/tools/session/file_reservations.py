"""memory_session: advisory leases on files, so that agents in one tree keep out of each other's way."""

import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import anyio.lowlevel
from pydantic import Field

from server.db.plans import plans
from server.db.sessions import file_reservations, sessions
from server.db.storage.connection import Transaction
from server.errors import Conflict
from server.models.base import later
from server.models.reservations import Reservation
from server.models.text import Id, Line, Seconds
from server.models.workspaces import Workspace
from server.text import globs
from server.tools.common import Call, require_actor
from server.tools.paths import absolute, expanded, inside, normal_path, outside
from server.tools.plan_rules import workspace_of
from server.tools.render import Page, reading
from server.tools.session.tool import TOOL
from server.tools.step_rules import LEASE_SECONDS, require_claimant

MOST_PATHS = 50
MOST_HELD = 200
MOST_CLASHES = 20
AT_ONCE = 8  # patterns that are compared before others get a turn
LETTERS_ALIKE = sys.platform in ("win32", "darwin")  # where src and SRC are usually one directory

Globs = Annotated[
    list[Line], Field(min_length=1, max_length=MOST_PATHS, description="globs: src/*.py, a/**/b, dir/ for all in it")
]


@TOOL.action()
async def reserve_files(
    call: Call,
    *,
    paths: Globs,
    exclusive: bool = True,
    lease_seconds: Seconds = LEASE_SECONDS,
    reason: Line | None = None,
    plan_id: Id | None = None,
    partial: bool = False,
) -> dict[str, Any]:
    """Say which files you work on, for a time.

    `paths` are globs relative to the workspace (or absolute inside it) with ?, *, **, [a-z] and {a,b}; `src/` is all
    that is in src. An advice that every agent sees, not a lock. A clash is a live reservation of someone else that can
    match the same file, if it or yours is exclusive: then nothing is reserved (conflict, with holder and end), or with
    partial=true all but the paths that clash. exclusive=false is for readers. The lease ends after lease_seconds
    (default 900); the same call renews it. memory_agent complete and handoff release what is yours, and so does
    archiving the plan (plan_id, else that of your session). Needs session_id or agent.

    Example: {"action":"reserve_files","paths":["src/parser/","tests/test_parser*.py"],"agent":"Executor"}
    """
    workspace = await workspace_of(call, call.db, plan_id)
    wanted = located(workspace, paths)
    me = call.shared.session_id or call.shared.agent or ""
    seen = await _met(wanted, await file_reservations.paths_of_others(call.db, workspace.workspace_id, me))
    async with call.write() as tx:
        holder = require_claimant(tx)
        await workspace_of(call, tx, plan_id)
        now = await file_reservations.paths_of_others(tx, workspace.workspace_id, holder)
        met = {path: seen[path] if path in seen else _those_met(wanted, path) for path in now}
        near = await file_reservations.live(tx, workspace.workspace_id, paths=[path for path in now if met[path]])
        others = [other for other in near if other.held_by != holder and (exclusive or other.exclusive)]
        clashes = [_clash(path, other) for path in wanted for other in others if path in met[other.path]]
        taken = {found["path"] for found in clashes}
        granted = [path for path in wanted if path not in taken]
        if clashes and not (partial and granted):
            raise _refusal(clashes, granted)
        mine = await file_reservations.held(tx, holder, workspace.workspace_id)
        _refuse_too_many({*mine, *granted})
        until = later(tx.now(), lease_seconds)
        await file_reservations.remove_expired(tx, workspace.workspace_id)
        await file_reservations.grant(
            tx,
            granted,
            held=mine,
            workspace_id=workspace.workspace_id,
            holder=holder,
            plan_id=plan_id or await _plan_of_session(tx),
            exclusive=exclusive,
            reason=reason,
            until=until,
        )
        return {
            "workspace_id": workspace.workspace_id,
            "held_by": holder,
            "paths": granted,
            "exclusive": exclusive,
            "lease_expires_at": until,
            "clashes": clashes,
        }


async def _met(wanted: Sequence[str], patterns: Iterable[str]) -> dict[str, set[str]]:
    """Return which of `wanted` can match a file that a pattern matches, by pattern, letting others work meanwhile."""
    found: dict[str, set[str]] = {}
    for pattern in patterns:
        found[pattern] = _those_met(wanted, pattern)
        if not len(found) % AT_ONCE:
            await anyio.lowlevel.checkpoint()
    return found


def _those_met(wanted: Sequence[str], pattern: str) -> set[str]:
    return {path for path in wanted if clash(path, pattern)}


async def _plan_of_session(tx: Transaction) -> str | None:
    session_id = tx.origin.session_id
    return (await sessions.require(tx, session_id)).plan_id if session_id else None


def clash(one: str, other: str, *, letters_alike: bool = LETTERS_ALIKE) -> bool:
    """Return whether two globs in a workspace can match one file of it."""
    if letters_alike:
        one, other = one.lower(), other.lower()
    return globs.overlap(one, other)


def _clash(path: str, other: Reservation) -> dict[str, Any]:
    told = {"path": path, "pattern": other.path, "held_by": other.held_by, "agent": other.agent}
    told |= {"until": other.lease_expires_at, "exclusive": other.exclusive, "reason": other.reason}
    return {name: value for name, value in told.items() if value is not None}


def _refusal(clashes: Sequence[dict[str, Any]], free: Sequence[str]) -> Conflict:
    first = clashes[0]
    who = f"{first['agent']} ({first['held_by']})" if "agent" in first else first["held_by"]
    more = f" and {len(clashes) - 1} more" if len(clashes) > 1 else ""
    rest = f" partial=true reserves what is free ({len(free)})." if free else ""
    return Conflict(
        f"{first['path']!r} clashes with {first['pattern']!r}, held by {who} until {first['until']}{more}; nothing was "
        "reserved. Work on other files, wait, or ask the holder (memory_session action='send_message' "
        f"to_agent={first['held_by']!r}).{rest}",
        clashes=clashes[:MOST_CLASHES],
    )


def _refuse_too_many(held: set[str]) -> None:
    if len(held) > MOST_HELD:
        raise Conflict(
            f"You would hold {len(held)} reservations; {MOST_HELD} is the most. Release what you no longer need "
            "(memory_session action='release_files'), or reserve a directory (src/) instead of its files."
        )


@TOOL.action()
async def release_files(call: Call, *, paths: Globs | None = None) -> dict[str, Any]:
    """Give up your reservations: all, or these.

    `paths` are written as they were reserved; what you do not hold is named in `not_held`. Needs session_id or agent.

    Example: {"action":"release_files","paths":["src/parser/"],"agent":"Executor"}
    """
    async with call.write() as tx:
        holder = require_actor(tx)
        workspace = await call.workspace(tx)
        wanted = located(workspace, paths) if paths else None
        released = await file_reservations.release(tx, holder, workspace_id=workspace.workspace_id, paths=wanted)
        return {
            "workspace_id": workspace.workspace_id,
            "held_by": holder,
            "released": released,
            "not_held": [path for path in wanted or () if path not in released],
        }


@TOOL.action(read_only=True, takes=("page",))
async def list_reservations(call: Call, *, paths: Globs | None = None, plan_id: Id | None = None) -> Page:
    """Who works on which files, until when.

    By path; with `paths` only those that can match a file that these match too, your own included; with plan_id those
    made for that plan.

    Example: {"action":"list_reservations","paths":["src/parser/"]}
    """
    plan = await plans.require(call.db, plan_id) if plan_id else None
    workspace = await call.workspace(call.db, plan.workspace_id if plan else None)
    wanted = located(workspace, paths) if paths else None
    live = await file_reservations.live(call.db, workspace.workspace_id, plan_id=plan_id)
    met = await _met(wanted, {row.path for row in live}) if wanted else {}
    found = [row for row in live if wanted is None or met[row.path]]
    after = [str(value) for value in call.after("reservations", 2) or ()]
    rows = [row for row in found if _position(row) > after]
    extra = {"workspace_id": workspace.workspace_id}

    def alone(row: Reservation) -> dict[str, Any]:
        return reading("memory_session list_reservations", paths=[row.path], **extra)(row)

    return Page("reservations", rows, len(found), call.shared.limit, _position, "reservations", extra, whole=alone)


def _position(row: Reservation) -> list[str]:
    return [row.path, row.held_by]


def located(workspace: Workspace, paths: Iterable[str]) -> list[str]:
    """Return globs as they are stored: relative to the workspace, each once, in the order they came."""
    return list(dict.fromkeys(_located(workspace, unicodedata.normalize("NFC", path)) for path in paths))


def _located(workspace: Workspace, text: str) -> str:
    if not expanded(text).is_absolute():
        return globs.normal(text)
    path = absolute(text, "paths")
    slash = "/" if text.endswith(("/", os.sep)) else ""
    if path.is_relative_to(workspace.folder):
        return globs.normal(path.relative_to(workspace.folder).as_posix() + slash)
    names = path.parts
    fixed = next((at for at, name in enumerate(names) if globs.SPECIAL.search(name) or name == ".."), len(names))
    home = inside(workspace, normal_path(Path(*names[:fixed])))
    if home is None:
        raise outside(workspace, text)
    return globs.normal(PurePosixPath(home, *names[fixed:]).as_posix() + slash)
