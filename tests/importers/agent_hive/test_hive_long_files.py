"""A file of completions that is too long to be read whole: line by line it comes to the same."""

import json
from pathlib import Path

import pytest

from server.importers.agent_hive import exchange
from server.importers.taking import WHOLE_BYTES
from server.settings import Settings
from server.store import open_store
from tests.importers.agent_hive import hive_store
from tests.importers.agent_hive.hive_store import completion, lines
from tests.importers.conftest import Taker, everything

PATH = ".claude/agent_completions.jsonl"
TABLES = ("lineage", "quality_gates", "agents", "import_files", "import_rows")


@pytest.fixture
def hive(tmp_path: Path) -> Path:
    made = hive_store.whole()
    made.files[PATH] = lines(*map(completion, range(700))) + b"no json\n[1]\n" + lines(completion(1), completion(701))
    made.files[f"new-worktrees/one/{PATH}"] = made.files[PATH]
    made.files[f"new-worktrees/two/{PATH}"] = lines(completion(1), completion(702))
    return made.write(tmp_path / "hive")


async def test_line_by_line_it_comes_to_the_same(
    take: Taker, hive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = await take(hive)
    monkeypatch.setattr(exchange, "LONG", 0)
    db = await open_store(Settings(data_root=tmp_path / "other", synchronous="off"))
    other = Taker(Settings(data_root=tmp_path / "other", synchronous="off"), db)
    try:
        long = await other(hive)
        assert (long.files, long.rows, long.problems) == (whole.files, whole.rows, whole.problems)
        assert long.rows["lineage"] == {"new": whole.rows["lineage"]["new"]}
        query = (
            "SELECT path, status, sha256, reason, raw FROM import_files WHERE path LIKE '%completions%' ORDER BY path"
        )
        assert [tuple(row) for row in await db.all(query)] == [tuple(row) for row in await take.db.all(query)]
        query = "SELECT lineage_id, reason, data, external_id, created_at FROM lineage ORDER BY lineage_id"
        assert [tuple(row) for row in await db.all(query)] == [tuple(row) for row in await take.db.all(query)]
        assert set((await take(hive)).files) == {"unchanged"}
        assert (await take.verify(hive)).standing == "GREEN"
    finally:
        await other.store.close()
        await db.close()


async def test_one_that_is_too_large_for_memory_comes_in(take: Taker, tmp_path: Path) -> None:
    made = hive_store.whole()
    filler = completion(1) | {"notes": "x" * 1_000_000}
    made.files[PATH] = b"".join(lines(filler | {"number": number}) for number in range(WHOLE_BYTES // 1_000_000 + 2))
    report = await take(made.write(tmp_path / "hive"))

    assert not [one for one in report.findings if one.path == PATH and one.severity == "error"]
    assert (
        await take.db.value("SELECT count(*) FROM lineage WHERE length(data) > 1000000") == WHOLE_BYTES // 1_000_000 + 2
    )


async def test_a_secret_in_a_long_file_is_left_out(
    take: Taker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "LONG", 0)
    made = hive_store.whole()
    made.files[PATH] = lines(completion(1), completion(2) | {"api_key": "hush-hush-hush"})
    await take(made.write(tmp_path / "hive"))

    assert "hush-hush-hush" not in json.dumps(everything(take.db.path))
    assert await take.db.value("SELECT raw FROM import_files WHERE path = :path", {"path": PATH}) in (None, b"")
