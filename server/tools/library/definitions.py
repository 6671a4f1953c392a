"""memory_library: what there is, and what people and agents make of it."""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from server import library_files
from server.db.audit import events, trash
from server.db.library import definitions, deployments
from server.db.library.definitions import columns_of
from server.db.plans.plans import check_version
from server.db.storage.connection import Reader, Transaction
from server.errors import Conflict, InvalidArguments, NotAllowed
from server.models.events import Event
from server.models.library import DefinitionBrief, DefinitionFull, LibraryItem, LibraryKind
from server.models.text import Line, Lines, SomeText
from server.settings import ASSETS
from server.text import definitions as forms
from server.text.front_matter import BadFrontMatter, parsed
from server.text.names import folded
from server.tools import library_matching
from server.tools.common import CONFIRM, Call
from server.tools.library.parameters import DefinitionName, Kind, Words, named
from server.tools.library.tool import TOOL
from server.tools.render import Page

Content = Annotated[SomeText, Field(description="text of the file, with its front matter or without")]
AppliesTo = Annotated[Lines, Field(description="globs of an instruction")]
For = Annotated[Literal["user", "workspace"], Field(description="user (every workspace)|workspace (this one)")]


@TOOL.action(read_only=True, takes=("page",))
async def list_(
    call: Call, *, kind: Kind, query: Words | None = None, category: Line | None = None, tags: Lines | None = None
) -> Page:
    """What there is of a kind, without the texts.

    `source` is shipped, user, workspace (of this one alone) or imported. `edited`: something else ships under the name;
    `newer_shipped`: it changed since. Of the words in `query` all must occur in name, description, tags or text.

    Example: {"action":"list","kind":"skill","query":"crash"}
    """
    home = await call.some_workspace_id(call.db)
    found = [
        row
        for row in await definitions.all_(call.db, home, [kind])
        if library_matching.has_words(row, query or "")
        and (category is None or folded(row.category or "") == folded(category))
        and {folded(tag) for tag in tags or ()} <= {folded(tag) for tag in row.tags}
    ]
    after = call.after("library", 2)
    rows = [row for row in found if after is None or _position(row) > after]
    shown = [DefinitionBrief.about(row) for row in rows[: call.shared.limit + 1]]
    return Page("definitions", shown, len(found), call.shared.limit, _position, "library")


def _position(row: LibraryItem | DefinitionBrief) -> list[str | int]:
    return [folded(row.name), row.name]


@TOOL.action(read_only=True)
async def get(call: Call, *, kind: Kind, name: DefinitionName) -> DefinitionFull:
    """One of them, with the whole text of its file as `content`.

    A long one comes in pieces: `text`, and next_offset where the next one begins.

    Example: {"action":"get","kind":"skill","name":"resume-after-crash"}
    """
    found, home = await named(call, call.db, kind, name)
    used = await definitions.assigned(call.db, home, [kind]) if home else []
    is_used = any(one["name"] == found.name for one in used)
    return DefinitionFull.model_validate(
        {
            **DefinitionBrief.about(found).model_dump(),
            "content": found.file,
            "imported_from": found.imported_from,
            "assigned": is_used,
        }
    )


@TOOL.action(takes=("request",))
async def create(
    call: Call,
    *,
    kind: Kind,
    name: DefinitionName,
    content: Content,
    description: Line | None = None,
    applies_to: AppliesTo | None = None,
    category: Line | None = None,
    tags: Lines | None = None,
    languages: Lines | None = None,
    frameworks: Lines | None = None,
    scope: For = "user",
) -> dict[str, Any]:
    """Make one, for every workspace or this one.

    `content` is the text of an .agent.md, .instructions.md or SKILL.md: YAML front matter between two lines of ---,
    then Markdown; or the Markdown alone, with `description`, and the others, as parameters. What the format demands is
    checked, all at once; keys that it does not know are kept. A name is given once in the whole library: conflict.

    Example: {"action":"create","kind":"skill","name":"release","description":"How to release","content":"# Release"}
    """
    given = {"description": description, "applies_to": applies_to, "category": category, "tags": tags}
    given |= {"languages": languages, "frameworks": frameworks}
    values = draft(kind, name, content, given)
    async with call.write() as tx:
        home = await (call.workspace_id(tx) if scope == "workspace" else call.some_workspace_id(tx))
        await _refuse_taken(tx, kind, values["name"], home)
        owner = home if scope == "workspace" else None
        made = await definitions.insert(tx, kind, values, workspace_id=owner, imported_from=None)
        record(tx, "definition_created", made, "made")
        return told(made, home)


