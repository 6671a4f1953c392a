"""The formats of an export, by their names: ours, and a package here for each other one."""

from collections.abc import AsyncIterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol, cast

from server import exporters
from server.db.storage.connection import Reader
from server.errors import InvalidArguments
from server.exporters import documents, markdown
from server.exporters.folder import File

JSON = "json"
OURS = {JSON: documents, "markdown": markdown}  # of each other format there is a package of that name


class Exporter(Protocol):
    """What a package of exporters has."""

    def store(self, db: Reader) -> AsyncIterator[File]: ...
    def workspace(self, db: Reader, workspace_id: str) -> AsyncIterator[File]: ...
    def one_plan(self, db: Reader, plan_id: str) -> AsyncIterator[File]: ...


def names() -> list[str]:
    """Return what `--format` takes."""
    packages = (one.name for one in iter_modules(exporters.__path__) if one.ispkg)
    return [*OURS, *sorted(name.replace("_", "-") for name in packages)]


def exporter_of(name: str) -> Exporter:
    if name not in names():
        raise InvalidArguments(f"--format {name!r} is none that is known. Use one of: {', '.join(names())}.")
    module = OURS.get(name) or import_module(f"server.exporters.{name.replace('-', '_')}")
    return cast(Exporter, module)
