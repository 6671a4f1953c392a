"""Fixtures: a migrated database, and a connected client over an in-memory server."""

import asyncio
import gc
import json
import os
import shutil
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zlib import crc32

import hypothesis
import pytest
import pytest_asyncio
from mcp import Client
from mcp.types import TextContent

from server.__main__ import MANY
from server.db.audit import events
from server.db.gates import gates
from server.db.storage.connection import Database
from server.models.approvals import Word
from server.models.base import timestamp
from server.protocol.app import build
from server.settings import Settings
from server.store import open_store
from server.tools.approvals import answers
from tests.populated_store import PopulatedStore, allow_programs, know_tools, populate, started_once
from tests.served import held, mcp_client, serve
from tests.thoroughness import often

HTTP, OLDER_HTTP = "http", "older-http"  # in the newer and the older era of the protocol
OVER_HTTP = often(1, usual=4)  # one test in so many
Tool = Callable[..., Awaitable[dict[str, Any]]]

# What is compiled once is kept, for this process and those it starts: each would compile the whole house anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# How long an example takes says nothing about the code: other work runs on the machine.
hypothesis.settings.register_profile(
    "house",
    deadline=None,
    max_examples=often(100, usual=30),
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture],
)
hypothesis.settings.load_profile("house")


class ToolError(Exception):
    """What a failed call answered."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.error = error

    @property
    def code(self) -> str:
        return self.error["code"]


class Agent:
    """A client of the server. Calling it runs `tool action` and returns the parsed result, or raises ToolError."""

    def __init__(self, client: Client, settings: Settings | None = None) -> None:
        self.client = client
        self.settings = settings

    async def __call__(self, tool: str, action: str, /, **arguments: Any) -> dict[str, Any]:
        result = await self.client.call_tool(tool, {"action": action, **arguments})
        [block] = result.content
        assert isinstance(block, TextContent)
        assert result.structured_content is None
        payload = json.loads(block.text)
        if result.is_error:
            raise ToolError(payload["error"])
        return payload

    async def suggested(self, call: dict[str, Any]) -> dict[str, Any]:
        """Run a call that an answer names whole."""
        named = {name: value for name, value in call.items() if name not in ("tool", "action")}
        return await self(call["tool"], call["action"], **named)

    async def fails(self, tool: str, action: str, /, **arguments: Any) -> dict[str, Any]:
        """Run a call that must fail and return its error object."""
        with pytest.raises(ToolError) as caught:
            await self(tool, action, **arguments)
        return caught.value.error

    async def person_confirms(self, gate_id: str) -> None:
        """Let a person confirm a step or phase, in a process of their own."""
        assert self.settings
        db = await open_store(self.settings)
        async with db.transaction() as tx:
            [gate] = await gates.named(tx, [gate_id])
            await answers.confirm(tx, gate, Word("terminal"))
            await events.flush(tx)
        await db.close()

    async def person_allows(self, workspace_id: str, *patterns: str) -> None:
        """Let a person allow programs to be run."""
        assert self.settings
        await allow_programs(self.settings, workspace_id, *patterns)

    async def person_confirms_phase(self, plan_id: str, name: str) -> None:
        plan = await self("memory_plan", "get", plan_id=plan_id, detail="full")
        await self.person_confirms(next(phase["phase_id"] for phase in plan["phases"] if phase["name"] == name))


def tick() -> None:
    """Return when it is later than now, as the store tells time."""
    now = timestamp(datetime.now(UTC))
    while timestamp(datetime.now(UTC)) <= now:
        pass


@pytest.fixture(scope="session")
def seeded() -> Path:
    """The file of a database as the first start of a server leaves it."""
    return started_once()


@pytest.fixture
def unused(tmp_path: Path) -> Settings:
    """Settings with a data root that is not there yet."""
    return Settings(data_root=tmp_path / "data", synchronous="off")


@pytest.fixture
def settings(unused: Settings, seeded: Path) -> Settings:
    """Settings with a data root of their own, in which a server was started once."""
    unused.data_root.mkdir(mode=0o700)
    shutil.copy(seeded, unused.database)
    return unused


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty project folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest_asyncio.fixture
async def db(settings: Settings) -> AsyncGenerator[Database]:
    database = await open_store(settings)
    yield database
    await database.close()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "any_transport: tests of tools that run over HTTP as they do in memory")
    config.addinivalue_line("markers", "any_start: tests of servers that run in a copy of one as they do in their own")


def pytest_collection_finish() -> None:
    """Look for garbage as seldom as a server does, and not among what was imported and collected."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(MANY)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of a file that is marked `any_transport` over HTTP as well, in a usual run some of them."""
    if "transport" in metafunc.fixturenames and metafunc.definition.get_closest_marker("any_transport"):
        is_taken = crc32(metafunc.definition.nodeid.encode()) % OVER_HTTP == 0  # the same in all workers
        metafunc.parametrize("transport", ["memory", HTTP] if is_taken else ["memory"], indirect=True)


@pytest.fixture
def transport(request: pytest.FixtureRequest) -> str:
    """What carries the messages of `agent`: memory, or real HTTP."""
    return getattr(request, "param", "memory")


@pytest_asyncio.fixture
async def agent(settings: Settings, transport: str) -> AsyncGenerator[Agent]:
    """A connected client."""
    async with held(client_of(settings, transport)) as client:
        yield Agent(client, settings)


@asynccontextmanager
async def client_of(settings: Settings, transport: str) -> AsyncGenerator[Client]:
    """Connect a client to a server of its own."""
    if transport == "memory":
        async with Client(build(settings), raise_exceptions=True) as client:
            know_tools(client)
            yield client
        return
    async with serve(settings) as served:
        mode = "legacy" if transport == OLDER_HTTP else "auto"
        async with mcp_client(served.url, await served.token(transport), mode=mode) as client:
            yield client


@pytest_asyncio.fixture
async def workspace_id(agent: Agent, project: Path) -> str:
    """The id of the registered project folder."""
    registered = await agent("memory_workspace", "register", workspace_path=str(project))
    return registered["workspace_id"]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> PopulatedStore:
    folder = tmp_path_factory.mktemp("world")
    (folder / "project").mkdir()
    return PopulatedStore(folder / "data", asyncio.run(populate(folder / "data", folder / "project")))


@pytest.fixture
def copy(world: PopulatedStore, tmp_path: Path) -> PopulatedStore:
    """A world of its own for a test that may change it."""
    shutil.copytree(world.data_root, tmp_path / "data")
    return PopulatedStore(tmp_path / "data", world.arguments)
