"""The sockets of a server: bound here, so that a port that is taken is told with who has it."""

import errno
import socket
import sys
from contextlib import suppress
from pathlib import Path

from server.db.storage.lock_holder import describe
from server.errors import Conflict, InvalidArguments
from server.web.health import NAME
from server.web.places.addresses import LOOPBACK, is_loopback, origin, other_of
from server.web.places.answers import health_at

BACKLOG = 2048
DESCRIPTORS = 4096  # for all followers, calls and strangers at once; systems begin with 256 or 1024
ASK_SECONDS = 1.0
LISTENING = "0A"  # a state in /proc/net/tcp


if sys.platform == "win32":

    def allow_connections() -> None:
        """The system sets no such limit."""

else:
    import resource

    def allow_connections() -> None:
        """Let this process have as many connections open as it may need, where the system lets us say so."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            with suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def listen(address: str, port: int) -> list[socket.socket]:
    """Return sockets bound to a port, 0 for any; to both loopbacks, since a browser may call either by a name."""
    first = _bound(address, port)
    port = first.getsockname()[1]
    if (other := other_of(address)) is None:
        return [first]
    try:
        return [first, _bound(other, port)]
    except InvalidArguments:  # there is none here
        return [first]
    except Conflict:
        first.close()
        raise


def _bound(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        opened = socket.socket(
            family, socket.SOCK_STREAM, socket.IPPROTO_TCP
        )  # asyncio looks for it to set TCP_NODELAY
    except OSError as error:
        raise InvalidArguments(f"{address} cannot be listened at: {error.strerror}.") from error
    try:
        if sys.platform == "win32":
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((address, port))
        opened.listen(BACKLOG)
        opened.setblocking(False)
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRINUSE:
            raise Conflict(f"Port {port} is taken by {taken_by(address, port)}. Choose another with --port.") from error
        raise InvalidArguments(f"{address} port {port} cannot be listened at: {error.strerror}.") from error
    return opened


def taken_by(address: str, port: int) -> str:
    """Return who has a port, as far as can be found out."""
    version = _our_version(address, port)
    what = f"Project Memory {version}" if version else "another program"
    pid = _listener(port)
    return f"{what} ({describe(pid)})" if pid else what


def _our_version(address: str, port: int) -> str | None:
    """Return the version of a server of ours that answers there; what it says of itself is not believed further."""
    host = address if is_loopback(address) else LOOPBACK
    found = health_at(origin("http", host, port), seconds=ASK_SECONDS)
    return str(found["version"])[:40] if found.get("name") == NAME and "version" in found else None


def _listener(port: int) -> int | None:
    """Return the process that listens on a port, where the system shows that to us."""
    inodes = {f"socket:[{inode}]" for name in ("tcp", "tcp6") for inode in _inodes(Path("/proc/net", name), port)}
    if not inodes:
        return None
    for folder in Path("/proc").glob("[0-9]*/fd"):
        with suppress(OSError):
            for handle in folder.iterdir():
                with suppress(OSError):
                    if str(handle.readlink()) in inodes:
                        return int(folder.parent.name)
    return None


def _inodes(table: Path, port: int) -> list[str]:
    try:
        rows = [line.split() for line in table.read_text(encoding="ascii").splitlines()[1:]]
    except OSError:
        return []
    return [row[9] for row in rows if row[3] == LISTENING and int(row[1].rpartition(":")[2], 16) == port]
