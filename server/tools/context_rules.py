"""What context items hang on, and what storing one over another leaves."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from server.db.audit import events
from server.db.context import context_items
from server.db.context.context_items import Key, ParentLocation, Slot
from server.db.plans.plans import check_version
from server.db.sessions import sessions
from server.db.storage.connection import Reader, Transaction
from server.db.workspaces import workspaces
from server.errors import Conflict, InvalidArguments, ProjectMemoryError, TooLarge
from server.models.base import encode, later, new_id
from server.models.context import ContextItem, NewItem, Parent, ParentType, Stored, combine
from server.models.events import Event
from server.models.text import VALUE_BYTES
from server.tools.common import Call
from server.tools.render import size_of
from server.tools.rules import program_rules
from server.tools.wording import completed

Told = tuple[ParentType, str | None, str | None]  # parent_type, parent_id, plan_id
Problems = list[tuple[int, ProjectMemoryError]]


@dataclass(frozen=True)
class ItemToStore:
    """An item to store, on a parent. `plan_id` is the plan that the parent must belong to, if one was named."""

    parent: Parent
    plan_id: str | None
    item: NewItem

    @property
    def key(self) -> Key:
        return self.parent.parent_type, self.parent.parent_id, self.item.type


async def named_parent(call: Call, db: Reader, told: Told, home: str | None = None) -> Parent:
    """Return the parent that the arguments name, or that stands to reason: own workspace, plan, session, name."""
    kind, parent_id, plan_id = told
    if kind == "plan" and parent_id and plan_id and parent_id != plan_id:
        raise InvalidArguments(f"parent_id {parent_id!r} and plan_id {plan_id!r} name two plans. Send one of them.")
    match kind:
        case "workspace":
            found = await workspaces.require(db, parent_id) if parent_id else None
            named = found.workspace_id if found else home or await call.workspace_id(db)
        case "plan":
            named = parent_id or plan_id or await own_plan(call, db)
        case "session":
            named = parent_id or call.shared.session_id
        case "agent":
            named = parent_id or await own_name(call, db)
        case _:
            named = parent_id
    if named:
        return Parent(parent_type=kind, parent_id=named)
    wanted = "plan_id" if kind == "plan" else "parent_id"
    other = ", or another parent_type" if kind == "plan" else ""
    raise InvalidArguments(f"parent_type={kind!r} needs {wanted}{other}: which {kind} is it?", missing=[wanted])


async def own_plan(call: Call, db: Reader) -> str | None:
    """Return the plan of the caller's session."""
    return (await sessions.require(db, call.shared.session_id)).plan_id if call.shared.session_id else None


async def own_name(call: Call, db: Reader) -> str | None:
    """Return the name of the caller, by its session or as it says."""
    if call.shared.session_id:
        return (await sessions.require(db, call.shared.session_id)).agent
    return call.shared.agent


async def place(call: Call, db: Reader, parent: Parent, plan_id: str | None) -> ParentLocation:
    """Return where an existing parent is, once it agrees with the workspace and plan that were named."""
    home = await call.workspace_id(db) if parent.parent_type == "agent" else None
    found = await context_items.place(db, parent, workspace_id=home)
    _check_plan(parent, found, plan_id)
    await seen(call, db, parent, found.workspace_id)
    return found


async def seen(call: Call, db: Reader, parent: Parent | ContextItem, workspace_id: str) -> str:
    """Return the workspace of a call on what is in `workspace_id`; a program is seen from others too."""
    if parent.parent_type == "program":
        return await program_rules.place(call, db, parent.parent_id, workspace_id)
    return await call.workspace_id(db, workspace_id)


def _check_plan(parent: Parent, found: ParentLocation, plan_id: str | None) -> None:
    if plan_id not in (None, found.plan_id):
        of = f"of the plan {found.plan_id!r}" if found.plan_id else "of no plan"
        raise Conflict(f"{parent} is {of}, not of {plan_id!r}. Leave out plan_id.")


