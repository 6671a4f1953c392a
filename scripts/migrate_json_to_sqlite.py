"""Import a store of JSON files: `migrate_json_to_sqlite.py --input DIR --db FILE [--dry-run]`.

The same as `python -m server import`. Exit code: 0 clean, 3 imported with problems, 2 nothing imported.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from database_file import settings_of

from server.cli.stores.import_ import take_over
from server.errors import ProjectMemoryError
from server.importers.run import Options


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, required=True, help="the store: a data root, or a part of one")
    parser.add_argument("--db", type=Path, required=True, help="the database; made if it is not there")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    chosen = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
            # A dry run makes no database; the counts of an empty one are those of none.
            file = Path(scratch) / "empty.db" if chosen.dry_run and not chosen.db.exists() else chosen.db
            return take_over(chosen.input, Options(dry_run=chosen.dry_run), None, False, settings_of(file))
    except ProjectMemoryError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
