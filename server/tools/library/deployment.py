"""memory_library: definitions written into a workspace, where each client reads them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import anyio
from pydantic import BeforeValidator, Field

from server.db.audit import events
from server.db.library import definitions, deployments
from server.db.plans import phases, plans
from server.db.steps import claims
from server.db.steps.claims import StepFilter
from server.db.storage.connection import Reader
from server.errors import NotAllowed, NotFound
from server.models.events import Event
from server.models.library import DeployedFile, LibraryItem, LibraryKind
from server.models.text import Id, Line
from server.models.workspaces import Workspace
from server.text import client_files
from server.text.client_files import ClientFile
from server.text.display import number_of
from server.text.names import folded
from server.tools import library_matching
from server.tools.common import Call
from server.tools.library import client_texts
from server.tools.library.client_texts import FileChangeWanted, hash_of
from server.tools.library.tool import TOOL
from server.tools.library_matching import Wanted
from server.tools.render import MAX_BYTES, Result


def _listed(value: object) -> object:
    """Take one name for a list of one."""
    return [value] if isinstance(value, str) and not value.lstrip().startswith("[") else value


Target = Annotated[
    Literal["github", "claude", "codex", "cursor", "gemini", "opencode"],
    Field(description="github (VS Code, Copilot)|claude|codex|cursor|gemini|opencode"),
]
Kinds = Annotated[list[LibraryKind], Field(max_length=3)]
Names = Annotated[list[Line], BeforeValidator(_listed), Field(max_length=200)]
MOST_NAMED = 5  # in an error
MOST_STEPS = 20  # of a plan, whose words choose
CHANGED, FOREIGN = "somebody changed it since it was written", "somebody else wrote it"
Place = tuple[str, str]


@dataclass
class Decisions:
    """What is done with each file."""

    changes: list[FileChangeWanted] = field(default_factory=list[FileChangeWanted])
    unchanged: list[str] = field(default_factory=list[str])
    kept: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    put: list[DeployedFile] = field(default_factory=list[DeployedFile])
    forget: list[DeployedFile] = field(default_factory=list[DeployedFile])

    def keep(self, path: str, why: str) -> None:
        self.kept.append({"path": path, "why": why})


async def _written(call: Call, made: dict[str, Any]) -> Result:
    """Change the files, once what they are is stored."""
    changes = [FileChangeWanted(**one) for one in made["changes"]]
    done = await anyio.to_thread.run_sync(partial(client_texts.carry_out, made["root"], changes))
    parts = made["parts"]
    told = {"written": done.written, "removed": done.removed, "kept": [*parts.get("kept", ()), *done.kept]}
    return Result({**parts, **told} if changes else parts, max_bytes=MAX_BYTES)


@TOOL.action(
    destructive=True, takes=("force",), then=_written, aliases=("deploy_for_task", "deploy_agent_to_workspace")
)
async def deploy(
    call: Call,
    *,
    target: Target,
    kinds: Kinds | None = None,
    names: Names | None = None,
    plan_id: Id | None = None,
    dry_run: bool = False,
    remove: bool = False,
) -> dict[str, Any]:
    """Write them where a client reads them.

    All that the workspace sees, or those of `kinds` and `names`, or with plan_id those that fit the plan: agents,
    skills and instructions, in the client's own form and folders. What all clients read from one file (AGENTS.md,
    CLAUDE.md, GEMINI.md) gets a block between marks for each instruction. A file that somebody else wrote, or changed
    since, is `kept` unless force=true. Sent again it changes nothing. What was deleted from the library goes from the
    folder, too; remove=true takes away what was written. dry_run=true only says what would be done.

    Example: {"action":"deploy","target":"claude","dry_run":true}
    """
    workspace = await call.workspace(call.db, await _home(call, plan_id))
    rows = await deployments.of_workspace(call.db, workspace.workspace_id)
    items = await definitions.all_(call.db, workspace.workspace_id)
    chosen = _named(items, kinds, names)
    if plan_id is not None:
        fitting = await fitting_plan(call.db, workspace.workspace_id, plan_id, chosen)
        chosen = [one for one in chosen if (one.kind, one.name) in fitting]
    found = await anyio.to_thread.run_sync(partial(_look, workspace, rows, target, chosen))
    if remove:
        named = {(row.kind, row.name) for row in items if names is not None or plan_id or kinds is not None}
        wanted = {(row.kind, row.name) for row in chosen}
        gone = [row for row in rows if row.client == target and (not named or (row.kind, row.name) in wanted)]
        decided = _taken_away(found, rows, gone, force=call.shared.force)
    else:
        decided = _put(found, rows, force=call.shared.force)
        known = {(row.kind, row.name) for row in items}
        gone = [row for row in rows if row.client == target and (row.kind, row.name) not in known]
        _merge(decided, _taken_away(found, rows, gone, force=call.shared.force))
    parts = _parts(workspace, target, decided, found)
    if dry_run:
        return {"root": workspace.path, "changes": [], "parts": {**parts, "dry_run": True, **_would(decided)}}
    async with call.write() as tx:
        await call.workspace_id(tx, workspace.workspace_id)
        await deployments.put(tx, decided.put)
        await deployments.forget(tx, decided.forget)
        if decided.changes:
            summary = f"{number_of(len(decided.changes), 'file')} of the library changed for {target}"
            data = {"target": target, "paths": [one.shown for one in decided.changes]}
            id_ = workspace.workspace_id
            events.record(tx, Event("definitions_deployed", "workspace", id_, summary=summary, data=data))
        return {"root": workspace.path, "changes": [asdict(one) for one in decided.changes], "parts": parts}


def _would(decided: Decisions) -> dict[str, list[str]]:
    return {
        "would_write": [one.shown for one in decided.changes if one.text is not None],
        "would_remove": [one.shown for one in decided.changes if one.text is None],
    }


async def _home(call: Call, plan_id: str | None) -> str | None:
    return (await plans.require(call.db, plan_id)).workspace_id if plan_id else None


def _named(
    items: Sequence[LibraryItem], kinds: Sequence[LibraryKind] | None, names: Sequence[str] | None
) -> list[LibraryItem]:
    """Return the definitions of some kinds and names, or refuse a name that none of them has."""
    found = [row for row in items if kinds is None or row.kind in kinds]
    if names is None:
        return found
    wanted = set(map(folded, names))
    given = {folded(row.name) for row in found}
    if unknown := [name for name in dict.fromkeys(names) if folded(name) not in given]:
        raise _unknown(found, unknown, kinds or definitions.KINDS)
    return [row for row in found if folded(row.name) in wanted]


def _unknown(found: Sequence[LibraryItem], names: Sequence[str], kinds: Sequence[LibraryKind]) -> NotFound:
    near = [row for name in names for row in definitions.near(found, name)]
    told = [{"kind": row.kind, f"{row.kind}_name": row.name, "description": row.description} for row in near]
    ways = " and ".join(f"kind={kind!r}" for kind in kinds)
    return NotFound(
        f"names: there is no {' or '.join(kinds)} {', '.join(repr(name[:80]) for name in names[:MOST_NAMED])}. "
        f"memory_library action='list' with {ways} shows what there is. Nothing was changed.",
        **({"near": told[:MOST_NAMED]} if told else {}),
    )


async def fitting_plan(
    db: Reader, workspace_id: str, plan_id: str, items: Sequence[LibraryItem]
) -> set[tuple[str, str]]:
    """Return what fits a plan: by its words, by assignment, and the roles that it names."""
    plan = await plans.require(db, plan_id)
    rows = await phases.progress(db, plan_id)
    steps = await claims.eligible_in_plan(db, plan_id, limit=MOST_STEPS, wanted=StepFilter())
    words = " ".join((plan.title, *plan.goals, *(phase.name for phase in rows), *(step.task for step in steps)))
    used = {(one["kind"], one["name"]): one["notes"] for one in await definitions.assigned(db, workspace_id)}
    found = {(one.found.kind, one.found.name) for one in library_matching.fitting(items, Wanted(words), used)}
    roles = {folded(name) for phase in rows for name in phase.required_agents}
    roles |= {folded(step.assignee) for step in steps if step.assignee}
    roles |= {folded(plan.recommended_next_agent)} if plan.recommended_next_agent else set()
    return found | {("agent", row.name) for row in items if row.kind == "agent" and folded(row.name) in roles}


@dataclass(frozen=True)
class LookedAt:
    """The files of a call as they should be, by definition, and the hash of what is there, by place."""

    workspace_id: str
    client: str
    wanted: Sequence[tuple[LibraryItem, ClientFile]]
    unread: Sequence[str]
    seen: Mapping[Place, str | None]
    refused: Mapping[str, str]


def _look(workspace: Workspace, rows: Sequence[DeployedFile], target: str, chosen: Sequence[LibraryItem]) -> LookedAt:
    root = workspace.path
    if not root or not Path(root).is_dir():
        raise NotAllowed(f"The folder {root!r} of the workspace is gone, so nothing can be written to it.")
    files = [(item, client_files.written(target, item.kind, item.__dict__)) for item in chosen]
    wanted = [(item, file) for item, file in files if file]
    places = {(file.path, file.block) for _, file in wanted} | {row.place for row in rows if row.client == target}
    seen: dict[Place, str | None] = {}
    refused: dict[str, str] = {}
    for path, block in places:
        try:
            text = client_texts.part_at(root, path, block)
            seen[path, block] = None if text is None else hash_of(text)
        except (NotAllowed, OSError) as error:
            refused[path] = str(error)
    unread = [f"{item.kind} {item.name}" for item, file in files if file is None]
    return LookedAt(workspace.workspace_id, target, wanted, unread, seen, refused)


def _put(found: LookedAt, rows: Sequence[DeployedFile], *, force: bool) -> Decisions:
    """Decide what is written: what is missing, and what is as it was written before."""
    decided = Decisions()
    for item, file in found.wanted:
        place = (file.path, file.block)
        if why := found.refused.get(file.path):
            decided.keep(file.shown, why)
            continue
        known = [row for row in rows if row.place == place]
        seen, wanted = found.seen[place], hash_of(file.text)
        row = DeployedFile(
            workspace_id=found.workspace_id, client=found.client, path=file.path, block=file.block, kind=item.kind,
            name=item.name, hash=wanted, previous_hash=seen, source=item.content_hash,
        )  # fmt: skip
        if seen == wanted or any(one.hash == seen and one.source == item.content_hash for one in known):
            decided.unchanged.append(file.shown)
            if not any(one.client == found.client and one.hash == seen and one.source == row.source for one in known):
                decided.put.append(row.model_copy(update={"hash": seen, "previous_hash": None}))
        elif force or seen is None or any(seen in one.hashes for one in known):
            decided.changes.append(FileChangeWanted(file.path, file.block, file.text, seen))
            decided.put.append(row)
        else:
            decided.keep(file.shown, CHANGED if known else FOREIGN)
    return decided


def _taken_away(
    found: LookedAt, rows: Sequence[DeployedFile], gone: Sequence[DeployedFile], *, force: bool
) -> Decisions:
    """Decide what is removed: what is as it was written, and no other client reads."""
    decided = Decisions()
    for row in gone:
        seen, shown = found.seen.get(row.place), f"{row.path}#{row.block}" if row.block else row.path
        shared = any(one.place == row.place and one.client != row.client and one.hash for one in rows)
        if row.path in found.refused:
            decided.keep(shown, found.refused[row.path])
        elif seen is None or shared:
            decided.forget.append(row)
        elif force or seen in row.hashes:
            decided.changes.append(FileChangeWanted(row.path, row.block, None, seen))
            decided.put.append(row.model_copy(update={"hash": "", "previous_hash": seen}))  # it is to be gone
        else:
            decided.keep(shown, CHANGED)
            decided.forget.append(row)
    return decided


def _merge(one: Decisions, other: Decisions) -> None:
    one.changes += other.changes
    one.kept += other.kept
    one.put += other.put
    one.forget += other.forget


def _parts(workspace: Workspace, target: str, decided: Decisions, found: LookedAt) -> dict[str, Any]:
    warnings = [f"{target} reads no agents from files: {len(found.unread)} were left out."] if found.unread else []
    warnings += ["force=true replaces what is kept."] if decided.kept else []
    return {
        "workspace_id": workspace.workspace_id,
        "target": target,
        "unchanged": decided.unchanged,
        "kept": decided.kept,
        "warnings": warnings,
    }
