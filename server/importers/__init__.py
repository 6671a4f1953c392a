"""Importers: each layout is a module that recognises a source, reads it, and maps it to rows."""

from pathlib import Path

from server.importers import documents, legacy
from server.importers.layout import Layout, RecognisedSource

LAYOUTS: tuple[Layout, ...] = (legacy, documents)


def recognise(path: Path) -> tuple[Layout, RecognisedSource] | None:
    """Return the first layout that knows what `path` is, with what it found; None if none does."""
    for layout in LAYOUTS:
        if source := layout.recognise(path):
            return layout, source
    return None
