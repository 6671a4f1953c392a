"""Format `burndown-chart`: the folder `profiles/` with what has changed since; what came otherwise, written anew.

A file of which nothing has changed is given back byte for byte, a changed one is the old file with the changes in it.
Credentials were left out when a profile came in: its file is written anew without them. A query of a database or of a
package, and a plan that was made here, becomes the files that the program keeps of a query.
"""

import json
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import suppress
from typing import Any

from server.db.interchange import exports
from server.db.storage.connection import Reader
from server.exporters import given_back
from server.exporters.burndown_chart import rebuilding
from server.exporters.burndown_chart.rebuilding import NAME, ProfileFiles
from server.exporters.folder import File
from server.exporters.given_back import PLACELESS, RECORDS, Way, of_another_plan
from server.exporters.legacy import style
from server.exporters.legacy.entries import Change, Field, Row
from server.importers.burndown_chart.places import DEFAULT, OLDER
from server.importers.reading import list_of, object_of

__all__ = ["left_out", "one_plan", "profile_of", "store", "values_of", "workspace"]

ROOT = "profiles/"


def _added(path: str, value: Any, known: Change) -> Any:
    """Return a file of a query with what was made here, and with what a package changed since."""
    of_file = {table: {key for _, key in known.of_file(path, table)} for table in known.before}
    plan_id = _plan_of(of_file, path, known)
    name = path.rpartition("/")[2]
    if name == "jira_cache.json" and isinstance(object_of(value).get("issues"), list):
        steps = [row for key, row in known.now.get("steps", {}).items() if key not in of_file.get("steps", ())]
        _put(value, [row for row in steps if row["plan_id"] == plan_id])
    elif name == "query.json" and plan_id in known.now.get("plans", {}) and plan_id not in of_file.get("plans", ()):
        plan = known.now["plans"][plan_id]
        value |= {"name": plan["title"], "description": plan.get("description") or ""}
    return value


def _put(value: Any, steps: list[Row]) -> None:
    """Put steps among the issues: in the place of the one with their key, or behind all."""
    issues = list_of(value["issues"])
    places = {object_of(issue).get("key"): place for place, issue in enumerate(issues)}
    for issue in map(rebuilding.issue, sorted(steps, key=lambda row: row["order_index"])):
        if issue["key"] in places:
            issues[places[issue["key"]]] = issue
        else:
            issues.append(issue)
    if steps and "total_issues" in value:
        value["total_issues"] = len(issues)


def _plan_of(of_file: Mapping[str, Collection[str]], path: str, known: Change) -> str | None:
    """Return the plan that a file of a query is of: the one that it made, or that what it made is in."""
    folder = path.rpartition("/")[0]
    plans = known.before.get("plans", {})
    if made := next((key for key in plans if known.paths["plans", key][0].startswith(f"{folder}/")), None):
        return made
    rows = (known.before[table][key] for table, keys in of_file.items() for key in keys)
    return next((row["plan_id"] for row in rows if row.get("plan_id")), None)


WAY = Way(
    NAME,
    {
        "workspaces": (Field("name", "name"),),
        "plans": (Field("title", "name"), Field("description", "description")),
        "steps": (
            Field("task", "fields.summary"),
            Field("status", "fields.status", rebuilding.status),
            Field("assignee", "fields.assignee", rebuilding.person, always=True),
            Field("priority", "fields.priority", rebuilding.priority),
            Field("completed_at", "fields.resolutiondate", always=True),
        ),
    },
    _added,
)


async def store(db: Reader) -> AsyncGenerator[File]:
    """Yield every profile, and the list of them."""
    names: dict[str, Any] = {}
    for workspace_id in await exports.workspaces(db):
        profile = await profile_of(db, workspace_id)
        if profile is not None:
            names[profile.name] = profile.summary()
            async for file in _files(db, profile):
                yield file
    listed = False
    for one in await exports.imported_by(db, None, NAME):
        if one["path"].endswith("profiles.json") and (raw := await given_back.bytes_of(db, one)):
            listed = True
            yield _with_profiles(one["path"], raw, names)
    if names and not listed:
        first = next(iter(names))
        yield _json(f"{ROOT}profiles.json", {"version": "3.0", "active_profile_id": first, "profiles": names})


