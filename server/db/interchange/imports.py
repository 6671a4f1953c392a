"""Tables `import_runs`, `import_files`, `import_rows`: what was imported, and what of it is there."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from sys import intern
from typing import Any

from server.db.interchange.exports import ALL_PLANS
from server.db.interchange.scratch import STORE, Stage
from server.db.storage.connection import Reader
from server.models.base import encode

ROWS = 2000  # looked for in one hop
BORN_KEYS = {"steps": "step_id", "sessions": "session_id", "quality_gates": "gate_id", "artifacts": "artifact_id"}
Key = tuple[str | None, str]  # workspace, path
# A workspace takes in what belongs to all.
COME_BACK = """
    UPDATE files AS f SET known = 'here'
    WHERE unit = :unit AND known IS NULL AND status = 'imported' AND raw IS NULL
      AND NOT EXISTS (SELECT 1 FROM rows r
                      WHERE (r.unit = f.unit OR f.unit = :store) AND r.path = f.path
                        AND r.action NOT IN ('same', 'moved'))
"""


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file as the last import of it left it, which was of this layout and began at this path."""

    sha256: str
    status: str
    reason: str | None
    modified_at: str | None
    layout: str
    source: str


@dataclass
class ImportOutcome:
    """What was written of a workspace. `counts`: table -> action -> rows; `seconds`: the longest lock."""

    counts: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    files: dict[str, int] = field(default_factory=dict[str, int])
    seconds: float = 0.0
    run_id: str | None = None


async def known_files(db: Reader, targets: Iterable[str | None]) -> dict[Key, KnownFile]:
    """Return what is known of the files of these workspaces; None stands for the store itself."""
    rows = await db.all(
        """
        SELECT f.workspace_id, f.path, f.sha256, f.status, f.reason, f.modified_at, r.layout, r.source_path
        FROM import_files f JOIN import_runs r ON r.run_id = f.run_id
        WHERE coalesce(f.workspace_id, '') IN (SELECT value FROM json_each(:units))
        """,
        {"units": encode([target or STORE for target in targets])},
    )
    return {
        (row["workspace_id"], row["path"]): KnownFile(
            row["sha256"],
            intern(row["status"]),
            row["reason"],
            row["modified_at"],
            intern(row["layout"]),
            intern(row["source_path"]),
        )
        for row in rows
    }


async def plans_elsewhere(db: Reader, targets: Iterable[str]) -> frozenset[str]:
    """Return the ids of plans of other workspaces that this program did not give."""
    rows = await db.all(
        f"""
        SELECT plan_id FROM {ALL_PLANS} AS p
        WHERE plan_id NOT GLOB 'plan_*' AND workspace_id NOT IN (SELECT value FROM json_each(:units))
        """,
        {"units": encode(list(targets))},
    )
    return frozenset(row["plan_id"] for row in rows)


async def born_here(db: Reader, targets: Iterable[str]) -> frozenset[str]:
    """Return the ids of plans of these workspaces, and of what is in their plans, that no import brought."""
    found: set[str] = set()
    for table in (ALL_PLANS, "steps", "sessions", "quality_gates", "artifacts"):
        name, key = ("plans", "plan_id") if table == ALL_PLANS else (table, BORN_KEYS[table])
        rows = await db.all(
            f"""
            SELECT {key} AS id FROM {table} AS t
            WHERE plan_id IN (SELECT plan_id FROM {ALL_PLANS} AS p
                              WHERE p.workspace_id IN (SELECT value FROM json_each(:units)))
              AND NOT EXISTS (SELECT 1 FROM import_rows r WHERE r.table_name = '{name}' AND r.row_key = t.{key})
            """,
            {"units": encode(list(targets))},
        )
        found.update(row["id"] for row in rows)
    return frozenset(found)


async def target_of(db: Reader, workspace_id: str) -> str | None:
    """Return the workspace of the database that one of a store is by its id, new or old."""
    return await db.value(
        """
        SELECT coalesce(
            (SELECT workspace_id FROM workspaces WHERE workspace_id = :id),
            (SELECT workspace_id FROM workspace_aliases WHERE alias = :id AND kind = 'id'))
        """,
        {"id": workspace_id},
    )


