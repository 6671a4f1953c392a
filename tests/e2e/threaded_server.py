"""A server that believes that no pipe can be polled, as on Windows: threads read and write."""

from server.__main__ import main
from server.protocol import stdio


def none(_: int) -> bool:
    return False


stdio.can_poll = none
main()
