"""A project of vibe-agency with a file of every kind and both databases, for the tests that all layouts share."""

import random
from pathlib import Path

from tests import vibe_store
from tests.importers.layouts import Expected
from tests.vibe_store import DATABASE, HISTORY, dump

SECRET = "ghp_" + "Qq7" * 12
MANIFEST = "project_manifest.json"
TEXTS = [
    "größer",
    vibe_store.TEXT,
    "RouterBridge",
    "the parser",
    "Mend the gates",
    "Use the parser.",
    "boom",
]


def drawn(found: vibe_store.Store, chance: random.Random) -> None:
    """Put roadmaps of any size, with tasks in any state that wait for others, beside what is always there."""
    for number in range(chance.randint(1, 3)):
        tasks = chance.randint(1, 12)
        listed = [
            {"id": one, "name": f"Task {one}", "status": chance.choice(["pending", "in_progress", "complete", "odd"])}
            | ({"dependencies": [chance.randrange(one)]} if one and chance.random() < 0.5 else {})
            for one in range(tasks)
        ]
        cut = chance.randint(0, tasks)
        phases = [
            {"id": place, "name": f"Part {place}", "tasks": part}
            for place, part in enumerate((listed[:cut], listed[cut:]))
        ]
        value = {"name": f"Drawn {number}", "start_date": "2025-11-22", "phases": phases}
        waits = sum("dependencies" in one for one in listed)
        rows = {"plans": 1, "phases": 2, "steps": tasks, "dependencies": waits}
        found.put(f"docs/roadmap/drawn_{number}.json", dump(value), **rows)


def store(folder: Path, seed: int) -> Expected:
    """Write such a project: what may be odd in it is in tests of its own, how much there is of it is in the seed."""
    found = vibe_store.store()
    drawn(found, random.Random(seed))
    found.put(".vibe/runtime/agent.json", dump({"apiKey": SECRET, "name": "größer"}), context_items=1)
    found.put(".session_handoff_audit.json", dump(vibe_store.HANDOFFS["3.0"]), lineage=1)
    found.put(".vibe/history/notes.md", b"Laid down\n", research_documents=1)
    vibe_store.put(folder, found)
    vibe_store.missions_db(folder / DATABASE)
    vibe_store.history_db(folder / HISTORY)
    for more in (vibe_store.DATABASE_ROWS, vibe_store.HISTORY_ROWS):
        found.rows.update(more)
    del found.rows["context_items"]  # blocks of plans are context too

    def edit() -> str:
        value = vibe_store.manifest(name="The agency, renamed")
        (folder / MANIFEST).write_bytes(dump(value))
        return "The agency, renamed"

    def broken() -> None:
        (folder / ".vibe/config/torn_roadmap.json").write_bytes(dump(vibe_store.cleanup_roadmap())[:300])

    files = len(found.files) + 2
    rows = dict(found.rows)
    return Expected("vibe-agency", folder, rows, files=files, texts=TEXTS, secrets=[SECRET], edit=edit, broken=broken)
