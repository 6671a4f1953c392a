"""Write a database as JSON files: `export_sqlite_to_json.py --db FILE --output DIR [--format legacy|json|vibe-agency]`.

By default the files of the old store, and a count of what they have no place for; with `--format json` the lossless
documents of `python -m server export`. With `--mission-uuid ID`, or an `--output` that ends in `.json`, the file of one
mission of vibe-agency: the one with that id, or the active one.
"""

import argparse
import sys
from pathlib import Path

from database_file import settings_of

from server.cli.stores.export import ExportRequest, give_back, give_mission_back
from server.errors import ProjectMemoryError

LEGACY, MISSIONS = "legacy", "vibe-agency"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--db", type=Path, required=True, help="the database")
    parser.add_argument("--output", type=Path, required=True, help="a new or empty folder; of a mission, a new file")
    parser.add_argument(
        "--format", choices=(LEGACY, "json", MISSIONS), help=f"default: {LEGACY}, of a mission {MISSIONS}"
    )
    parser.add_argument("--mission-uuid", help="the only mission to write, by its own id")
    chosen = parser.parse_args()
    if not chosen.db.is_file():
        parser.error(f"there is no database {str(chosen.db)!r}")
    is_mission = chosen.mission_uuid is not None or chosen.output.suffix == ".json"
    if is_mission and chosen.format not in (None, MISSIONS):
        parser.error(
            f"a mission is a file of {MISSIONS}: --format {chosen.format} needs a folder and no --mission-uuid"
        )
    try:
        if is_mission:
            return give_mission_back(chosen.mission_uuid, chosen.output, settings_of(chosen.db))
        return give_back(ExportRequest(chosen.output, chosen.format or LEGACY), settings_of(chosen.db))
    except ProjectMemoryError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
