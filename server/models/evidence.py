"""Entries of the ledger as callers describe them: without what looks like a secret, before a transaction begins."""

from typing import Annotated, Any

from pydantic import AfterValidator

from server.models.base import Described
from server.models.ledger import Bucket, Number, Positive
from server.models.text import AgentName, Data, Id, Line, Lines, Moment, SomeText, Text
from server.text.redaction import blanked
from server.text.redaction.texts import without_secrets
from server.text.redaction.values import without_secrets_in

# What programs said, or agents of them, without what looks like a secret.
ToldLine = Annotated[Line, AfterValidator(without_secrets)]
ToldText = Annotated[Text, AfterValidator(without_secrets)]
ToldLines = Annotated[Lines, AfterValidator(without_secrets_in)]
ToldData = Annotated[Data, AfterValidator(without_secrets_in)]


def _without_shapes(said: Any) -> Any:
    return blanked(said)[0]


# Prose, in which a word behind a name is none: only what has the shape of a secret, or is of such a key, is left out.
ProseText = Annotated[SomeText, AfterValidator(_without_shapes)]
ProseLines = Annotated[Lines, AfterValidator(_without_shapes)]
ProseData = Annotated[Data, AfterValidator(_without_shapes)]


class NewCall(Described):
    """One call of a tool as a caller describes it."""

    tool: Line
    args: Data
    result: Text | None = None
    success: bool | None = None
    error: Text | None = None
    duration_ms: Positive | None = None
    plan_id: Id | None = None
    step_id: Id | None = None
    started_at: Moment | None = None
    agent: AgentName | None = None

    @property
    def succeeded(self) -> bool:
        return self.error is None if self.success is None else self.success


class NewPoint(Described):
    """One point of a series as a caller describes it."""

    name: ToldLine
    value: Number
    bucket: Bucket | None = None
    unit: Line | None = None
    category: Line | None = None
    data: ToldData | None = None
    plan_id: Id | None = None
    step_id: Id | None = None
