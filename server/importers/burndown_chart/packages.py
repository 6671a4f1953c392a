"""Packages that burndown-chart exports: one JSON file, or an archive of several. Nothing is unpacked to the disk."""

import json
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any

from server.importers.burndown_chart import measures
from server.importers.burndown_chart.profiles import QueryRows, profile_rows, query_rows
from server.importers.reading import Content, Entry, UnreadableFile, json_of, object_of
from server.importers.rows import RowMaker
from server.importers.taking import WHOLE_BYTES, Taken, Taker
from server.models.imports import Finding, ImportBatch, ImportedRow

MEMBERS = 10_000
UNPACKED_BYTES = 2 * WHOLE_BYTES
VERSIONS = ("1", "2")
# What a query of a package may hold beside itself: what makes rows of it.
PARTS = {
    "jira_cache": measures.cache_rows,
    "jira_changelog_cache": measures.changelog_rows,
    "changelog": measures.changelog_rows,
    "project_data": measures.data_rows,
    "statistics": measures.statistics_rows,
    "metrics": measures.snapshot_rows,
    "metrics_snapshots": measures.snapshot_rows,
}
HEADS = ("query_metadata", "query", "metadata")


def opened(taker: Taker, entry: Entry) -> tuple[ImportBatch, Taken | None]:
    """Open a package; its value is {manifest, profile_data, query_data} in either form."""
    return taker.read_by(entry, _archive if entry.location.suffix == ".zip" else _package)


def _package(content: Content) -> Any:
    return _checked(json_of(content))


def _checked(value: Any) -> Any:
    found = object_of(value)
    version = str(object_of(found.get("manifest")).get("version", "1"))
    if version.partition(".")[0] not in VERSIONS:
        raise UnreadableFile(f"a package of version {version!r}; known are 1.x and 2.x")
    return found


def _archive(content: Content) -> Any:
    try:
        with zipfile.ZipFile(BytesIO(content.data)) as archive:
            members = _members(archive)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise UnreadableFile(f"no archive that can be read: {error}") from error
    return _checked(_put_together(members))


def _members(archive: zipfile.ZipFile) -> dict[str, Any]:
    """Return the JSON of every file in an archive. What it says of its sizes is not believed."""
    listed = [one for one in archive.infolist() if not one.is_dir() and one.filename.endswith(".json")]
    if len(listed) > MEMBERS:
        raise UnreadableFile(f"an archive of {len(listed)} files; {MEMBERS} are read at most")
    room, found = UNPACKED_BYTES, dict[str, Any]()
    for one in listed:
        with archive.open(one) as file:
            data = file.read(room + 1)
        room -= len(data)
        if room < 0:
            raise UnreadableFile(f"an archive that unpacks to more than the {UNPACKED_BYTES} bytes that are read")
        try:
            found[one.filename] = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise UnreadableFile(f"{one.filename} in it is no JSON: {error}") from error
    return found


def _put_together(members: dict[str, Any]) -> dict[str, Any]:
    """Return the files of an archive as the one file has them; what is not known of them is `others`."""
    queries: dict[str, dict[str, Any]] = {}
    others: dict[str, Any] = {}
    for name, value in members.items():
        path = PurePosixPath(name)
        part = next((key for key in PARTS if key in path.stem), None)
        if path.parts[0] == "queries" and len(path.parts) == 2:
            queries.setdefault(path.stem, {}).update(_query(value))
        elif part and (query := _query_of(path, members)):
            queries.setdefault(query, {})[part] = value
        elif name not in ("manifest.json", "profile.json"):
            others[name] = value
    whole = {"manifest": members["manifest.json"], "profile_data": members["profile.json"], "query_data": queries}
    return {**whole, **({"others": others} if others else {})}


def _query(value: Any) -> dict[str, Any]:
    found = object_of(value)
    return found if any(name in found for name in HEADS) else {"query_metadata": found}


def _query_of(path: PurePosixPath, members: dict[str, Any]) -> str | None:
    """Return the query that a file of an archive is of: the one that its path names."""
    known = [PurePosixPath(name).stem for name in members if name.startswith("queries/")]
    named = [query for query in known if query in path.parts or path.stem.startswith(f"{query}_")]
    return max(named, key=len) if named else (known[0] if len(known) == 1 else None)


def rows(make: RowMaker, profile: str, value: Any, findings: list[Finding]) -> Iterator[ImportedRow]:
    """Yield what a package becomes."""
    found = object_of(value)
    yield from profile_rows(make, profile, found.get("profile_data"), "$.profile_data", findings)
    for query, whole in object_of(found.get("query_data")).items():
        at = f"$.query_data.{query}"
        entry = object_of(whole)
        query_of = QueryRows(make, profile, query)
        head = next((name for name in HEADS if name in entry), None)
        yield from query_rows(query_of, entry.get(head) if head else {}, f"{at}.{head or ''}".rstrip("."), findings)
        rest: dict[str, Any] = {}
        data = object_of(entry.get("project_data"))
        for name, part in entry.items():
            if name in data and data[name] == part:
                continue  # it is told again by itself
            if name == "project_scope":
                yield measures.context_row(query_of, name, part, f"{at}.{name}")
            elif name in PARTS:
                yield from PARTS[name](query_of, part, f"{at}.{name}", findings)
            elif name != head:
                rest[name] = part
        if rest:
            yield measures.context_row(query_of, "package", rest, at)
    others = {name: part for name, part in found.items() if name not in ("profile_data", "query_data")}
    yield make.row(
        "context_items",
        make.id("item", "package"),
        parent_type="workspace",
        parent_id=make.workspace_id,
        type="package",
        data=others,
    )
