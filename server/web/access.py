"""Who asks: the owner by the cookie of a browser, a program by its token."""

import hashlib
import secrets

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from server.db.access import tokens, web_sessions
from server.db.storage.connection import Database
from server.models.access import AccessToken, TokenRole, Visitor
from server.models.approvals import Word
from server.models.base import later, new_id
from server.tools.approvals.callers import Caller
from server.web.places.addresses import Addresses

PREFIX = "pmt_"
SCHEME = "bearer "
SAFE = ("GET", "HEAD")
RENEW_SECONDS = 86_400  # a browser is let in for 30 days from the last of these on which it came


def digest(secret: str) -> str:
    """Return what is kept of a secret. It is as long as chance makes it, so that no salt is needed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def cookie_name(places: Addresses) -> str:
    """Return the name of the cookie; one that begins so a browser takes from its own host alone, over TLS."""
    return "__Host-pm_owner" if places.is_secure else "pm_owner"


async def visitor(db: Database, places: Addresses, method: str, headers: Headers) -> Visitor:
    """Return who sends a request."""
    if (told := headers.get("authorization")) is not None:
        return await _by_token(db, told)
    secret = cookie_parser("; ".join(headers.getlist("cookie"))).get(cookie_name(places))
    if secret is None:
        return Visitor(
            "nobody", reason="Neither a token (`Authorization: Bearer`) nor the cookie of a browser came with this."
        )
    if headers.get("host", "").lower() != places.home_host:
        return Visitor("nobody", reason="A browser is known at the address of its link alone.")
    if not _is_own_page(method, headers):
        return Visitor("nobody", reason="This did not come from a page of this server.")
    return await _by_cookie(db, secret)


def _is_own_page(method: str, headers: Headers) -> bool:
    """Whether the page that sends a cookie is ours: what it changes it says so of, what it reads it may leave out."""
    site = headers.get("sec-fetch-site")
    return site == "same-origin" or (method in SAFE and site in (None, "none"))


async def _by_token(db: Database, told: str) -> Visitor:
    if not told.lower().startswith(SCHEME):
        return Visitor("nobody", reason="Authorization takes the form `Bearer TOKEN`.")
    found = await tokens.by_hash(db, digest(told[len(SCHEME) :].strip()))
    if found is None:
        return Visitor("nobody", reason="This token is not known here.")
    if found.revoked_at:
        return Visitor("nobody", reason=f"The token {found.name!r} was revoked at {found.revoked_at}.")
    return Visitor(found.role, found.name)


async def _by_cookie(db: Database, secret: str) -> Visitor:
    found = await web_sessions.by_hash(db, digest(secret))
    if found is None:
        return Visitor("nobody", reason="This browser is not let in any more. `project-memory serve open` lets it in.")
    if found.expires_at < later(db.now(), web_sessions.SESSION_SECONDS - RENEW_SECONDS):
        async with db.transaction() as tx:
            await web_sessions.prolong(tx, found.web_session_id)
        return Visitor("owner", found.web_session_id, renewed=secret)
    return Visitor("owner", found.web_session_id)


def caller(who: Visitor, *, has_host_tools: bool) -> Caller:
    """Return what a visitor may call."""
    if who.role == "owner":
        return Caller(has_host=has_host_tools, is_person=True)
    return Caller(who.name, only_reads=who.role != "agent", has_host=has_host_tools)


async def add_token(db: Database, name: str, role: TokenRole, word: Word) -> str:
    """Make a token and return it: this is the only time that it is known."""
    secret = PREFIX + secrets.token_urlsafe(32)
    async with db.transaction() as tx:
        row = AccessToken(token_id=new_id("tok"), name=name, role=role, created_at=tx.now(), created_by=word.told)
        await tokens.add(tx, row, digest(secret))
    return secret
