"""Entries that reach a server by its address, with a token or with the name of a variable that has it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

from server.errors import InvalidArguments

PATH = "/mcp"
UNKNOWN = "pmt_..."  # stands for a token that is not to be seen, or not made yet
TOKEN = re.compile(r"pmt_[A-Za-z0-9_-]{20,}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
BEARER = "Bearer "
HEADERS = ("headers", "http_headers")
URLS = ("url", "httpUrl", "serverUrl")


@dataclass(frozen=True)
class Reach:
    """Where a server is, and what lets in: a token, or the variable that a client takes it from."""

    url: str
    token: str = UNKNOWN
    variable: str = ""

    @property
    def lacks_token(self) -> bool:
        return not self.variable and self.token == UNKNOWN

    def headers(self, reference: str) -> dict[str, str]:
        """Return what is sent along; `reference` is how a client writes a variable, `@` standing for its name."""
        return {"Authorization": BEARER + (reference.replace("@", self.variable) if self.variable else self.token)}


def checked(url: str, token: str | None, variable: str | None) -> Reach:
    """Return what a person asked for, or refuse it."""
    found = urlsplit(url)
    if found.scheme not in ("http", "https") or not found.hostname or found.username or found.query or found.fragment:
        raise InvalidArguments(f"--url is {url[:200]!r}; it takes the address of a server: http://127.0.0.1:7437/mcp")
    if token and variable:
        raise InvalidArguments("Say --token or --token-env, not both.")
    if token and not TOKEN.fullmatch(token):
        raise InvalidArguments("--token takes what `serve token add` shows: pmt_ and more.")
    if variable and not VARIABLE.fullmatch(variable):
        raise InvalidArguments("--token-env takes the name of a variable: letters, digits and _.")
    place = url.rstrip("/")
    return Reach(place if found.path.strip("/") else place + PATH, token or UNKNOWN, variable or "")


def reach_of(found: object, reference: str) -> Reach | None:
    """Return how an entry of ours reaches a server; None for any other."""
    if not isinstance(found, dict):
        return None
    entry = cast(Mapping[str, object], found)
    url = next((value for name in URLS if isinstance(value := entry.get(name), str)), "")
    if not urlsplit(url).path.endswith(PATH):
        return None
    if isinstance(variable := entry.get("bearer_token_env_var"), str):
        return Reach(url, variable=variable)
    sent = next((entry[name] for name in HEADERS if name in entry), None)
    told = cast(Mapping[str, object], sent).get("Authorization") if isinstance(sent, dict) else None
    if not isinstance(told, str) or not told.startswith(BEARER):
        return None
    secret = told.removeprefix(BEARER)
    if secret == UNKNOWN or TOKEN.fullmatch(secret):
        return Reach(url, secret)
    before, _, after = reference.partition("@")
    name = secret.removeprefix(before).removesuffix(after)
    is_variable = reference and VARIABLE.fullmatch(name) and secret == reference.replace("@", name)
    return Reach(url, variable=name) if is_variable else None


def hidden(text: str) -> str:
    """Return a text without the tokens in it."""
    return TOKEN.sub(UNKNOWN, text)
