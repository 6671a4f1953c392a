"""memory_context: what is known of a workspace, in sections that people and agents fill."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, cast

from pydantic import Field, TypeAdapter, ValidationError

from server import argument_problems
from server.db.context import context_items
from server.db.plans.plans import check_version
from server.db.storage.connection import Reader, Transaction
from server.db.workspaces import workspaces
from server.errors import Conflict, InvalidArguments, NotFound
from server.models.base import encode
from server.models.context import WORKSPACE_SECTIONS, ContextItem, NewItem, Parent, WorkspaceSection
from server.models.text import Data, Line
from server.tools import context_rules
from server.tools.common import Call
from server.tools.context.items import CONFIRM, remove
from server.tools.context.tool import TOOL

MOST = 100
FIELDS = ("summary", "items", "title", "description", "links")
# What a whole document of the older store has besides its sections.
ENVELOPE = {
    "schema_version", "workspace_id", "workspace_path", "identity_file_path", "name", "created_at", "updated_at",
    "update_log", "audit_log",
}  # fmt: skip
Sections = dict[str, dict[str, Any]]


@cache  # few calls need it, and to build it takes a while
def _adapter() -> TypeAdapter[dict[str, WorkspaceSection]]:
    return TypeAdapter(Annotated[dict[Line, WorkspaceSection], Field(max_length=MOST)])


@TOOL.action(read_only=True)
async def workspace_get(call: Call) -> dict[str, Any]:
    """What is known of the workspace, in sections.

    A section is {summary?, items?: [{title, description?, links?}]}. Much comes in pieces (`next_offset`).

    Example: {"action":"workspace_get"}
    """
    workspace_id = await call.workspace_id(call.db)
    return _shown(await _require(call.db, workspace_id), workspace_id)


@TOOL.action(takes=("version",))
async def workspace_set(call: Call, *, data: Data) -> dict[str, Any]:
    """Replace all sections of the workspace.

    `data` is {"sections": {name: {summary?, items?: [{title, description?, links?}]}}}, or the sections themselves;
    there a text stands for a summary, a list of texts or of {title} for items, and another object for its JSON.

    Example: {"action":"workspace_set","data":{"purpose":"Sells boats","modules":["shop","stock"]}}
    """
    sections = checked(data)
    async with call.write() as tx:
        await _agree(call, tx, data)
        return await _stored(call, tx, sections)


@TOOL.action(takes=("version",))
async def workspace_update(call: Call, *, data: Data) -> dict[str, Any]:
    """Change some sections of the workspace.

    As in workspace_set; of a section named here the summary is replaced if given, and the items if given. The others
    stay.

    Example: {"action":"workspace_update","data":{"purpose":{"summary":"Rents boats"}}}
    """
    sections = checked(data)
    async with call.write() as tx:
        await _agree(call, tx, data)
        there = _sections(await _find(tx, await call.workspace_id(tx)))
        return await _stored(call, tx, there | {name: there.get(name, {}) | new for name, new in sections.items()})


@TOOL.action(takes=("version",))
async def workspace_populate(call: Call) -> dict[str, Any]:
    """Fill empty sections from the profile of the workspace.

    project_details, dependencies, modules, test_confirmations, dev_patterns and resources, as far as
    the profile knows of them. A section that says something stays.

    Example: {"action":"workspace_populate"}
    """
    async with call.write() as tx:
        workspace = await call.workspace(tx)
        there = _sections(await _find(tx, workspace.workspace_id))
        profile = cast(dict[str, Any], workspace.profile) if isinstance(workspace.profile, dict) else {}
        known = from_profile(workspace.label, profile)
        new = {name: section for name, section in known.items() if not any(there.get(name, {}).values())}
        skipped = [name for name in known if name not in new]
        stored = await _stored(call, tx, there | new)
        return {**stored, "populated": list(new), "skipped": skipped}


@TOOL.action(destructive=True, takes=("version",))
async def workspace_delete(call: Call, *, confirm: bool = False) -> dict[str, Any]:
    """Remove the sections to the trash; preview unless confirm.

    memory_workspace restore brings them back.

    Example: {"action":"workspace_delete"}
    """
    async with call.write() as tx:
        workspace_id = await call.workspace_id(tx)
        item = await _require(tx, workspace_id)
        check_version(item.version, call.shared.expected_version, "The sections of the workspace")
        if not confirm:
            gone = {"sections": list(_sections(item)), "bytes": len(encode(item.data).encode())}
            return {"workspace_id": workspace_id, "preview": {"would_delete": gone, "hint": CONFIRM}}
        return await remove(tx, item)


def checked(data: Mapping[str, Any]) -> Sections:
    """Return sections in their one form, or refuse with all that is wrong."""
    wrapped = "sections" in data
    given = data["sections"] if wrapped else {name: _wrapped(data[name]) for name in data if name not in ENVELOPE}
    try:
        found = _adapter().validate_python(given)
    except ValidationError as error:
        problems = argument_problems.told("data.sections" if wrapped else "data", given, error.errors(), FIELDS)
        text = "; ".join(f"{problem['param']} {problem['problem']}" for problem in problems)
        raise InvalidArguments(f"The sections cannot be kept: {text}.", invalid=problems) from error
    return {name: section.model_dump(exclude_none=True) for name, section in found.items()}


def _wrapped(value: object) -> object:
    """Return the section that a looser value stands for."""
    if isinstance(value, str):
        return {"summary": value}
    if isinstance(value, list):
        items = cast(list[object], value)
        return {"items": [{"title": item} if isinstance(item, str) else item for item in items]}
    if isinstance(value, dict):
        known = cast(dict[str, object], value)
        return known if {"summary", "items"} & known.keys() else {"summary": encode(known)}
    return value


async def _agree(call: Call, tx: Transaction, data: Mapping[str, Any]) -> None:
    """Refuse a document that says itself to be of another workspace. Its path may be that of another machine."""
    named, workspace_id = data.get("workspace_id"), await call.workspace_id(tx)
    if not isinstance(named, str) or named == workspace_id:
        return
    meant = await workspaces.find(tx, named)
    if meant is None or meant.workspace_id != workspace_id:
        raise Conflict(
            f"data.workspace_id is {named!r}, but the call is about {workspace_id!r}, so nothing was changed. Leave it "
            "out of data to keep these sections here, or name the workspace that they are of."
        )


async def _find(db: Reader, workspace_id: str) -> ContextItem | None:
    parent = Parent(parent_type="workspace", parent_id=workspace_id)
    return await context_items.find(db, parent, WORKSPACE_SECTIONS, workspace_id=workspace_id)


async def _require(db: Reader, workspace_id: str) -> ContextItem:
    if found := await _find(db, workspace_id):
        return found
    raise NotFound(
        f"The workspace {workspace_id} has no sections yet. memory_context action='workspace_set' writes them, "
        "action='workspace_populate' begins them from the profile."
    )


def _sections(item: ContextItem | None) -> Sections:
    return dict(item.data.get("sections") or {}) if item else {}


def _shown(item: ContextItem, workspace_id: str) -> dict[str, Any]:
    told = {"workspace_id": workspace_id, "item_id": item.item_id, "version": item.version}
    return {**told, "updated_at": item.updated_at, "sections": _sections(item)}


async def _stored(call: Call, tx: Transaction, sections: Sections) -> dict[str, Any]:
    workspace_id = await call.workspace_id(tx)
    item = NewItem.model_construct(type=WORKSPACE_SECTIONS, data={"sections": sections})
    [stored] = await context_rules.put(
        call, tx, [(("workspace", workspace_id, None), item)], call.shared.expected_version
    )
    told = stored.model_dump(include={"workspace_id", "item_id", "version", "created", "updated"}, exclude_none=True)
    return {**told, "sections": list(sections)}


def from_profile(label: str, profile: Mapping[str, Any]) -> Sections:
    """Return the sections that a profile of the workspace says something for."""
    languages = [f"{one['name']} {one['percentage']:g} %" for one in profile.get("languages") or ()]
    build, tests = _part(profile, "build_system"), _part(profile, "test_framework")
    folders = profile.get("key_directories") or ()
    commands = {"build": build.get("build_command"), "dev": build.get("dev_command"), "test": tests.get("test_command")}
    found: dict[str, dict[str, Any]] = {
        "project_details": {"summary": f"{label}: {', '.join(languages)}" if languages else None},
        "dependencies": {"items": [{"title": name} for name in profile.get("frameworks") or ()]},
        "modules": {"items": [_folder(one) for one in folders]},
        "test_confirmations": {"summary": _phrase(tests.get("name"), tests.get("test_command"))},
        "dev_patterns": {"summary": _conventions(_part(profile, "conventions"))},
        "resources": {"items": [{"title": name, "description": said} for name, said in commands.items() if said]},
    }
    return {name: section for name, section in found.items() if any(section.values())}


def _part(profile: Mapping[str, Any], name: str) -> dict[str, Any]:
    return profile.get(name) or {}


def _folder(found: Mapping[str, Any]) -> dict[str, Any]:
    purpose = found.get("purpose")
    return {"title": str(found["path"]), **({"description": str(purpose)} if purpose else {})}


def _phrase(name: str | None, command: str | None) -> str | None:
    return ": ".join(part for part in (name, command) if part) or None


def _conventions(found: Mapping[str, Any]) -> str | None:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in found.items() if value is not None) or None