async def workspace(db: Reader, workspace_id: str) -> AsyncGenerator[File]:
    """Yield the files of one profile. A workspace of a project becomes one."""
    profile = await profile_of(db, workspace_id, any_=True)
    assert profile is not None
    async for file in _files(db, profile):
        yield file


async def one_plan(db: Reader, plan_id: str) -> AsyncGenerator[File]:
    """Yield the files of one query, and its profile."""
    profile = await profile_of(db, await exports.workspace_of(db, plan_id) or "", any_=True)
    assert profile is not None
    folder = f"{ROOT}{profile.name}/queries/{profile.query_of(plan_id)}/"
    async for file in _files(db, profile):
        if file.path.startswith(folder) or file.path.endswith("/profile.json"):
            yield file


async def left_out(db: Reader, workspace_id: str | None, plan_id: str | None) -> dict[str, int]:
    """Return what is not in the files: credentials, and what the program has no file for."""
    listed = [workspace_id] if workspace_id else await exports.workspaces(db)
    found = [one for each in listed for one in await exports.imported_by(db, each, NAME)]
    lost = sum(not one["is_kept"] for one in found)
    told = {"files that held credentials: they are written anew, without them": lost} if lost else {}

    return told | await given_back.made_here(db, workspace_id, NAME, PLACELESS | RECORDS, of_another_plan(plan_id))


async def profile_of(db: Reader, workspace_id: str, *, any_: bool = False) -> ProfileFiles | None:
    """Return a workspace as a profile; one that never was one only if `any_` is."""
    rows = await exports.workspace(db, workspace_id)
    head = next(iter(rows.get("workspaces", [])), None)
    if head is None or not (any_ or head.get("source_system") == NAME):
        return None
    plans = {plan_id: await exports.plan(db, plan_id) for plan_id in await exports.plans(db, workspace_id)}
    return rebuilding.profile(head, rows, plans)


async def values_of(db: Reader, profile: ProfileFiles) -> dict[str, dict[str, Any]]:
    """Return what the files of queries hold, with what has changed since: query -> name of the file -> value."""
    found: dict[str, dict[str, Any]] = {}
    home = f"{ROOT}{profile.name}/queries/"
    async for file in given_back.workspace(db, profile.workspace_id, WAY):
        query, _, name = file.path.removeprefix(home).partition("/")
        if file.path.startswith(home) and name.endswith(".json"):
            with suppress(ValueError):  # it came damaged
                found.setdefault(query, {})[name] = json.loads(file.content)
    return found


async def _files(db: Reader, profile: ProfileFiles) -> AsyncGenerator[File]:
    there: set[str] = set()
    async for file in given_back.workspace(db, profile.workspace_id, WAY):
        if file.path.startswith(ROOT) or file.path in OLDER:
            there.add(file.path)
            yield file
    if not any(path == f"{ROOT}{profile.name}/profile.json" for path in there):
        yield _json(f"{ROOT}{profile.name}/profile.json", profile.value())
    for query in profile.queries:
        folder = f"{ROOT}{profile.name}/queries/{query.name}/"
        if f"{folder}query.json" in there or _is_older(profile, there):
            continue
        for name, value in query.files().items():
            yield _json(folder + name, value)


def _is_older(profile: ProfileFiles, there: set[str]) -> bool:
    """Whether the queries stand in a file from before there were profiles."""
    return profile.name == DEFAULT and "jira_query_profiles.json" in there


def _with_profiles(path: str, data: bytes, names: dict[str, Any]) -> File:
    """Return the list of profiles with those that came since."""
    value = object_of(json.loads(data))
    by_id, listed = object_of(value.get("profiles")), list_of(value.get("profiles"))
    known = {*by_id, *(object_of(one).get("id") for one in listed)}
    fresh = {name: one for name, one in names.items() if name not in known}
    if not fresh:
        return File(path, data)
    value["profiles"] = [*listed, *fresh.values()] if listed else {**by_id, **fresh}
    return File(path, style.written(value, style.of(data)))


def _json(path: str, value: Any) -> File:
    return File(path, style.written(value, style.Style()), is_plan=path.endswith("query.json"))