async def merged(db: Reader, known: Mapping[str, str | None]) -> dict[str, str]:
    """Return the workspaces of a store whose rows were made for one that was merged since, each with that one.

    `known`: a workspace of the store -> the one that it is now, if there is one.
    """
    rows = await db.all(
        """
        SELECT row_key, base, workspace_id FROM import_rows
        WHERE table_name = 'workspaces' AND row_key <> workspace_id
          AND workspace_id IN (SELECT value FROM json_each(:homes))
        """,
        {"homes": encode(sorted({home for home in known.values() if home}))},
    )
    made = {(name, row["workspace_id"]): row["row_key"] for row in rows for name in _names(row["row_key"], row["base"])}
    return {found: made[found, home] for found, home in known.items() if home and (found, home) in made}


def _names(workspace_id: str, base: str) -> set[str]:
    """Return the ids that a store may have for the workspace that it became."""
    meta: dict[str, Any] = json.loads(json.loads(base).get("meta") or "{}")
    legacy: dict[str, Any] = meta.get("legacy") or {}
    return {workspace_id, str(legacy.get("workspace_id", workspace_id))}


async def workspace_at(db: Reader, path: str) -> str | None:
    """Return the workspace of the database that has a path; the case of a path of Windows says nothing."""
    return await db.value(
        """
        SELECT workspace_id FROM workspaces WHERE path = :path OR (
            lower(replace(path, char(92), '/')) = lower(rtrim(replace(:path, char(92), '/'), '/'))
            AND path GLOB '[A-Za-z]:*') LIMIT 1
        """,
        {"path": path},
    )


def mark_known(stage: Stage, known: Mapping[Key, KnownFile]) -> None:
    """Note which staged files are as they were at the last import of them."""
    rows = [{"unit": unit or STORE, "path": path, "sha256": f.sha256} for (unit, path), f in known.items()]
    stage.change("UPDATE files SET known = 'same' WHERE unit = :unit AND path = :path AND sha256 = :sha256", rows)


def counted(stage: Stage, unit: str) -> ImportOutcome:
    """Return the counts of what is decided for a workspace: they are those of the run that does it."""
    rows = stage.query(
        """
        SELECT table_name, CASE action WHEN 'moved' THEN 'same' ELSE action END AS action, count(*) AS n FROM rows
        WHERE unit = :unit GROUP BY 1, 2
        """,
        {"unit": unit},
    )
    found = ImportOutcome()
    for row in rows:
        found.counts.setdefault(row["table_name"], {})[row["action"]] = row["n"]
    gone = stage.query("SELECT table_name, count(*) AS n FROM gone WHERE unit = :unit GROUP BY 1", {"unit": unit})
    for row in gone:
        found.counts.setdefault(row["table_name"], {})["delete"] = row["n"]
    files = stage.query(
        """
        SELECT CASE WHEN known IS NULL THEN status ELSE 'unchanged' END AS status, count(*) AS n FROM files
        WHERE unit = :unit GROUP BY 1
        """,
        {"unit": unit},
    )
    found.files = {row["status"]: row["n"] for row in files}
    return found


def left_out(stage: Stage, unit: str) -> None:
    """Count files of which nothing was kept, because the ids in them are taken, as failed."""
    stage.change(
        """
        UPDATE files SET status = 'failed', reason = 'the ids in it are taken by something else in the database'
        WHERE unit = :unit AND status = 'imported'
          AND EXISTS (SELECT 1 FROM rows r WHERE r.unit = files.unit AND r.path = files.path AND r.action = 'foreign')
          AND NOT EXISTS (SELECT 1 FROM rows r WHERE r.unit = files.unit AND r.path = files.path
                          AND r.action <> 'foreign')
        """,
        [{"unit": unit}],
    )


def come_back(stage: Stage, unit: str) -> None:
    """Count documents that say what the database has already as unchanged: nothing is remembered of them."""
    stage.change("UPDATE files SET known = NULL WHERE unit = :unit AND known = 'here'", [{"unit": unit}])
    stage.change(COME_BACK, [{"unit": unit, "store": STORE}])


def is_idle(stage: Stage, unit: str) -> bool:
    """Return whether nothing of a workspace has to be written."""
    return not stage.query(
        """
        SELECT 1 FROM rows WHERE unit = :unit AND action NOT IN ('same', 'foreign')
        UNION ALL SELECT 1 FROM gone WHERE unit = :unit
        UNION ALL SELECT 1 FROM vanished WHERE unit = :unit AND forgotten
        UNION ALL SELECT 1 FROM files WHERE unit = :unit AND known IS NULL LIMIT 1
        """,
        {"unit": unit},
    )


def new_plans(stage: Stage) -> set[str]:
    """Return the plans that an import wrote anew."""
    rows = stage.query("SELECT row_key FROM rows WHERE table_name = 'plans' AND action = 'insert'", {})
    return {row["row_key"] for row in rows}
