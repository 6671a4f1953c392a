"""What was measured: statistics by day, metrics by week, the scope of a project, progress of a job, cached answers."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any, cast

from server.importers.burndown_chart.issues import change_rows, issue_rows
from server.importers.burndown_chart.profiles import QueryRows
from server.importers.reading import is_object, list_of, object_of
from server.importers.values import Object, moment, plain_word, text
from server.models.imports import Finding, ImportedRow

STATISTICS = "statistics"
WEEK = re.compile(r"(\d{4})-W?(\d\d?)")
VALUES = ("value", "metric_value", "median", "average", "mean", "rate", "percentage", "count", "overall_value")
CACHED = ("cache_version", "timestamp", "jql_query", "fields_requested", "total_issues", "config_hash", "jql_hash")
PROGRESS = {
    "in_progress": "running", "running": "running", "complete": "completed", "completed": "completed",
    "error": "failed", "failed": "failed", "cancelled": "cancelled",
}  # fmt: skip
PARTS = ("report_progress", "calculate_progress", "fetch_progress")  # of a job, the last first


def data_rows(rows: QueryRows, value: Any, where: str, findings: list[Finding]) -> Iterator[ImportedRow]:
    """Yield the scope and the statistics of a project, in either shape of the file."""
    found = object_of(value)
    scope = {name: part for name, part in found.items() if name != STATISTICS}
    if scope:
        yield context_row(rows, "project_scope", scope, where)
    yield from statistics_rows(rows, found.get(STATISTICS), f"{where}.{STATISTICS}", findings)


def context_row(rows: QueryRows, kind: str, data: Any, where: str, at: str | None = None) -> ImportedRow:
    named = {"created_at": at, "updated_at": at} if at else {}
    return rows.scoped("context_items", "item", where, kind, type=kind, data=data, **named)


def statistics_rows(rows: QueryRows, listed: Any, where: str, findings: list[Finding]) -> Iterator[ImportedRow]:
    """Yield a point for each counter of each day."""
    seen: Counter[tuple[str, str]] = Counter()
    for number, entry in enumerate(list_of(listed)):
        at = f"{where}[{number}]"
        if not is_object(entry) or not isinstance(object_of(entry).get("date", object_of(entry).get("stat_date")), str):
            findings.append(Finding("warning", rows.make.path, at, "statistics without a date; left out", entry))
            continue
        yield from _day(rows, object_of(entry), at, seen)


def _day(rows: QueryRows, day: Object, at: str, seen: Counter[tuple[str, str]]) -> Iterator[ImportedRow]:
    bucket = str(day.get("date", day.get("stat_date")))
    words = {name: value for name, value in day.items() if name not in ("date", "stat_date") and _number(value) is None}
    numbers = {name: value for name, value in day.items() if _number(value) is not None}
    for place, (name, value) in enumerate(numbers.items() or [("", None)]):
        seen[bucket, name] += 1
        yield rows.scoped(
            "metric_points",
            "point",
            f"{at}.{name}" if name else at,
            STATISTICS,
            name,
            bucket,
            seen[bucket, name],
            category=STATISTICS,
            name=name or "day",
            bucket=bucket,
            value=_number(value),
            data=words if place == 0 else {},
            recorded_at=moment(day.get("recorded_at")) or rows.make.at,
        )


def csv_rows(rows: QueryRows, content: str, findings: list[Finding]) -> Iterator[ImportedRow]:
    """Yield the points of statistics.csv, of either delimiter."""
    first = content.partition("\n")[0]
    reader = csv.DictReader(StringIO(content), delimiter=";" if first.count(";") > first.count(",") else ",")
    seen: Counter[tuple[str, str]] = Counter()
    for day in reader:
        at = f"line {reader.line_num}"
        named = {str(name).strip(): _cell(value) for name, value in day.items() if name is not None}
        if not named.get("date"):
            findings.append(Finding("warning", rows.make.path, at, "statistics without a date; left out", named))
            continue
        yield from _day(rows, {**named, "date": str(named["date"])}, at, seen)


def _cell(value: str | None) -> Any:
    try:
        return float(value) if value and "." in value else int(value or "")
    except ValueError:
        return value


def _number(value: Any) -> float | None:
    return None if isinstance(value, bool) or not isinstance(value, int | float) else float(value)


def snapshot_rows(rows: QueryRows, value: Any, where: str, findings: list[Finding]) -> Iterator[ImportedRow]:
    """Yield a point for each metric of each week; a value that is unknown stays so."""
    for week, metrics in object_of(value).items():
        at = f"{where}.{week}"
        found = WEEK.fullmatch(week)
        if found is None:
            yield context_row(rows, f"metrics_{plain_word(week)}", {"value": metrics}, at)
            continue
        if not is_object(metrics):
            findings.append(Finding("warning", rows.make.path, at, "no metrics of a week; left out", metrics))
            continue
        bucket = f"{found[1]}-W{int(found[2]):02}"
        for name, metric in object_of(metrics).items():
            yield point_row(rows, ("metrics", name), bucket, metric, f"{at}.{name}", spelled=week)


def point_row(
    rows: QueryRows, series: tuple[str, str], bucket: str, metric: Any, at: str, *, spelled: str | None = None
) -> ImportedRow:
    """Return a point of a series, which a category and a name tell."""
    category, name = series
    data = object_of(metric) if is_object(metric) else {"value": metric}
    value = next((data[key] for key in VALUES if _number(data.get(key)) is not None), None)
    extra = {rows.make.system: {"bucket": spelled}} if spelled and spelled != bucket else {}
    return rows.scoped(
        "metric_points",
        "point",
        at,
        category,
        name,
        bucket,
        category=category,
        name=name,
        bucket=bucket,
        value=_number(value),
        unit=data["unit"] if isinstance(data.get("unit"), str) else None,
        data=data,
        recorded_at=moment(data.get("timestamp")) or rows.make.at,
        extra=extra,
    )


def cache_rows(rows: QueryRows, value: Any, where: str, findings: list[Finding]) -> Iterator[ImportedRow]:
    """Yield the issues of a cache, and what it says of itself; of either shape."""
    found = object_of(value)
    if "issues" in found:
        head = {name: part for name, part in found.items() if name != "issues"}
        yield entry_row(rows, "jira_cache", head, where)
        yield from issue_rows(rows, found["issues"], f"{where}.issues", findings)
        return
    for key, answer in found.items():
        entry = object_of(answer)
        at = f"{where}.{key}"
        response = entry.get("response", answer)
        yield entry_row(rows, key, response, at, entry)
        issues = object_of(response).get("issues", response)
        yield from issue_rows(rows, issues, f"{at}.response.issues", findings) if list_of(issues) else ()


def entry_row(
    rows: QueryRows, key: str, payload: Any, where: str, about: Mapping[str, Any] | None = None
) -> ImportedRow:
    """Return a cached answer, which expires when it did there."""
    told = about if about is not None else object_of(payload)
    config = told.get("config_hash") or told.get("jql_hash")
    at = moment(told.get("created_at") or told.get("timestamp")) or rows.make.at
    return rows.scoped(
        "cache_entries",
        "cache",
        where,
        key,
        key=key,
        payload=payload,
        config_hash=config if isinstance(config, str) else None,
        expires_at=moment(told.get("expires_at")),
        created_at=at,
        updated_at=moment(told.get("last_updated")) or at,
    )


def changelog_rows(rows: QueryRows, value: Any, where: str, findings: list[Finding]) -> Iterator[ImportedRow]:
    """Yield the changes that the cache of them has, by issue or as a list."""
    found = object_of(value)
    if list_of(found.get("issues")):
        listed = [(f"{where}.issues[{n}]", object_of(one)) for n, one in enumerate(list_of(found["issues"]))]
        yield entry_row(rows, "jira_changelog_cache", {k: v for k, v in found.items() if k != "issues"}, where)
    else:
        listed = [(f"{where}.{key}", {"key": key, **object_of(one)}) for key, one in found.items()]
    for at, one in listed:
        key = one.get("key")
        if not isinstance(key, str) or not is_object(one.get("changelog")):
            findings.append(Finding("warning", rows.make.path, at, "no changes of an issue; left out", one))
            continue
        yield entry_row(rows, f"changelog/{key}", {name: part for name, part in one.items() if name != "changelog"}, at)
        yield from change_rows(rows, key, one["changelog"], f"{at}.changelog", findings)


def progress_row(make: Any, parent: tuple[str, str], value: Any, where: str, plan_id: str | None = None) -> ImportedRow:
    """Return how far a job was. One that was running is what it is: nothing tells that it ended."""
    found = object_of(value)
    name = text(found.get("task_name") or found.get("task_id") or "task")
    status = PROGRESS.get(plain_word(found.get("status") or ""), "running")
    at = moment(found.get("start_time") or found.get("started_at")) or make.at
    updated = moment(found.get("updated_at")) or make.at
    return make.row(
        "task_progress",
        make.id("progress", *parent, name),
        where,
        parent_type=parent[0],
        parent_id=parent[1],
        **({"plan_id": plan_id} if plan_id else {}),
        task_name=name,
        percent=_percent(found, status),
        status="cancelled" if found.get("cancelled") is True else status,
        message=found["message"] if isinstance(found.get("message"), str) else None,
        state=found,
        started_at=at,
        created_at=at,
        updated_at=updated,
    )


def _percent(found: Object, status: str) -> float:
    told = [found.get("progress_percent"), *(object_of(found.get(name)).get("percent") for name in PARTS)]
    known = [cast(float, one) for one in told if _number(one) is not None and 0 <= cast(float, one) <= 100]
    return float(known[0]) if known else 100.0 if status == "completed" else 0.0
