"""Importers: each layout is a package here that recognises a source, reads it, and maps it to rows.

They are found by their names, and imported when somebody asks what a path is.
"""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import cast

from server.importers.layout import Layout, RecognisedSource

OURS = ("legacy", "documents")  # stores of this program itself: a folder is one of them, or neither
Recognised = tuple[Layout, RecognisedSource]


def names() -> list[str]:
    """Return what `--as` takes: ours, then those of other programs."""
    packages = sorted(one.name for one in iter_modules(__path__) if one.ispkg and one.name not in OURS)
    return [*OURS, *(name.replace("_", "-") for name in packages)]


def layout_of(name: str) -> Layout:
    """Import a layout."""
    return cast(Layout, import_module(f"{__name__}.{name.replace('-', '_')}"))


def marks() -> dict[str, list[tuple[str, str]]]:
    """Return, by layout, the files of a project that show a store at once, each with what it has to say."""
    found = {name: [*getattr(layout_of(name), "MARKS", ())] for name in names()}
    return {name: listed for name, listed in found.items() if listed}


def recognise_all(path: Path, only: str | None = None) -> list[Recognised]:
    """Return every layout that knows something of what `path` is, with what it found; or `only` that one."""
    found: list[Recognised] = []
    for name in [only] if only else names():
        if name == OURS[1] and found and not only:
            continue
        layout = layout_of(name)
        if source := layout.recognise(path):
            found.append((layout, source))
    stores = [one for one in found if not one[1].is_mark]
    return stores or found


def recognise(path: Path) -> Recognised | None:
    """Return the first layout that knows what `path` is, with what it found; None if none does."""
    return next(iter(recognise_all(path)), None)
