"""A command that is printed works where it is pasted."""

import re
import subprocess
from pathlib import Path

import pytest

from server.settings import PACKAGE, Settings
from server.tools.commands import command
from tests import legacy_store

ODD = """it's a "folder" $HOME `x` with; odd & names"""
LITERAL = re.compile(r"python3? -m server")
# Docstrings that say what a module is, or why a plain command is not enough.
ELSEWHERE = {"__main__.py", "cli/setup/launching.py"}


@pytest.mark.parametrize("name", ["plain", ODD])
def test_a_command_can_be_pasted_into_a_shell_in_any_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "elsewhere" / "server").mkdir(parents=True)
    (tmp_path / "elsewhere" / "server" / "__init__.py").write_text("raise SystemExit('another package')")
    store = legacy_store.put(tmp_path / name, legacy_store.store(1, plans=1))
    settings = Settings(data_root=tmp_path / f"{name} data")

    done = subprocess.run(
        command(settings, "import", str(store)),
        shell=True,
        cwd=tmp_path / "elsewhere",
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert settings.database.is_file()


def test_commands_are_built_in_one_place() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if LITERAL.search(path.read_text(encoding="utf-8"))
    }

    assert found - ELSEWHERE == set()
