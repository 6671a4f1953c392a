"""memory_library: the files of a workspace against the library."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import anyio
from pydantic import Field

from server.db.audit import events
from server.db.library import definitions, deployments
from server.db.library.definitions import columns_of
from server.db.storage.connection import Transaction
from server.errors import InvalidArguments, NotAllowed, NotFound
from server.models.base import timestamp
from server.models.events import Event
from server.models.library import DeployedFile, LibraryItem, LibraryKind
from server.models.text import Line
from server.models.workspaces import Workspace
from server.text import client_files
from server.text import definitions as forms
from server.text.client_files import ClientFolder
from server.text.display import number_of
from server.text.front_matter import BadFrontMatter
from server.tools.common import Call
from server.tools.library import client_texts
from server.tools.library.client_texts import hash_of
from server.tools.library.definitions import checked
from server.tools.library.parameters import Kind
from server.tools.library.tool import TOOL
from server.tools.render import MAX_BYTES, Page, Result

OnePath = Annotated[Line, Field(description="a file of the workspace")]
SAME, HERE, THERE, BOTH, UNKNOWN, MISSING = "same", "newer_here", "newer_there", "changed_in_both", "unknown", "missing"
BAD = "unreadable"


@dataclass(frozen=True)
class Compared:
    """A file of the workspace, and how it stands to the library: its fields if it can be read, else the `problem`."""

    path: str
    client: str
    kind: LibraryKind
    status: str
    name: str | None = None
    fields: Mapping[str, Any] | None = None
    problem: str | None = None
    hash: str = ""

    @property
    def told(self) -> dict[str, Any]:
        fields = {"path": self.path, "client": self.client, "kind": self.kind, "name": self.name}
        return {
            key: value for key, value in {**fields, "status": self.status, "problem": self.problem}.items() if value
        }


@TOOL.action(read_only=True, takes=("page",), aliases=("check_context_sync",))
async def check(call: Call, *, path: OnePath | None = None) -> Page:
    """Files of the workspace against the library.

    Of every client's agents, instructions and skills, or the one at `path`: same; newer_here (the file was changed),
    newer_there (the library was), changed_in_both; unknown (the library has none of that name: `import` takes it in);
    missing (it was written, and is gone); unreadable, with the problem. Nothing is changed.

    Example: {"action":"check"}
    """
    workspace = await call.workspace(call.db)
    found = [one.told for one in await _compared(call, workspace, path)]
    after = call.after("check", 1)
    rest = [one for one in found if after is None or one["path"] > str(after[0])]
    return Page(
        "files", rest[: call.shared.limit + 1], len(found), call.shared.limit, lambda one: [one["path"]], "check"
    )


@dataclass
class Taking:
    """What an import takes and what it leaves."""

    taken: list[Compared]
    left: list[dict[str, Any]]
    names: dict[LibraryKind, dict[str, str]] = field(default_factory=dict[LibraryKind, dict[str, str]])
    written: list[DeployedFile] = field(default_factory=list[DeployedFile])

    async def look(self, tx: Transaction, workspace_id: str) -> None:
        """Read once what each file is held against: names by that of their file, and what was deployed."""
        kinds: set[LibraryKind] = {one.kind for one in self.taken}
        for kind in kinds:
            self.names[kind] = {forms.file_name(name): name for name in await definitions.names(tx, kind)}
        self.written = await deployments.of_workspace(tx, workspace_id)


@TOOL.action(takes=("force",))
async def import_(
    call: Call, *, path: OnePath | None = None, kind: Kind | None = None, dry_run: bool = False
) -> Result:
    """Take files of the workspace into the library.

    Those that are unknown become definitions of this workspace, those that are newer_here replace the text in the
    library; what changed in both, and an older file, only with force=true. All of them, those of one kind, or the one
    at `path`. The files stay as they are. dry_run=true only says what would be done.

    Example: {"action":"import","path":".github/instructions/style.instructions.md"}
    """
    workspace = await call.workspace(call.db)
    wanted = {UNKNOWN, HERE, *([BOTH, THERE] if call.shared.force else [])}
    found = _sorted_out(_of_kind(await _compared(call, workspace, path), path, kind), wanted)
    parts: dict[str, Any] = {"workspace_id": workspace.workspace_id, "left": found.left}
    if dry_run:
        return Result({**parts, "would_import": [one.told for one in found.taken]}, max_bytes=MAX_BYTES)
    async with call.write() as tx:
        await call.workspace_id(tx, workspace.workspace_id)
        await found.look(tx, workspace.workspace_id)
        done = [told for one in found.taken if (told := await _take(tx, workspace.workspace_id, one, found))]
        if done:
            summary = f"{number_of(len(done), 'file')} taken into the library"
            data, id_ = {"paths": [one["path"] for one in done]}, workspace.workspace_id
            events.record(tx, Event("definitions_imported", "workspace", id_, summary=summary, data=data))
        return Result({**parts, "imported": done}, max_bytes=MAX_BYTES)


def _of_kind(found: list[Compared], path: str | None, kind: LibraryKind | None) -> list[Compared]:
    if path and kind and found[0].kind != kind:
        raise InvalidArguments(f"{found[0].path!r} is no {kind}, but of kind {found[0].kind!r}. Nothing was taken.")
    return [one for one in found if kind in (None, one.kind)]


def _sorted_out(found: Sequence[Compared], wanted: Container[str]) -> Taking:
    made = Taking([], [])
    for one in found:
        problems = forms.problems(one.kind, one.fields) if one.fields and one.status in wanted else []
        if problems:
            made.left.append({**one.told, "problem": "; ".join(problems)})
        elif one.status in wanted and one.fields:
            made.taken.append(one)
        elif one.status in (BOTH, BAD, THERE):
            made.left.append(one.told)
    return made


async def _take(tx: Transaction, workspace_id: str, one: Compared, found: Taking) -> dict[str, Any] | None:
    """Put a file into the library and say what became of it; None, and a word in `left`, if it has no place there."""
    assert one.fields
    kind, fields = one.kind, dict(one.fields)
    slug = forms.file_name(fields["name"])
    taken = found.names[kind].get(slug)
    old = await definitions.find(tx, kind, taken, workspace_id) if taken else None
    if taken and (old is None or one.status == UNKNOWN):
        problem = f"the library has the {kind} {taken!r} already; give the file another name"
        found.left.append({**one.told, "problem": problem})
        return None
    if old:
        values = checked(kind, {**_merged(old, fields), "name": old.name}, {})
        made = await definitions.update(tx, old, values)
    else:
        values = checked(kind, fields, {})
        made = await definitions.insert(tx, kind, values, workspace_id=workspace_id, imported_from=one.path)
    found.names[kind][slug] = made.name
    rows = [row for row in found.written if row.place == (one.path, "")]
    told = {"hash": one.hash, "previous_hash": None, "source": made.content_hash}
    await deployments.put(tx, [row.model_copy(update=told) for row in rows])
    return {"path": one.path, "kind": kind, "name": made.name, "source": made.source, "version": made.version}


def _merged(old: LibraryItem, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields read from a client's file; what of a definition it does not hold stays as it is."""
    kept = columns_of(old.kind, old)
    return {**kept, **fields, "metadata": {**kept["metadata"], **fields["metadata"]}}


