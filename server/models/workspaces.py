"""Workspaces as rows and as tool results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, ClassVar, Literal

from pydantic import Field

from server.errors import NotAllowed
from server.models.base import Flag, Json, JsonObject, Model, Row, Strings
from server.models.events import LoggedEvent

GIT_PREFIX = "git_prefix"  # in `meta`: where in its working tree a workspace lies


@dataclass(frozen=True)
class Checkout:
    """The git working tree around a folder: its root, the folder's place in it, and the git directory it shares."""

    root: str
    prefix: str  # with "/" between parts, empty at the root
    common_dir: str

    @property
    def prefixes(self) -> list[str]:
        """The folder's place and those above it, deepest first."""
        parts = PurePath(self.prefix).parts
        return ["/".join(parts[:count]) for count in range(len(parts), -1, -1)]

    @property
    def twins(self) -> Mapping[str, str]:
        """The same folder and those above it in the main working tree of the repository: path -> place."""
        main = PurePath(self.common_dir)
        return {str(main.parent / place): place for place in self.prefixes} if main.name == ".git" else {}

    def place_of(self, workspace: "Workspace") -> str | None:
        """Return where in this repository a workspace lies, or None if it does not."""
        if workspace.git_common_dir == self.common_dir:
            return workspace.meta.get(GIT_PREFIX, "")
        return self.twins.get(workspace.path) if workspace.path else None


class Workspace(Row):
    workspace_id: str
    path: str | None
    name: str
    display_name: str | None = None
    git_common_dir: str | None = None
    parent_workspace_id: str | None = None
    profile: Json = None
    meta: JsonObject
    created_at: str
    updated_at: str

    @property
    def label(self) -> str:
        """What people call it."""
        return self.display_name or self.name

    @property
    def place(self) -> dict[str, str]:
        """Its id, and its folder or else what people call it: enough to choose it from a list."""
        known = {"path": self.path} if self.path else {"name": self.label}
        return {"workspace_id": self.workspace_id, **known}

    @property
    def folder(self) -> str:
        """Where its project is. Raises NotAllowed for one that has none: it was imported from what knew of none."""
        if self.path is None:
            raise NotAllowed(f"The workspace {self.workspace_id} ({self.label}) has no folder: no project is in it.")
        return self.path


class WorkspaceBrief(Row):
    """A workspace in a list, with the number of its plans by status, and with those linked below it if asked for."""

    workspace_id: str
    name: str
    path: str | None
    parent_workspace_id: str | None = None
    plan_counts: JsonObject
    children: "list[WorkspaceBrief]" = Field(default_factory=list["WorkspaceBrief"])


class WorkspaceFull(WorkspaceBrief):
    """Everything a workspace says of itself."""

    display_name: str | None = None
    git_common_dir: str | None = None
    profile: Json = None
    meta: JsonObject
    created_at: str
    updated_at: str


class Relative(Row):
    """A workspace beside another one."""

    workspace_id: str
    name: str
    path: str | None = None


class HeldStep(Row):
    """A step that someone holds; `agent` is who has the session that holds it, if a session does."""

    plan_id: str
    step_id: str
    index: int
    task: str
    claimed_by: str
    agent: str | None = None
    lease_expires_at: str


class HeldClaim(HeldStep):
    """A claim anywhere; `expired` if whoever asks next may have the step."""

    workspace_id: str
    expired: Flag = None


class LostLease(Row):
    """A step whose holder was not heard of in time: whoever asks next may have it. `plan` is the title of its plan."""

    step_id: str
    plan_id: str
    plan: str
    index: int
    task: str
    claimed_by: str
    agent: str | None = None
    lease_expires_at: str


class StuckStep(Row):
    """A step that is blocked or failed, since when, and the end of its notes, which may say why."""

    step_id: str
    plan_id: str
    plan: str
    index: int
    task: str
    status: Literal["blocked", "failed"]
    assignee: str | None = None
    note: str | None = None
    since: str


class SilentSession(Row):
    """A session that did not end and of which nothing is heard any more."""

    session_id: str
    agent: str
    plan_id: str | None = None
    plan: str | None = None
    last_seen_at: str


