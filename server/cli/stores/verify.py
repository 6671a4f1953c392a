"""`verify`: compare a store that was imported with what the tools return of it now."""

from pathlib import Path

import anyio

from server import settings
from server.cli.stores.import_ import Told, meant, refuse_workspace, tell, with_database
from server.db.storage.connection import Database
from server.importers.layout import Ask
from server.importers.report import ImportReport
from server.importers.run import Options, verify_path
from server.settings import Flags


def run(path: Path, options: Options, report_to: Path | None, as_json: bool, flags: Flags) -> int:
    """Verify and return the exit code: 0 green, 1 yellow, 2 red or nothing to compare."""
    refuse_workspace(flags)

    async def work(db: Database, ask: Ask, told: Told) -> ImportReport:
        return await verify_path(db, meant(path), options, ask, told)

    chosen = settings.load(flags)
    chosen.require_database()
    report = anyio.run(with_database, chosen, work)
    tell(report, report_to, as_json)
    return report.exit_code
