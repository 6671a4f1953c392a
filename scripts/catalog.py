"""Write what is made from the registry, and the answers of the SDK; `--check` only tells what is stale."""

import asyncio
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import protocol_answers

from server import catalog, catalog_pages
from server.cli.setup import manual
from server.db.storage import migrations
from server.db.storage.opening import open_database
from server.importers import marks
from server.settings import ASSETS
from server.tools import TOOLS
from server.tools.older_stores import MARKS


def main() -> int:
    checking = "--check" in sys.argv[1:]
    changed = _tools(checking=checking)
    changed += _text(MARKS, json.dumps(marks(), indent=1) + "\n", checking=checking)
    changed += _text(ASSETS / migrations.WHOLE, asyncio.run(_schema()), checking=checking)
    changed += _text(protocol_answers.FILE, protocol_answers.current(), checking=checking)
    changed += _text(ASSETS / "docs" / "tools.md", catalog_pages.page(TOOLS.values()), checking=checking)
    for file in (ASSETS / "README.md", ASSETS / "docs" / "editors.md"):
        changed += _text(file, manual.page(file.read_text(encoding="utf-8")), checking=checking)
    for name in changed:
        print(f"{'stale' if checking else 'wrote'} {name}")
    return 1 if checking and changed else 0


async def _schema() -> str:
    with TemporaryDirectory() as folder:
        db = await open_database(Path(folder, "whole.db"), synchronous="off")
        try:
            await migrations.migrate(db, ASSETS / "migrations", one_by_one=True)
            return await migrations.whole_schema(db, ASSETS / "migrations")
        finally:
            await db.close()


def _tools(*, checking: bool) -> list[str]:
    folder = ASSETS / "catalog"
    changed = catalog.stale(TOOLS.values(), folder) if checking else catalog.write(TOOLS.values(), folder)
    return [f"catalog/{name}" for name in changed]


def _text(file: Path, text: str, *, checking: bool) -> list[str]:
    if file.is_file() and file.read_text(encoding="utf-8") == text:
        return []
    if not checking:
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return [file.relative_to(ASSETS).as_posix()]


if __name__ == "__main__":
    sys.exit(main())
