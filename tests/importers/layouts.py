"""Stores of other programs, one module a layout: each writes a store and counts what an import has to make of it.

A generator is `store(folder, seed) -> Expected`. Its counts come from what it wrote, never from the importer.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from pkgutil import iter_modules
from typing import cast

from server import importers


@dataclass
class Expected:
    """What has to come of a store. `source` is the path to import, `edit` changes it so that `edited` titles are new.

    `texts` are texts that have to be found in the database, `secrets` such that must not, `external` ids to be found.
    """

    layout: str
    source: Path
    rows: dict[str, int]
    files: int
    texts: list[str] = field(default_factory=list[str])
    secrets: list[str] = field(default_factory=list[str])
    problems: int = 0
    is_placeless: bool = False  # it belongs to no project: a copy of it is the same store
    stays_put: bool = False  # it belongs to none, and is known by where it lies
    edit: Callable[[], str] | None = None
    broken: Callable[[], None] | None = None


Generator = Callable[[Path, int], Expected]


def generators() -> dict[str, Generator]:
    """Return the generators of all layouts that have one: `tests/importers/<layout>/generator.py`."""
    found: dict[str, Generator] = {}
    here = Path(__file__).parent
    for package in sorted(path for path in here.iterdir() if (path / "generator.py").is_file()):
        module = importlib.import_module(f"tests.importers.{package.name}.generator")
        found[package.name.replace("_", "-")] = cast(Generator, module.store)
    return found


def packages() -> list[str]:
    """Return the layouts of other programs that there are."""
    return [one.name for one in iter_modules(importers.__path__) if one.ispkg and one.name != "legacy"]
