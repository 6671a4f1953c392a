"""Where burndown-chart keeps what: folders of profiles, files from before there were profiles, databases, packages."""

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from server.db.storage import foreign
from server.db.storage.foreign import BadDatabase
from server.importers.reading import Entry, entry_at, head, walk
from server.importers.taking import WHOLE_BYTES

Kind = Literal[
    "profiles", "profile", "query", "jira_cache", "changelog", "project_data", "snapshots", "progress", "settings",
    "query_list", "statistics", "database", "log", "package", "copy", "other",
]  # fmt: skip
DEFAULT = "default"  # the profile of what is older than profiles
OF_PROFILES: dict[str, Kind] = {"profiles.json": "profiles"}
OF_A_PROFILE: dict[str, Kind] = {"profile.json": "profile", "task_progress.json": "progress"}
OF_A_QUERY: dict[str, Kind] = {
    "query.json": "query",
    "jira_cache.json": "jira_cache",
    "jira_changelog_cache.json": "changelog",
    "project_data.json": "project_data",
    "metrics_snapshots.json": "snapshots",
    "task_progress.json": "progress",
}
OLDER: dict[str, Kind] = {
    "app_settings.json": "settings",
    "forecast_settings.json": "settings",
    "jira_query_profiles.json": "query_list",
    "project_data.json": "project_data",
    "jira_cache.json": "jira_cache",
    "jira_changelog_cache.json": "changelog",
    "metrics_snapshots.json": "snapshots",
    "statistics.csv": "statistics",
    "forecast_statistics.csv": "statistics",
    "task_progress.json": "progress",
}
DATABASES = (".db", ".sqlite", ".sqlite3")
TABLES = {"profiles", "queries", "app_state"}
HEAD_BYTES = 1024 * 1024


@dataclass(frozen=True)
class BurndownFile:
    """A file: what it is, of which profile (None: of all), and of which query (None: of the whole profile)."""

    kind: Kind
    entry: Entry
    profile: str | None = None
    query: str | None = None


@dataclass(frozen=True)
class BurndownFiles:
    """What stands at a path: the files, and the profiles that they are of, in their order."""

    places: tuple[BurndownFile, ...]
    profiles: tuple[str, ...]


def find(path: Path) -> BurndownFiles | None:
    """Return what burndown-chart left at a path: its folder, `profiles` in it, one profile, a database, a package."""
    if path.is_file():
        return _file(path)
    if not path.is_dir():
        return None
    if _is_profile(path):
        places = tuple(_of_profile(path, "", path.name))
    elif _has_profiles(path):
        places = (*_of_profiles(path, ""), *_databases(path, ""))
    else:
        places = tuple(_of_root(path))
    known = [place.profile for place in places if place.profile is not None]
    return _found(places, known) if any(place.kind not in ("copy", "other") for place in places) else None


def _found(places: tuple[BurndownFile, ...], known: list[str]) -> BurndownFiles:
    more = [name for place in places if place.kind == "database" for name in _profiles_in(place.entry.location)]
    return BurndownFiles(places, tuple(dict.fromkeys([*known, *more])) or (DEFAULT,))


def _file(path: Path) -> BurndownFiles | None:
    entry = Entry(path.name, path)
    if path.suffix in DATABASES and _is_database(path):
        return _found(tuple(_database("", path)), [])
    if (package := _package_profile(path)) is not None:
        return BurndownFiles((BurndownFile("package", entry, package),), (package,))
    return None


def _is_profile(path: Path) -> bool:
    return (path / "profile.json").is_file() and path.parent.name == "profiles"


def _has_profiles(path: Path) -> bool:
    if path.name != "profiles":
        return False
    return (path / "profiles.json").is_file() or next(path.glob("*/profile.json"), None) is not None


