"""Issues of Jira, raw and as columns, and what their fields were before."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

from server.importers.burndown_chart.profiles import QueryRows
from server.importers.reading import list_of, object_of, objects_of
from server.importers.values import Fields, Object, QuietTeller, moment, plain_word, text
from server.importers.vocabulary import STEP_STATUS_NAMES, STEP_STATUSES, priority, step_type
from server.models.imports import Finding, ImportedRow

CATEGORIES = {"new": "pending", "indeterminate": "active", "done": "done", "to_do": "pending", "in_progress": "active"}
DROPPED = ("cancelled", "failed")
NAMES = ("name", "displayName", "value", "key", "emailAddress")
NO_SUMMARY = "(without a summary)"
# A column of the database: the field of a raw issue that holds the same.
COLUMNS = {
    "summary": "summary", "status": "status", "assignee": "assignee", "issue_type": "issuetype",
    "priority": "priority", "resolution": "resolution", "created": "created", "updated": "updated",
    "resolved": "resolutiondate", "labels": "labels",
}  # fmt: skip


def issue_rows(rows: QueryRows, issues: Any, where: str, findings: list[Finding]) -> Iterator[ImportedRow]:
    """Yield a step for each raw issue, and the changes that it brings along."""
    teller = QuietTeller(rows.make.path, findings)
    seen: set[str] = set()
    for number, issue in enumerate(list_of(issues)):
        at = f"{where}[{number}]"
        found = object_of(issue)
        key = found.get("key")
        if not isinstance(key, str) or not key or key in seen:
            teller.warn(at, "an issue that stands twice; the first counts" if key else "an issue without a key", issue)
            continue
        seen.add(key)
        outer = {name: value for name, value in found.items() if name not in ("key", "fields")}
        fields = Fields(_flat(object_of(found.get("fields"))), f"{at}.fields", teller)
        yield _step(rows, key, at, len(seen) - 1, (fields, object_of(found.get("fields")), outer))
        yield from change_rows(rows, key, found.get("changelog"), f"{at}.changelog", findings)


def row_issues(rows: QueryRows, issues: Iterator[Object], findings: list[Finding]) -> Iterator[ImportedRow]:
    """Yield a step for each row of the database's own table of issues."""
    teller = QuietTeller(rows.make.path, findings)
    for number, one in enumerate(issues):
        key = str(one["issue_key"])
        fields = {COLUMNS.get(name, name): value for name, value in one.items() if name != "issue_key"}
        at = f"jira_issues {key}"
        yield _step(rows, key, at, number, (Fields(_flat(fields), at, teller), fields, {}))


def _flat(fields: Object) -> Object:
    return {name: _named(value) for name, value in fields.items()}


def _step(rows: QueryRows, key: str, at: str, order: int, issue: tuple[Fields, Object, Object]) -> ImportedRow:
    """Return the step of an issue: its fields by their names, as they are, and what stands beside them."""
    found, fields, outer = issue
    plain = found.found
    created = found.moment("created", rows.make.at)
    status = _status(found, fields.get("status"))
    values: Object = {
        "task": found.word("summary", NO_SUMMARY),
        "status": status,
        "type": step_type(found, "issuetype") if plain.get("issuetype") else "standard",
        "assignee": found.text("assignee"),
        "priority": priority(found) if plain.get("priority") else None,
        "completed_at": found.maybe_moment("resolutiondate"),
        "created_at": created,
        "updated_at": found.maybe_moment("updated") or created,
        "tags": found.strings("labels"),
    }
    description = found.keep("description")
    if isinstance(description, str):
        values["notes"] = found.text("description")
    kept = {name: value for name, value in fields.items() if name in found.left or value != plain[name]}
    extra = {rows.make.system: {**outer, **({"fields": kept} if kept else {})}} if kept or outer else {}
    return rows.make.row(
        "steps",
        rows.step_id(key),
        at,
        plan_id=rows.plan_id,
        phase_id=rows.phase_id,
        order_index=order,
        external_id=key,
        extra=extra,
        **values,
    )