async def _compared(call: Call, workspace: Workspace, path: str | None) -> list[Compared]:
    """Return how each file of the workspace stands to the library, by path."""
    rows = await deployments.of_workspace(call.db, workspace.workspace_id)
    items = await definitions.all_(call.db, workspace.workspace_id)
    found = await anyio.to_thread.run_sync(partial(_compare, workspace, rows, items))
    if path is None:
        return found
    wanted = PurePosixPath(path.replace("\\", "/").removeprefix(f"{workspace.path}/")).as_posix()
    one = [each for each in found if each.path == wanted]
    if not one:
        known = ", ".join(sorted({f"{folder.path}/*{folder.suffix}" for folder in client_files.FOLDERS}))
        raise NotFound(f"There is no file {wanted[:200]!r} of a client. Files are looked for as {known}.")
    return one


def _compare(workspace: Workspace, rows: Sequence[DeployedFile], items: Sequence[LibraryItem]) -> list[Compared]:
    root = workspace.path
    if not root or not Path(root).is_dir():
        raise NotAllowed(f"The folder {root!r} of the workspace is gone, so there is nothing to compare.")
    known = {(item.kind, forms.file_name(item.name)): item for item in items}
    written = {row.place: row for row in rows if row.hash}
    paths = {(path, folder) for folder in client_files.FOLDERS for path in client_texts.files_in(root, folder)}
    found = [_file(root, path, folder, written.pop((path, ""), None), known) for path, folder in paths]
    found += [_left(root, row, known) for row in written.values()]
    return sorted(found, key=lambda one: one.path)


