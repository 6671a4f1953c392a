"""The files and databases of vibe-agency in a project: missions, manifests, roadmaps, hand-offs, its `.vibe` folder."""

from collections.abc import Iterator
from pathlib import Path

from server.importers import layout
from server.importers.layout import Known, RecognisedSource, SourceFile
from server.importers.vibe_agency import places, project
from server.importers.vibe_agency.reader import StoreReader
from server.models.imports import ImportBatch

NAME: str = project.NAME
MARKS = places.MARKS


def recognise(path: Path) -> RecognisedSource | None:
    """Return the store that a project folder holds; its `.vibe` may stand for it, or a folder in that."""
    place = places.find(path)
    return layout.project(NAME, place.folder, place) if place else None


def files(source: RecognisedSource) -> Iterator[SourceFile]:
    """Yield every file of the store."""
    owner = source.workspaces[0].workspace_id
    for entry in places.entries(source.detail):
        yield SourceFile(owner, entry.path, entry.location, entry.odd)


def read(source: RecognisedSource, known: Known) -> Iterator[ImportBatch]:
    """Yield what the store becomes, file by file."""
    yield from StoreReader(source, known).all()