def _named(value: Any) -> Any:
    """Return what an object of Jira is called; anything else as it is."""
    if not isinstance(value, dict):
        return value
    known = cast(Object, value)
    return next((known[name] for name in NAMES if isinstance(known.get(name), str)), None)


def _status(found: Fields, whole: Any) -> str:
    """Return the status of an issue: its category decides, but for what was dropped."""
    category = object_of(object_of(whole).get("statusCategory"))
    word = plain_word(found.keep("status") or "")
    by_name = word if word in STEP_STATUSES else STEP_STATUS_NAMES.get(word)
    by_category = CATEGORIES.get(plain_word(category.get("key") or category.get("name") or ""))
    if found.keep("resolutiondate") and by_name is None and by_category is None:
        return "done"
    return by_name if by_name in DROPPED else by_category or by_name or "pending"


def change_rows(
    rows: QueryRows, key: str, changelog: Any, where: str, findings: list[Finding]
) -> Iterator[ImportedRow]:
    """Yield the changes of the fields of an issue. Two of one field in one second are two."""
    teller = QuietTeller(rows.make.path, findings)
    seen: Counter[tuple[str, ...]] = Counter()
    for number, history in enumerate(objects_of(object_of(changelog).get("histories"))):
        at = f"{where}.histories[{number}]"
        changed_at = moment(history.get("created"))
        if changed_at is None:
            teller.warn(f"{at}.created", "no time of a change; left out", history.get("created"))
            continue
        author = text(_named(history["author"])) if history.get("author") else None
        for place, item in enumerate(objects_of(history.get("items"))):
            change: Object = {
                "field": str(item.get("field") or "?"),
                "field_type": item.get("fieldtype"),
                "old_value": _told(item, "fromString", "from"),
                "new_value": _told(item, "toString", "to"),
                "author": author,
                "changed_at": changed_at,
            }
            change["extra"] = _rest(rows, history, item, changed_at)
            yield _change(rows, key, change, f"{at}.items[{place}]", seen)


def row_changes(rows: QueryRows, entries: Iterator[Object]) -> Iterator[ImportedRow]:
    """Yield the changes of the database's own table of them."""
    seen: Counter[tuple[str, ...]] = Counter()
    for one in entries:
        key, at = str(one["issue_key"]), moment(one["change_date"]) or rows.make.at
        change: Object = {
            "field": str(one.get("field_name") or "?"),
            "field_type": one.get("field_type"),
            "old_value": one.get("old_value"),
            "new_value": one.get("new_value"),
            "author": one.get("author"),
            "changed_at": at,
            "expires_at": moment(one.get("expires_at")),
        }
        change["extra"] = {rows.make.system: {k: one[k] for k in ("change_date", "expires_at") if one.get(k)}}
        yield _change(rows, key, change, f"jira_changelog_entries {key}", seen)


def _change(rows: QueryRows, key: str, change: Object, at: str, seen: Counter[tuple[str, ...]]) -> ImportedRow:
    told = tuple(str(change[name]) for name in ("field", "changed_at", "old_value", "new_value"))
    seen[told] += 1
    return rows.row(
        "field_changes",
        "change",
        at,
        key,
        *told,
        seen[told],
        entity_type="step",
        entity_id=rows.step_id(key),
        external_id=key,
        created_at=change["changed_at"],
        **change,
    )


def _told(item: Object, *names: str) -> str | None:
    value = next((item[name] for name in names if item.get(name) is not None), None)
    return None if value is None else text(value)


def _rest(rows: QueryRows, history: Object, item: Object, changed_at: str) -> Object:
    """Return what of a change has no column."""
    known = {"field", "fieldtype", "fromString", "toString"}
    rest: Object = {name: value for name, value in item.items() if name not in known}
    outer = {name: value for name, value in history.items() if name not in ("items", "author")}
    if outer.get("created") == changed_at:
        del outer["created"]
    if isinstance(history.get("author"), dict):
        outer["author"] = history["author"]
    return {rows.make.system: {**rest, **({"history": outer} if outer else {})}} if rest or outer else {}
