"""Runs commands of ours in copies of a process that has imported them all. `commands.py` starts it, and says where.

Each request is a socket with three descriptors, the words, the folder and the environment of a command. A child runs
the command to the end of the interpreter, as a process of its own; its parent answers with how that ended, and kills it
when who asked is killed. A first word that names a file has that program run in place of ours.
"""

import gc
import marshal
import os
import runpy
import select
import signal
import socket
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from threading import Thread

from server import __main__ as program
from server import cli
from server.tools import TOOLS


def main() -> None:
    for module in walk_packages(cli.__path__, "server.cli."):
        import_module(module.name)
    for tool in TOOLS.values():
        assert tool.actions
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who answers for a command is waited for by nobody
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen(64)
        Path(f"{sys.argv[1]}.ready").touch()
        while True:
            if sys.stdin in select.select([listener, sys.stdin], [], [])[0]:  # closed: the tests are over
                return
            client, _ = listener.accept()
            if not os.fork():
                break
            client.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _answer_for(client)
    if sys.argv[0] != program.__file__:
        runpy.run_path(sys.argv[0], run_name="__main__")
    else:
        program.main()


def _answer_for(client: socket.socket) -> None:
    """Return in the process that is to run the command; in its parent, wait for the end of that."""
    head, descriptors, *_ = socket.recv_fds(client, 4, 3)
    with client, client.makefile("rb") as rest:
        words, folder, environment = marshal.loads(rest.read(int.from_bytes(head)))
        if child := os.fork():
            for each in descriptors:
                os.close(each)
            Thread(target=_end_with, args=(client, child), daemon=True).start()
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            with suppress(BrokenPipeError):  # who asked was killed
                client.sendall(code.to_bytes(4, signed=True))
            os._exit(0)
    _become(words, folder, environment, descriptors)


def _end_with(client: socket.socket, child: int) -> None:
    client.recv(1)
    os.kill(child, signal.SIGKILL)


def _become(words: list[str], folder: str, environment: dict[str, str], descriptors: list[int]) -> None:
    """Make of this process what the start of a command would be."""
    for number, given in enumerate(descriptors):
        os.dup2(given, number)
        os.close(given)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[:] = words if words and words[0].endswith(".py") else [program.__file__, *words]
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, name)
        new = open(number, old.mode, encoding=old.encoding, errors=old.errors, closefd=False)  # noqa: SIM115
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)


main()