def _of_root(path: Path) -> Iterator[BurndownFile]:
    """Yield the files of the folder that the program runs in, if it is one: others have files of such names, too."""
    profiles = path / "profiles"
    has_profiles = profiles.is_dir() and not profiles.is_symlink() and _has_profiles(profiles)
    databases = tuple(_databases(path, ""))
    is_older = (path / "jira_query_profiles.json").is_file() or (
        (path / "app_settings.json").is_file()
        and any((path / name).is_file() for name in ("project_data.json", "statistics.csv", "forecast_statistics.csv"))
    )
    if not (has_profiles or databases or is_older):
        return
    for name, kind in sorted(OLDER.items()):
        location = path / name
        if location.is_file() or location.is_symlink():
            yield BurndownFile(kind, entry_at(location, name), DEFAULT)
    if has_profiles:
        yield from _of_profiles(profiles, "profiles/")
        yield from _databases(profiles, "profiles/")
    yield from databases
    for backup in sorted((path / "backups").glob("migration-*")):
        if backup.is_dir() and not backup.is_symlink():
            for entry in walk(backup, f"backups/{backup.name}/"):
                yield BurndownFile("copy", entry)


def _of_profiles(folder: Path, prefix: str) -> Iterator[BurndownFile]:
    for name, kind in OF_PROFILES.items():
        if (folder / name).is_file():
            yield BurndownFile(kind, entry_at(folder / name, prefix + name))
    for child in sorted(folder.iterdir()):
        if child.is_dir() and not child.is_symlink():
            yield from _of_profile(child, f"{prefix}{child.name}/", child.name)


def _of_profile(folder: Path, prefix: str, profile: str) -> Iterator[BurndownFile]:
    """Yield every file of a profile: what is not known of it is kept, too."""
    for entry in walk(folder, prefix):
        parts = entry.path.removeprefix(prefix).split("/")
        if len(parts) == 1:
            yield BurndownFile(OF_A_PROFILE.get(parts[0], "other"), entry, profile)
        elif parts[0] == "queries" and len(parts) == 3:
            yield BurndownFile(OF_A_QUERY.get(parts[2], "other"), entry, profile, parts[1])
        else:
            yield BurndownFile("other", entry, profile)


def _databases(folder: Path, prefix: str) -> Iterator[BurndownFile]:
    for location in sorted(folder.iterdir()):
        if location.suffix in DATABASES and not location.is_symlink() and location.is_file() and _is_database(location):
            yield from _database(prefix, location)


def _database(prefix: str, location: Path) -> Iterator[BurndownFile]:
    """Yield a database, and the log that is read with it: what was written last may be in there alone."""
    yield BurndownFile("database", Entry(prefix + location.name, location))
    log = location.with_name(f"{location.name}{foreign.WAL}")
    if log.exists():
        yield BurndownFile("log", entry_at(log, prefix + log.name))


def _is_database(path: Path) -> bool:
    """Return whether a database is one of the program's: by its head first, for to look into it means to copy it."""
    start = b"".join(head(path.with_name(path.name + end), HEAD_BYTES) for end in ("", foreign.WAL))
    if not all(name.encode() in start for name in TABLES):
        return False
    try:
        with foreign.opened(path) as db:
            return db.tables().keys() >= TABLES
    except (OSError, BadDatabase):
        return False


def _profiles_in(path: Path) -> list[str]:
    try:
        with foreign.opened(path) as db:
            return [str(row["id"]) for row in db.rows("profiles", "id")]
    except (OSError, BadDatabase):
        return []


def _package_profile(path: Path) -> str | None:
    """Return the profile that a package holds; None if the file is no package."""
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
                return _profile_id(archive) if "manifest.json" in names and "profile.json" in names else None
        if path.suffix == ".json":
            is_one = path.stat().st_size <= WHOLE_BYTES and head(path, HEAD_BYTES).lstrip().startswith(b"{")
            return _id_of(json.loads(path.read_bytes())) if is_one else None
    except (OSError, ValueError, RecursionError, zipfile.BadZipFile, NotImplementedError, EOFError):
        return None
    return None


def _profile_id(archive: zipfile.ZipFile) -> str:
    with archive.open("profile.json") as file:
        return _named(json.loads(file.read(HEAD_BYTES)))


def _id_of(package: object) -> str | None:
    if not isinstance(package, dict):
        return None
    found = cast(dict[str, Any], package)
    is_one = isinstance(found.get("manifest"), dict) and ("profile_data" in found or "query_data" in found)
    return _named(found.get("profile_data")) if is_one else None


def _named(profile: object) -> str:
    found = cast(dict[str, Any], profile).get("id") if isinstance(profile, dict) else None
    return found if isinstance(found, str) and found else DEFAULT
