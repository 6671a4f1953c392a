"""Names that no tool can be asked for get one that it can, and a line that says so."""

import os
from pathlib import Path

import pytest

from server.importers.report import text
from tests import legacy_store
from tests.importers.conftest import Taker, everything
from tests.legacy_store import Maker

posix = pytest.mark.skipif(os.name != "posix", reason="such names are for POSIX alone")
NAMES = [
    b"plan_sp ace",
    b"plan_new\nline",
    b"plan_\xff\xfe",
    b"plan_\x01",
    b"plan_'\"",
    b".hidden",
    b"plan_dot.",
    b"...",
]


@posix
async def test_folders_and_files_of_any_name(take: Taker, root: Path) -> None:
    m = Maker(8)
    for name in NAMES:
        folder = os.fsencode(root / m.workspace_id / "plans") + b"/" + name
        Path(os.fsdecode(folder + b"/research_notes")).mkdir(parents=True)
        state = legacy_store.plan(m, status="active")
        del state["id"]
        files = {b"state.json": legacy_store.dump(state), b"odd\xff\n.json": b'{"a": 1}', b"research_notes/\n": b"text"}
        for file, content in files.items():
            Path(os.fsdecode(folder + b"/" + file)).write_bytes(content)
    report = await take(root)
    before = everything(take.db.path)

    assert (report.exit_code, report.differences) == (0, [])
    assert report.files["imported"] >= 3 * len(NAMES)
    assert all(line.isprintable() for line in text(report))
    assert set((await take(root)).files) == {"unchanged"}
    assert everything(take.db.path) == before


async def test_ids_slugs_and_names_that_are_too_long_or_have_several_lines(take: Taker, root: Path) -> None:
    m = Maker(9)
    state = legacy_store.plan(m, id="plan_" + "x" * 300)
    path = legacy_store.add_plan(m, state, folder="plan_long")
    m.put(f"{path}/{'t' * 240}.json", legacy_store.envelope(m, "review", state))
    m.files[f"{path}/research_notes/{'n' * 240}"] = b"long name"
    session = legacy_store.session(m) | {"session_id": "two\nlines"}
    legacy_store.add_plan(m, legacy_store.plan(m, agent_sessions=[session]))
    for number, slug in enumerate(["two\nlines", "s" * 900, " blanks "]):
        m.put(m.here(f"knowledge/k{number}.json"), legacy_store.knowledge(m, slug))
    report = await take(legacy_store.put(root, m.files))

    assert (report.exit_code, report.differences) == (0, [])
    told = {finding.value for finding in report.findings if isinstance(finding.value, str)}
    assert {state["id"], "n" * 240, "t" * 240, "two\nlines", "s" * 900, " blanks "} <= told
    assert (await take.ask("memory_plan", {"action": "get", "plan_id": "plan_long"}))["title"] == state["title"]


async def test_texts_that_no_answer_holds_whole(take: Taker, root: Path) -> None:
    m = Maker(10)
    state = legacy_store.plan(m, status="active", goals=["g" * 50_000] * 20, title="t" * 90_000)
    state["pending_notes"] = [{"note": "n" * 100_000, "type": "info"}]
    state["steps"][0] |= {"task": "k" * 200_000, "phase": "p" * 20_000}
    state["agent_sessions"] = [legacy_store.session(m) | {"summary": "s" * 200_000, "context": {"c" * 9: "d" * 90_000}}]
    legacy_store.add_plan(m, state)
    report = await take(legacy_store.put(root, m.files))

    assert (report.exit_code, report.differences) == (0, [])
