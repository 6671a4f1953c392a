"""Sources that are too much: very many files, very large ones, such as change, and such as a merge left."""

import json
import os
import resource
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.importers import reading, taking
from server.importers.beads import NAME
from server.importers.layout import Known
from server.importers.reading import Entry, UnreadableFile
from server.importers.taking import WHOLE_BYTES, Sink
from server.importers.taking import Taker as FileTaker
from server.models.imports import ImportBatch
from tests.importers.beads import generator
from tests.importers.conftest import Taker
from tests.thoroughness import often

FEW, MANY = 1_000, 100_000


@pytest.fixture
def most(monkeypatch: pytest.MonkeyPatch) -> int:
    """The bytes of a file that is read as a whole, in a usual run fewer: looking them through takes long."""
    number = often(WHOLE_BYTES, usual=WHOLE_BYTES // 8)
    monkeypatch.setattr(taking, "WHOLE_BYTES", number)
    return number


@pytest.fixture
def beads(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    generator.store(folder, 1)
    return folder


@pytest.mark.parametrize("number", [FEW, pytest.param(MANY, marks=pytest.mark.soak)])
async def test_many_files_are_each_accounted_for(take: Taker, beads: Path, number: int) -> None:
    (beads / ".beads" / "many").mkdir()
    for place in range(number):
        (beads / ".beads" / "many" / f"{place}.txt").touch()
    report = await take(beads)

    assert report.exit_code == 0
    assert sum(report.files.values()) == number + 2
    assert set((await take(beads)).files) == {"unchanged"}


async def test_a_source_of_many_gigabytes_is_refused_without_memory(take: Taker, beads: Path) -> None:
    with (beads / ".beads" / "issues.jsonl").open("wb") as file:
        file.truncate(32 * 1024**3)
    with (beads / ".beads" / "more.json").open("wb") as file:
        file.truncate(8 * 1024**3)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report = await take(beads)

    told = [finding.what for finding in report.findings if finding.severity == "error"]
    assert [what for what in told if "more than" in what]
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * (1 if sys.platform == "darwin" else 1024) < 250 * 1024**2


@pytest.mark.parametrize("secret", [b"", b'"password": "hush-hush-hush", '])
async def test_a_document_that_is_too_large_to_be_read_is_told_and_kept(
    take: Taker, beads: Path, most: int, secret: bytes
) -> None:
    filler = b'"description": "words and words", ' * 1000
    with (beads / ".beads" / "more.json").open("wb") as file:
        file.write(b"{" + filler * (most // len(filler)) + secret + filler + b'"a": 1}')
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report = await take(beads)

    assert [one.path for one in report.findings if "bytes are more than" in one.what] == [".beads/more.json"]
    row = await take.db.one("SELECT * FROM import_files WHERE path = '.beads/more.json'")
    assert row
    kept = zlib.decompress(row["raw"]) if row["raw"] else b""
    assert kept == (b"" if secret else (beads / ".beads" / "more.json").read_bytes())
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * (1 if sys.platform == "darwin" else 1024) < 250 * 1024**2


@pytest.mark.soak
async def test_a_long_file_is_streamed(take: Taker, beads: Path) -> None:
    path = beads / ".beads" / "issues.jsonl"
    filler = json.dumps(generator.issue(5000, description="x" * 1_000_000))
    with path.open("a", encoding="utf-8") as file:
        for _ in range(34):  # more than has to be in memory at once; the last of the same id counts
            file.write(filler + "\n")
    report = await take(beads)
    assert report.files == {"imported": 1, "skipped": 1}
    assert sum("stands again" in finding.what for finding in report.findings) == 33


async def test_marks_of_a_merge_are_told_with_their_line(take: Taker, beads: Path) -> None:
    path = beads / ".beads" / "issues.jsonl"
    lines = path.read_bytes().splitlines()
    lines[3:3] = [b"<<<<<<< HEAD", lines[3], b"=======", lines[4], b">>>>>>> theirs"]
    path.write_bytes(b"\n".join(lines))
    report = await take(beads)

    assert report.exit_code != 0
    assert any("marks of a merge from line 4" in finding.what for finding in report.findings)
    assert report.rows.get("steps", {}).get("new", 0) == 0


def test_a_file_that_changes_while_it_is_read_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"first")
    inner, changes = reading._chunks, iter([b"second, longer", None])

    def chunks(location: Path) -> Iterator[bytes]:
        yield from inner(location)
        if text := next(changes, None):
            path.write_bytes(text)

    monkeypatch.setattr(reading, "_chunks", chunks)
    assert reading.read(Entry("file", path)).data == b"second, longer"

    endless = iter(range(1000))
    monkeypatch.setattr(reading, "_chunks", lambda location: _growing(inner, location, next(endless)))
    with pytest.raises(UnreadableFile, match="being written to"):
        reading.read(Entry("file", path))


def _growing(inner, location: Path, number: int) -> Iterator[bytes]:
    yield from inner(location)
    location.write_bytes(b"x" * (100 + number))


def test_a_database_that_is_none_costs_a_line(tmp_path: Path) -> None:
    path = tmp_path / "their.db"
    path.write_bytes(b"no database" * 1000)
    taker, sink = FileTaker(Known({"w": "ws"}, {}, {}), NAME, "w"), Sink("ws")
    with taker.database(Entry("their.db", path), sink) as db:
        assert db is None
    batch: ImportBatch = sink.taken()
    assert [file.status for file in batch.files] == ["failed"]
    assert "no database" in batch.findings[0].what


def test_the_head_of_what_is_no_file_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"The head, and more")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
    told = {name: reading.head(tmp_path / name, 8) for name in ("file", "link", "pipe", "gone", ".")}
    assert told == {"file": b"The head", "link": b"", "pipe": b"", "gone": b"", ".": b""}
