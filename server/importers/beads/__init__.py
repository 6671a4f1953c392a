"""The issues of beads: JSON lines below `.beads`, a file that `bd export` wrote, or else its older database."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from server.importers import layout
from server.importers.beads import building
from server.importers.beads.databases import SUFFIX, is_database
from server.importers.beads.survey import is_issue, surveyed
from server.importers.layout import Known, RecognisedSource, SourceFile
from server.importers.reading import Content, Entry, UnreadableFile, parse, stream, walk
from server.importers.taking import Taker
from server.models.imports import Finding, ImportBatch

NAME: str = "beads"
HOME = ".beads"
ISSUES = ("issues.jsonl", "beads.jsonl")  # of which the first counts
NOT_READ = ("dolt", "embeddeddolt", "daemon", "backup", "export-state")  # folders of its own databases
TEXTS = (".jsonl", ".json", ".yaml", ".yml", ".toml", ".md", ".txt")
DATABASE = f"beads{SUFFIX}"
MARKS = tuple((f"{HOME}/{name}", "") for name in (*ISSUES, DATABASE, *(f"{name}/" for name in NOT_READ[:2])))
FEW = 5  # lines that are looked at to tell whether a file holds issues
NO_ISSUES = (
    "beads has no file of issues here: write it with `bd export -o .beads/issues.jsonl --all`, then import again"
)
MAY_BE_OLD = (
    "beads keeps its issues in a database beside this file, which may be older: `bd export -o FILE --all` first"
)


@dataclass(frozen=True)
class BeadsStore:
    """A recognised store: its file of issues, or the database if there is none, and the other files beside it."""

    issues: Entry | None
    others: tuple[Entry, ...]
    is_database: bool


def recognise(path: Path) -> RecognisedSource | None:
    """Return the issues of a project, of its `.beads` folder, or of an exported file."""
    if path.is_file():
        return _exported(path)
    home = path if path.name == HOME else path / HOME
    if not home.is_dir() or home.is_symlink():
        return None
    databases = sorted(home.glob(f"*{SUFFIX}"), key=lambda one: (one.name != DATABASE, one.name))
    folders = [home / name for name in NOT_READ[:2] if (home / name).is_dir()]
    entries = [Entry(f"{HOME}/{entry.path}", entry.location, entry.odd) for entry in walk(home, without=NOT_READ)]
    by_path = {entry.path: entry for entry in entries}
    names = (*ISSUES, *(one.name for one in databases))
    issues = next((by_path[name] for file in names if (name := f"{HOME}/{file}") in by_path), None)
    if issues is None and not folders:
        return None
    others = tuple(entry for entry in entries if entry is not issues)
    return layout.project(NAME, home.parent, BeadsStore(issues, others, bool([*databases, *folders])))


def _exported(path: Path) -> RecognisedSource | None:
    """Return the source that an exported file is: of the project that it lies in, if that uses beads."""
    if path.parent.name == HOME and path.name in ISSUES:
        return recognise(path.parent)
    if path.suffix != ".jsonl" or path.is_symlink() or not _holds_issues(path):
        return None
    if (path.parent / HOME).is_dir():
        return layout.project(NAME, path.parent, BeadsStore(Entry(path.name, path), (), is_database=False))
    return layout.placeless(NAME, path, path.stem, BeadsStore(Entry(path.name, path), (), is_database=False))


def _holds_issues(path: Path) -> bool:
    try:
        lines = list(islice(stream(Entry(path.name, path), Content(path.name, "", 0, b"", "")), FEW))
        return any(is_issue(parse(line.decode("utf-8", "replace"), [])) for _, line in lines if line.strip())
    except (OSError, UnreadableFile):
        return False


def files(source: RecognisedSource) -> Iterator[SourceFile]:
    """Yield the file of issues, then what lies beside it."""
    store: BeadsStore = source.detail
    owner = source.workspaces[0].workspace_id
    for entry in (store.issues, *store.others):
        if entry:
            yield SourceFile(owner, entry.path, entry.location, entry.odd)


def read(source: RecognisedSource, known: Known) -> Iterator[ImportBatch]:
    """Yield what the issues become: first what holds them, then the issues, a thousand lines at a time."""
    store: BeadsStore = source.detail
    taker = Taker(known, NAME, source.workspaces[0].workspace_id)
    if store.issues:
        survey = surveyed(taker, store.issues)
        yield from building.of_file(taker, store.issues, survey, source.workspaces[0])
    else:
        place = str(source.root / HOME)
        yield ImportBatch(taker.workspace_id, findings=[Finding("error", place, "$", NO_ISSUES)])
    if store.issues and store.is_database and not is_database(store.issues):
        yield ImportBatch(taker.workspace_id, findings=[Finding("warning", store.issues.path, "$", MAY_BE_OLD)])
    for entry in store.others:
        is_text = entry.location.suffix.lower() in TEXTS
        yield taker.skipped(entry, "no issues: what beads keeps for itself", keep=is_text)
