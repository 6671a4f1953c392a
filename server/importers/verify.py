"""Comparing what is in the database with where it came from."""

from collections.abc import Callable

from server.db import imports
from server.db.connection import Database
from server.db.staging import Stage
from server.importers.report import Report
from server.importers.staging import Ask, Known, Layout, Source


async def imported(
    db: Database, stage: Stage, layout: Layout, source: Source, known: Known, ask: Ask, report: Report
) -> None:
    """Verify a run: every row is there, no reference is broken, and the tools return each new plan as it was."""
    report.differences += await imports.missing(db, stage)
    report.differences += await imports.broken_references(db)
    await compare(layout, source, known, ask, report, imports.new_plans(stage).__contains__)


async def compare(
    layout: Layout, source: Source, known: Known, ask: Ask, report: Report, wanted: Callable[[str], bool]
) -> None:
    """Ask the tools for every wanted plan, and add what differs from the source to the report."""
    report.verified = 0
    async for plan_id, differences in layout.check(source, known, ask, wanted):
        report.differences += differences
        report.verified += plan_id is not None
