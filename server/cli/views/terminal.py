"""The terminal, borrowed: its other screen and its keys, until a key or a signal; then everything is as it was."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import Self

from server.errors import InvalidArguments

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
HOME, REST_OF_LINE, REST_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"
QUIT = b"qQ\x03\x04"
ENDED_BY = 128  # and the number of the signal is the exit code
ENDINGS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
KEY_SECONDS = 0.1  # between two looks for a key, where the system does not tell


class Terminal:
    """Use it with `with`, inside of a running event loop. It is left when `exit_code` is set."""

    def __init__(self) -> None:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise InvalidArguments("--watch needs a terminal to draw on. Without it, the same is printed once.")
        self.exit_code: int | None = None
        self._stirred = asyncio.Event()

    def __enter__(self) -> Self:
        self._listen()
        self._enter()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()
        self._stop_listening()

    def show(self, lines: Sequence[str]) -> None:
        """Draw lines over what was there."""
        body = f"{REST_OF_LINE}\r\n".join(lines)
        sys.stdout.write(f"{HOME}{body}{REST_OF_LINE}{REST_OF_SCREEN}")
        sys.stdout.flush()

    async def stirred(self) -> None:
        """Wait until it has to be drawn anew, or left."""
        await self._stirred.wait()
        self._stirred.clear()

    def _end(self, code: int) -> None:
        self.exit_code = code
        self._stirred.set()

    def _pressed(self, keys: bytes) -> None:
        if not keys or any(key in QUIT for key in keys):
            self._end(0)

    if sys.platform == "win32":

        def _listen(self) -> None:
            self._reading = asyncio.ensure_future(self._read_keys())

        def _stop_listening(self) -> None:
            self._reading.cancel()

        async def _read_keys(self) -> None:
            import msvcrt

            while True:
                while msvcrt.kbhit():
                    self._pressed(msvcrt.getch())
                await asyncio.sleep(KEY_SECONDS)

        def _enter(self) -> None:
            sys.stdout.write(ENTER)

        def _leave(self) -> None:
            sys.stdout.write(LEAVE)
            sys.stdout.flush()

    else:

        def _listen(self) -> None:
            loop = asyncio.get_running_loop()
            loop.add_reader(sys.stdin.fileno(), lambda: self._pressed(os.read(sys.stdin.fileno(), 1024)))
            for ending in ENDINGS:
                loop.add_signal_handler(ending, self._end, ENDED_BY + ending)
            loop.add_signal_handler(signal.SIGWINCH, self._stirred.set)
            loop.add_signal_handler(signal.SIGTSTP, self._suspend)

        def _stop_listening(self) -> None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(sys.stdin.fileno())
            for heard in (*ENDINGS, signal.SIGWINCH, signal.SIGTSTP):
                loop.remove_signal_handler(heard)

        def _suspend(self) -> None:
            """Give the terminal back for as long as the shell has us stopped."""
            self._leave()
            os.kill(os.getpid(), signal.SIGSTOP)
            self._enter()
            self._stirred.set()

        def _enter(self) -> None:
            import termios
            import tty

            self._modes = termios.tcgetattr(sys.stdin.fileno())
            tty.setcbreak(sys.stdin.fileno())
            sys.stdout.write(ENTER)
            sys.stdout.flush()

        def _leave(self) -> None:
            import termios

            with contextlib.suppress(OSError, termios.error):  # the window may be gone
                sys.stdout.write(LEAVE)
                sys.stdout.flush()
            with contextlib.suppress(termios.error):
                termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self._modes)
