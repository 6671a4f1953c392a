"""Write `catalog/*.json` from the registry; `--check` only tells whether they are current."""

import sys

from server import catalog
from server.settings import ASSETS
from server.tools import TOOLS


def main() -> int:
    folder = ASSETS / "catalog"
    checking = "--check" in sys.argv[1:]
    changed = list(catalog.stale(TOOLS.values(), folder)) if checking else catalog.write(TOOLS.values(), folder)
    for name in changed:
        print(f"{'stale' if checking else 'wrote'} catalog/{name}")
    return 1 if checking and changed else 0


if __name__ == "__main__":
    sys.exit(main())
