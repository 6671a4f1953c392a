"""`/metrics`: figures as Prometheus reads them."""

from collections.abc import Iterable, Iterator
from itertools import accumulate

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from server import __version__
from server.db.audit import events
from server.db.steps import claims
from server.upkeep import backups
from server.web.guard import unknown
from server.web.measures import BOUNDS, Measures
from server.web.site import Site, site_of, visitor_of

TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "project_memory"


async def metrics(request: Request) -> Response:
    who = visitor_of(request)
    if who.role == "nobody":
        return unknown(who)
    site = site_of(request)
    lines = [*_of_calls(site.measures), *await _of_database(site)]
    return PlainTextResponse("\n".join(lines) + "\n", media_type=TYPE)


def _of_calls(measures: Measures) -> Iterator[str]:
    yield from _head("call_seconds", "histogram", "How long calls took that came over HTTP.")
    for (tool, action), found in sorted(measures.calls.items()):
        about = f'tool="{tool}",action="{action}"'
        bounds = [*map(str, BOUNDS), "+Inf"]
        for bound, count in zip(bounds, accumulate(found.buckets), strict=True):
            yield f'{PREFIX}_call_seconds_bucket{{{about},le="{bound}"}} {count}'
        yield f"{PREFIX}_call_seconds_sum{{{about}}} {found.seconds:.6f}"
        yield f"{PREFIX}_call_seconds_count{{{about}}} {sum(found.buckets)}"
    yield from _head("errors_total", "counter", "Calls over HTTP that failed, by the code of the error.")
    for code, count in sorted(measures.errors.items()):
        yield f'{PREFIX}_errors_total{{code="{code}"}} {count}'


async def _of_database(site: Site) -> list[str]:
    db = await site.state.store.open()
    held, lost = await claims.counts(db)
    made = await run_sync(backups.found, backups.folder_of(db.path))
    figures: Iterable[tuple[str, str, str, float]] = (
        (
            "events_total",
            "counter",
            "Events that were ever logged; its rate is that of writes.",
            await events.last_id(db),
        ),
        ("open_claims", "gauge", "Steps that somebody holds.", held),
        ("expired_leases", "gauge", "Steps whose holder let the lease run out.", lost),
        ("followers", "gauge", "Readers of the stream of events.", site.hub.followers),
        ("requests_under_way", "gauge", "Requests that are not answered yet.", site.limits.under_way),
        ("database_bytes", "gauge", "Size of the database.", db.path.stat().st_size),
        ("wal_bytes", "gauge", "Size of its write-ahead log.", db.wal_size()),
    )
    times = [one.made_at.timestamp() for one in made[:1]]
    backup = [("last_backup_seconds", "gauge", "When the newest backup was made.", when) for when in times]
    lines = [f'{PREFIX}_info{{version="{__version__}",schema="{db.schema_version}"}} 1']
    lines = [*_head("info", "gauge", "Which server this is."), *lines]
    for name, kind, what, value in (*figures, *backup):
        lines += [*_head(name, kind, what), f"{PREFIX}_{name} {value}"]
    return lines


def _head(name: str, kind: str, what: str) -> tuple[str, str]:
    return f"# HELP {PREFIX}_{name} {what}", f"# TYPE {PREFIX}_{name} {kind}"


def routes() -> list[Route]:
    return [Route("/metrics", metrics, methods=["GET"])]
