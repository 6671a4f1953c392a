"""What there is to find: which columns of which tables feed which documents. All of the search follows from this."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from server.db.storage.table_shapes import with_archive

COLUMN = re.compile(r"\bt\.(\w+)")
PLACE = (
    "workspace_id", "plan_id", "parent_type", "parent_id", "subtype", "slug", "tags", "author", "expires_at", "shipped",
)  # fmt: skip
# The plan of what hangs on something else.
PLAN_OF_PARENT = """CASE t.parent_type
    WHEN 'plan' THEN t.parent_id
    WHEN 'phase' THEN coalesce((SELECT plan_id FROM phases WHERE phase_id = t.parent_id),
        (SELECT plan_id FROM phases_archive WHERE phase_id = t.parent_id))
    WHEN 'step' THEN coalesce((SELECT plan_id FROM steps WHERE step_id = t.parent_id),
        (SELECT plan_id FROM steps_archive WHERE step_id = t.parent_id))
    WHEN 'session' THEN coalesce((SELECT plan_id FROM sessions WHERE session_id = t.parent_id),
        (SELECT plan_id FROM sessions_archive WHERE session_id = t.parent_id))
END"""
PARAMS = """(
    SELECT group_concat(name || ' ' || coalesce(description, ''), '; ') FROM tool_action_params
    WHERE tool = t.tool AND action = t.action
)"""

# A decision whose successor was deleted holds again.
NO_SUCCESSOR = """(t.superseded_by IS NULL
    OR NOT EXISTS (SELECT 1 FROM decisions n WHERE n.decision_id = t.superseded_by
        UNION ALL SELECT 1 FROM decisions_archive n WHERE n.decision_id = t.superseded_by))"""


@dataclass(frozen=True)
class Around:
    """A row of another table that says where a document belongs by one of its columns; `of` finds what hangs on it."""

    table: str
    column: str
    of: str
    archives: bool = False


@dataclass(frozen=True)
class SearchedTable:
    """How the rows of a table become documents: SQL for each column, over the row `t` and the plan `p` it belongs to.

    What people are shown of it are its `texts`, and what is in its `data`, which is JSON; `also` is only searched.
    `status` and `label` are read with what is found, and stand in no document. `hides` is the key of another row of the
    table that has no document as long as this one is there.
    """

    table: str
    key: str
    title: str
    texts: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    archives: bool = False
    of_plan: bool = False
    around: tuple[Around, ...] = ()
    workspace_id: str = "t.workspace_id"
    plan_id: str = "NULL"
    parent_type: str = "NULL"
    parent_id: str = "NULL"
    subtype: str = "NULL"
    slug: str = "NULL"
    tags: str = "NULL"
    author: str = "NULL"
    expires_at: str = "NULL"
    updated_at: str = "t.updated_at"
    where: str = "1"
    hides: str = ""
    imported: str = ""
    shipped: str = "0"
    status: str = "NULL"
    label: str = ""  # what people are shown where there is no title

    @cached_property
    def sql(self) -> str:
        """Return the query for the rows whose keys are in `:ids`, archived ones included."""
        live = self._select("", 0)
        return f"{live} UNION ALL {self._select('_archive', 1)}" if self.archives else live

    @property
    def tables(self) -> tuple[str, ...]:
        return with_archive(self.table) if self.archives else (self.table,)

    @cached_property
    def feeds(self) -> list[str]:
        """Return the columns of a row that its document is made of, but for the time of its last change."""
        told = (self.key, self.title, *self._texts, *(getattr(self, name) for name in PLACE), self.where, self.imported)
        return list(dict.fromkeys(COLUMN.findall(" ".join(told))))

    @property
    def _texts(self) -> tuple[str, ...]:
        return self.texts + self.data + self.also

    @cached_property
    def names(self) -> list[str]:
        """Return what the texts of a row are called in the result of the query."""
        kinds = {"text": self.texts, "data": self.data, "also": self.also}
        return [f"{kind}{number}" for kind, columns in kinds.items() for number in range(len(columns))]

    def _select(self, suffix: str, archived: int) -> str:
        columns = ", ".join(f"{getattr(self, name)} AS {name}" for name in ("title", *PLACE, "updated_at", "status"))
        columns += f", {self.label or self.title} AS label"
        texts = ", ".join(f"{text} AS {name}" for name, text in zip(self.names, self._texts, strict=True))
        in_import = f"EXISTS (SELECT 1 FROM import_rows WHERE table_name = '{self.table}' AND row_key = {self.key})"
        return f"""
            SELECT {self.key} AS entity_id, {columns}, {texts}, {archived} AS archived,
                {self.imported or in_import} AS imported
            FROM {self.table}{suffix} t {f"JOIN plans{suffix} p ON p.plan_id = t.plan_id" if self.of_plan else ""}
            WHERE {self.key} IN (SELECT value FROM json_each(:ids)) AND {self.where}
        """


OF_PLAN: dict[str, Any] = {
    "archives": True,
    "of_plan": True,
    "around": (Around("plans", "workspace_id", "plan_id = NEW.plan_id", archives=True),),
    "workspace_id": "p.workspace_id",
    "plan_id": "t.plan_id",
}
ON_PARENT: dict[str, Any] = {
    "archives": True,
    "around": tuple(
        Around(f"{kind}s", "plan_id", f"parent_type = '{kind}' AND parent_id = NEW.{kind}_id")
        for kind in ("phase", "step", "session")
    ),
    "plan_id": PLAN_OF_PARENT,
    "parent_type": "t.parent_type",
    "parent_id": "t.parent_id",
    "author": "t.created_by",
}
SHIPPED: dict[str, Any] = {"imported": "t.imported_from IS NOT NULL", "shipped": "t.origin = 'shipped'"}

SOURCES = {
    "program": SearchedTable(
        "programs",
        "t.program_id",
        "t.title",
        ("t.description",),
        ("t.goals", "t.success_criteria"),
        also=("t.external_id",),
        status="t.status",
    ),
    "risk": SearchedTable(
        "program_risks",
        "t.risk_id",
        "t.title",
        ("t.description", "t.mitigation"),
        around=(Around("programs", "workspace_id", "program_id = NEW.program_id"),),
        workspace_id="(SELECT workspace_id FROM programs WHERE program_id = t.program_id)",
        plan_id="t.source_plan_id",
        parent_type="'program'",
        parent_id="t.program_id",
        subtype="t.type",
        author="t.detected_by",
        status="t.status",
    ),
    "plan": SearchedTable(
        "plans",
        "t.plan_id",
        "t.title",
        ("t.description",),
        ("t.goals", "t.success_criteria"),
        also=("t.current_focus", "t.blockers", "t.external_id"),
        archives=True,
        plan_id="t.plan_id",
        subtype="t.category",
        status="t.status",
        imported="t.source IS NOT NULL OR "
        "EXISTS (SELECT 1 FROM import_rows WHERE table_name = 'plans' AND row_key = t.plan_id)",
    ),
    "phase": SearchedTable(
        "phases",
        "t.phase_id",
        "t.name",
        ("t.description", "t.objective"),
        ("t.success_criteria",),
        ("t.external_id",),
        **OF_PLAN,
    ),
    "step": SearchedTable(
        "steps",
        "t.step_id",
        "t.task",
        ("t.notes",),
        also=("t.section", "t.external_id"),
        subtype="t.type",
        status="t.status",
        **OF_PLAN,
    ),
    "note": SearchedTable("plan_notes", "t.note_id", "''", ("t.note",), author="t.added_by", label="t.note", **OF_PLAN),
    "session": SearchedTable(
        "sessions",
        "t.session_id",
        "''",
        ("t.summary",),
        ("t.artifacts",),
        ("t.external_id",),
        archives=True,
        plan_id="t.plan_id",
        author="t.agent",
        where="t.summary IS NOT NULL",
        label="'session of ' || t.agent",
        status="t.status",
    ),
    "handoff": SearchedTable(
        "lineage",
        "t.lineage_id",
        "''",
        ("t.reason",),
        ("t.data",),
        ("t.to_agent", "t.state", "t.blocker", "t.external_id"),
        archives=True,
        plan_id="t.plan_id",
        author="t.from_agent",
        updated_at="t.created_at",
        label="t.from_agent || ' to ' || t.to_agent",
    ),
    "message": SearchedTable(
        "messages",
        "t.message_id",
        "''",
        ("t.content",),
        also=("t.to_agent", "t.external_id"),
        plan_id="t.plan_id",
        author="t.from_agent",
        label="coalesce(t.from_agent, 'someone') || ' to ' || t.to_agent",
    ),
    "context": SearchedTable(
        "context_items",
        "t.item_id",
        "t.type",
        data=("t.data",),
        subtype="t.type",
        tags="t.tags",
        expires_at="t.expires_at",
        **ON_PARENT,
    ),
    "decision": SearchedTable(
        "decisions",
        "t.decision_id",
        "t.decision",
        ("t.rationale",),
        ("t.alternatives", "t.context"),
        also=("t.decision_type", "t.external_id"),
        archives=True,
        plan_id="t.plan_id",
        subtype="t.decision_type",
        author="t.agent",
        updated_at="t.made_at",
        where=NO_SUCCESSOR,
        hides="t.supersedes",
    ),
    "research": SearchedTable("research_documents", "t.document_id", "t.filename", ("t.content",), **ON_PARENT),
    "knowledge": SearchedTable(
        "knowledge",
        "t.knowledge_id",
        "t.title",
        ("t.content",),
        slug="t.slug",
        subtype="t.category",
        plan_id="t.created_by_plan",
        tags="t.tags",
        author="t.created_by_agent",
        where="t.superseded_by IS NULL",
    ),
    "memory": SearchedTable(
        "memory_entries",
        "t.entry_id",
        "t.key",
        data=("t.value",),
        also=("t.namespace",),
        subtype="t.namespace",
        plan_id="CASE t.scope WHEN 'plan' THEN t.scope_id END",
        parent_type="t.scope",
        parent_id="t.scope_id",
        author="t.created_by",
        expires_at="t.expires_at",
    ),
    "agent": SearchedTable("agent_definitions", "t.name", "t.name", ("t.description", "t.body"), **SHIPPED),
    "instruction": SearchedTable("instruction_files", "t.name", "t.name", ("t.description", "t.body"), **SHIPPED),
    "skill": SearchedTable(
        "skill_definitions",
        "t.name",
        "t.name",
        ("t.description", "t.body"),
        also=("t.languages", "t.frameworks"),
        tags="t.tags",
        **SHIPPED,
    ),
    "action": SearchedTable(
        "tool_actions",
        "t.tool || ' ' || t.action",
        "t.tool || ' ' || t.action",
        ("t.help", PARAMS),
        workspace_id="NULL",
        slug="t.action",
        updated_at="''",
        imported="0",
        shipped="1",
    ),
}
