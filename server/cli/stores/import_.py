"""`import`: take over an older store, and say what became of every file of it."""

import os
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import cast, get_args

import anyio
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from server import calls, files, settings
from server.db.storage.connection import Database
from server.errors import InvalidArguments, NotAllowed, ProjectMemoryError
from server.importers.layout import Ask
from server.importers.report import ImportReport, text, written
from server.importers.run import OnConflict, Options, import_path, nothing_at, silent
from server.models.imports import Finding, Findings
from server.settings import Flags, Settings
from server.store import Store

Told = Callable[[str, int, int], Awaitable[None]]
Work = Callable[[Database, Ask, Told], Awaitable[ImportReport]]


def run(path: Path, options: Options, report_to: Path | None, as_json: bool, flags: Flags) -> int:
    """Import and return the exit code: 0 clean, 3 with problems, 2 when nothing was imported."""
    refuse_workspace(flags)
    return take_over(path, options, report_to, as_json, settings.load(flags))


def take_over(path: Path, options: Options, report_to: Path | None, as_json: bool, chosen: Settings) -> int:
    """Import into the database of `chosen`, as `run` does."""
    source = meant(path)
    _refuse_relative(options.workspace_path)
    _refuse_unwritable(report_to)

    async def work(db: Database, ask: Ask, told: Told) -> ImportReport:
        return await import_path(db, source, options, ask, told)

    report = _imported(source, options, chosen, work)
    tell(report, report_to, as_json)
    return report.exit_code


def _imported(source: Path, options: Options, chosen: Settings, work: Work) -> ImportReport:
    """Import, unless there is nothing: then no database is made. A dry run leaves the one that there is as it is."""
    try:
        if why := nothing_at(source, options.layout):
            return ImportReport(str(source), dry_run=options.dry_run, findings=Findings([why]))
        if not options.dry_run and chosen.read_only:
            raise NotAllowed("--read-only (PM_READ_ONLY) refuses every write; --dry-run says what an import would do.")
        if not options.dry_run:
            return anyio.run(with_database, chosen, work)
        if chosen.database.exists():
            return anyio.run(with_database, replace(chosen, read_only=True), work)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
            return anyio.run(with_database, Settings(data_root=Path(scratch), log_level=chosen.log_level), work)
    except InvalidArguments:
        raise
    except ProjectMemoryError as error:
        return ImportReport(
            str(source), dry_run=options.dry_run, findings=Findings([Finding("error", str(source), "$", str(error))])
        )


def meant(path: Path) -> Path:
    """Return the folder that a path leads to: `~`, `..` and links in it have no place in what is imported."""
    return Path(os.path.realpath(path.expanduser() if str(path)[:1] == "~" else path))


def refuse_workspace(flags: Flags) -> None:
    """Refuse what other commands take, and what would do nothing here."""
    if "workspace" in flags:
        raise InvalidArguments(
            "--workspace has no effect here: the workspaces of a store are those of its projects. "
            "--workspace-path says to `import` where a project is now."
        )


def _refuse_unwritable(report_to: Path | None) -> None:
    try:
        if report_to:
            os.close(os.open(report_to, os.O_WRONLY | os.O_CREAT | os.O_APPEND, files.PRIVATE))
    except OSError as error:
        raise _no_report(report_to, error) from error


def _no_report(report_to: Path | None, error: OSError) -> InvalidArguments:
    return InvalidArguments(f"--report {str(report_to)!r} cannot be written: {error.strerror}.")


def conflict(told: str) -> OnConflict:
    """Return what --on-conflict says, or refuse it."""
    if told not in get_args(OnConflict):
        raise InvalidArguments(f"--on-conflict {told!r} is none of {', '.join(get_args(OnConflict))}.")
    return cast(OnConflict, told)


def _refuse_relative(path: str | None) -> None:
    windows = path is not None and len(path) > 2 and path[1] == ":" and path[2] in "\\/"
    if path is not None and not windows and not os.path.isabs(path):  # noqa: PTH117 - also of other systems
        raise InvalidArguments(f"--workspace-path {path!r} is not absolute; give the full path of the project.")


async def with_database(chosen: Settings, work: Work) -> ImportReport:
    """Run `work` on the open database, with the tools to ask and, on a terminal, progress to watch."""
    settings.configure_logging(chosen)
    store = Store(chosen)

    try:
        async with _shown() as told:
            return await work(await store.open(), partial(calls.answer, store), told)
    finally:
        await store.close()


@asynccontextmanager
async def _shown() -> AsyncGenerator[Told]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield silent
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("Reading", total=None)

        async def told(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        yield told


def tell(report: ImportReport, report_to: Path | None, as_json: bool) -> None:
    """Print the report, and write the whole of it to a file if one is named."""
    if report_to:
        try:
            _keep(report_to, chain(written(report), ["\n"]))
        except OSError as error:
            raise _no_report(report_to, error) from error
    if as_json:
        for part in written(report):
            print(part, end="")
        print()
        return
    for line in text(report):
        print(line)


def _keep(path: Path, parts: Iterable[str]) -> None:
    """Write a report; what is no regular file, such as a pipe, is written to and not replaced."""
    if path.exists() and not path.is_file():
        with path.open("w", encoding="utf-8") as file:
            file.writelines(parts)
    else:
        files.replace(path, parts)
