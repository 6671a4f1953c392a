"""`search-index`: look whether the search knows everything, and repair it."""

import anyio

from server.db.search import index_repair
from server.db.search.index_repair import IndexReport
from server.settings import Flags, load_existing
from server.store import Store
from server.text.display import number_of


def run(flags: Flags, *, rebuild: bool) -> int:
    """Check the search of the chosen database, after a rebuild if one is wanted; return the exit code."""
    settings = load_existing(flags)
    report = anyio.run(_look, Store(settings), rebuild)
    print("\n".join(_told(report)))
    return 0 if report.is_sound else 1


async def _look(store: Store, rebuild: bool) -> IndexReport:
    db = await store.open()
    try:
        if rebuild:
            print(f"looked at {number_of(await index_repair.rebuild(db), 'row')}")
        return await index_repair.check(db)
    finally:
        await store.close()


def _told(report: IndexReport) -> list[str]:
    lines = [number_of(report.documents, "document")]
    lines += [f"{report.missing} rows have none"] if report.missing else []
    lines += [f"{report.different} differ from their rows"] if report.different else []
    lines += [f"{report.orphaned} are of rows that are gone"] if report.orphaned else []
    lines += [f"{report.waiting} changes wait for the next write"] if report.waiting else []
    lines += [] if report.index_agrees else ["the index does not agree with them"]
    return [*lines, "the search is sound" if report.is_sound else "search-index --rebuild repairs it"]
