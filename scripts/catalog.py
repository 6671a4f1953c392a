"""Write `catalog/` from the registry and the answers of the SDK; `--check` only tells whether it is current."""

import sys

import protocol_answers

from server import catalog
from server.settings import ASSETS
from server.tools import TOOLS


def main() -> int:
    checking = "--check" in sys.argv[1:]
    changed = _tools(checking=checking) + _answers(checking=checking)
    for name in changed:
        print(f"{'stale' if checking else 'wrote'} catalog/{name}")
    return 1 if checking and changed else 0


def _tools(*, checking: bool) -> list[str]:
    folder = ASSETS / "catalog"
    return list(catalog.stale(TOOLS.values(), folder)) if checking else catalog.write(TOOLS.values(), folder)


def _answers(*, checking: bool) -> list[str]:
    file, text = protocol_answers.FILE, protocol_answers.current()
    if file.is_file() and file.read_text(encoding="utf-8") == text:
        return []
    if not checking:
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return [f"{file.parent.name}/{file.name}"]


if __name__ == "__main__":
    sys.exit(main())
