"""The sockets that a server listens at."""

import asyncio
import socket

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
