"""A graph of server-memory with every shape of its lines, and what has to come of it."""

import json
import random
from pathlib import Path
from typing import Any

from tests.importers.layouts import Expected

SECRET = "ghp_" + "Zz9" * 12
NUMBER = 700  # entities, more than one batch takes


def entity(name: str, kind: Any, *observations: Any, **more: Any) -> dict[str, Any]:
    return {"type": "entity", "name": name, "entityType": kind, "observations": list(observations), **more}


def relation(source: str, target: str, kind: str) -> dict[str, Any]:
    return {"type": "relation", "from": source, "to": target, "relationType": kind}


def lines(seed: int) -> list[dict[str, Any]]:
    chance = random.Random(seed)
    names = [f"Person_{number}" for number in range(NUMBER)]
    found = [entity(name, "person", f"{name} likes größere Dinge", "speaks two languages") for name in names]
    return [
        *found,
        entity("John Smith", "person", "writes the parser"),
        entity("john-smith", "person", "is another one"),
        entity("John_Smith", "config", "is the third", colour="a field of its own"),
        entity("John Smith", "person", "the same name again"),
        entity("日本語", "place", "has no letter of ours"),
        entity("x" * 300, "thing"),
        entity("Vault", "secret store", f"the key is {SECRET}"),
        *[relation(chance.choice(names), chance.choice(names), f"knows {number}") for number in range(100)],
        relation("John Smith", "john-smith", "works_with"),
        relation("John Smith", "nobody at all", "waits_for"),
        relation("gone one", "gone other", "haunts_still"),
        relation("日本語", "日本語", "is itself"),
    ]


def write(path: Path, values: list[dict[str, Any]]) -> None:
    """Write as the program does: without a newline at the end."""
    path.write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in values), encoding="utf-8")


def store(folder: Path, seed: int) -> Expected:
    """Write a folder with a graph in it."""
    values = lines(seed)
    path = folder / "memory.jsonl"
    write(path, values)
    (folder / "package.json").write_text('{"name": "not ours"}\n', encoding="utf-8")

    def edit() -> str:
        for one in values:
            if one["type"] == "entity":
                one["observations"].append("learned since")
        write(path, values)
        return "learned since"

    def broken() -> None:
        path.write_bytes(path.read_bytes() + b'\n{"type": "thing"}\n[1]\n\xff\xfe\n{"type":"entity","name":"to')

    kinds = [one["type"] for one in values]
    rows = {"workspaces": 1, "knowledge": kinds.count("entity"), "context_items": 1}
    texts = ["größere Dinge", "the same name again", "a field of its own", "waits_for", "nobody at all", "haunts_still"]
    return Expected(
        "server-memory", folder, rows, files=1, texts=texts, secrets=[SECRET], is_placeless=True, stays_put=True,
        edit=edit, broken=broken,
    )  # fmt: skip
