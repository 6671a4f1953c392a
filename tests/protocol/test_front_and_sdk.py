"""Whatever is answered in front of the SDK is what the SDK would have answered."""

import json
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from server.protocol.jsonrpc import Message
from server.protocol.plain import CAPABILITIES, VERSION
from server.tools import TOOLS
from tests.e2e.test_bad_input import (
    NEWER_NONSENSE,
    NO_JSON,
    NO_REQUEST,
    NONSENSE,
    OLDER_NONSENSE,
    SURROGATES,
    call_line,
)
from tests.populated_store import PopulatedStore
from tests.protocol.two_paths import (
    ERAS,
    HELLO,
    SdkFront,
    Session,
    call,
    opening,
    request,
    session,
)
from tests.thoroughness import often

STRIDE = often(1, usual=2)  # each era takes what the other one leaves out
ASKING = {"elicitation": {"form": {}, "url": {}}}


class Both:
    """The same client on both paths, each with a store of its own; the project is after a call what it was before."""

    def __init__(self, front: Session, sdk: Session, project: Path, as_it_was: Path) -> None:
        self.front = front
        self.sdk = sdk
        self._project = project
        self._as_it_was = as_it_was
        shutil.copytree(project, as_it_was)
        self._seen = self._look()

    async def ask(self, *messages: Message | bytes) -> list[Any]:
        """Return what both answered."""
        answers: list[list[Any]] = []
        for client in (self.front, self.sdk):
            answers.append(await client.ask(*messages))
            if self._look() != self._seen:
                shutil.rmtree(self._project)
                shutil.copytree(self._as_it_was, self._project)
                self._seen = self._look()
        assert answers[0] == answers[1]
        return answers[0]

    def _look(self) -> dict[Path, tuple[int, ...]]:
        """Return what tells that a file of the project was made, changed, moved or deleted."""
        found = {path: path.lstat() for path in (self._project, *self._project.rglob("*"))}
        return {path: (at.st_ino, at.st_mode, at.st_size, at.st_mtime_ns, at.st_ctime_ns) for path, at in found.items()}


@asynccontextmanager
async def both(world: PopulatedStore, tmp_path: Path, **more: Any) -> AsyncGenerator[Both]:
    for name in ("front", "truth"):
        shutil.copytree(world.data_root, tmp_path / name, dirs_exist_ok=True)
    async with session(tmp_path / "front", **more) as front, session(tmp_path / "truth", SdkFront, **more) as sdk:
        yield Both(front, sdk, Path(world.arguments["workspace_path"]), tmp_path / "project as it was")


def plausible_calls(world: PopulatedStore, era: str) -> list[Message]:
    actions = [action for tool in TOOLS.values() for action in tool.actions.values()]
    calls = [(action.tool, world.plausible(action)) for action in actions]
    calls += [(action.tool, {"action": action.name, "zzz": 1}) for action in actions]
    return [call(number, tool, arguments, era) for number, (tool, arguments) in enumerate(calls)]


@pytest.mark.parametrize("era", ERAS)
async def test_every_example_of_the_catalog_is_answered_alike(world: PopulatedStore, tmp_path: Path, era: str) -> None:
    async with both(world, tmp_path) as clients:
        await clients.ask(*opening(era))
        for message in plausible_calls(world, era)[ERAS.index(era) % STRIDE :: STRIDE]:
            assert await clients.ask(message)

        assert not clients.front.front.is_sdk_wanted


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "1999-01-01"])
async def test_every_handshake_is_answered_alike(world: PopulatedStore, tmp_path: Path, version: str) -> None:
    async with both(world, tmp_path) as clients:
        [hello] = await clients.ask(request(0, "initialize", {**HELLO, "protocolVersion": version}, ERAS[0]))
        await clients.ask({"method": "notifications/initialized"})
        [listed] = await clients.ask(request(1, "tools/list", {}, ERAS[0]))

        assert hello["result"]["protocolVersion"] == (version if version > "2000" else ERAS[0])
        assert listed["result"]["tools"]


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    "more", [{}, {"read_only": True}, {"tools": ("memory_plan", "memory_steps")}, {"tools": ("core",)}]
)
async def test_every_list_is_answered_alike_in_every_mode(
    world: PopulatedStore, tmp_path: Path, era: str, more: dict[str, Any]
) -> None:
    methods = ("tools/list", "resources/list", "resources/templates/list", "prompts/list", "ping", "server/discover")
    async with both(world, tmp_path, **more) as clients:
        await clients.ask(*opening(era))
        for number, method in enumerate(methods):
            assert await clients.ask(request(number, method, {}, era))
            assert await clients.ask(request(number, method, {"_meta": {"progressToken": 7, "own/key": {}}}, era))
            assert await clients.ask(request(number, method, {"cursor": "x"}, era))


@pytest.mark.parametrize("era", ERAS)
async def test_every_malformed_line_is_answered_alike(world: PopulatedStore, tmp_path: Path, era: str) -> None:
    lines = [*NO_JSON, *(line for line, *_ in NO_REQUEST), *(call_line(arguments) for arguments, *_ in SURROGATES)]
    async with both(world, tmp_path) as clients:
        await clients.ask(*opening(era))
        for line in lines:
            await clients.ask(line)
        everything = await clients.ask(*lines)

        assert len(everything) >= len(NO_JSON) + len(SURROGATES)


