"""Fixtures: a server over HTTP."""

from collections.abc import AsyncGenerator

import httpx2
import pytest_asyncio

from server.settings import Settings
from tests.served import Served, held, serve


@pytest_asyncio.fixture
async def served(settings: Settings) -> AsyncGenerator[Served]:
    async with held(serve(settings)) as found:
        yield found


@pytest_asyncio.fixture
async def owner(served: Served) -> httpx2.AsyncClient:
    return await served.owner()
