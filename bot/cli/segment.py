"""`carillon segment …`: saved filters over clients."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.context import Options, confirmed, desk_of, input_file, me, run, table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bot.app import Desk

app = typer.Typer(no_args_is_help=True, help="Segments: saved filters over clients.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The segment's name.")]


