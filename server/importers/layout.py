"""What a layout is: a module with one small interface, whose functions depend on the source's bytes alone."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from server.db.interchange.imports import Key, KnownFile
from server.db.storage.table_shapes import StoredColumn
from server.importers.values import derived
from server.models.imports import Finding, ImportBatch

# Calls a tool with arguments (`action` among them) and returns the parsed answer.
Ask = Callable[[str, Mapping[str, object]], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a source. `owner` is the source's own id of the workspace it belongs to, None for the store's own.

    `path` is as in FileEntry: it stays the same however much of the store is imported at once. `odd` says why it is
    not read, if it is not: a link, a device.
    """

    owner: str | None
    path: str
    location: Path
    odd: str | None = None


@dataclass(frozen=True, slots=True)
class SourceWorkspace:
    """A workspace as the source knows it: its id, older ids that still have to resolve, and where the project is.

    `path` is None for what belongs to no project: that workspace has no folder.
    """

    workspace_id: str
    path: str | None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class RecognisedSource:
    """A recognised source. `root` confines what is read. `detail` is the layout's own."""

    layout: str
    root: Path
    workspaces: tuple[SourceWorkspace, ...]
    detail: Any = None
    is_mark: bool = False  # it only says whose the folder is: of no account beside a store
    by_rows: bool = False  # what it becomes is compared with the tables and the tools; else by the layout's `check`


@dataclass(frozen=True)
class Known:
    """What the database knows already.

    `targets`: the source's workspace id -> the id of the workspace that it becomes. `paths`: target id -> the path to
    use in place of the source's own. `earlier`: (target id or None, file's path) -> what the last import made of it, so
    that a file that was merely copied keeps its time. `formers`: the source's workspace id -> the one that it became
    once, and that was merged into its target. `there`: the targets that are registered, whose row stays as it is.
    `columns`: the schema, for `rows.RowMaker`. `with_secrets`: whether secrets in files are kept.
    `taken`: ids of plans of other workspaces that came from elsewhere, so that a plan with one of them needs another.
    `born`: ids of what was made here in the targets: it is in a file because an export wrote it there.
    """

    targets: Mapping[str, str]
    paths: Mapping[str, str]
    earlier: Mapping[Key, KnownFile]
    now: str = "9999"  # what a log dates later cannot have been then
    formers: Mapping[str, str] = field(default_factory=dict[str, str])
    there: frozenset[str] = frozenset()
    columns: Mapping[str, Mapping[str, StoredColumn]] = field(default_factory=dict[str, Mapping[str, StoredColumn]])
    with_secrets: bool = False
    taken: frozenset[str] = frozenset()
    born: frozenset[str] = frozenset()
    renamed: str = ""  # what follows the names of workspaces that stand beside those of the same id

    def time_of(self, target: str | None, path: str, sha256: str) -> str | None:
        """Return the time that a file with these bytes had when it was imported before."""
        found = self.earlier.get((target, path))
        return found.modified_at if found and found.sha256 == sha256 else None


def project(layout: str, folder: Path, detail: Any) -> RecognisedSource:
    """Return the source that a layout found in a project folder: it goes to the workspace of that folder."""
    return _source(layout, folder, SourceWorkspace(derived("ws", "path", folder), str(folder)), detail)


def placeless(layout: str, root: Path, name: object, detail: Any) -> RecognisedSource:
    """Return a source that belongs to no project: its workspace has no folder, and always the id of its `name`."""
    return _source(layout, root, SourceWorkspace(derived("ws", layout, name), None), detail)


def _source(layout: str, root: Path, workspace: SourceWorkspace, detail: Any) -> RecognisedSource:
    return RecognisedSource(layout, root, (workspace,), detail, by_rows=True)


class Layout(Protocol):
    """The interface of a layout module.

    A layout is a package in this folder: it is found by its name, `my_store` for the layout `my-store`, and needs no
    other change. Its functions stand in `__init__.py`. What layouts share: `layout.project` and `placeless` (what is
    recognised), `taking.Taker` (files opened, each with its batch and its account), `values.Fields` (fields of an
    object, each repair told), `vocabulary` (statuses, priorities, types), `rows.RowMaker` (rows), `edges.acyclic`
    (links without circles).
    """

    NAME: str
    # MARKS (may be left out): files of a project that show at once that it has a store, each with a text that is in its
    # first bytes ("" for any); `folder/` is a folder. A server tells of such a store; `scripts/catalog.py` writes them
    # down for it.

    def recognise(self, path: Path) -> RecognisedSource | None:
        """Return the source that `path` is, or None. Looks at few files only, and never raises for an odd one."""
        ...

    def files(self, source: RecognisedSource) -> Iterator[SourceFile]:
        """Yield every file of the source that is accounted for, in a stable order."""
        ...

    def read(self, source: RecognisedSource, known: Known) -> Iterator[ImportBatch]:
        """Yield what the source becomes, part by part. Every one of `files` ends in one FileEntry."""
        ...


class CheckedLayout(Layout, Protocol):
    """A layout whose sources are not compared `by_rows`: it asks the tools in a way of its own."""

    def check(
        self, source: RecognisedSource, known: Known, ask: Ask, wanted: Callable[[str], bool]
    ) -> AsyncGenerator[tuple[str | None, list[Finding]]]:
        """Yield each plan that the source holds and that is `wanted`, with every difference between the source and
        what the tools return; last, under None, the differences in what belongs to no plan.
        """
        ...
