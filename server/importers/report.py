"""What an import or a verification tells: the same facts as text and as JSON."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from server.models.base import encode
from server.models.imports import Finding, Findings
from server.text.display import number_of, shown

CLEAN, NOTHING, PROBLEMS = 0, 2, 3
RESULTS = {CLEAN: "clean", PROBLEMS: "problems", NOTHING: "nothing"}
STANDINGS = ("GREEN", "YELLOW", "RED")  # each is an exit code
ACTIONS = {
    "insert": "new", "update": "updated", "same": "unchanged", "rebase": "kept", "foreign": "left_out",
    "delete": "deleted",
}  # fmt: skip
SHOWN = 120
MOST_LINES = 200


@dataclass
class WorkspaceOutcome:
    """What became of one workspace (None: of the store itself). `rows`: table -> what was done -> how many."""

    workspace_id: str | None
    rows: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    files: dict[str, int] = field(default_factory=dict[str, int])
    lock_seconds: float = 0.0
    run_id: str | None = None


@dataclass
class ImportReport:
    """A whole run. `verified` counts the plans that were compared with the source; None: nothing was verified.

    `compared` says that the run only verified what an earlier one imported.
    """

    source: str
    layout: str | None = None
    dry_run: bool = False
    compared: bool = False
    parts: list[WorkspaceOutcome] = field(default_factory=list[WorkspaceOutcome])
    findings: Findings = field(default_factory=Findings)
    differences: Findings = field(default_factory=Findings)
    verified: int | None = None
    seconds: float = 0.0
    each: list["ImportReport"] = field(default_factory=list["ImportReport"])  # of several layouts: theirs

    @property
    def files(self) -> dict[str, int]:
        total: Counter[str] = Counter()
        for part in self.parts:
            total.update(part.files)
        return dict(total)

    @property
    def rows(self) -> dict[str, dict[str, int]]:
        total: dict[str, Counter[str]] = {}
        for part in self.parts:
            for table, by_action in part.rows.items():
                total.setdefault(table, Counter()).update({ACTIONS[name]: n for name, n in by_action.items()})
        return {table: dict(counts) for table, counts in total.items()}

    @property
    def longest_lock(self) -> float:
        return max((part.lock_seconds for part in self.parts), default=0.0)

    @property
    def problems(self) -> int:
        return self.findings.counts["error"] + self.differences.counts["error"]

    @property
    def exit_code(self) -> int:
        """0 clean, 3 with problems, 2 when there was nothing to import; of a comparison: 0 green, 1 yellow, 2 red."""
        if self.compared:
            return STANDINGS.index(self.standing)
        files = self.files
        if self.layout is None or not (files.get("imported") or files.get("unchanged")):
            return NOTHING
        return PROBLEMS if self.problems else CLEAN

    @property
    def standing(self) -> str:
        """Return how a comparison ended: green, all equal; yellow, changed since on either side; red, not as it was."""
        if self.layout is None or self.differences.counts["error"]:
            return "RED"
        return "YELLOW" if self.differences else "GREEN"

    def payload(self) -> dict[str, Any]:
        """Return the report as JSON values, but for its lines and the reports in it, which `written` writes."""
        return {
            "source": self.source,
            "layout": self.layout,
            "dry_run": self.dry_run,
            "result": self.standing if self.compared else RESULTS[self.exit_code],
            "files": self.files,
            "rows": self.rows,
            "workspaces": [part.workspace_id for part in self.parts if part.workspace_id],
            "verified_plans": self.verified,
            "differences": self.differences,
            "lines": self.findings,
            "longest_lock_seconds": round(self.longest_lock, 3),
            "seconds": round(self.seconds, 3),
        } | ({"layouts": self.each} if self.each else {})


def together(reports: list[ImportReport]) -> ImportReport:
    """Return the one report of all layouts of a source."""
    if len(reports) == 1:
        return reports[0]
    verified = [one.verified for one in reports if one.verified is not None]
    return ImportReport(
        reports[0].source,
        ", ".join(one.layout or "" for one in reports),
        reports[0].dry_run,
        reports[0].compared,
        [part for one in reports for part in one.parts],
        Findings(finding for one in reports for finding in one.findings),
        Findings(finding for one in reports for finding in one.differences),
        sum(verified) if verified else None,
        sum(one.seconds for one in reports),
        reports,
    )


def written(report: ImportReport, at: str = "\n") -> Iterator[str]:
    """Yield the report as JSON text, piece by piece: it may have more lines than fit into memory as text."""
    begin = "{"
    for name, value in report.payload().items():
        yield f"{begin}{at}  {json.dumps(name)}: "
        if isinstance(value, Findings):
            yield from _listed(([json.dumps(line(one), ensure_ascii=False)] for one in value), f"{at}  ")
        elif name == "layouts":
            yield from _listed((written(one, f"{at}    ") for one in report.each), f"{at}  ")
        else:
            yield json.dumps(value, ensure_ascii=False)
        begin = ","
    yield f"{at}}}"


def _listed(items: Iterable[Iterable[str]], at: str) -> Iterator[str]:
    begin = "["
    for item in items:
        yield f"{begin}{at}  "
        yield from item
        begin = ","
    yield "[]" if begin == "[" else f"{at}]"


def line(finding: Finding) -> dict[str, Any]:
    """Return a line of the report as JSON values."""
    told: dict[str, Any] = {
        "severity": finding.severity,
        "path": finding.path,
        "json_path": finding.json_path,
        "what": finding.what,
    }
    more = ("value", "used", "workspace_id")
    return told | {name: getattr(finding, name) for name in more if getattr(finding, name) is not None}


def text(report: ImportReport) -> Iterator[str]:
    """Yield the report line by line, problems first; harmless lines, and those beyond MOST_LINES, are only counted."""
    if report.each:
        for number, one in enumerate(report.each):
            yield from [""] if number else []
            yield from text(one)
        return
    if report.layout is None:
        yield "Nothing was compared." if report.compared else "Nothing was imported."
        yield from map(sentence, report.findings)
        return
    done = "Compared" if report.compared else "Would import" if report.dry_run else "Imported"
    yield f"{done} {report.source} (layout {report.layout})"
    yield "Files: " + (_counts(report.files) or "none")
    for table, counts in report.rows.items():
        yield f"  {table}: {_counts(counts)}"
    several = sum(part.workspace_id is not None for part in report.parts) > 1
    told = chain.from_iterable(_of_severity(report.findings, severity) for severity in ("error", "warning"))
    shown_lines = 0
    for finding in islice(told, MOST_LINES):
        yield f"{finding.severity}: {sentence(finding, several)}"
        shown_lines += 1
    if hidden := len(report.findings) - shown_lines:
        yield f"{hidden} more lines, about values that were mapped, defaulted or compared: --report FILE has each."
    for finding in report.differences:
        yield f"difference: {sentence(finding, several)}"
    if report.verified is not None:
        standing = f" {report.standing}" if report.compared else ""
        differences = number_of(len(report.differences), "difference") if report.differences else "no differences"
        yield f"Verified {number_of(report.verified, 'plan')}: {differences}.{standing}"
    if not report.dry_run and not report.compared:
        yield f"Took {report.seconds:.2f} s; the longest lock was {report.longest_lock * 1000:.0f} ms."


def _of_severity(findings: Findings, severity: str) -> Iterator[Finding]:
    return (finding for finding in findings if finding.severity == severity)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in counts.items() if number)


def sentence(finding: Finding, several: bool = False) -> str:
    """Return a line of the report as text; of `several` workspaces it names the one that it is about."""
    whose = f"{finding.workspace_id}/" if several and finding.workspace_id else ""
    where = whose + finding.path + (f" {finding.json_path}" if finding.json_path != "$" else "")
    told = f" {_short(finding.value)}" if finding.value is not None else ""
    used = f" -> {_short(finding.used)}" if finding.used is not None else ""
    return shown(f"{where}: {finding.what}{':' if told or used else ''}{told}{used}")


def _short(value: object) -> str:
    shown = encode(value)
    return shown if len(shown) <= SHOWN else shown[: SHOWN - 1] + "…"
