"""MCP over stdio: the first answers, and the imports for the others while the client is silent."""

import gc
import importlib
import logging
import os

from server.protocol.front import Front
from server.protocol.pipes import Input, Output, ThreadedInput, ThreadedOutput, can_poll, claimed
from server.protocol.plain import Answers
from server.settings import Settings

logger = logging.getLogger(__name__)

# In the order in which they need one another; each takes a tenth of a second or less.
PARTS = ("asyncio", "server.models.base", "server.db.storage.connection", "server.calls", "server.protocol.loop")
SILENT_SECONDS = 0.1


def serve(settings: Settings) -> int:
    """Serve until stdin ends or a signal asks to end, and return the exit code."""
    logger.info("process %d serves %s", os.getpid(), settings.database)
    reading, writing = claimed()
    source = Input(reading) if can_poll(reading) else ThreadedInput(reading)
    output = Output(writing) if can_poll(writing) else ThreadedOutput(writing)
    front = Front(_answers(settings), output)
    if type(source) is Input and type(output) is Output and not _begin(front, source):
        return 0
    from server.protocol.loop import run

    gc.enable()
    gc.freeze()
    return run(front, source, settings)


def _answers(settings: Settings) -> Answers:
    answers = Answers(settings.tools, read_only=settings.read_only)
    if not answers.are_known:
        from server.calls import offered

        offered(settings)  # says what is wrong
    return answers


def _begin(front: Front, source: Input) -> bool:
    """Answer until something needs the loop; import it while the client is silent. Return whether there is more."""
    parts = iter(PARTS)
    while not (front.waiting or front.output.queued):
        if source.is_ready(0 if front.has_listed else SILENT_SECONDS):
            front.hear(source.read())
            if front.output.failure or not source.goes_on:
                return bool(front.waiting or front.output.queued) and not front.output.failure
        elif part := next(parts, None):
            importlib.import_module(part)
        else:
            return True
    return True
