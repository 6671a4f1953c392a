"""The first look at a store: which plan each file is about, before anything becomes a row."""

from collections.abc import Callable, Mapping
from typing import Any

from server.importers.reading import Content, Entry, UnreadableFile, is_object, object_of, read
from server.importers.vibe_agency import databases, manifests, memories, missions, places, roadmaps
from server.importers.vibe_agency.project import Project

# Kinds that make plans, in the order in which they are asked what is theirs.
MAKERS: Mapping[str, Callable[[dict[str, Any]], Any]] = {
    "manifest": manifests.identity,
    "mission": missions.identity,
    "roadmap": roadmaps.identity,
    "debt": lambda value: None,
}


def look(project: Project, listed: list[Entry], parse: Callable[[Entry, Content], Any]) -> None:
    """Give every file that makes a plan the id of it, and find the plan that all else is about."""
    by_kind: dict[str, list[Entry]] = {}
    for entry in listed:
        by_kind.setdefault(places.kind_of(entry.path) or "", []).append(entry)
    for kind, identity in MAKERS.items():
        for entry in sorted(by_kind.get(kind, []), key=lambda one: (one.path.count("/"), one.path)):
            found = _value(entry, parse)
            if found and _is_meant(kind, found[1]):
                _claim(project, entry, identity, *found)
    _backups(project, by_kind.get("backup", []), parse)
    project.main = next(iter(project.made.values()), None)
    for entry in by_kind.get("memory", []):
        _memory(project, entry, _value(entry, parse))


def _value(entry: Entry, parse: Callable[[Entry, Content], Any]) -> tuple[Content, Any] | None:
    """Return what a file holds; one that holds nothing is told of when it is read for good."""
    if entry.odd:
        return None
    try:
        content = read(entry)
        return content, parse(entry, content)
    except (OSError, UnreadableFile):
        return None


def _is_meant(kind: str, value: Any) -> bool:
    return roadmaps.is_roadmap(value) if kind == "roadmap" else is_object(value)


def _claim(
    project: Project, entry: Entry, identity: Callable[[dict[str, Any]], Any], content: Content, value: Any
) -> None:
    told = identity(object_of(value))
    if own := roadmaps.own_plan(object_of(value)) if identity is roadmaps.identity else None:
        project.made[entry.path] = own
        return
    twin = project.hashes.get(str(told)) if told is not None else None
    if twin and twin[0] == content.sha256:
        project.twins[entry.path] = twin[1]
    else:
        project.claim(entry.path, told, content.sha256, by_path=identity is roadmaps.identity)


def _backups(project: Project, listed: list[Entry], parse: Callable[[Entry, Content], Any]) -> None:
    """Let a backup stand for a manifest that cannot be read, or is gone."""
    for entry in listed:
        lost = entry.path.removesuffix(".bak")
        if lost in project.made or lost in project.twins:
            continue
        if (found := _value(entry, parse)) and is_object(found[1]):
            _claim(project, entry, manifests.identity, *found)


def _memory(project: Project, entry: Entry, found: tuple[Content, Any] | None) -> None:
    """Find the plan that a memory is of: its project's, the main one, or its own."""
    if not found or not is_object(found[1]):
        return
    content, value = found
    told = memories.identity(value)
    plan_id = project.named.get(str(told)) or project.main
    if plan_id is None:
        plan_id = project.main = project.claim(entry.path, told, content.sha256)
    project.about[entry.path] = plan_id
    project.trajectory.setdefault(plan_id, {}).update(memories.trajectory(value))


def look_into_database(project: Project, path: str, tables: databases.Tables) -> None:
    """Give missions that only a database knows their plans, and note where it says that they stand."""
    plans: dict[Any, str] = {}
    for table in ("missions", "missions_archive"):
        for row in tables[table]() if table in tables else ():
            foreign = str(row.get("mission_uuid") or f"mission-{row.get('id')}")
            known = project.named.get(foreign)
            plans[row.get("id")] = known or project.claim(f"{path}#{foreign}", foreign, path)
    for row in tables["trajectory"]() if "trajectory" in tables else ():
        if plan_id := plans.get(row.get("mission_id")):
            project.trajectory.setdefault(plan_id, databases.trajectory(row))
    project.missions[path] = plans
    project.main = project.main or next(iter(plans.values()), None)
