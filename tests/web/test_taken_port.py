"""A program that took our port, and does with who asks as it likes."""

import socket
import threading
from collections.abc import Callable, Generator

import pytest

from server.cli.serving import running
from server.cli.serving.running import RunningServer
from server.web.places import answers, listening

SECONDS = 0.3
PATIENCE = 20
DRIP = b"HTTP/1.1 200 OK\r\nX: " + b"a" * 10_000


@pytest.fixture
def dripping() -> Generator[int]:
    """The port of a program that answers a byte at a time, each soon enough."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as taken:

        def answer() -> None:
            while not over.is_set():
                opened, _ = taken.accept()
                with opened:
                    for byte in DRIP:
                        try:
                            opened.sendall(bytes([byte]))
                        except OSError:
                            break
                        if over.wait(SECONDS / 10):
                            return

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield taken.getsockname()[1]
        over.set()


def within(work: Callable[[], object]) -> object:
    """Return what work gives, if it comes to an end."""
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(work()), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    return found[0]


def test_who_asks_is_not_kept_by_an_answer_that_never_ends(dripping: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "ASK_SECONDS", SECONDS)
    monkeypatch.setattr(running, "ASK_SECONDS", SECONDS)
    url = f"http://127.0.0.1:{dripping}"
    ours = RunningServer(1, dripping, "1", "now", "nonce", url, url, [])

    assert "another program" in str(within(lambda: listening.taken_by("127.0.0.1", dripping)))
    assert within(lambda: running.answers(ours)) is False


@pytest.mark.parametrize("body", [b"[]", b"{", b"null", b'{"name": "project-memory"}', b"[" * 9000, b"\xff"], ids=str)
def test_what_is_no_health_is_nothing(body: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:

        def answer() -> None:
            opened, _ = taken.accept()
            with opened:
                opened.recv(1000)
                opened.sendall(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + body)

        threading.Thread(target=answer, daemon=True).start()
        port = taken.getsockname()[1]
        assert answers.health_at(f"http://127.0.0.1:{port}", seconds=5).get("proof") is None
