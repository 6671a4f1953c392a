"""Write what is made from the registry, and the answers of the SDK; `--check` only tells what is stale."""

import sys
from pathlib import Path

import protocol_answers

from server import catalog, catalog_pages
from server.cli.setup import manual
from server.settings import ASSETS
from server.tools import TOOLS


def main() -> int:
    checking = "--check" in sys.argv[1:]
    changed = _tools(checking=checking)
    changed += _text(protocol_answers.FILE, protocol_answers.current(), checking=checking)
    changed += _text(ASSETS / "docs" / "tools.md", catalog_pages.page(TOOLS.values()), checking=checking)
    for file in (ASSETS / "README.md", ASSETS / "docs" / "editors.md"):
        changed += _text(file, manual.page(file.read_text(encoding="utf-8")), checking=checking)
    for name in changed:
        print(f"{'stale' if checking else 'wrote'} {name}")
    return 1 if checking and changed else 0


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
