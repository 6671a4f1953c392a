"""Where things are in a file store: its workspaces, their plans, and what every file is for."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from server.importers.reading import Entry, UnreadableFile, json_of, list_of, object_of, read, walk
from server.importers.values import callable_as, derived, moment
from server.settings import is_ours

META = "workspace.meta.json"
CONTEXT = "workspace.context.json"
REGISTRY = "workspace-registry.json"
IDENTITY = ".projectmemory/identity.json"
ARCHIVED = "_archived"
NO_WORKSPACE = ("events", "logs")
TEST_FOLDERS = ("ws_nonexistent", "ws_test_buildscripts_123")
WINDOWS = re.compile(r"[A-Za-z]:|//")
LEFTOVER = re.compile(r"\.(lock|tmp)(/|$)|\.(lock|tmp)\.|~$|\.tmp[-_.][^/]*$", re.IGNORECASE)


@dataclass(frozen=True)
class LegacyWorkspace:
    """One workspace of the store. `plans` limits it to some plan folders (paths relative to `folder`).

    `taken` is the path that its files name, when another workspace of the store has it.
    """

    workspace_id: str
    folder: Path
    path: str
    aliases: tuple[str, ...] = ()
    plans: tuple[str, ...] | None = None
    from_registry: bool = False
    seen_at: str = ""
    taken: str = ""


@dataclass(frozen=True)
class LegacyTree:
    """A recognised store: `data` is the data root, if there is one; `identity` the identity file beside the store."""

    data: Path | None
    places: tuple[LegacyWorkspace, ...]
    ghosts: tuple[Path, ...] = ()
    identity: Path | None = None
    registry: dict[str, str] = field(default_factory=dict[str, str])


def tolerant(location: Path) -> Any:
    """Return the JSON of a file, or None if there is none; the full reading tells why later."""
    try:
        return json_of(read(Entry(location.name, location)))
    except (OSError, UnreadableFile):
        return None


def find(path: Path) -> LegacyTree | None:
    """Return the store that `path` is or holds, or None."""
    if not path.is_dir():
        return None
    if path.name == ".projectmemory":
        return _of_identity(path)
    for attempt in (_one_workspace, _one_plan, _data_root, _project):
        if found := attempt(path):
            return found
    return None


def _one_workspace(path: Path) -> LegacyTree | None:
    if _is_file(path / META) or (_is_dir(path / "plans") and next(_plan_folders(path), None)):
        return LegacyTree(None, (_place(path, {}),))
    return None


def _one_plan(path: Path) -> LegacyTree | None:
    state = object_of(tolerant(path / "state.json") if _is_file(path / "state.json") else None)
    if not ({"id", "plan_id"} & set(state) and "steps" in state):
        return None
    inner = ("plans", ARCHIVED, path.name) if path.parent.name == ARCHIVED else ("plans", path.name)
    folder = path.parents[len(inner) - 1]
    if PurePosixPath(*inner[:-1]).name != path.parent.name or not _is_file(folder / META):
        workspace_id = str(state.get("workspace_id") or path.name)
        return LegacyTree(None, (LegacyWorkspace(workspace_id, path, "", plans=("",)),))
    place = _place(folder, {})
    return LegacyTree(
        None, (LegacyWorkspace(place.workspace_id, folder, place.path, place.aliases, ("/".join(inner),)),)
    )


def _data_root(path: Path) -> LegacyTree | None:
    registry = _registry(path)
    by_id = {workspace_id: spelled for spelled, workspace_id in registry.items()}
    folders = [
        f for f in _folders(path) if f.name not in NO_WORKSPACE and not f.name.startswith(".") and not is_ours(f)
    ]
    known = [f for f in folders if _is_file(f / META) or (f.name in by_id and next(_plan_folders(f), None))]
    places = _told_apart([_place(f, by_id) for f in known if f.name not in TEST_FOLDERS], registry)
    if not places and not _is_file(path / REGISTRY) and not _has_events(path):
        return None
    ghosts = tuple(f for f in folders if f not in known or f.name in TEST_FOLDERS)
    return LegacyTree(path, places, ghosts, registry=registry)


def _told_apart(places: list[LegacyWorkspace], registry: dict[str, str]) -> tuple[LegacyWorkspace, ...]:
    """Return workspaces of which no two have an id or a path in common, as a folder and its copy do.

    An id stays with the folder of that name; a path with the workspace that the registry names, or that was seen last.
    """
    ids = {place.folder: place.workspace_id for place in places if place.workspace_id == place.folder.name}
    for place in places:
        wanted = (place.workspace_id, place.folder.name, derived("ws", place.folder.name))
        ids.setdefault(place.folder, next(name for name in wanted if name not in ids.values()))
    registered = {_plain(path): known for path, known in registry.items()}
    owners: dict[str, Path] = {}

    def rank(place: LegacyWorkspace) -> tuple[bool, bool, str]:
        own = ids[place.folder] == place.workspace_id
        return own and registered.get(_plain(place.path)) == place.workspace_id, own, place.seen_at

    for place in sorted(places, key=rank, reverse=True):
        owners.setdefault(_plain(place.path), place.folder)
    return tuple(
        replace(place, workspace_id=ids[place.folder])
        if owners[_plain(place.path)] == place.folder
        else replace(place, workspace_id=ids[place.folder], path="", taken=place.path)
        for place in places
    )


def _plain(path: str) -> str:
    """Return a path as it compares: with forward slashes, and without case where Windows made it."""
    plain = path.replace("\\", "/").rstrip("/")
    return plain.lower() if WINDOWS.match(plain) else plain


def _project(path: Path) -> LegacyTree | None:
    identity = path / IDENTITY if _is_file(path / IDENTITY) else None
    data = _data_root(path / "data") if _is_dir(path / "data") else None
    if data:
        return LegacyTree(data.data, data.places, data.ghosts, identity, data.registry)
    return _of_identity(path / ".projectmemory") if identity else None


def _of_identity(path: Path) -> LegacyTree | None:
    """Return the store that an identity file leads to: the data root it names, or the one beside it."""
    location = path / "identity.json"
    found = object_of(tolerant(location) if _is_file(location) else None)
    workspace_id = found.get("workspace_id")
    if not isinstance(workspace_id, str):
        return None
    for root in (str(found.get("data_root") or ""), str(path.parent / "data")):
        folder = Path(root) / workspace_id
        if root and Path(root).is_absolute() and _is_file(folder / META):
            return LegacyTree(None, (_place(folder, {}),), identity=location)
    place = LegacyWorkspace(workspace_id, path, str(found.get("workspace_path") or ""), plans=())
    return LegacyTree(None, (place,), identity=location)


def _place(folder: Path, by_id: dict[str, str]) -> LegacyWorkspace:
    meta = tolerant(folder / META)
    found = object_of(meta)
    told = found.get("workspace_id")
    usable = isinstance(told, str) and bool(told) and callable_as(told) == told
    workspace_id = told if isinstance(told, str) and usable else callable_as(folder.name)
    old: list[str] = [item for item in list_of(found.get("legacy_workspace_ids")) if isinstance(item, str)]
    aliases = dict.fromkeys([*old, folder.name])
    paths = (found.get("workspace_path"), found.get("path"), by_id.get(folder.name))
    path = next((item for item in paths if isinstance(item, str) and item.strip()), "")
    kept = tuple(alias for alias in aliases if alias and alias != workspace_id)
    seen_at = max(moment(found.get(name)) or "" for name in ("updated_at", "last_accessed", "last_seen_at"))
    return LegacyWorkspace(workspace_id, folder, path, kept, from_registry=meta is None, seen_at=seen_at)


def _registry(path: Path) -> dict[str, str]:
    found = object_of(tolerant(path / REGISTRY) if _is_file(path / REGISTRY) else None)
    return {path: known for path, known in object_of(found.get("entries")).items() if isinstance(known, str)}


def _has_events(path: Path) -> bool:
    return _is_file(path / "events" / "events.log") or any((path / "events").glob("evt_*.json"))


def _plan_folders(folder: Path) -> Iterator[Path]:
    for base in (folder / "plans", folder / "plans" / ARCHIVED):
        yield from (f for f in _folders(base) if f.name != ARCHIVED and _is_file(f / "state.json"))


def _folders(path: Path) -> list[Path]:
    try:
        return sorted(f for f in path.iterdir() if not f.is_symlink() and f.is_dir())
    except OSError:
        return []


def _is_file(path: Path) -> bool:
    try:
        return path.is_file() and not path.is_symlink()
    except OSError:
        return False


def _is_dir(path: Path) -> bool:
    try:
        return path.is_dir() and not path.is_symlink()
    except OSError:
        return False


def entries(place: LegacyWorkspace) -> Iterator[Entry]:
    """Yield the files of a workspace, with paths relative to its folder."""
    if place.plans is None:
        yield from map(_marked, walk(place.folder))
        return
    if place.plans and place.plans != ("",):
        meta = place.folder / META
        yield Entry(META, meta)
    for inner in place.plans:
        prefix = f"{inner}/" if inner else f"plans/{place.folder.name}/"
        yield from map(_marked, walk(place.folder / inner, prefix))


def root_entries(tree: LegacyTree) -> Iterator[Entry]:
    """Yield the files of the store that belong to no workspace folder, ghosts included."""
    if tree.data is None:
        return
    folders = {place.folder.name for place in tree.places}
    ours = {path.name for path in tree.data.iterdir() if is_ours(path)}
    yield from map(_marked, walk(tree.data, without=folders | ours))


def _marked(entry: Entry) -> Entry:
    if entry.odd is None and LEFTOVER.search(entry.path):
        return Entry(entry.path, entry.location, "a leftover of a writer that died (lock or temporary file)")
    return entry
