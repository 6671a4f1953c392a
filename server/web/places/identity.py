"""What a data root keeps for `serve` across restarts: its port, the name of its dashboard, and the key of its seals."""

import json
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from server import files
from server.errors import Storage
from server.settings import SERVE, Settings

PORT = 7437
IDENTITY = "identity.json"


@dataclass(frozen=True)
class ServeIdentity:
    """Where a data root is served. The host name is a secret of a kind: other servers of this machine have others."""

    host: str
    port: int
    key: str

    def seal_key(self) -> bytes:
        return bytes.fromhex(self.key)


def folder(settings: Settings) -> Path:
    return settings.data_root / SERVE


def load(settings: Settings) -> ServeIdentity:
    """Return what is kept; make it if there is nothing yet. Who calls this has the data root's lock of `serve`."""
    if found := kept(settings):
        return found
    made = ServeIdentity(f"pm-{secrets.token_hex(4)}.localhost", PORT, secrets.token_hex(32))
    _write(folder(settings) / IDENTITY, made)
    return made


def kept(settings: Settings) -> ServeIdentity | None:
    """Return what is kept, None if this data root was never served."""
    path = folder(settings) / IDENTITY
    try:
        return ServeIdentity(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise Storage(
            f"{str(path)!r} cannot be read. Remove it: a new one is made, and browsers log in anew."
        ) from error


def keep_port(settings: Settings, port: int) -> ServeIdentity:
    """Listen there the next time too."""
    found = replace(load(settings), port=port)
    _write(folder(settings) / IDENTITY, found)
    return found


def _write(path: Path, identity: ServeIdentity) -> None:
    files.replace(path, json.dumps(asdict(identity)))
