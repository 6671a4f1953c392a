"""What waits for a human, who answered it and how."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from server.models.base import Columns, JsonObject, Row

Via = Literal["elicitation", "terminal", "dashboard", "relayed", "unknown"]
ApprovalKind = Literal["step", "phase", "write", "run", "allowlist"]
OF_CALLS = ("write", "run", "allowlist")  # the kinds that are about a call, and not about a step or phase
Gates = Literal["human", "relayed"]

HUMAN = "human"


@dataclass(frozen=True)
class Word:
    """A human's word: who gave it, over which way, through which client or process, and what they added."""

    via: Via
    by: str = HUMAN
    relayed_by: str | None = None
    client: str | None = None
    note: str | None = None

    @property
    def columns(self) -> dict[str, str | None]:
        """The columns of a row that keeps it, but for who gave it."""
        return {"via": self.via, "relayed_by": self.relayed_by, "client": self.client, "note": self.note}

    @property
    def told(self) -> str:
        """Who gave it and how, in words."""
        return self.by if self.via == "relayed" else f"{self.by} ({self.via})"


def relayed(agent: str, note: str | None = None) -> Word:
    """Return the word of a human that an agent passes on."""
    return Word("relayed", f"relayed by {agent}", agent, note=note)


@dataclass(frozen=True)
class Gate:
    """A step or phase that holds something until a human confirms it."""

    type: Literal["step", "phase"]
    id: str
    plan_id: str
    workspace_id: str
    plan: str
    name: str
    index: int
    version: int
    workers: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What to call it, with the plan it belongs to."""
        place = f"step {self.index} ({self.name!r})" if self.type == "step" else f"phase {self.name!r}"
        return f"{place} of {self.plan!r}"


@dataclass(frozen=True)
class Need:
    """What somebody was refused for want of a human: what they wanted, which gates stand against it, and why.

    The word that is missing is on the first of the gates, or, for the kind `write`, on the call itself. What opens no
    gate names its workspace as `home`, and as `call` exactly what is asked for.
    """

    kind: ApprovalKind
    gates: tuple[Gate, ...]
    what: str
    why: str
    versions: dict[str, int] = field(default_factory=dict[str, int])
    home: str = ""
    call: Mapping[str, Any] | None = None

    @property
    def workspace_id(self) -> str:
        return self.gates[0].workspace_id if self.gates else self.home

    @property
    def plan_id(self) -> str | None:
        return self.gates[0].plan_id if self.gates else None

    @property
    def entity_id(self) -> str:
        if not self.gates:
            return self.home
        first = self.gates[0]
        return first.plan_id if self.kind == "write" else first.id

    def arguments(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what its row keeps, given the call that was refused."""
        return self.call if self.call is not None else request if self.kind == "write" else {}


class Approval(Row):
    """A row of `approvals`."""

    approval_id: str
    workspace_id: str
    plan_id: str | None = None
    kind: str
    entity_id: str
    arguments: JsonObject
    versions: JsonObject
    what: str
    why: str
    asked_by: str | None = None
    status: str
    answered_by: str | None = None
    answered_at: str | None = None
    via: str | None = None
    note: str | None = None
    created_at: str

    @classmethod
    def of(cls, row: Columns) -> Self:
        """Return a row as it is stored; one about a whole call knows its plan, an archived one too."""
        found = super().of(row)
        about_plan = found.kind == "write" and not found.plan_id
        return found.model_copy(update={"plan_id": found.entity_id}) if about_plan else found

    def told(self) -> dict[str, Any]:
        """Return it as results show it."""
        names = ("approval_id", "kind", "plan_id", "what", "why", "asked_by", "status", "answered_by", "via", "note")
        entity = {} if self.kind in OF_CALLS else {f"{self.kind}_id": self.entity_id}
        call = {"call": self.arguments} if self.arguments else {}
        shown = {name: value for name in names if (value := getattr(self, name)) is not None}
        return {**shown, **entity, **call, "since": self.created_at}


class ReachedGate(Row):
    """A gate that work has reached, which nobody asked about yet."""

    type: Literal["step", "phase"]
    id: str
    plan_id: str
    plan: str
    name: str
    index: int
    since: str | None = None
