"""What every command shares: the options, the way to speak, the way into the storage."""

import asyncio
import getpass
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import typer

from bot.plain import plain

if TYPE_CHECKING:
    from rich.console import Console

    from bot.config import Config
    from bot.desk import Desk
    from storage.records import Actor

Result = TypeVar("Result")


class Failure(Exception):
    """What was asked for failed: exit code 1; the words go to stderr, unless they are empty."""


class Wrong(Exception):
    """Wrong usage or configuration: exit code 2."""


@dataclass(frozen=True, slots=True)
class Options:
    config: str = "config.toml"
    json: bool = False

    @classmethod
    def of(cls, context: typer.Context) -> "Options":
        return cast(Options, context.find_root().obj)

    def load(self) -> "Config":
        from bot.config import ConfigError, load

        try:
            return load(Path(self.config))
        except ConfigError as error:
            raise Wrong(str(error)) from error

    def emit(self, document: Any, show: "Callable[[Console], None]") -> None:
        """The document as JSON, or what a person reads."""
        if self.json:
            print(json.dumps(document, default=plain, ensure_ascii=False))
        else:
            show(console())
        sys.stdout.flush()  # what goes on running has said it by now


def console() -> "Console":
    from rich.console import Console

    # A pipe has no width: nothing is to be cut where a program or a file reads.
    return Console(width=None if sys.stdout.isatty() else 200, soft_wrap=False, highlight=False)


def table(*columns: str, rows: Sequence[Sequence[object]], title: str | None = None, right: Sequence[str] = ()) -> Any:
    """A table for people; columns named in `right` hold numbers."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    made = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False, show_header=any(columns))
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*("" if cell is None else escape(shown(cell)) for cell in row))
    return made


def shown(value: object) -> str:
    match value:
        case datetime():
            return value.astimezone().strftime("%Y-%m-%d %H:%M")
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:g}"
        case Mapping():
            return ", ".join(f"{name} {shown(amount)}" for name, amount in value.items())
        case list() | tuple():
            return ", ".join(shown(each) for each in value)
    return str(value)


def run(work: Awaitable[Result]) -> Result:
    """Run a command's coroutine to its end."""

    async def whole() -> Result:
        return await work

    return asyncio.run(whole())


@asynccontextmanager
async def desk_of(options: Options) -> AsyncIterator["Desk"]:
    """The configuration's storage and its one door, beside whatever runs on it."""
    config = options.load()  # first: what is wrong in it is told before anything heavy is imported
    from bot.desk import open_desk

    async with open_desk(config) as desk:
        yield desk


def me() -> "Actor":
    """Who uses the command line: an owner, by the name of the login."""
    from storage.records import Actor, Role

    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        name = str(os.getuid())
    return Actor(name.replace("|", "_"), Role.OWNER, "cli")


def input_file(name: str) -> Path:
    """An existing file that the command line named, relative to where it was typed."""
    file = Path(name)
    if not file.is_file():
        raise Wrong(f"There is no file {name}.")
    return file


def confirmed(question: str, *, yes: bool) -> None:
    """Ask where a person sits, who may have mistyped; a script has said what it wants."""
    if yes or not sys.stdin.isatty():
        return
    typer.confirm(question, abort=True, err=True)