class TrashSummary(Row):
    """What the trash holds; the oldest entry may go for good from `may_go_from` on."""

    entries: int
    bytes: int
    may_go_from: str


class CrashCheck(Row):
    """What a look at the whole database found, at `checked_at`, because a server left without signing off."""

    checked_at: str
    pid: int
    started_at: str
    problems: Strings


class Stats(Model):
    """What `stats` answers. `rows` counts by table and leaves empty ones, and what expired, out.

    `expiring` tells by table how many rows expired, which may go for good now, and when the next one does.
    """

    ALWAYS: ClassVar[frozenset[str]] = frozenset({"wal_bytes"})

    workspace_id: str | None = None
    rows: dict[str, int | str]
    database_bytes: int
    wal_bytes: int
    schema_version: int
    oldest_open_claim: HeldClaim | None = None
    trash: TrashSummary | None = None
    crash_check: CrashCheck | None = None
    expiring: dict[str, dict[str, int | str]] = Field(default_factory=dict[str, dict[str, int | str]])
    retention: dict[str, dict[str, str]] = Field(default_factory=dict[str, dict[str, str]])
    warnings: list[str] = Field(default_factory=list[str])


class LegacyStore(Model):
    """A store of the file-based Project Memory in a project folder, or of other `programs`: the command that imports
    it, or what became of it.

    `copied_to` is where the store was copied before it was imported, `report` the file that tells everything. What is
    not in the workspace of the folder is `elsewhere`: in these, which calls have to name.
    """

    path: str
    status: Literal["found", "importing", "imported", "failed"]
    programs: Sequence[str] = ()
    command: str | None = None
    reason: str | None = None
    plans: int | None = None
    problems: int | None = None
    report: str | None = None
    copied_to: str | None = None
    elsewhere: Sequence[Relative] = ()


class WorkspaceInfo(Model):
    """What `info` answers."""

    workspace_id: str
    name: str
    display_name: str | None = None
    path: str | None
    aliases: list[str]
    former_paths: list[str]
    created_at: str
    updated_at: str
    plan_counts: dict[str, int]
    profile: Json = None
    parent: Relative | None = None
    children: list[Relative]
    open_claims: list[HeldStep]
    last_events: list[LoggedEvent]
    legacy_store: LegacyStore | None = None


class Registered(Model):
    """What `register` and `migrate` answer.

    `worktree_of` is the path of the workspace that the folder is a git worktree of, `moved_from` the folder that it was
    in before, `moved_with` the workspaces inside that came along, `copy_of` the workspace that it is a copy of.
    """

    ALWAYS: ClassVar[frozenset[str]] = frozenset({"first_time"})

    workspace_id: str
    name: str
    path: str
    plan_counts: dict[str, int]
    first_time: bool
    worktree_of: str | None = None
    moved_from: str | None = None
    moved_with: list[Relative] = Field(default_factory=list[Relative])
    copy_of: str | None = None
    warnings: list[str]
    legacy_store: LegacyStore | None = None


class TrashEntry(Row):
    """Something deleted that can still come back. It may go for good from `expires_at` on."""

    trash_id: str
    entity_type: str
    entity_id: str
    title: str
    workspace_id: str | None = None
    plan_id: str | None = None
    deleted_by: str | None = None
    created_at: str
    expires_at: str


class Trashed(TrashEntry):
    """An entry with its rows by table."""

    data: JsonObject


def brief(workspace: WorkspaceBrief) -> WorkspaceBrief:
    """Return only what a list shows, of those below it too."""
    fields: dict[str, Any] = {name: getattr(workspace, name) for name in WorkspaceBrief.model_fields}
    fields["children"] = [brief(child) for child in workspace.children]
    return WorkspaceBrief(**fields)


def nested(roots: Sequence[WorkspaceFull], below: Sequence[WorkspaceFull]) -> list[WorkspaceFull]:
    """Return the roots with all that is below them in their `children`."""
    children: dict[str | None, list[WorkspaceFull]] = {}
    for workspace in below:
        children.setdefault(workspace.parent_workspace_id, []).append(workspace)

    def grown(workspace: WorkspaceFull) -> WorkspaceFull:
        return workspace.model_copy(update={"children": [grown(c) for c in children.get(workspace.workspace_id, ())]})

    return [grown(root) for root in roots]
