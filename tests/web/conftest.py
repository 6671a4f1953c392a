"""Fixtures: a server over HTTP."""

from collections.abc import AsyncGenerator

import pytest_asyncio

from server.settings import Settings
from tests.served import Served, held, serve


@pytest_asyncio.fixture
async def served(settings: Settings) -> AsyncGenerator[Served]:
    async with held(serve(settings)) as found:
        yield found