async def chosen(
    call: Call,
    db: Reader,
    item_id: str | None,
    item_type: str | None,
    told: Told,
) -> ContextItem:
    """Return the item that `item_id`, or a type and a parent, name."""
    if item_id:
        item = await context_items.get(db, item_id)
        kind, parent_id, plan_id = told
        _agree(item, item_type, parent_id or (plan_id if kind == "plan" else None))
        await seen(call, db, item, item.workspace_id)
        return item
    assert item_type is not None  # the registry refuses a call that names neither
    parent = await named_parent(call, db, told)
    home = await call.workspace_id(db) if parent.parent_type == "agent" else None
    item = await context_items.find(db, parent, item_type, workspace_id=home)
    if item is None or (told[2] and told[0] != "plan"):
        home = (await place(call, db, parent, told[2])).workspace_id
    if item is None:
        raise await context_items.no_such_type(db, parent, item_type, home or "")
    await seen(call, db, item, item.workspace_id)
    return item


def _agree(item: ContextItem, item_type: str | None, parent_id: str | None) -> None:
    if item_type not in (None, item.type) or parent_id not in (None, item.parent_id):
        raise Conflict(
            f"item_id {item.item_id!r} is the item {item.type!r} of the {item.parent_type} {item.parent_id!r}, which "
            "the other arguments contradict. Send item_id alone."
        )


async def put(
    call: Call, tx: Transaction, asked: Sequence[tuple[Told, NewItem]], expected_version: int | None = None
) -> list[Stored]:
    """Store items on the parents told, or raise everything that is wrong with them."""
    home = await _home(call, tx, [told for told, _ in asked])
    wanted, problems = await _wanted(call, tx, asked, home)
    slots = await context_items.slots(tx, [one.key for one in wanted.values()], workspace_id=home)
    rows: list[dict[str, Any]] = []
    for number, one in wanted.items():
        try:
            rows.append(await _row(tx, one, slots.get(one.key), expected_version))
        except ProjectMemoryError as problem:
            problems.append((number, problem))
    if problems:
        raise _refusal(problems, alone=len(asked) == 1)
    parents = [wanted[number].parent for number in wanted]
    of_program = next((parent for parent in parents if parent.parent_type == "program"), parents[0])
    await seen(call, tx, of_program, _one_workspace(rows))
    found = [slots[one.key] for one in wanted.values()]
    if changed := [row for row, slot in zip(rows, found, strict=True) if _differs(row, slot)]:
        await context_items.put(tx, changed)
    return [_stored(tx, row, slot) for row, slot in zip(rows, found, strict=True)]


def _differs(row: Mapping[str, Any], slot: Slot) -> bool:
    return slot.item is None or row["version"] != slot.item["version"]


async def _home(call: Call, tx: Transaction, asked: Sequence[Told]) -> str | None:
    """Return the workspace that agents and a workspace without an id are meant in, or None if there are none."""
    if not any(kind == "agent" or (kind == "workspace" and not parent_id) for kind, parent_id, _ in asked):
        return None
    plan_id = next((parent_id or of for kind, parent_id, of in asked if kind == "plan" and (parent_id or of)), None)
    plan = Parent(parent_type="plan", parent_id=plan_id) if plan_id else None
    return await call.workspace_id(tx, (await context_items.place(tx, plan)).workspace_id if plan else None)


async def _wanted(
    call: Call, tx: Transaction, asked: Sequence[tuple[Told, NewItem]], home: str | None
) -> tuple[dict[int, ItemToStore], Problems]:
    """Return by position the items whose parent is named well and once, and what is wrong with the others."""
    wanted: dict[int, ItemToStore] = {}
    problems: Problems = []
    parents: dict[Told, Parent] = {}
    first: dict[Key, int] = {}
    for number, (told, item) in enumerate(asked):
        try:
            parents[told] = parents.get(told) or await named_parent(call, tx, told, home)
        except ProjectMemoryError as problem:
            problems.append((number, problem))
            continue
        one = ItemToStore(parents[told], told[2], item)
        if first.setdefault(one.key, number) == number:
            wanted[number] = one
        else:
            what = f"has the type and parent of items.{first[one.key]}. Send them as one."
            problems.append((number, InvalidArguments(what)))
    return wanted, problems


