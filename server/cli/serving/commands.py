"""How these commands are called."""

from pathlib import Path
from typing import Annotated

import typer

from server.cli.app import SET_UP, AsJson, app

serve_app = typer.Typer(
    help="Serve MCP, the dashboard and all events over HTTP.",
    rich_markup_mode=None,
    invoke_without_command=True,
)
app.add_typer(serve_app, name="serve", rich_help_panel=SET_UP)
token_app = typer.Typer(help="The programs that may use the server over HTTP.", rich_markup_mode=None)
serve_app.add_typer(token_app, name="token")
browser_app = typer.Typer(help="The browsers that are let in.", rich_markup_mode=None)
serve_app.add_typer(browser_app, name="browser")

TokenName = Annotated[str, typer.Argument(metavar="NAME", help="what the token is called in the log")]

BrowserId = Annotated[str | None, typer.Argument(metavar="ID", help="as `serve browser list` shows it")]


@serve_app.callback()
def serve(
    context: typer.Context,
    *,
    address: Annotated[str, typer.Option("--address", help="where to listen")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65_535, help="kept for the next time; 0 for any free one, once")
    ] = None,
    host_name: Annotated[
        str | None, typer.Option("--host-name", help="of the dashboard, where browsers do not find NAME.localhost")
    ] = None,
    public_url: Annotated[str | None, typer.Option("--public-url", help="how clients call the proxy")] = None,
    behind_proxy: Annotated[bool, typer.Option("--behind-proxy", help="a proxy in front ends TLS")] = False,
    tls_cert: Annotated[Path | None, typer.Option("--tls-cert", help="file of the certificate, PEM")] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", help="file of its key, PEM")] = None,
    allow_host_tools: Annotated[
        bool, typer.Option("--allow-host-tools", help="let those who come over a network reach files and programs")
    ] = False,
) -> None:
    """Serve MCP, the dashboard and the stream of events over HTTP, in the foreground."""
    if context.invoked_subcommand is not None:
        return
    from server.cli.serving import foreground
    from server.web.places.addresses import ServeOptions

    options = ServeOptions(address, port, host_name, public_url, behind_proxy, tls_cert, tls_key, allow_host_tools)
    raise typer.Exit(foreground.run(context.obj, options))


@serve_app.command("open")
def open_dashboard(context: typer.Context) -> None:
    """Print a link that lets a browser in, and open it."""
    from server.cli.serving import admission

    raise typer.Exit(admission.open_(context.obj))


@token_app.command("add")
def add_token(
    context: typer.Context,
    name: TokenName,
    *,
    role: Annotated[str, typer.Option("--role", metavar="agent|reader", help="all actions, or those that read")],
) -> None:
    """Make a token and show it, this once.

    A code that is shown has to be typed back.
    """
    from server.cli.serving import admission

    raise typer.Exit(admission.add(context.obj, name, role))


@token_app.command("list")
def list_tokens(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List the tokens that there are and were."""
    from server.cli.serving import admission

    raise typer.Exit(admission.list_(context.obj, as_json=as_json))


@token_app.command("revoke")
def revoke_token(context: typer.Context, name: TokenName) -> None:
    """Refuse a token from now on."""
    from server.cli.serving import admission

    raise typer.Exit(admission.revoke(context.obj, name))


@browser_app.command("list")
def list_browsers(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List the browsers that are let in."""
    from server.cli.serving import admission

    raise typer.Exit(admission.list_browsers(context.obj, as_json=as_json))


@browser_app.command("revoke")
def revoke_browser(
    context: typer.Context,
    wanted: BrowserId = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="all of them")] = False,
) -> None:
    """Let a browser in no more."""
    from server.cli.serving import admission

    raise typer.Exit(admission.revoke_browser(context.obj, wanted, every=every))