@dataclass(frozen=True)
class ReadFile:
    """A file in a folder of a client, and what it says."""

    path: str
    folder: ClientFolder
    text: str
    fields: Mapping[str, Any]
    changed_at: str


def _file(
    root: str, path: str, folder: ClientFolder, row: DeployedFile | None, known: Mapping[tuple[str, str], LibraryItem]
) -> Compared:
    """Return how a file stands that lies in a folder of a client."""
    where = PurePosixPath(path)
    name = where.parent.name if folder.kind == forms.SKILL else where.name.removesuffix(folder.suffix)
    kind: LibraryKind = next(each for each in definitions.KINDS if each == folder.kind)
    try:
        seen = client_texts.text_at(root, path)
        if seen is None:
            raise NotAllowed(f"{path!r} went away while it was looked for.")
        changed_at = timestamp(datetime.fromtimestamp(seen.identity.modified / 1e9, UTC))
        found = ReadFile(path, folder, seen.text, client_files.read(folder, name, seen.text), changed_at)
    except (BadFrontMatter, NotAllowed, OSError) as error:
        return Compared(path, folder.client, kind, BAD, name, problem=str(error))
    item = known.get((kind, forms.file_name(found.fields["name"])))
    status = _status(found, row, item) if item else UNKNOWN
    name = item.name if item else found.fields["name"]
    return Compared(path, folder.client, kind, status, name, found.fields, hash=hash_of(seen.text))


def _status(found: ReadFile, row: DeployedFile | None, item: LibraryItem) -> str:
    if row:
        return _of(hash_of(found.text) in row.hashes, row.source == item.content_hash)
    file = client_files.written(found.folder.client, item.kind, item.__dict__)
    if (file and hash_of(file.text) == hash_of(found.text)) or _says_the_same(found.fields, item):
        return SAME
    return HERE if found.changed_at > item.updated_at else THERE


def _of(file_as_written: bool, item_as_written: bool) -> str:
    if file_as_written:
        return SAME if item_as_written else THERE
    return HERE if item_as_written else BOTH


def _says_the_same(fields: Mapping[str, Any], item: LibraryItem) -> bool:
    own = columns_of(item.kind, item)
    return all(own[key] == value for key, value in fields.items() if key not in ("name", "metadata"))


def _left(root: str, row: DeployedFile, known: Mapping[tuple[str, str], LibraryItem]) -> Compared:
    """Return how something stands that was written, and lies in no folder of a client: a block, or nothing any more."""
    shown = f"{row.path}#{row.block}" if row.block else row.path
    try:
        text = client_texts.part_at(root, row.path, row.block)
    except (NotAllowed, OSError) as error:
        return Compared(shown, row.client, row.kind, BAD, row.name, problem=str(error))
    item = known.get((row.kind, forms.file_name(row.name)))
    if text is None:
        return Compared(shown, row.client, row.kind, MISSING, row.name)
    status = _of(hash_of(text) in row.hashes, item is not None and row.source == item.content_hash)
    return Compared(shown, row.client, row.kind, status, row.name)
