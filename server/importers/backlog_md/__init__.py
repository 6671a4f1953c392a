"""The folder of Backlog.md: a Markdown file for each task, draft, decision and document."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from server.importers import layout
from server.importers.backlog_md import papers
from server.importers.layout import Known, RecognisedSource, SourceFile
from server.importers.reading import Entry, UnreadableFile, list_of, object_of, text_of, walk
from server.importers.reading import read as read_whole
from server.importers.taking import Taker
from server.models.imports import ImportBatch
from server.text.editing import yaml

NAME: str = "backlog-md"
USUAL = ("backlog", ".backlog")
ROOT_CONFIGS = ("backlog.config.yml", "backlog.config.yaml")  # which may name another folder
NAMED = ("backlog_directory", "backlogDirectory")
CONFIGS = ("config.yml", "config.yaml")
MARKS = tuple((f"{home}/{name}", "project_name") for home in USUAL for name in CONFIGS)
TASK = re.compile(r"[A-Za-z]+-\d[\w.]* - .*\.md")


@dataclass(frozen=True)
class BacklogStore:
    """A recognised store: its folder, as it is called in the project, and its files."""

    home: str
    entries: tuple[Entry, ...]


def recognise(path: Path) -> RecognisedSource | None:
    """Return the backlog of a project, or the folder itself."""
    if not path.is_dir():
        return None
    if path.name in USUAL and _is_backlog(path):
        return _source(path.parent, path, ())
    roots = [path / name for name in ROOT_CONFIGS if (path / name).is_file() and not (path / name).is_symlink()]
    named = [found for root in roots if (found := _named(root))]
    homes = [path / name for name in (*named, *USUAL)]
    home = next((one for one in homes if _is_backlog(one)), None)
    return _source(path, home, tuple(Entry(root.name, root) for root in roots)) if home else None


def _source(folder: Path, home: Path, roots: tuple[Entry, ...]) -> RecognisedSource:
    name = home.relative_to(folder).as_posix()
    return layout.project(NAME, folder, BacklogStore(name, (*walk(home, f"{name}/"), *roots)))


def _is_backlog(home: Path) -> bool:
    """Return whether a folder has tasks of this program; its name alone says nothing."""
    try:
        if home.is_symlink() or not home.is_dir():
            return False
        tasks = [one for name in ("tasks", "drafts", "completed") for one in (home / name).glob("*.md")]
        has_config = any("project_name" in _config(home / name) for name in CONFIGS)
        return has_config or any(TASK.fullmatch(one.name) for one in tasks)
    except OSError:
        return False


def _named(config: Path) -> str | None:
    """Return the folder that the configuration of a project names, if it lies in the project."""
    told = next((str(value) for name in NAMED if (value := _config(config).get(name))), None)
    if told is None:
        return None
    home = PurePosixPath(told.replace("\\", "/"))
    parts = [config.parent.joinpath(*home.parts[: number + 1]) for number in range(len(home.parts))]
    is_inside = not home.is_absolute() and ".." not in home.parts and home.parts
    return home.as_posix() if is_inside and not any(part.is_symlink() for part in parts) else None


def _config(path: Path) -> dict[str, object]:
    try:
        if path.is_symlink() or not path.is_file():
            return {}
        return object_of(yaml.parsed(text_of(read_whole(Entry(path.name, path)))))
    except (OSError, UnreadableFile, yaml.BadYaml):
        return {}


def files(source: RecognisedSource) -> Iterator[SourceFile]:
    """Yield the files of the folder, then the configuration that names it."""
    store: BacklogStore = source.detail
    for entry in store.entries:
        yield SourceFile(source.workspaces[0].workspace_id, entry.path, entry.location, entry.odd)


def read(source: RecognisedSource, known: Known) -> Iterator[ImportBatch]:
    """Yield what the files become, file by file, then what stands below or waits for others, at last the plan."""
    store: BacklogStore = source.detail
    taker = Taker(known, NAME, source.workspaces[0].workspace_id)
    backlog = papers.Backlog(taker.maker(store.home, known.now), _statuses(source.root, store), source.root.name)
    listed = [(_kind(store, entry), entry) for entry in store.entries]
    listed.sort(key=lambda one: papers.RANK.get(one[0], 0))  # of equal ids the task that is still there counts
    if taker.is_new:
        workspace = backlog.make.workspace(source.workspaces[0].path, source.root.name)
        yield ImportBatch(taker.workspace_id, rows=[workspace])
    for kind, entry in listed:
        yield backlog.batch_of(taker, entry, kind)
    yield backlog.below(taker.workspace_id)
    yield from backlog.links(taker.workspace_id)
    yield ImportBatch(taker.workspace_id, rows=backlog.head())


def _statuses(root: Path, store: BacklogStore) -> list[str]:
    """Return the words for a status, of which the last one means that a task is done."""
    paths = [*(root / store.home / name for name in CONFIGS), *(root / name for name in ROOT_CONFIGS)]
    listed = [list_of(_config(path).get("statuses")) for path in paths]
    return [str(one) for one in next(filter(None, listed), ())]


def _kind(store: BacklogStore, entry: Entry) -> str:
    """Return what a file is by its folder: `tasks`, `archive/drafts`, `config`; anything else is a document."""
    inner = PurePosixPath(entry.path)
    if entry.path in ROOT_CONFIGS or (inner.parent.as_posix() == store.home and inner.name in CONFIGS):
        return "config"
    inner = inner.relative_to(store.home)
    if inner.suffix.lower() != ".md":
        return "other"
    folder = inner.parts[0] if inner.parts[0] != "archive" else "/".join(inner.parts[:2])
    return folder if folder in papers.KINDS else "docs"
