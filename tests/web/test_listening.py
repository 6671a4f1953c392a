"""The sockets that a server listens at."""

import asyncio
import socket
import subprocess
import sys

import pytest

from server.web.places import listening
from server.web.places.addresses import LOOPBACK


async def test_an_answer_does_not_wait_for_the_one_before_to_be_acknowledged() -> None:
    sockets = listening.listen(LOOPBACK, 0)
    told: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def accepted(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told.set_result(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    async with await asyncio.start_server(accepted, sock=sockets[0]):
        _, writer = await asyncio.open_connection(*sockets[0].getsockname())
        has_no_delay = await told
        writer.close()
    for one in sockets:
        one.close()

    assert has_no_delay


@pytest.mark.parametrize("address", [LOOPBACK, "localhost", "::1", "0:0:0:0:0:0:0:1"])
def test_nobody_else_can_have_the_other_address_at_which_browsers_look(address: str) -> None:
    sockets = listening.listen(address, 0)
    try:
        assert {one.getsockname()[0] for one in sockets} == {LOOPBACK, "::1"}
        assert len({one.getsockname()[1] for one in sockets}) == 1
    finally:
        for one in sockets:
            one.close()


@pytest.mark.skipif(sys.platform == "win32", reason="the system sets no such limit")
def test_there_is_room_for_many_connections_where_a_system_begins_with_few() -> None:
    code = """
import resource
from server.web.places import listening
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
listening.allow_connections()
soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
assert soft == (listening.DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, listening.DESCRIPTORS)), soft
resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))
listening.allow_connections()
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (300, 300)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
