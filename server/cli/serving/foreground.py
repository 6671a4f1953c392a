"""`serve` in the foreground: the lock of the data root, the port, and the link that lets a browser in."""

import os
import sys
from functools import partial
from logging.handlers import RotatingFileHandler

from server import __version__, files
from server.cli import person
from server.cli.serving import running
from server.db.storage.clock import Clock
from server.errors import InvalidArguments
from server.models.base import timestamp
from server.settings import Flags, Settings, configure_logging, load
from server.tools.commands import command
from server.web import serving
from server.web.links import new_link
from server.web.places import identity, listening
from server.web.places.addresses import ServeOptions, addresses, own_url
from server.web.site import Site

LOG_BYTES = 1024 * 1024
OLDER_LOGS = 2


def run(flags: Flags, options: ServeOptions, *, to_file: bool = False) -> int:
    """Serve until a signal asks to end; return the exit code."""
    settings = load(flags)
    options.check()
    if settings.read_only:
        raise InvalidArguments(
            "`serve` keeps in the database who is let in, so it does not take --read-only. Give out tokens with the "
            "role reader instead."
        )
    files.make_folder(identity.folder(settings))
    configure_logging(settings, _log_file(settings) if to_file else None)
    with running.lock(settings):
        kept = identity.load(settings)
        listening.allow_connections()
        sockets = listening.listen(options.address, kept.port if options.port is None else options.port)
        if options.port:
            identity.keep_port(settings, options.port)
        port = sockets[0].getsockname()[1]
        places = addresses(options, kept.host, port)
        own = own_url(options, port)

        async def tell(site: Site) -> None:
            now, words = timestamp(Clock()()), options.words()
            ours = running.RunningServer(os.getpid(), port, __version__, now, site.nonce, own, places.home, words)
            running.write(settings, ours)
            site.state.store.waits.at_end(partial(running.forget, settings))
            print(f"Serving {settings.database}", f"MCP: {own}/mcp (with a token)", sep="\n", flush=True)
            if sys.stdout.isatty() and person.sign_of_an_agent(os.environ) is None:
                print(f"Dashboard, within a minute: {await new_link(await site.state.store.open(), places.home)}")
            else:
                print(f"Dashboard: {places.home} (for a link: {command(settings, 'serve', 'open')})", flush=True)

        return serving.run(settings, serving.Place(options, places, sockets, kept.seal_key()), tell)


def _log_file(settings: Settings) -> RotatingFileHandler:
    path = identity.folder(settings) / running.LOG
    if not path.exists():
        files.replace(path, "")
    return RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=OLDER_LOGS, encoding="utf-8")
