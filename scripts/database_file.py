"""Settings for tools that take a database by its file, whatever its name; part of the scripts beside it."""

from dataclasses import dataclass
from pathlib import Path

from server.settings import Settings


@dataclass(frozen=True)
class FileSettings(Settings):
    """The settings of a tool that works on one file."""

    file: Path = Path()

    @property
    def database(self) -> Path:
        return self.file


def settings_of(file: Path) -> Settings:
    path = file.expanduser().absolute()
    return FileSettings(data_root=path.parent, file=path)
