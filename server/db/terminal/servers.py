"""Which server a run belongs to, and whether that server is still there."""

import os
import secrets
from functools import cache
from pathlib import Path

from server.db.storage.connection import Database, Transaction
from server.db.terminal import runs


@cache
def ours() -> str:
    """Return what tells this process from every other one: its number, when it began, and a word of its own."""
    return f"{os.getpid()} {_began(os.getpid())} {secrets.token_hex(4)}"


def is_gone(server: str) -> bool:
    """Return whether the process that has this name is sure to be over."""
    if server == ours():
        return False
    pid, _, rest = server.partition(" ")
    began = rest.partition(" ")[0]
    if not pid.isdigit() or os.name == "nt":  # asking Windows whether a process is there may end it
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return int(pid) == os.getpid() or _began(int(pid)) != began


def _began(pid: int) -> str:
    """Return when a process began, in the ticks of this system; "-" where it does not tell."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "-"
    return text.rpartition(")")[2].split()[19]  # the 22nd field of proc(5)


async def lose_at_start(db: Database) -> list[str]:
    if any(server and is_gone(server) for server in await runs.servers(db)):
        async with db.transaction() as tx:
            return await lose_lost(tx)
    return []


async def lose_lost(tx: Transaction) -> list[str]:
    """Note that runs of servers which are gone are lost, and return their ids."""
    gone = {server for server in await runs.servers(tx) if server and is_gone(server)}
    return await runs.lose(tx, gone) if gone else []
