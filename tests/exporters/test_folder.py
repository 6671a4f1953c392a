"""Where an export goes, and what it never does to what is there."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.errors import Conflict, InvalidArguments, NotAllowed, Storage
from server.exporters import folder
from server.exporters.folder import ExportOutcome, File


async def files(*paths: str, content: bytes = b"new") -> AsyncIterator[File]:
    for path in paths:
        yield File(path, content, is_plan="/plans/" in path)


async def write(target: Path, *paths: str, force: bool = False) -> ExportOutcome:
    return await folder.write(target, files(*paths), format="json", force=force)


async def test_a_new_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    done = await write(tmp_path / "a" / "b", "ws/plans/one.json", "global.json")

    assert (done.files, done.plans, done.size) == (2, 1, 6)
    assert (tmp_path / "a" / "b" / "ws" / "plans" / "one.json").read_bytes() == b"new"


async def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x", encoding="utf-8")
    with pytest.raises(Conflict, match="not empty"):
        await write(tmp_path, "global.json")

    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


async def test_an_empty_folder_is_written_to(tmp_path: Path) -> None:
    assert (await write(tmp_path, "global.json")).files == 1


async def test_fewer_plans_over_more_are_told_and_nothing_is_deleted(tmp_path: Path) -> None:
    await write(tmp_path, "ws/plans/one.json", "ws/plans/two.json", "ws/plans/three.json")
    done = await write(tmp_path, "ws/plans/two.json", force=True)

    assert (done.plans, done.plans_before) == (1, 3)
    assert done.left_over == ["ws/plans/one.json", "ws/plans/three.json"]
    assert (tmp_path / "ws" / "plans" / "one.json").is_file()


async def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(InvalidArguments, match="is a file"):
        await write(tmp_path / "file", "global.json")


async def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "ws").write_text("a file where a folder has to be", encoding="utf-8")
    with pytest.raises(Storage, match="0 files were written"):
        await write(tmp_path, "ws/plans/one.json", force=True)


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "C:/x", "C:x", "a\\..\\..\\x", "", "a/\0", "out/x"])
async def test_no_path_leads_out_of_the_folder(tmp_path: Path, path: str) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "out").symlink_to(tmp_path)
    with pytest.raises(NotAllowed, match="leads out of"):
        await write(target, path, force=True)

    assert [found.name for found in tmp_path.iterdir()] == ["target"]


async def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"mine")
    target = tmp_path / "target"
    target.mkdir()
    (target / "global.json").symlink_to(tmp_path / "mine")
    await write(target, "global.json", force=True)

    assert (tmp_path / "mine").read_bytes() == b"mine"
    assert not (target / "global.json").is_symlink()


async def test_what_fails_leaves_no_draft_behind(tmp_path: Path) -> None:
    target = tmp_path / "target"
    (target / "global.json").mkdir(parents=True)
    with pytest.raises(Storage):
        await write(target, "global.json", force=True)

    assert [path.name for path in target.iterdir()] == ["global.json"]


async def test_a_file_gets_the_time_it_had(tmp_path: Path) -> None:
    path = tmp_path / "old"
    folder.replace(path, b"x", modified_at="2020-01-02T03:04:05.678Z")

    assert path.stat().st_mtime == pytest.approx(1577934245.678, abs=0.01)
