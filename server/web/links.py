"""Links that let a browser in: a code that is good once, redeemed by the button of a page, and the cookie for it."""

import secrets
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from server.db.access import web_sessions
from server.db.storage.connection import Database
from server.models.base import new_id
from server.web import rendering
from server.web.access import cookie_name, digest
from server.web.places.addresses import Addresses
from server.web.site import site_of, visitor_of

ENTER = "/enter"
BROWSER_SHOWN = 200
OVER = "This link was used already, or it is older than a minute."
STRANGE = "This did not come from the page of the link. Open the link itself, and press its button."
NOT_LET_IN = "This browser is not let in"
LEFT = "This browser is not let in any more"


async def new_link(db: Database, home: str) -> str:
    """Return a link that lets one browser in, within a minute."""
    code = secrets.token_urlsafe(24)
    async with db.transaction() as tx:
        await web_sessions.add_link(tx, digest(code))
    return f"{home}{ENTER}?code={code}"


def routes() -> list[Route]:
    return [
        Route(ENTER, ask, methods=["GET"]),
        Route(ENTER, redeem, methods=["POST"]),
        Route("/leave", leave, methods=["POST"]),
    ]


async def ask(request: Request) -> Response:
    """Show the button. To look at a link changes nothing: browsers and mail programs fetch what nobody clicked."""
    code = request.query_params.get("code", "")
    return _page("Let this browser in?", code=code)


async def redeem(request: Request) -> Response:
    """Let the browser in, if the code is good and the button was pressed on our own page."""
    site = site_of(request)
    places = site.addresses
    if request.headers.get("host", "").lower() != places.home_host:
        return _page(NOT_LET_IN, 403, reason=STRANGE)
    if request.headers.get("sec-fetch-site") != "same-origin":
        return _page(NOT_LET_IN, 403, reason=STRANGE)
    code = parse_qs((await request.body()).decode("utf-8", "replace")).get("code", [""])[0]
    secret, browser = secrets.token_urlsafe(32), request.headers.get("user-agent", "")[:BROWSER_SHOWN]
    db = await site.state.store.open()
    async with db.transaction() as tx:
        is_good = await web_sessions.redeem(tx, digest(code))
        if is_good:
            await web_sessions.add(tx, new_id("web"), digest(secret), browser)
    if not is_good:
        return _page(NOT_LET_IN, 403, reason=OVER)
    answer = RedirectResponse("/", status_code=303)
    set_cookie(answer, places, secret)
    return answer


async def leave(request: Request) -> Response:
    """Let this browser in no more."""
    site = site_of(request)
    who = visitor_of(request)
    if who.role == "owner":
        db = await site.state.store.open()
        async with db.transaction() as tx:
            await web_sessions.revoke(tx, who.name)
    answer = _page(LEFT)
    answer.delete_cookie(cookie_name(site.addresses), path="/", secure=site.addresses.is_secure, httponly=True)
    return answer


def set_cookie(answer: Response, places: Addresses, secret: str) -> None:
    """Set the cookie for this very host: with no Domain, a browser sends it to no other."""
    answer.set_cookie(
        cookie_name(places),
        secret,
        max_age=web_sessions.SESSION_SECONDS,
        path="/",
        secure=places.is_secure,
        httponly=True,
        samesite="strict",
    )


def _page(title: str, status: int = 200, **told: str) -> HTMLResponse:
    return HTMLResponse(rendering.page("outside.html", title=title, **told), status)
