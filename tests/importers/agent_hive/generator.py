"""A hive for the tests that hold for every layout."""

from pathlib import Path

from tests.importers.agent_hive import hive_store
from tests.importers.layouts import Expected

SECRETS = ["xoxb-4815162342-abcdefghij", "not-for-your-eyes"]
BACKLOG = "BACKLOG.md"


def store(folder: Path, seed: int) -> Expected:
    """Write a hive of every kind of file, and count what it has to become."""
    made = hive_store.whole()
    made.text(".claude/settings.yaml", f"slack:\n  url: {SECRETS[0]}\n  n: {seed}\n", memory_entries=1)
    made.json(".claude/accountability_config.json", {"github": {"password": SECRETS[1]}}, memory_entries=1)
    made.write(folder)

    def edit() -> str:
        text = (folder / BACKLOG).read_text(encoding="utf-8")
        (folder / BACKLOG).write_text(text.replace("Hive - Master Backlog", "The new backlog"), encoding="utf-8")
        return "The new backlog"

    def broken() -> None:
        (folder / ".claude" / "checkpoints" / "checkpoint_cut.json").write_text('{"checkpoint_id": "cu')

    return Expected(
        "agent-hive",
        folder,
        {table: number for table, number in made.rows.items() if table != "event_log"},
        len(made.files) + len(made.databases),
        texts=["Token Rotation", "do it → now", "snap-1", "planning"],
        secrets=SECRETS,
        edit=edit,
        broken=broken,
    )
