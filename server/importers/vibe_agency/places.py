"""Which files of a project are a store of vibe-agency, and of which kind each is. Nothing else is looked at."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from server.db.storage.foreign import WAL
from server.importers.reading import Entry, entry_at, head, names_in, walk

STATE = ".vibe"
MISSION = f"{STATE}/state/active_mission.json"
MANIFEST = "project_manifest.json"
WORKSPACES = "workspaces"
MARKS = ((MISSION, ""), (MANIFEST, '"agency.os/'), (".session_handoff.json", ""))
DEPTH = 4  # of folders of projects below `workspaces`
MARK_BYTES = 64 * 1024
OUR_MARK, LOOKED_AT = b"CREATE TABLE import_rows", 8 * 1024 * 1024
MANIFEST_MARKS = (b'"agency.os/', b'"projectId"', b'"project_id"')
PARTS = (".delegation", "artifacts/planning")  # folders of a project that the store wrote
OWN = (".vibe/state", ".vibe")  # folders of a store that are given in place of the project
LEFT_OUT = (".git", "node_modules", ".venv", "__pycache__")

# Kind -> the paths that are of it, the first that fits.
KINDS = (
    ("manifest", (MANIFEST, f"{WORKSPACES}/*/{MANIFEST}")),
    ("backup", (f"{MANIFEST}.bak", f"{WORKSPACES}/*/{MANIFEST}.bak")),
    ("index", (f"{WORKSPACES}/.workspace_index.yaml",)),
    ("delegation", (f"{WORKSPACES}/*/.delegation/request_*.json", f"{WORKSPACES}/*/.delegation/response_*.json",
                    ".delegation/request_*.json", ".delegation/response_*.json")),
    ("document", (f"{WORKSPACES}/*/artifacts/planning/*",)),
    ("handoff", (".session_handoff*.json",)),
    ("debt", (".debt_backlog*.json",)),
    ("mission", (MISSION,)),
    ("checkpoint", (".vibe/state/active_mission_*.json", ".vibe/archive/*.json")),
    ("roadmap", (".vibe/config/roadmap.yaml", ".vibe/config/roadmap.yml", ".vibe/config/*roadmap*.json",
                 "docs/*roadmap*.json", "docs/roadmap/*.json")),
    ("memory", (".vibe/project_memory.json",)),
    ("log", (".vibe/history/*.md", ".vibe/history/*.txt")),
    ("receipt", (".vibe/receipts/*.json",)),
    ("database", (".vibe/*.db", ".vibe/*.sqlite", "data/vibe.db")),
    ("companion", (".vibe/*.db-wal", ".vibe/*.db-shm", "data/vibe.db-wal", "data/vibe.db-shm")),
    ("paper", (".vibe/*.json", ".vibe/*.yaml", ".vibe/*.yml")),
    ("text", (".vibe/*",)),
)  # fmt: skip


@dataclass(frozen=True)
class StorePlace:
    """A store: the folder of the project, and the part of it that is imported ("" for all)."""

    folder: Path
    part: str = ""


def find(path: Path) -> StorePlace | None:
    """Return the store that a project, its `.vibe` or a folder in that holds; the odd never raises."""
    try:
        for part in OWN:
            if path.as_posix().endswith(f"/{part}") and path.is_dir():
                place = StorePlace(path.parents[part.count("/")], part)
                return place if next(entries(place), None) else None
        return StorePlace(path) if path.is_dir() and _is_store(path) else None
    except (OSError, ValueError):
        return None


def _is_store(path: Path) -> bool:
    marks = (".session_handoff.json", ".debt_backlog.json", f"{WORKSPACES}/.workspace_index.yaml", "data/vibe.db")
    return (
        any((path / mark).is_file() for mark in marks)
        or _is_folder(path / STATE)
        or _is_manifest(path / MANIFEST)
        or any(_is_manifest(entry.location) for entry in _projects(path) if entry.path.endswith(MANIFEST))
        or any(fnmatchcase(name, "*cleanup_roadmap.json") for name in names_in(path / "docs"))
    )


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and bool(names_in(path))


def _is_manifest(path: Path) -> bool:
    """Return whether a file of that name is one of theirs: others have such files too."""
    start = head(path, MARK_BYTES)
    return any(mark in start for mark in MANIFEST_MARKS)


def kind_of(path: str) -> str | None:
    """Return of which kind a file is, by its path in the project."""
    return next((kind for kind, patterns in KINDS if any(fnmatchcase(path, one) for one in patterns)), None)


def entries(place: StorePlace) -> Iterator[Entry]:
    """Yield every file of a store, in a stable order."""
    found = sorted(_all(place.folder), key=lambda entry: entry.path)
    ours = [one.path for one in found if kind_of(one.path) == "database" and _is_ours(one)]
    beside = tuple(start for path in ours for start in _beside(path))
    for one in found:
        if not one.path.startswith(beside) and (not place.part or one.path.startswith(f"{place.part}/")):
            yield one


def _beside(path: str) -> tuple[str, ...]:
    """Return how the paths of what belongs to a database of ours begin: itself, its log, its locks."""
    folder, _, name = path.rpartition("/")
    return (path, f"{folder}/{name.rpartition('.')[0]}.", f"{folder}/processes/")


def _is_ours(entry: Entry) -> bool:
    """Return whether a database is one of this program: their plan puts it where their own was."""
    if entry.odd:
        return False
    places = (entry.location.with_name(entry.location.name + end) for end in ("", WAL))
    return any(OUR_MARK in head(path, LOOKED_AT) for path in places)


def _all(folder: Path) -> Iterator[Entry]:
    yield from _listed(folder, "")
    yield from _listed(folder / "docs", "docs/")
    yield from _listed(folder / "docs" / "roadmap", "docs/roadmap/")
    yield from _listed(folder / "data", "data/")
    yield from _below(folder, STATE, "")
    yield from _below(folder, ".delegation", "")
    yield from _projects(folder)


def _listed(folder: Path, prefix: str) -> Iterator[Entry]:
    """Yield the files of the store that are right in a folder, among others."""
    for name in names_in(folder):
        if kind_of(prefix + name) is not None and not (folder / name).is_dir():
            yield entry_at(folder / name, prefix + name)


def _below(folder: Path, name: str, prefix: str) -> Iterator[Entry]:
    """Yield all files below a folder that is the store's own; of one that is a link only that."""
    location = folder / name
    if location.is_symlink():
        yield entry_at(location, f"{prefix}{name}")
    elif location.is_dir():
        yield from walk(location, f"{prefix}{name}/")


def _projects(folder: Path, prefix: str = f"{WORKSPACES}/", depth: int = 1) -> Iterator[Entry]:
    """Yield the files of the store in the projects below `workspaces`: beside them is code."""
    here = folder / prefix
    yield from _listed(here, prefix)
    for name in names_in(here) if depth <= DEPTH else ():
        inner = f"{prefix}{name}"
        if name in LEFT_OUT or (folder / inner).is_symlink() or not (folder / inner).is_dir():
            continue
        for part in PARTS:
            yield from _below(folder / inner, part, f"{inner}/")
        if name not in ("artifacts", ".delegation"):
            yield from _projects(folder, f"{inner}/", depth + 1)


def slug(name: str) -> str:
    """Return a name as the programs make ids of names."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
