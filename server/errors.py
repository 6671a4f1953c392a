"""Every failure a caller can act on.

ProjectMemoryError
├── InvalidArguments   invalid_arguments   the call is malformed; says everything that is wrong with it
├── UnknownAction      unknown_action      the tool or the action does not exist
├── NotFound           not_found           nothing has that id; names up to five near ones
├── Conflict           conflict            someone else's claim, a stale version, a cycle, a duplicate
├── Ambiguous          ambiguous           the workspace cannot be told; lists what exists
├── Gated              gated               a human has to confirm a step or a phase first
├── NotAllowed         not_allowed         path, allowlist, read-only, sensitive file
├── TooLarge           too_large           a value over the limit
├── Busy               busy                the database stayed locked; nothing was written
├── SchemaTooNew       schema_too_new      the database belongs to a newer server
├── Storage            storage             disk full, I/O, corrupt, not a database
└── Internal           internal            a defect of ours; the log has it under a reference id

`code` is stable and machine readable. The message is written for the model that reads it: what is wrong, why, and
what to call next. `details` are further fields of the error object. Who knows no tool says
what an error is `about`, and `tools/wording.py` adds what to call next.
"""

from typing import Self, cast


class ProjectMemoryError(Exception):
    code = "internal"
    exit_code = 1  # of a command that it ends

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.kind: str | None = None
        self.facts: dict[str, str] = {}
        self.details = details

    def about(self, kind: str, **facts: str) -> Self:
        """Say which kind of thing it is about, and what a call that helps has to name."""
        self.kind, self.facts = kind, facts
        return self

    def payload(self) -> dict[str, object]:
        """Return the error of a tool result, `{"error": {"code", "message", ...details}}`, without what is empty."""
        details = {name: value for name, value in self.details.items() if value not in (None, "", [], {})}
        return {"error": {"code": self.code, "message": str(self), **details}}


class InvalidArguments(ProjectMemoryError):
    code = "invalid_arguments"
    exit_code = 2


class UnknownAction(ProjectMemoryError):
    code = "unknown_action"


class NotFound(ProjectMemoryError):
    code = "not_found"


class Conflict(ProjectMemoryError):
    code = "conflict"


class Ambiguous(ProjectMemoryError):
    code = "ambiguous"


class Gated(ProjectMemoryError):
    code = "gated"


class NotAllowed(ProjectMemoryError):
    code = "not_allowed"


class TooLarge(ProjectMemoryError):
    code = "too_large"


class Busy(ProjectMemoryError):
    code = "busy"
    exit_code = 75  # as sysexits.h has it: nothing is wrong, try again later


class Ending(Busy):
    def __init__(self) -> None:
        super().__init__("The server ends, and this call was not done. Nothing was written. Send it to the next one.")


class SchemaTooNew(ProjectMemoryError):
    code = "schema_too_new"


class Storage(ProjectMemoryError):
    code = "storage"


class Internal(ProjectMemoryError):
    code = "internal"


def innermost(failure: BaseException) -> BaseException:
    """Return what failed first of the groups that task groups wrap it in."""
    while isinstance(failure, BaseExceptionGroup):
        failure = cast(BaseExceptionGroup[BaseException], failure).exceptions[0]
    return failure
