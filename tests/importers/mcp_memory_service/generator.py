"""Exports of mcp-memory-service with every shape of a memory, and what has to come of them."""

import hashlib
import json
import random
from pathlib import Path
from typing import Any

from tests.importers.layouts import Expected

SECRET = "ghp_" + "Zz9" * 12
AT = 1_740_000_000.25


def memory(content: str, **more: Any) -> dict[str, Any]:
    return {
        "content": content,
        "content_hash": hashlib.sha256(content.encode()).hexdigest(),
        "tags": ["größe", "source:laptop"],
        "created_at": AT,
        "created_at_iso": "2025-02-19T21:20:00.250000Z",
        "updated_at": AT + 60,
        "memory_type": "note",
        "metadata": {},
        "export_source": "laptop",
        **more,
    }


def export(memories: list[Any], at: str, **more: Any) -> dict[str, Any]:
    told = {
        "source_machine": "laptop",
        "export_timestamp": at,
        "total_memories": len(memories),
        "database_path": "/home/ann/.local/share/mcp-memory/sqlite_vec.db",
        "platform": "Linux",
        "exporter_version": "10.59.0",
        **more,
    }
    return {"export_metadata": told, "memories": memories}


def write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False), encoding="utf-8")


def store(folder: Path, seed: int) -> Expected:
    """Write a folder with two exports of one store: one memory stands in both."""
    chance = random.Random(seed)
    both = memory("It stands in both")
    new: list[Any] = [
        both,
        *[memory(f"Memory {number} — {chance.random()}", tags=[f"t{number % 7}"]) for number in range(60)],
        memory("A vector", embedding=[0.125, 0.75] * 20),
        memory("Without times", created_at=None, created_at_iso=None, updated_at=None),
        memory("An old one", tags="one,two", created_at="2024-01-02T03:04:05Z", own_field={"b": [1, 2.50, None]}),
        memory("No hash at all", content_hash=None),
        memory(f"The key is {SECRET}", metadata={"agent_id": "claude", "api_key": "hush-hush-hush"}),
    ]
    write(folder / "memories_export.json", export(new, "2026-03-01T10:00:00Z"))
    write(folder / "older-export.json", export([both, memory("Gone since")], "2026-01-01T10:00:00Z"))
    (folder / "package-export.json").write_text('{"name": "not ours", "memories": []}', encoding="utf-8")

    def edit() -> str:
        for one in new:
            one["tags"] = ["learned since"]
        write(folder / "memories_export.json", export(new, "2026-03-01T10:00:00Z"))
        return "learned since"

    def broken() -> None:
        bad = [*new, 7, {"tags": ["nothing"]}, None]
        write(folder / "memories_export.json", export(bad, "2026-03-01T10:00:00Z"))

    rows = {"workspaces": 1, "memory_entries": len(new) + 1 + 1}  # what is gone since, and the export itself
    texts = ["größe", "own_field", "one,two", "Gone since", "No hash at all", "10.59.0", both["content_hash"]]
    return Expected(
        "mcp-memory-service", folder, rows, files=2, texts=texts, secrets=[SECRET, "hush-hush-hush", "0.125"],
        is_placeless=True, edit=edit, broken=broken,
    )  # fmt: skip