@TOOL.action(takes=("version",))
async def update(
    call: Call,
    *,
    kind: Kind,
    name: DefinitionName,
    content: Content | None = None,
    description: Line | None = None,
    applies_to: AppliesTo | None = None,
    category: Line | None = None,
    tags: Lines | None = None,
    languages: Lines | None = None,
    frameworks: Lines | None = None,
) -> dict[str, Any]:
    """Change what is given.

    `content` with front matter replaces the whole definition, without it only the text. What ships and was edited is
    kept at an upgrade; newer_shipped then says that there is a newer one, and `reset` takes it.

    Example: {"action":"update","kind":"agent","name":"Reviewer","description":"Reviews with our checklist"}
    """
    given = {"description": description, "applies_to": applies_to, "category": category, "tags": tags}
    given |= {"languages": languages, "frameworks": frameworks}
    if content is None and all(value is None for value in given.values()):
        raise InvalidArguments("Nothing to change: send content, description, applies_to, category, tags, ...")
    whole = draft(kind, name, content, given) if content and content.removeprefix("\ufeff").startswith("---") else None
    async with call.write() as tx:
        old, home = await named(call, tx, kind, name)
        check_version(old.version, call.shared.expected_version, f"The {kind} {old.name!r}")
        values = checked(kind, {**whole, "name": old.name}, {}) if whole else _edited(old, content, given)
        if all(getattr(old, key) == value for key, value in values.items() if key != "content_hash"):
            return told(old, home)
        changed = [key for key, value in values.items() if key != "content_hash" and getattr(old, key) != value]
        made = await definitions.update(tx, old, values)
        record(tx, "definition_updated", made, "changed", changed=changed)
        return {**told(made, home), "changed": changed}


def _edited(old: LibraryItem, content: str | None, given: Mapping[str, Any]) -> dict[str, Any]:
    body = {} if content is None else {"body": content.strip()}
    return checked(old.kind, {**columns_of(old.kind, old), **body}, given)


@TOOL.action(destructive=True, takes=("version",))
async def delete(call: Call, *, kind: Kind, name: DefinitionName, confirm: bool = False) -> dict[str, Any]:
    """Remove one to the trash; preview unless confirm.

    One that was made or imported: what ships cannot be deleted; what of it was edited can be `reset`. Files that were
    deployed from it go with the next deploy; `deployed` names them.

    Example: {"action":"delete","kind":"skill","name":"release"}
    """
    async with call.write() as tx:
        old, home = await named(call, tx, kind, name)
        check_version(old.version, call.shared.expected_version, f"The {kind} {old.name!r}")
        if old.shipped_hash:
            way = "action='reset' goes back to what ships" if old.edited else "action='update' changes it"
            raise NotAllowed(f"The {kind} {old.name!r} ships with the server and would come back. {way}.")
        files = await deployments.of_definition(tx, kind, old.name)
        if not confirm:
            return _preview(old, home, "would_delete", files)
        trash_id = await _to_trash(tx, old, await definitions.delete(tx, old))
        record(tx, "definition_deleted", old, "deleted", trash_id=trash_id)
        gone = {"kind": kind, "name": old.name, "workspace_id": home, "deleted": True}
        return {**gone, "trash_id": trash_id, "deployed": files}


