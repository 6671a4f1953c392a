"""What was agreed with the client and what it asked; the answers that need neither a loop nor a database."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

from server.protocol.jsonrpc import Id, Message, Refused, encode, message_of
from server.protocol.pipes import Output
from server.protocol.plain import (
    CAPABILITIES,
    CLIENT,
    DYNAMIC,
    ENVELOPE,
    VERSION,
    Answers,
    can_ask,
    is_plain,
    is_plain_client,
)

logger = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Asked:
    """A request that is under way."""

    message: Message
    is_the_sdks: bool = False
    cancel: Callable[[], None] | None = None

    @property
    def id(self) -> Id:
        return self.message["id"]

    @property
    def method(self) -> str:
        return self.message["method"]

    @property
    def params(self) -> dict[str, Any]:
        return self.message.get("params") or {}

    @property
    def meta(self) -> dict[str, Any]:
        meta = self.params.get("_meta")
        return cast(dict[str, Any], meta) if isinstance(meta, dict) else {}

    @property
    def is_newer(self) -> bool:
        return VERSION in self.meta and self.method != "initialize"


class Worker(Protocol):
    """Does what takes longer than a look at the line."""

    def take(self, item: Asked | Message) -> None: ...


class Front:
    """What was agreed with the client, and what it asked that is not answered yet."""

    def __init__(self, answers: Answers, output: Output) -> None:
        self.answers = answers
        self.output = output
        self.under_way: dict[Id, list[Asked]] = {}
        self.waiting: list[Asked | Message] = []  # for a worker
        self.worker: Worker | None = None
        self.opening: Message | None = None  # what settled the era
        self.is_newer: bool | None = None  # the era; None before it is settled
        self.is_greeted = False
        self.has_listed = False
        self.has_served = False  # more of the newer era than `server/discover`
        self.is_sdk_wanted = False
        self.on_settled: Callable[[], None] = lambda: None
        self._envelope: Message = {}
        self._probes: list[Asked] = []

    def hear(self, lines: list[bytes]) -> None:
        """Take lines that came together: a probe whose client has given it up meanwhile gets no answer."""
        for line in lines:
            self._take(line)
        self._answer_probes()

    def _answer_probes(self) -> None:
        probes, self._probes = self._probes, []
        for probe in probes:
            self.answer(probe, self.answers.to(probe.method, newer=True))

    def _take(self, line: bytes) -> None:
        try:
            message = message_of(line)
        except Refused as refused:
            self.write(refused.answer)
            return
        if "method" not in message:
            if self.is_sdk_wanted:
                self._pass_on(message)
        elif "id" in message:
            self._ask(Asked(message))
        else:
            self._note(message)

    def _ask(self, asked: Asked) -> None:
        self.under_way.setdefault(asked.id, []).append(asked)
        if not self._is_plain(asked):
            self.hand_over(asked)
        elif asked.method in DYNAMIC:
            self._pass_on(asked)
        elif asked.method == "server/discover":
            self._probes.append(asked)
        else:
            self.answer(asked, self._result(asked))
            self.has_listed |= asked.method == "tools/list"

    def _result(self, asked: Asked) -> Message:
        result = self.answers.to(asked.method, newer=asked.is_newer)
        agreed = {"protocolVersion": asked.params["protocolVersion"]} if asked.method == "initialize" else {}
        return {**result, **agreed}

    def _is_plain(self, asked: Asked) -> bool:
        """Return whether a request is exactly what its era prescribes. The first one settles the era."""
        if not is_plain(asked.message):
            return False
        if asked.method == "initialize":
            return self._shake_hands(asked)
        is_agreed = self._is_enveloped(asked) if asked.is_newer else self.is_newer is False
        return is_agreed and self.answers.has(asked.method, newer=asked.is_newer)

    def _shake_hands(self, asked: Asked) -> bool:
        """Begin the older era, also with a client that has only probed the newer one."""
        told = asked.params
        if self.is_sdk_wanted or self.is_newer is False or self.has_served:
            return False
        if told["protocolVersion"] not in self.answers.handshakes or VERSION in asked.meta:
            return False
        if not is_plain_client(told["clientInfo"], told["capabilities"]):
            return False
        self.withdraw_probes(asked.id)
        self._answer_probes()
        self._settle_era(asked.message, newer=False)
        return True

    def _is_enveloped(self, asked: Asked) -> bool:
        meta = asked.meta
        envelope = {key: meta[key] for key in ENVELOPE if key in meta}
        if self.is_newer and envelope == self._envelope:
            return True
        is_open = self.is_newer or (self.is_newer is None and not self.is_sdk_wanted)
        if not is_open or len(envelope) != len(ENVELOPE) or envelope[VERSION] != self.answers.newer:
            return False
        if not is_plain_client(envelope[CLIENT], envelope[CAPABILITIES]):
            return False
        self._envelope = envelope
        if self.is_newer is None:
            self._settle_era({"method": "server/discover", "params": {"_meta": envelope}}, newer=True)
        return True

    def _settle_era(self, opening: Message, *, newer: bool) -> None:
        self.is_newer, self.opening = newer, opening

    def can_ask(self, asked: Asked) -> bool:
        """Return whether the client of a plain request can put a question to its user."""
        opened = self.opening or {}
        return can_ask(asked.meta[CAPABILITIES] if asked.is_newer else opened["params"]["capabilities"])

    def withdraw_probes(self, request_id: Id) -> None:
        """Answer no probe of the newer era that has the id of a handshake: the client has given it up."""
        for asked in [one for one in self.under_way.get(request_id, ()) if one.method == "server/discover"]:
            self.settle(asked)

    def _note(self, notification: Message) -> None:
        method = notification["method"]
        if method == "notifications/cancelled" and self._cancel(notification.get("params") or {}):
            return
        self.is_greeted |= method == "notifications/initialized"
        if self.is_sdk_wanted:
            self.hand_over(notification)
        else:
            logger.debug("nobody has to hear %s", method)

    def _cancel(self, params: Message) -> bool:
        """Cancel a call, and return whether it was one of those that the SDK does not know."""
        told = params.get("requestId")
        # Some clients send 7 where they said "7".
        same = (same for key, same in self.under_way.items() if type(told) in (str, int) and str(key) == str(told))
        asked = next(same, [None])[-1]
        if asked is None or asked.is_the_sdks:
            return False
        self.settle(asked)
        if asked.cancel:
            asked.cancel()
        return True

    def hand_over(self, item: Asked | Message) -> None:
        """Let the SDK have a message."""
        self.is_sdk_wanted = True
        if isinstance(item, Asked):
            item.is_the_sdks = True
        self._pass_on(item)

    def _pass_on(self, item: Asked | Message) -> None:
        if self.worker:
            self.worker.take(item)
        else:
            self.waiting.append(item)

    def employ(self, worker: Worker) -> None:
        """Give everything that waits to a worker, and whatever comes from now on."""
        self.worker = worker
        waiting, self.waiting = self.waiting, []
        for item in waiting:
            worker.take(item)

    def is_under_way(self, asked: Asked) -> bool:
        return asked in self.under_way.get(asked.id, ())

    def answer(self, asked: Asked, result: Message | None = None, error: Message | None = None) -> None:
        """Answer a request, unless nobody waits for that any more."""
        if not self.settle(asked):
            return
        if result is None:
            self.write({"jsonrpc": "2.0", "id": asked.id, "error": error})
            return
        if asked.is_newer and asked.method != "server/discover":
            self.has_served = True
        elif asked.method == "initialize":
            self._settle_era(asked.message, newer=False)
        self.write({"jsonrpc": "2.0", "id": asked.id, "result": result})

    def settle(self, asked: Asked) -> bool:
        """Expect no answer to a request any more, and return whether one was."""
        same = self.under_way.get(asked.id, [])
        if asked not in same:
            return False
        same.remove(asked)
        if not same:
            del self.under_way[asked.id]
        self.on_settled()
        return True

    def write(self, message: Message) -> None:
        """Write one line."""
        self.output.write(encode(message).encode() + b"\n")
