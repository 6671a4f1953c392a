"""Where a server listens, what it is called there, and what is refused because of that."""

import ipaddress
import re
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import urlsplit

from server.errors import InvalidArguments

LOOPBACK = "127.0.0.1"
# Where browsers look for `name.localhost`, and where else they do: what had only the other one could pose as us.
OTHERS = {LOOPBACK: "::1", "localhost": "::1", "::1": LOOPBACK}
PORTS = {"http": 80, "https": 443}  # that browsers leave out of an address
NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")


@dataclass(frozen=True)
class ServeOptions:
    """How `serve` was asked to serve."""

    address: str = LOOPBACK
    port: int | None = None
    host_name: str | None = None
    public_url: str | None = None
    behind_proxy: bool = False
    tls_cert: Path | None = None
    tls_key: Path | None = None
    allow_host_tools: bool = False

    @property
    def is_public(self) -> bool:
        """Whether others than programs of this machine may reach it."""
        return self.behind_proxy or not is_loopback(self.address)

    @property
    def has_host_tools(self) -> bool:
        return self.allow_host_tools or not self.is_public

    def words(self) -> list[str]:
        """Return the options as a command line has them, without those that are as they are anyway."""
        told: list[str] = []
        for one in fields(self):
            value = getattr(self, one.name)
            if value != one.default:
                told += [f"--{one.name.replace('_', '-')}", *([] if value is True else [str(value)])]
        return told

    def check(self) -> None:
        """Refuse what would send secrets in the clear, or be reached by nobody."""
        if bool(self.tls_cert) != bool(self.tls_key):
            raise InvalidArguments("--tls-cert and --tls-key go together: name both files.")
        if self.behind_proxy and not self.public_url:
            raise InvalidArguments("--behind-proxy needs --public-url: how clients call the proxy, https://...")
        if self.host_name is not None:
            _asked_for(self.host_name)
        if self.public_url:
            _check_url(self.public_url)
        if not is_loopback(self.address) and not self.tls_cert and not self.behind_proxy:
            raise InvalidArguments(
                f"{self.address} is reached from other machines: tokens would travel in the clear. Give --tls-cert and "
                "--tls-key, or, behind a proxy that ends TLS, --behind-proxy and --public-url."
            )
        if is_loopback(self.address) and other_of(self.address) is None and not (self.public_url or self.host_name):
            raise InvalidArguments(
                f"No browser looks at {self.address} for the name of the dashboard: leave --address out, or say "
                "--host-name as well."
            )
        if _is_wildcard(self.address) and not (self.public_url or self.host_name):
            raise InvalidArguments(f"{self.address} is no name to call: say --host-name or --public-url as well.")


@dataclass(frozen=True)
class Addresses:
    """The names under which requests are taken. `home` is the origin of the dashboard, and of it alone."""

    home: str
    hosts: frozenset[str]
    port: int

    @property
    def home_host(self) -> str:
        return urlsplit(self.home).netloc

    @property
    def is_secure(self) -> bool:
        return self.home.startswith("https:")


def addresses(options: ServeOptions, kept_host: str, port: int) -> Addresses:
    """Return the names of a server that listens on a port."""
    scheme = "https" if options.tls_cert else "http"
    if options.public_url:
        found = urlsplit(options.public_url)
        home = origin(found.scheme, found.hostname or "", found.port or PORTS[found.scheme])
    else:
        own = kept_host if is_loopback(options.address) else options.address
        home = origin(scheme, options.host_name or own, port)
    names = {LOOPBACK, "localhost", "::1", *([] if _is_wildcard(options.address) else [options.address])}
    hosts = {urlsplit(origin(scheme, name, port)).netloc for name in names}
    return Addresses(
        home, frozenset({*hosts, *(f"{_bracketed(name)}:{port}" for name in names), urlsplit(home).netloc}), port
    )


def own_url(options: ServeOptions, port: int) -> str:
    """Return where programs of this machine find the server."""
    address = LOOPBACK if _is_wildcard(options.address) else options.address
    return origin("https" if options.tls_cert else "http", address, port)


def origin(scheme: str, name: str, port: int) -> str:
    """Return an origin as browsers write it: in small letters of ASCII, without the port that is usual."""
    return f"{scheme}://{_bracketed(_asked_for(name))}{'' if port == PORTS[scheme] else f':{port}'}"


def _asked_for(name: str) -> str:
    """Return the name or number of a host as browsers ask for it, or raise InvalidArguments."""
    with suppress(ValueError):
        return str(ipaddress.ip_address(name))
    with suppress(UnicodeError):
        if NAME.fullmatch(found := name.encode("idna").decode().lower()):
            return found
    raise InvalidArguments(f"{name!r} is no name of a host: that is letters, digits, dots and hyphens, with no port.")


def other_of(address: str) -> str | None:
    """Return the other address at which browsers look for a name of this machine, if they look at this one."""
    return OTHERS.get(_asked_for(address))


def is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _is_wildcard(address: str) -> bool:
    return address in ("0.0.0.0", "::")


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _check_url(url: str) -> None:
    found = urlsplit(url)
    with suppress(ValueError):  # which a port raises that is none
        is_name = found.hostname and not (found.username or found.path.strip("/") or found.query or found.fragment)
        if found.scheme == "https" and is_name and found.port != 0:
            _asked_for(found.hostname or "")
            return
    raise InvalidArguments(
        f"--public-url is {url!r}; it takes https:// and a name, with no path: https://memory.example.com"
    )
