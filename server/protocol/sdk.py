"""What the SDK answers: whatever the loop in front of it does not know to the letter."""

import math
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import TracebackType

import anyio
import mcp.types as wire
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectSendStream
from mcp.server import NotificationOptions
from mcp.server.runner import serve_dual_era_loop
from mcp.shared.message import ServerMessageMetadata, SessionMessage

from server.protocol.app import build, joined
from server.protocol.front import Asked, Front
from server.protocol.jsonrpc import INVALID_PARAMS, Message, but
from server.protocol.plain import PARAMS
from server.protocol.state import State, persist

SAID_BEFORE = "said before the SDK was there"
KINDS: Mapping[type, str] = {dict: "an object", str: "a string", int: "an integer"}
# What the methods that are served must be told, and may be.
WANTED: Mapping[str, Mapping[str, type]] = {
    "initialize": PARAMS["initialize"],
    "tools/call": {"name": str},
    "resources/read": {"uri": str},
    "resources/subscribe": {"uri": str},
    "resources/unsubscribe": {"uri": str},
    "subscriptions/listen": {"notifications": dict},
}
OPTIONAL: Mapping[str, type] = {"arguments": dict, "cursor": str, "_meta": dict}

Frame = SessionMessage | Exception


class Era:
    """One loop of the SDK: it serves the protocol era of its first request. This is the stream that it writes to."""

    def __init__(self, sdk: "Sdk", inbox: MemoryObjectSendStream[Frame]) -> None:
        self._sdk = sdk
        self.inbox = inbox
        self.is_newer: bool | None = None  # None before the first request
        self.withdrawn: str | int | None = None

    async def send(self, frame: SessionMessage) -> None:
        message: Message = frame.message.model_dump(mode="json", by_alias=True, exclude_unset=True)
        if "method" in message:
            await self._sdk.tell(message)
        elif message["id"] != self.withdrawn:
            self._sdk.answer(message)

    async def aclose(self) -> None:
        """Take no more; stdout stays open: it is not this loop's alone."""
        self.inbox.close()

    async def __aenter__(self) -> "Era":
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()


class Sdk:
    """The SDK behind the front: told what was said before it came, and asked what the front does not know."""

    def __init__(self, front: Front, state: State, tasks: TaskGroup, room: Callable[[], Awaitable[None]]) -> None:
        self._front = front
        self._tasks = tasks
        self._room = room
        self._server = build(state.store.settings)
        self._state = joined(state)
        self._eras: list[Era] = []
        tasks.start_soon(persist, "the watch for changes", self._state.watch.run)
        if self._front.opening:
            self._repeat(self._front.opening)

    def _repeat(self, opening: Message) -> None:
        era = self._open_era()
        era.is_newer = self._front.is_newer
        era.inbox.send_nowait(_frame({**opening, "jsonrpc": "2.0", "id": SAID_BEFORE}))
        if self._front.is_greeted:
            era.inbox.send_nowait(_frame({"jsonrpc": "2.0", "method": "notifications/initialized"}))

    def end_streams(self) -> None:
        """Let every stream of changes end with its result."""
        self._state.watch.end_streams()

    def take(self, item: Asked | Message) -> None:
        """Have something answered, or heard."""
        if not isinstance(item, Asked):
            self._era().inbox.send_nowait(_frame(item))
            return
        unanswered = ServerMessageMetadata(on_request_unanswered=partial(self._forget, item))
        self._era_of(item).inbox.send_nowait(_frame(item.message, unanswered))

    async def _forget(self, asked: Asked) -> None:
        """Expect no answer to a request that the client has cancelled."""
        self._front.settle(asked)

    def _era_of(self, asked: Asked) -> Era:
        """Return the loop for a request: a new one for the handshake of a client that has only probed the newer era.

        The SDK would refuse it for good. The client has given up on its probe and may use the id again, so an answer
        to that must not come any more.
        """
        era = self._era()
        if asked.method == "initialize" and era.is_newer and not self._front.has_served:
            self._front.withdraw_probes(asked.id)
            era.withdrawn = asked.id
            era = self._open_era()
        if era.is_newer is None:
            era.is_newer = asked.is_newer
        return era

    def _era(self) -> Era:
        return self._eras[-1] if self._eras else self._open_era()

    def _open_era(self) -> Era:
        send, receive = anyio.create_memory_object_stream[Frame](math.inf)
        era = Era(self, send)
        self._eras.append(era)
        options = self._server.create_initialization_options(NotificationOptions())
        loop = partial(serve_dual_era_loop, lifespan_state=self._state, init_options=options)
        self._tasks.start_soon(loop, self._server, receive, era)
        return era

    async def tell(self, message: Message) -> None:
        """Write a notification or a question, when the client reads."""
        await self._room()
        self._front.write(message)

    def answer(self, message: Message) -> None:
        """Write an answer of the SDK, unless nobody waits for it any more."""
        asked = next((one for one in self._front.under_way.get(message["id"], ()) if one.is_the_sdks), None)
        if asked and "error" in message:
            self._front.answer(asked, error=explained(asked, message["error"]))
        elif asked:
            self._front.answer(asked, message["result"])


def _frame(message: Message, metadata: ServerMessageMetadata | None = None) -> SessionMessage:
    if "method" in message:
        model = wire.JSONRPCRequest if "id" in message else wire.JSONRPCNotification
    else:
        model = wire.JSONRPCResponse if "result" in message else wire.JSONRPCError
    return SessionMessage(model.model_validate(message, by_name=False), metadata)


def explained(asked: Asked, error: Message) -> Message:
    """Return an error about the parameters of a request with what is wrong with them."""
    if error["code"] != INVALID_PARAMS or error.get("data") != "":
        return error
    params = asked.params
    wanted = WANTED.get(asked.method, {})
    problems = [
        f'"{name}" must be {KINDS[kind]}, {but(params, name)}'
        for name, kind in {**wanted, **OPTIONAL}.items()
        if (name in wanted or params.get(name) is not None) and not isinstance(params.get(name), kind)
    ]
    told = "; ".join(problems) or "a nested value is missing or of the wrong type, or initialize was not sent yet"
    return {"code": error["code"], "message": f"The params of {asked.method} do not fit: {told}."}
