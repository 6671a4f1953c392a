"""Envelopes that are nearly plain: the front answers none of them otherwise than the SDK."""

import asyncio
import copy
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from server.protocol.jsonrpc import Message
from server.protocol.plain import CAPABILITIES, CLIENT, RESERVED, VERSION
from tests.protocol.two_paths import ERAS, SdkFront, opening, request, session
from tests.thoroughness import often

EXAMPLES = often(150, usual=40)
JUNK: list[Any] = [None, True, 0, 5, 1.5, "x", "", [], {}, ["x"], {"x": 1}, {"x": {}}, {"form": {}}, *ERAS]
MEMBERS = ("id", "jsonrpc", "method", "params", "_meta", "cursor", "name", "arguments", "task", "progressToken", "zzz")
PARTS = ("elicitation", "roots", "listChanged", "icons", "version")
NAMES = [*MEMBERS, *PARTS, VERSION, CLIENT, CAPABILITIES, f"{RESERVED}logLevel"]


def plain(era: str) -> list[Message]:
    """What real clients send."""
    listing = {"name": "memory_workspace", "arguments": {"action": "list"}}
    return [
        *opening(era, {"roots": {"listChanged": True}, "elicitation": {"form": {}, "url": {}}}),
        request(1, "tools/list", {}, era),
        request("2", "tools/list", {"_meta": {"progressToken": 0}}, era),
        request(3, "resources/list", {}, era),
        request(4, "resources/templates/list", {}, era),
        request(5, "ping", {}, era),
        request(6, "tools/call", listing, era),
        request(7, "tools/call", {**listing, "_meta": {"progressToken": "t"}}, era),
        request(8, "tools/call", {"name": "memory_plan"}, era),
        request(9, "server/discover", {}, era),
        {"method": "notifications/cancelled", "params": {"requestId": 6}},
        {"method": "notifications/roots/list_changed"},
    ]


def objects(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for part in value.values():
            yield from objects(part)


@st.composite
def lines(draw: st.DrawFn) -> list[Message]:
    """An opening as it should be or nearly, and some messages that are nearly plain."""
    era = draw(st.sampled_from(ERAS))
    count = len(opening(era))
    messages = plain(era)[:count] + draw(st.lists(st.sampled_from(plain(era)), min_size=1, max_size=4))
    messages = [{"jsonrpc": "2.0", **copy.deepcopy(message)} for message in messages]
    for _ in range(draw(st.integers(0, 3))):
        holder = draw(st.sampled_from(list(objects(draw(st.sampled_from(messages))))))
        name = draw(st.sampled_from([*holder, *NAMES]))
        if draw(st.booleans()):
            holder.pop(name, None)
        else:
            holder[name] = copy.deepcopy(draw(st.sampled_from(JUNK)))  # which may be the next holder
    return messages


async def answers(kind: Any, data_root: Path, messages: list[Message]) -> list[list[Any]]:
    async with session(data_root, *kind) as client:
        return [await client.ask(json.dumps({"jsonrpc": "2.0", **message}).encode()) for message in messages]


@settings(max_examples=EXAMPLES)
@given(lines())
@example([*opening(ERAS[0]), request(1, "tools/list", {"_meta": {f"{RESERVED}logLevel": "x"}}, ERAS[0])])
@example([request(1, "tools/list", {"_meta": {CAPABILITIES: {"roots": 5}}}, ERAS[1])])
@example([request(0, "initialize", {"protocolVersion": "2025-11-25", "capabilities": {}}, ERAS[0])])
def test_what_is_nearly_plain_is_answered_alike(seeded: Path, messages: list[Message]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(seeded, folder)
        ours, theirs = (asyncio.run(answers(kind, Path(folder), messages)) for kind in ((), (SdkFront,)))

    assert ours == theirs


def oddities(message: Message, holder: str) -> Iterator[Message]:
    """Copies of a message with one thing too much, too little or of another kind in one of its objects."""
    for name in [*objects_named(message)[holder], *NAMES]:
        for junk in [*JUNK, ...]:
            odd = copy.deepcopy(message)
            place = objects_named(odd)[holder]
            if junk is ...:
                place.pop(name, None)
            else:
                place[name] = copy.deepcopy(junk)
            if type(odd.get("id")) in (int, str):  # else it is no request
                yield odd


def objects_named(message: Message) -> dict[str, dict[str, Any]]:
    params = message["params"]
    meta = params["_meta"]
    found = {"the message": message, "params": params, "meta": meta}
    return found | {name: meta[name] for name in (CLIENT, CAPABILITIES) if name in meta}


HOLDERS = [
    *((era, holder) for era in ERAS for holder in ("the message", "params", "meta")),
    *((ERAS[1], holder) for holder in (CLIENT, CAPABILITIES)),
]


@pytest.mark.parametrize(("era", "holder"), HOLDERS)
def test_one_oddity_anywhere_is_answered_alike(seeded: Path, tmp_path: Path, era: str, holder: str) -> None:
    able = {"roots": {"listChanged": True}, "elicitation": {"form": {}}}
    listing = {"name": "memory_workspace", "arguments": {"action": "list"}, "_meta": {"progressToken": 1}}
    plain_call = request(1, "tools/call", listing, era, able if era == ERAS[1] else None)
    messages: list[Message] = [*opening(era, able), *oddities(plain_call, holder)]
    shutil.copy(seeded, tmp_path)
    ours, theirs = (asyncio.run(answers(kind, tmp_path, messages)) for kind in ((), (SdkFront,)))

    assert [pair for pair in zip(messages, ours, theirs, strict=True) if pair[1] != pair[2]] == []


@pytest.mark.parametrize("era", ERAS)
def test_what_real_clients_send_needs_no_sdk(seeded: Path, tmp_path: Path, era: str) -> None:
    async def is_sdk_wanted() -> bool:
        async with session(tmp_path) as client:
            for message in plain(era):
                if message.get("method") != ("server/discover" if era == ERAS[0] else "ping"):
                    await client.ask(message)
            return client.front.is_sdk_wanted

    shutil.copy(seeded, tmp_path)

    assert not asyncio.run(is_sdk_wanted())
