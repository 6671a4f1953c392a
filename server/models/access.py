"""Who asks over HTTP, and what of them is kept."""

from dataclasses import dataclass, field
from typing import Literal

from server.models.base import Row

TokenRole = Literal["agent", "reader"]
Role = Literal["nobody", "reader", "agent", "owner"]


class AccessToken(Row):
    """A row of `tokens`, without its hash."""

    token_id: str
    name: str
    role: TokenRole
    created_at: str
    created_by: str
    revoked_at: str | None = None


class WebSession(Row):
    """A row of `web_sessions`, without its hash: a browser of the owner."""

    web_session_id: str
    browser: str
    created_at: str
    expires_at: str


@dataclass(frozen=True)
class Visitor:
    """Who sends a request: the owner by a cookie, a program by its token, or nobody, and why."""

    role: Role
    name: str = ""
    reason: str = ""
    renewed: str = field(default="", repr=False)  # the secret of a browser that is let in for another while

    @property
    def key(self) -> str:
        """What tells one visitor from another; all who are nobody are one."""
        return f"{self.role} {self.name}"
