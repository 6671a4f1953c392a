"""Where each page is."""

from os import PathLike, stat_result

from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from server.web.pages import board, doing, finding, graphs, inbox, lists, plan, timelines
from server.web.pages.visit import route
from server.web.rendering import STATIC


class OwnFiles(StaticFiles):
    """Files of ours: a browser keeps them, and asks whether they are still the same."""

    def file_response(
        self, full_path: str | PathLike[str], stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        found = super().file_response(full_path, stat_result, scope, status_code)
        found.headers["cache-control"] = "no-cache"
        return found


def routes() -> list[BaseRoute]:
    return [
        route("/", inbox.show),
        route("/answer/{approval}", inbox.answer, "POST"),
        route("/reply/{message}", inbox.reply, "POST"),
        route("/board", board.everywhere),
        route("/w/{workspace}", board.workspace),
        route("/w/{workspace}/timeline", timelines.of_workspace),
        route("/w/{workspace}/{list}", lists.of_workspace),
        route("/p/{plan}", plan.show),
        route("/p/{plan}/graph", graphs.of_plan),
        route("/p/{plan}/timeline", timelines.of_plan),
        route("/p/{plan}/research/{file:path}", plan.research),
        route("/g/{program}", graphs.of_program),
        route("/search", finding.search),
        route("/e/{id}", finding.entity),
        route("/library/{kind}", lists.library),
        route("/statistics", lists.statistics),
        route("/do/{tool}/{action}", doing.ask, "GET"),
        route("/do/{tool}/{action}", doing.run, "POST"),
        Mount("/static", OwnFiles(directory=STATIC), name="static"),
    ]
