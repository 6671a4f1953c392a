"""A workspace: its own row, its old ids, build scripts, context sections, logs, allowlist, identity."""

import re
from collections.abc import Iterator
from typing import Any

from server.importers.legacy import context, logs, records
from server.importers.legacy.survey import NO_TIME, Survey, parent_of
from server.importers.legacy.tree import LegacyWorkspace
from server.importers.reading import Content, list_of, object_of
from server.importers.values import Fields, Object, Teller, derived, fields
from server.models.context import WORKSPACE_SECTIONS
from server.models.imports import Finding, ImportedRow

ALLOWLIST_TYPE = "terminal_allowlist"
TRAILING = re.compile(r"(?<=[^\\/:])[\\/]+$")  # the slash after a name, not that of a root
LAST_PART = re.compile(r"[^\\/]+(?=[\\/]*$)")
TIMES = ("created_at", "registered_at", "last_accessed", "last_seen_at", "updated_at")


def head(survey: Survey, place: LegacyWorkspace, meta: Any, path: str, findings: list[Finding]) -> list[ImportedRow]:
    """Return the workspace's row, its old ids and its build scripts. Without a readable meta file, what is known."""
    teller = Teller(path, findings)
    found = Fields(object_of(meta), "$", teller)
    workspace_id = survey.target(place)
    row = _workspace(survey, place, found, workspace_id, path)
    at = str(row.values["created_at"])
    scripts: list[ImportedRow] = []
    for number, (where, value) in enumerate(found.objects("workspace_build_scripts")):
        if script := fields(value, where, teller):
            fallback = derived("script", workspace_id, number)
            values = records.script_columns(survey, script, fallback, workspace_id=workspace_id, plan_id=None, at=at)
            scripts.append(ImportedRow("build_scripts", values["script_id"], values, path, where))
    legacy = found.left | ({"workspace_id": place.workspace_id} if workspace_id != place.workspace_id else {})
    head = ImportedRow(row.table, row.key, {**row.values, "meta": {"legacy": legacy} if legacy else {}}, path)
    return [head, *_aliases(survey, place, workspace_id, at, path), *scripts]


def _workspace(survey: Survey, place: LegacyWorkspace, found: Fields, workspace_id: str, path: str) -> ImportedRow:
    where = survey.known.paths.get(workspace_id) or TRAILING.sub("", place.path)
    for name in ("workspace_path", "path"):
        if found.keep(name) == where:
            found.raw(name)
    if found.keep("workspace_id") == workspace_id:
        found.raw("workspace_id")
    told = found.keep("workspace_id")
    if told not in (None, place.workspace_id):
        found.teller.warn("$.workspace_id", "another folder has that id, or it is none", told, place.workspace_id)
    if place.taken and not where:
        where = f"unknown:{place.workspace_id}"
        found.teller.warn("$.workspace_path", "another workspace has that path; kept in meta", place.taken, where)
    elif not where:
        where = f"unknown:{place.workspace_id}"
        found.teller.warn("$.workspace_path", "missing; import with --workspace-path to say it", None, where)
    created_at = next((at for name in TIMES[:3] if (at := found.maybe_moment(name))), None)
    updated_at = found.maybe_moment("updated_at") or found.maybe_moment("last_seen_at")
    if created_at is None:
        created_at = updated_at or NO_TIME
        found.defaulted("created_at", created_at)
    values = {
        "workspace_id": workspace_id,
        "path": where,
        "name": _name(found, where),
        "display_name": found.text("display_name"),
        "git_common_dir": None,
        "parent_workspace_id": _parent(survey, place, found),
        "profile": found.maybe_object("profile"),
        "created_at": created_at,
        "updated_at": updated_at or created_at,
    }
    for name in ("active_plans", "archived_plans"):
        _compare_lists(survey, place, found, name)
    return ImportedRow("workspaces", workspace_id, values, path)


def _name(found: Fields, where: str) -> str:
    """Return what people call a workspace: the last part of a name that is a whole path."""
    told = found.text("name")
    if told and not re.search(r"[\\/]", told):
        return told
    match = LAST_PART.search(told or where)
    used = match.group() if match else where
    if told:
        found.left["name"] = told
        found.teller.info("$.name", "a whole path; its last part is the name", told, used)
    else:
        found.defaulted("name", used)
    return used


