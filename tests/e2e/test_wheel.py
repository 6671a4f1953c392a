"""The wheel is complete: it serves from another folder, without this repository."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from server.settings import PACKAGE
from tests.e2e.processes import ServerProcess

ROOT = PACKAGE.parent
ASSETS = ("migrations", "catalog", "agents", "instructions", "skills")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the contents of the wheel. A wheel without compiled parts is installed by unpacking it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def files(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}


@pytest.mark.parametrize("name", ASSETS)
def test_the_wheel_holds_every_file_of(installed: Path, name: str) -> None:
    assert files(installed / "server" / "_assets" / name) == files(ROOT / name) != set()


def test_the_wheel_holds_the_package_and_nothing_else(installed: Path) -> None:
    assert files(ROOT / "server") <= files(installed / "server")
    [info] = (path for path in installed.iterdir() if path.name != "server")
    assert info.name.endswith(".dist-info")
    assert "project-memory = server.__main__:main" in (info / "entry_points.txt").read_text(encoding="utf-8")
    assert "# Project Memory" in (info / "METADATA").read_text(encoding="utf-8")


async def test_a_server_from_the_wheel_offers_every_tool(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(installed))

    server = await ServerProcess.start(tmp_path / "data", command=(sys.executable, "-P", "-m", "server"))
    tools = (await server.request("tools/list", {}))["tools"]
    registered = await server("memory_workspace", "register", workspace_path=str(tmp_path))

    assert {f"{tool['name']}.json" for tool in tools} == {path.name for path in (ROOT / "catalog").glob("*.json")}
    assert registered["first_time"] is True
    assert await server.close() == 0


def test_the_demo_plays_with_what_the_wheel_brings(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "server", "demo"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert str(installed) in done.stdout, "the printed command leads to the wheel"
