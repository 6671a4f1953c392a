"""Questions that a client puts to its user: in the older era while the call is open, in the newer with its result."""

import hmac
import secrets
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

import mcp.types as wire
from mcp import MCPError
from mcp.server import ServerRequestContext
from mcp.shared.exceptions import NoBackChannelError

from server.models.approvals import Via
from server.protocol.plain import can_ask
from server.tools.approvals.asking import ASK_SECONDS, Answer, Asker, Question
from server.waiting import Waits

INPUT_REQUIRED_SINCE = "2026-07-28"
KEY = "approval"
STATE_SECONDS = 15 * 60  # for which an answer to a question counts
MOST_OPEN = 1000
NOTE_LENGTH = 2000
FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "answer": {"type": "string", "title": "Your answer", "enum": ["yes", "no"]},
        "note": {"type": "string", "title": "Note for the agent", "maxLength": NOTE_LENGTH},
    },
    "required": ["answer"],
}


class InputWanted(Exception):
    """The call goes on when the client sends it again with the answer to this question."""

    def __init__(self, question: Question, state: str) -> None:
        super().__init__("the user is asked")
        request = wire.ElicitRequest(params=wire.ElicitRequestFormParams(message=question.text, requested_schema=FORM))
        self.result = wire.InputRequiredResult(input_requests={KEY: request}, request_state=state)


class Questions(Protocol):
    """The questions that a server has asked in the newer era, each known by a state that its answer brings back."""

    def put(self, question: Question) -> str:
        """Return the state with which the answer to a question has to come back."""
        ...

    def take(self, state: str, question: Question) -> bool:
        """Return whether an answer with this state is one to this very question, asked not long ago."""
        ...


@dataclass
class KeptQuestions:
    """The questions of one process, which knows them itself. Each state is a secret, and good for one answer."""

    _open: dict[str, tuple[str, str, float]] = field(default_factory=dict[str, tuple[str, str, float]])

    def put(self, question: Question) -> str:
        """Return the state with which the answer to a question has to come back."""
        now = time.monotonic()
        fresh = {state: asked for state, asked in self._open.items() if asked[2] > now}
        self._open = dict(list(fresh.items())[-MOST_OPEN:])
        state = secrets.token_urlsafe(24)
        self._open[state] = (question.approval_id, question.call, now + STATE_SECONDS)
        return state

    def take(self, state: str, question: Question) -> bool:
        """Return whether an answer with this state is one to this very question, asked not long ago."""
        approval_id, call, until = self._open.pop(state, ("", "", 0.0))
        return (approval_id, call) == (question.approval_id, question.call) and time.monotonic() < until


@dataclass(frozen=True)
class SealedQuestions:
    """Keeps nothing: a state is sealed with a key, so that whichever process has that key knows its questions again.

    An answer counts once all the same: it closes the approval that the state is about.
    """

    key: bytes

    def put(self, question: Question) -> str:
        """Return the state with which the answer to a question has to come back."""
        until = str(int(time.time()) + STATE_SECONDS)
        return f"{until}.{self._seal(until, question)}"

    def take(self, state: str, question: Question) -> bool:
        """Return whether an answer with this state is one to this very question, asked not long ago."""
        until, _, seal = state.partition(".")
        if not (until.isascii() and until.isdigit() and seal.isascii()):
            return False
        return hmac.compare_digest(seal, self._seal(until, question)) and time.time() < int(until[:12])

    def _seal(self, until: str, question: Question) -> str:
        about = f"{until}\n{question.approval_id}\n{question.call}"
        return hmac.new(self.key, about.encode("utf-8", "surrogatepass"), "sha256").hexdigest()


@dataclass(frozen=True)
class OpenCall:
    """Asks while the call is open, and waits for a while."""

    context: ServerRequestContext[Any]
    waits: Waits
    client: str
    via: Via = "elicitation"

    def begin(self) -> None:
        """It can be asked here."""

    async def ask(self, question: Question) -> Answer | None:
        """Return what the user said, or None if nothing came in time, or the client will not ask."""
        session, request_id = self.context.session, self.context.request_id
        with self.waits.at_most(ASK_SECONDS):
            try:
                return _answer(await session.elicit_form(question.text, FORM, related_request_id=request_id))
            except (MCPError, NoBackChannelError):
                return None
        return None


@dataclass(frozen=True)
class Repeated:
    """Lets the client ask and send the call again; an answer that nobody asked for is none."""

    questions: Questions
    responses: wire.InputResponses | None
    state: str | None
    client: str
    via: Via = "elicitation"

    def begin(self) -> None:
        """It can be asked here."""

    async def ask(self, question: Question) -> Answer | None:
        """Return what the user said; raise InputWanted to have the question asked."""
        given = (self.responses or {}).get(KEY)
        if self.state and isinstance(given, wire.ElicitResult) and self.questions.take(self.state, question):
            return _answer(given)
        raise InputWanted(question, self.questions.put(question))


def asker_of(
    context: ServerRequestContext[Any], params: wire.CallToolRequestParams, questions: Questions, waits: Waits
) -> Asker | None:
    """Return how the client of a call can ask its user, or None if it cannot."""
    capabilities = context.session.client_capabilities
    if capabilities is None or not can_ask(capabilities.model_dump(exclude_none=True)):
        return None
    about = context.session.client_params
    client = f"{about.client_info.name} {about.client_info.version}"[:NOTE_LENGTH] if about else "an MCP client"
    if context.protocol_version >= INPUT_REQUIRED_SINCE:
        return Repeated(questions, params.input_responses, params.request_state, client)
    return OpenCall(context, waits, client) if context.session.can_send_request else None


def _answer(result: wire.ElicitResult) -> Answer | None:
    """Return a yes or a no, or None for a form that was closed or filled in some other way."""
    if result.action == "decline":
        return Answer(yes=False)
    content = result.content or {}
    if result.action != "accept" or content.get("answer") not in ("yes", "no"):
        return None
    note = content.get("note")
    return Answer(content["answer"] == "yes", str(note)[:NOTE_LENGTH].strip() or None if note else None)
