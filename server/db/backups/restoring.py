"""Puts another database in the place of one: the old one with everything beside it, or the new one, never a mixture.

A log that is left beside another file destroys that. So the new file first gets a name that every start looks for: from
then on it counts, and whoever comes next, if the one that began was killed, removes what is left of the old one and
gives it its place.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from server.files import copy, sync, sync_folder

RESTORED = ".restored"  # behind the name of the database: what takes its place
BESIDE = ("-wal", "-shm", "-journal")


def is_unfinished(database: Path) -> bool:
    return _restored(database).exists()


def replace_database(database: Path, new: Path) -> None:
    """Put a database that is one file in the place of another. The caller has both for itself."""
    sync(new)
    new.replace(_restored(database))
    sync_folder(database.parent)
    finish(database)


def finish(database: Path) -> None:
    """Do what is left to do of a replacement. The caller has the database for itself."""
    if is_unfinished(database):
        for path in beside(database):
            path.unlink(missing_ok=True)
        sync_folder(database.parent)
        _restored(database).replace(database)
        sync_folder(database.parent)


def set_aside(database: Path, name: str) -> Path:
    """Keep a database that cannot be read, and what is beside it, under another name too."""
    target = database.with_name(f"{database.name}.{name}")
    for path in (database, *beside(database)):
        kept = target.with_name(target.name + path.name.removeprefix(database.name))
        try:
            os.link(path, kept)
        except FileNotFoundError:
            continue
        except OSError:  # a file system without links
            copy(path, kept)
    sync_folder(database.parent)
    return target


def beside(database: Path) -> Iterator[Path]:
    """Yield the files that SQLite keeps beside a database, whether they are there or not."""
    return (database.with_name(database.name + end) for end in BESIDE)


def _restored(database: Path) -> Path:
    return database.with_name(database.name + RESTORED)