@TOOL.action(destructive=True, takes=("version",))
async def reset(call: Call, *, kind: Kind, name: DefinitionName, confirm: bool = False) -> dict[str, Any]:
    """Go back to what ships; preview unless confirm.

    To what ships under the name. The edited one goes to the trash.

    Example: {"action":"reset","kind":"agent","name":"Reviewer"}
    """
    shipped = {file.name: file for file in _READERS[kind](ASSETS / f"{kind}s")}
    async with call.write() as tx:
        old, home = await named(call, tx, kind, name)
        check_version(old.version, call.shared.expected_version, f"The {kind} {old.name!r}")
        if old.name not in shipped:
            raise InvalidArguments(f"Nothing ships as the {kind} {old.name!r}. action='delete' removes what was made.")
        if old.origin == "shipped":
            return told(old, home)
        if not confirm:
            return _preview(old, home, "would_replace", [])
        values = shipped[old.name].model_dump(include={*definitions.COLUMNS[kind], "content_hash"})
        trash_id = await _to_trash(tx, old, await definitions.row_of(tx, old))
        made = await definitions.set_back(tx, old, values)
        record(tx, "definition_reset", made, "reset", trash_id=trash_id)
        return {**told(made, home), "trash_id": trash_id}


_READERS = {
    "agent": library_files.agents,
    "instruction": library_files.instructions,
    "skill": library_files.skills,
}


def _preview(old: LibraryItem, home: str | None, what: str, files: list[dict[str, Any]]) -> dict[str, Any]:
    gone = {"kind": old.kind, "name": old.name, "description": old.description, "version": old.version}
    gone |= {"bytes": len(old.file.encode()), "deployed": files}
    return {"workspace_id": home, "preview": {what: gone, "hint": CONFIRM}}


async def _to_trash(tx: Transaction, old: LibraryItem, rows: trash.Rows) -> str:
    return await trash.put(
        tx,
        entity_type="definition",
        entity_id=old.name,
        title=f"{old.kind} {old.name}",
        workspace_id=old.workspace_id,
        plan_id=None,
        rows=rows,
    )


def draft(kind: LibraryKind, name: str, content: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a definition from the text of its file and what was given beside it, or refuse."""
    try:
        meta, body = parsed(content)
    except BadFrontMatter as error:
        raise InvalidArguments(f"content: {error}. Quote a value that holds a colon, a hash or a star.") from error
    found = forms.fields(kind, meta, body, name)
    if folded(found["name"]) != folded(name):
        raise InvalidArguments(f"The call says name={name!r}, the front matter {found['name']!r}. Let them agree.")
    return checked(kind, found, given)


def checked(kind: LibraryKind, found: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a definition with what was given put in, or refuse what its format does not allow."""
    told_ = {name: value for name, value in given.items() if value is not None}
    strange = sorted(told_.keys() - definitions.COLUMNS[kind])
    values = {**found, **{name: value for name, value in told_.items() if name not in strange}}
    problems = [f"{name} is nothing that {_a(kind)} has" for name in strange] + forms.problems(kind, values)
    if problems:
        raise InvalidArguments(f"This is no {kind} as its format has it: {'; '.join(problems)}.", problems=problems)
    return {**values, "content_hash": hashlib.sha256(forms.text_of(kind, values).encode()).hexdigest()}


def _a(kind: LibraryKind) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


async def _refuse_taken(db: Reader, kind: LibraryKind, name: str, home: str | None) -> None:
    """Refuse a name that is given, or that would be that of the same file."""
    file = forms.file_name(name)
    for taken, owner in (await definitions.names(db, kind)).items():
        if folded(taken) == folded(name) or forms.file_name(taken) == file:
            whose = "" if owner in (None, home) else " in another workspace"
            raise Conflict(
                f"The library has the {kind} {taken!r}{whose} already. "
                + ("Choose another name." if whose else "action='update' changes it; else choose another name."),
                taken=taken,
            )


def told(found: LibraryItem, home: str | None) -> dict[str, Any]:
    """Return what a write says of a definition."""
    fields: dict[str, Any] = {"kind": found.kind, "name": found.name, "source": found.source}
    fields |= {"version": found.version, "workspace_id": home}
    strange = forms.strange_keys(found.kind, columns_of(found.kind, found))
    warning = f"The Agent Skills format has no {', '.join(strange)}: kept, but some programs refuse such a file."
    return {**fields, "newer_shipped": found.newer_shipped or None, "warnings": [warning] if strange else []}


def record(tx: Transaction, type_: str, found: LibraryItem, done: str, **data: Any) -> None:
    """Log what became of a definition."""
    summary = f"{found.kind} {found.name!r} {done}"
    told_ = {"kind": found.kind, "version": found.version, **data}
    events.record(tx, Event(type_, "definition", found.name, summary=summary, data=told_))
