"""Comparing what is in the database with where it came from."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

from server.db.interchange import import_differences, imports
from server.db.interchange.scratch import Stage
from server.db.storage.connection import Database
from server.importers import checking
from server.importers.layout import Ask, CheckedLayout, Known, Layout, RecognisedSource
from server.importers.merged import MergedWorkspaces
from server.importers.report import ImportReport

Progress = Callable[[str, int, int], Awaitable[None]]  # what is done, how much of it, of how much


@dataclass(frozen=True)
class Job:
    """A source on its way into a database, or beside it. Without `ask` nothing can be compared."""

    db: Database
    layout: Layout
    source: RecognisedSource
    known: Known
    merged: MergedWorkspaces
    report: ImportReport
    ask: Ask | None
    progress: Progress
    overwrites: bool = False  # what the source says counts, whatever was changed here since


async def imported(job: Job, stage: Stage) -> None:
    """Verify a run: every row is there, no reference is broken, and the tools return each new plan as it was."""
    job.report.differences += await import_differences.missing(job.db, stage)
    job.report.differences += await import_differences.broken_references(job.db)
    new = imports.new_plans(stage)
    await compare(job, stage if job.source.by_rows else None, new.__contains__, len(new))


async def compare(job: Job, stage: Stage | None, wanted: Callable[[str], bool], total: int) -> None:
    """Ask the tools for every wanted plan, and add what differs from the source to the report.

    With a `stage` it is compared by the rows on it, else as its layout does.
    """
    if job.ask is None:
        return
    job.report.verified = 0
    told = (
        checking.compared(stage, job.ask, wanted)
        if stage
        else cast(CheckedLayout, job.layout).check(job.source, job.known, job.ask, wanted)
    )
    async for plan_id, differences in told:
        job.report.differences += differences
        job.report.verified += plan_id is not None
        await job.progress("Verifying", job.report.verified, max(job.report.verified, total))
