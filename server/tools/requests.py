"""`request_id`: a write that is sent again, since its answer was lost, is answered once more and not repeated."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from server.db.shared_state import requests
from server.db.shared_state.requests import Kept, Key
from server.db.storage.connection import Transaction
from server.errors import Conflict
from server.models.base import Model

# Who calls, and from where, is told by the key and the workspace; how much is answered may differ.
ASIDE = ("request_id", "agent", "session_id", "workspace_id", "workspace_path", "max_bytes", "offset")
NOWHERE = ""  # the workspace of what is about none
PINNING = ("plan_id", "step_id", "trash_id", "program_id")  # whoever sends the same one means the same workspace


class Answered(Exception):
    """The request was answered before; `answer` is what was stored then."""

    def __init__(self, answer: str) -> None:
        super().__init__("answered before")
        self.answer = answer


@dataclass
class Request:
    """A write that its caller can tell from every other one."""

    key: Key
    arguments_hash: str
    is_pinned: bool
    tx: Transaction | None = None

    async def refuse_repetition(self, tx: Transaction, workspace_id: str) -> None:
        """Raise Answered if this was answered before in the workspace, or Conflict if something else was."""
        if earlier := (await requests.kept(tx, self.key)).get(workspace_id):
            if self.is_same(earlier):
                raise Answered(earlier.answer)
            raise Conflict(
                f"You sent request_id {self.key.request_id!r} at {earlier.created_at} with {self.key.action} and other "
                "arguments. Nothing was written. A new call takes a new request_id, best a UUID; to hear the answer "
                "to the earlier one, send its arguments."
            )

    def is_same(self, earlier: Kept) -> bool:
        return earlier.arguments_hash == self.arguments_hash

    async def keep(self, answer: str) -> None:
        """Store the answer in the transaction that it tells of."""
        assert self.tx  # an action that takes request_id writes
        home = self.tx.workspace_id or NOWHERE
        await requests.keep(self.tx, self.key, workspace_id=home, arguments_hash=self.arguments_hash, answer=answer)


def hash_of(arguments: Mapping[str, object]) -> str:
    """Return what tells a call from one with other arguments. Absent ones may be None."""
    told = {name: value for name, value in arguments.items() if value is not None and name not in ASIDE}
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=_given).encode()).hexdigest()


def _given(value: Model) -> dict[str, object]:
    return value.model_dump(exclude_unset=True)