def _parent(survey: Survey, place: LegacyWorkspace, found: Fields) -> str | None:
    parent = parent_of(survey, place)
    told = found.keep("parent_workspace_id")
    if parent is None and told:
        found.teller.warn("$.parent_workspace_id", "no other workspace of the store; kept in meta", told)
    if parent and survey.later(place, next(p for p in survey.order if survey.target(p) == parent)):
        found.teller.warn("$.parent_workspace_id", "a circle of parents; kept in meta", told)
        return None
    own = survey.target(place)
    for child in list_of(found.keep("child_workspace_ids")):
        meant = survey.resolve(child)
        if meant == own:
            found.teller.info("$.child_workspace_ids", "an old id of the workspace itself", child)
        elif meant is None:
            found.teller.warn("$.child_workspace_ids", "no workspace of the store; kept in meta", child)
    if parent and parent == told:
        found.raw("parent_workspace_id")
    return parent


def _compare_lists(survey: Survey, place: LegacyWorkspace, found: Fields, name: str) -> None:
    """Tell where the lists of plans disagree with the plans themselves, which count."""
    for plan_id in list_of(found.keep(name)) if place.plans is None else ():
        plan = survey.plans.get(plan_id) if isinstance(plan_id, str) else None
        if plan_id == "_archived":
            found.teller.info(f"$.{name}", "a folder, not a plan", plan_id)
        elif plan is None:
            found.teller.info(f"$.{name}", "no such plan in the store", plan_id)
        elif plan.archived != (name == "archived_plans"):
            used = "archived" if plan.archived else "active"
            found.teller.info(f"$.{name}", "the plan itself says otherwise, and counts", plan_id, used)


def _aliases(survey: Survey, place: LegacyWorkspace, workspace_id: str, at: str, path: str) -> Iterator[ImportedRow]:
    own = {other.workspace_id for other in survey.tree.places if other is not place}
    for alias in dict.fromkeys((*place.aliases, place.workspace_id)):
        if alias == workspace_id:
            continue
        if alias in own:
            what = "an old id that is a workspace of its own; no alias"
            survey.findings.append(Finding("warning", path, "$.legacy_workspace_ids", what, alias))
        elif survey.take("alias", alias):
            values = {"alias": alias, "workspace_id": workspace_id, "created_at": at}
            yield ImportedRow("workspace_aliases", alias, values, path, "$.legacy_workspace_ids")
        else:
            survey.findings.append(Finding("warning", path, "$.legacy_workspace_ids", "taken by another", alias))


def registry(survey: Survey, path: str, value: Any, findings: list[Finding]) -> None:
    """Tell where the list of the workspaces knows others than the folders; these count."""
    teller = Teller(path, findings)
    found = fields(value, "$", teller)
    if found is None:
        return
    listed = found.object("entries")
    for spelled, workspace_id in listed.items():
        known = survey.resolve(workspace_id)
        where = f"$.entries[{spelled!r}]"
        if known is None:
            teller.warn(where, "no such workspace in the store", workspace_id)
        else:
            teller.info(where, "the workspace of this path", workspace_id, known)
    if found.left:
        teller.info("$", "of no use to the database; kept in the raw bytes only", found.left)


def sections(
    survey: Survey, workspace_id: str, content: Content, value: Any, findings: list[Finding]
) -> Iterator[ImportedRow]:
    """Yield the context of a workspace: one item with all sections, and the entries of its two logs."""
    found = fields(value, "$", Teller(content.path, findings))
    if found is None:
        return
    entries = [_log(survey, workspace_id, log, found) for log in ("update_log", "audit_log")]
    created_at = found.moment("created_at", content.modified_at)
    updated_at = found.maybe_moment("updated_at") or created_at
    if found.keep("workspace_id") == workspace_id:
        found.raw("workspace_id")
    data: Object = {"sections": found.raw("sections") if "sections" in found else {}}
    row = context.row(
        ("workspace", workspace_id), workspace_id, WORKSPACE_SECTIONS, data, path=content.path, at=created_at
    )
    values = {**row.values, "updated_at": updated_at, "extra": found.extra()}
    yield ImportedRow(row.table, row.key, values, row.path)
    for rows in entries:
        yield from rows


def _log(survey: Survey, workspace_id: str, name: str, found: Fields) -> Iterator[ImportedRow]:
    value = found.keep(name)
    if not value or not isinstance(value, dict | list):
        return iter(())
    holder: Object = object_of(found.keep(name)) or {"entries": list_of(found.keep(name))}
    log = Fields(holder, f"$.{name}", found.teller)
    listed = log.objects("entries")
    found.raw(name)
    if log.left:
        found.left[name] = log.left
    return logs.updates(survey, workspace_id, name, listed, found.teller)


def allowlist(workspace_id: str, content: Content, value: Any, findings: list[Finding]) -> ImportedRow:
    """Return the patterns that the terminal was allowed, as a context item: they are not in force by that."""
    return context.item(("workspace", workspace_id), workspace_id, ALLOWLIST_TYPE, content, value, findings=findings)