async def _row(tx: Transaction, wanted: ItemToStore, slot: Slot | None, expected_version: int | None) -> dict[str, Any]:
    """Return the columns of an item as they will be."""
    if slot is None:
        raise await context_items.why_absent(tx, wanted.parent)
    _check_plan(wanted.parent, slot.place, wanted.plan_id)
    item, old = wanted.item, slot.item
    _check_version(wanted, old, expected_version)
    kept = old if item.mode != "replace" else None
    text = encode(combine(json.loads(kept["data"]), item.data, item.mode) if kept else item.data)
    if len(text.encode("utf-8", "surrogatepass")) > VALUE_BYTES:
        raise TooLarge(
            f"{item.type!r} would {'grow to' if kept else 'have'} more than {VALUE_BYTES} bytes (1 MiB). "
            "Store the rest as another type, or a summary."
        )
    expires_at = later(tx.now(), item.expires_in) if item.expires_in else kept and kept["expires_at"]
    row = {
        "item_id": old["item_id"] if old else new_id("item"),
        "workspace_id": slot.place.workspace_id,
        **wanted.parent.model_dump(),
        "type": item.type,
        "data": text,
        "tags": encode(item.tags) if item.tags is not None else old["tags"] if old else "[]",
        "created_by": old["created_by"] if old else tx.origin.agent,
        "expires_at": expires_at,
        "created_at": old["created_at"] if old else tx.now(),
        "updated_at": tx.now(),
        "version": old["version"] + 1 if old else 1,
    }
    same = old and all(row[name] == old[name] for name in ("data", "tags", "expires_at"))
    return {**row, "version": old["version"], "updated_at": old["updated_at"]} if old and same else row


def _check_version(wanted: ItemToStore, old: Mapping[str, Any] | None, expected: int | None) -> None:
    if old:
        check_version(old["version"], expected, f"The context item {old['item_id']}")
    elif expected is not None:
        raise Conflict(
            f"{wanted.parent} has no item of type {wanted.item.type!r} yet, so none of version {expected}. "
            "Leave out expected_version to store the first one."
        )


def _refusal(problems: Problems, *, alone: bool) -> ProjectMemoryError:
    """Return one error for all problems, of the kind of the first."""
    if alone:
        return problems[0][1]
    problems = sorted(problems, key=lambda problem: problem[0])
    told = [
        {"item": f"items.{number}", "code": error.code, "problem": str(completed(error))} for number, error in problems
    ]
    text = "; ".join(f"{problem['item']}: {problem['problem']}" for problem in told)
    return type(problems[0][1])(f"Nothing was stored. {text}", problems=told)


def _one_workspace(rows: Sequence[Mapping[str, Any]]) -> str:
    homes = list(dict.fromkeys(row["workspace_id"] for row in rows))
    if len(homes) > 1:
        raise Conflict(
            f"The items belong to several workspaces: {', '.join(homes)}. Nothing was stored; send a batch for each."
        )
    return homes[0]


def _stored(tx: Transaction, row: Mapping[str, Any], slot: Slot) -> Stored:
    """Log that an item was stored, unless it was so already, and tell it."""
    size = size_of(row["data"])
    data = {"type": row["type"], "parent_type": row["parent_type"], "parent_id": row["parent_id"], "bytes": size}
    new, changed = slot.item is None, _differs(row, slot)
    if changed:
        plan_id = slot.place.plan_id
        events.record(tx, Event("context_stored", "context_item", row["item_id"], plan_id=plan_id, data=data))
    return Stored.of({**row, "bytes": size, "created": new, "updated": changed and not new})