@pytest.mark.parametrize("greets", [True, False], ids=["after the opening", "as the first words"])
@pytest.mark.parametrize("era", ERAS)
async def test_every_nonsense_is_answered_alike(
    world: PopulatedStore, tmp_path: Path, era: str, *, greets: bool
) -> None:
    others = {ERAS[0]: OLDER_NONSENSE, ERAS[1]: NEWER_NONSENSE}[era]
    async with both(world, tmp_path) as clients:
        if greets:
            await clients.ask(*opening(era))
        for number, (method, params, *_) in enumerate([*NONSENSE, *others]):
            assert await clients.ask(request(number, method, params or {}, era))
        await clients.ask(call("after", "memory_workspace", {"action": "list"}, era))


@pytest.mark.parametrize("era", ERAS)
async def test_calls_that_come_all_at_once_are_answered_alike(world: PopulatedStore, tmp_path: Path, era: str) -> None:
    reads = [m for m in plausible_calls(world, era) if m["params"]["arguments"]["action"] in ("get", "list", "help")]
    mixed = [request(f"list {n}", "tools/list", {}, era) for n in range(3)]
    mixed += [request(f"read {n}", "resources/read", {"uri": "memory://nothing"}, era) for n in range(3)]
    async with both(world, tmp_path) as clients:
        everything = await clients.ask(*opening(era), *reads, *mixed, *reads)

        assert len(everything) == 1 + 2 * len(reads) + len(mixed)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("wakes", [False, True], ids=["without the SDK", "with it"])
@pytest.mark.parametrize("named", [7, "7"])
async def test_a_cancelled_call_is_answered_on_neither_path(
    world: PopulatedStore, tmp_path: Path, era: str, named: int | str, *, wakes: bool
) -> None:
    waits = {"action": "events", "since_id": 1_000_000, "wait_seconds": 25, "plan_id": world.arguments["plan_id"]}
    async with both(world, tmp_path) as clients:
        await clients.ask(*opening(era))
        if wakes:
            await clients.ask(request("wake", "resources/read", {"uri": "memory://nothing"}, era))
        answers = await clients.ask(
            call(7, "memory_workspace", waits, era),
            {"method": "notifications/cancelled", "params": {"requestId": 99}},
            {"method": "notifications/cancelled", "params": {"requestId": named, "reason": "enough"}},
            {"method": "notifications/cancelled", "params": {"requestId": {}}},
        )
        [again] = await clients.ask(call(7, "memory_workspace", {"action": "list"}, era))

        assert answers == []
        assert again["id"] == 7


OPENINGS: dict[str, list[Message | bytes]] = {
    "a call before the handshake": [
        call(1, "memory_workspace", {"action": "list"}, ERAS[0]),
        *opening(ERAS[0]),
        call(2, "memory_workspace", {"action": "list"}, ERAS[0]),
    ],
    "a second handshake": [*opening(ERAS[0]), *opening(ERAS[0])],
    "a handshake after a probe": [*opening(ERAS[1]), *opening(ERAS[0]), request(2, "tools/list", {}, ERAS[0])],
    "a handshake after a call of the newer era": [
        request(1, "tools/list", {}, ERAS[1]),
        request(2, "initialize", HELLO, ERAS[0]),
        request(3, "tools/list", {}, ERAS[1]),
    ],
    "the newer era after a handshake": [*opening(ERAS[0]), request(2, "tools/list", {}, ERAS[1])],
    "the older era after a call of the newer one": [
        request(1, "tools/list", {}, ERAS[1]),
        request(2, "tools/list", {}, ERAS[0]),
        request(3, "ping", {}, ERAS[0]),
    ],
    "a version of the future": [
        request(1, "tools/list", {"_meta": {VERSION: "2099-01-01"}}, ERAS[1]),
        *opening(ERAS[0]),
        request(2, "tools/list", {}, ERAS[0]),
    ],
    "an unknown notification first": [{"method": "notifications/nothing"}, *opening(ERAS[0])],
    "an answer that nobody asked for": [
        {"id": 5, "result": {}},
        *opening(ERAS[0]),
        {"id": 6, "error": {"code": 1, "message": "x"}},
        request(2, "tools/list", {}, ERAS[0]),
    ],
}


@pytest.mark.parametrize("lines", OPENINGS.values(), ids=OPENINGS.keys())
async def test_every_opening_is_answered_alike(
    world: PopulatedStore, tmp_path: Path, lines: list[Message | bytes]
) -> None:
    async with both(world, tmp_path) as clients:
        for line in lines:
            await clients.ask(line)


@pytest.mark.parametrize("era", ERAS)
async def test_a_question_to_the_user_is_put_alike_and_nothing_is_stored_before(
    world: PopulatedStore, tmp_path: Path, era: str
) -> None:
    where = {"workspace_id": world.arguments["workspace_id"], "agent": "tester"}
    step = {"task": "release", "type": "user_validation"}
    async with both(world, tmp_path, gates="human") as clients:
        await clients.ask(*opening(era, ASKING))
        plans: list[str] = []
        for client in (clients.front, clients.sdk):
            made = call("plan", "memory_plan", {"action": "create", "title": "A", "steps": [step], **where}, era)
            await client.ask(_asking(made))
            plans.append(json.loads(client.heard.messages[-1]["result"]["content"][0]["text"])["plan_id"])
        assert not clients.front.front.is_sdk_wanted
        asked: list[Any] = []
        for client, plan_id in zip((clients.front, clients.sdk), plans, strict=True):
            update = {"action": "update", "plan_id": plan_id, "step_index": 0, "status": "done", **where}
            client.send(_asking(call("gated", "memory_steps", update, era)))
            while (question := client.heard.messages[-1]).get("id") == "plan":
                await client.moved()
            asked.append(client.told([question]))

        assert asked[0] == asked[1]
        assert clients.front.front.is_sdk_wanted


def _asking(message: Message) -> Message:
    meta = message["params"].get("_meta")
    if meta:
        meta[CAPABILITIES] = ASKING
    return message
