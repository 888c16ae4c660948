"""The command `carillon`: its options, its errors, its exit codes.

Nothing heavy is imported here or at the top of the command modules: `carillon --help` answers in well under a second.
"""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from bot.cli import clients, mailing, people, segment, service, stats, various
from bot.cli.context import Failure, Options, Wrong

FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130

# typer keeps its own copy of click, under a name that is not ours to know: the base of every error of usage.
_UsageError: Any = typer.BadParameter.__mro__[2]

app = typer.Typer(
    name="carillon",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    rich_markup_mode=None,  # drawing boxes would cost a third of the time that --help takes
    help="Mailings by messenger, run from a chat. Errors are told in a line or two on stderr; exit codes: 0 done, "
    "1 it failed, 2 wrong usage or configuration.",
)


@app.callback()
def _options(
    config: Annotated[  # both are taken out of the arguments before typer sees them; here for --help
        str, typer.Option("--config", metavar="FILE", help="The configuration, before or after the command.")
    ] = "config.toml (or CARILLON_CONFIG)",
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document and nothing else, before or after the command.")
    ] = False,
) -> None:
    pass


service.register(app)
stats.register(app)
app.add_typer(mailing.app, name="mailing")
app.add_typer(clients.app, name="clients")
app.add_typer(segment.app, name="segment")
app.add_typer(people.app, name="people")
various.register(app)


def main() -> None:
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code. Errors are told on stderr, without a traceback."""
    try:
        options, rest = take_options(arguments, os.environ.get("CARILLON_CONFIG"))
        code = _obey(rest, options)
        sys.stdout.flush()
    except _UsageError as error:
        return _tell(_usage(error), WRONG_USAGE)
    except Wrong as error:
        return _tell(str(error), WRONG_USAGE)
    except Failure as error:
        return _tell(str(error), FAILED)
    except (typer.Abort, KeyboardInterrupt):
        return _tell("Interrupted.", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains as it ends
        return FAILED
    except Exception as error:  # noqa: BLE001  # the last one who can say it in a line
        return _tell(*_unforeseen(error))
    return code if isinstance(code, int) else 0


def _obey(arguments: list[str], options: Options) -> object:
    try:
        return app(args=arguments, prog_name="carillon", standalone_mode=False, obj=options)
    except BaseExceptionGroup as group:  # of a TaskGroup somewhere: what matters is the one error in it
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from group


def take_options(arguments: Sequence[str], named: str | None) -> tuple[Options, list[str]]:
    """`--config FILE` and `--json` wherever they stand, and the arguments without them. Raises Wrong."""
    rest: list[str] = []
    config, json = named or None, False
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--":
            rest += ["--", *waiting]
        elif argument == "--json":
            json = True
        elif argument == "--config":
            config = next(waiting, None)
            if config is None:
                raise Wrong("--config needs the name of a file, such as --config config.toml.")
        elif argument.startswith("--config="):
            config = argument.removeprefix("--config=")
        else:
            rest.append(argument)
    return Options(config=config or "config.toml", json=json), rest


def _usage(error: Exception) -> str:
    if type(error).__name__ == "NoArgsIsHelpError":
        return str(error)
    words = " ".join(str(error.format_message()).split()) if hasattr(error, "format_message") else str(error)
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "carillon"
    return f"{words or 'A command is missing.'}\nSee `{path} --help`."


def _unforeseen(error: Exception) -> tuple[str, int]:
    """What to say of an error that no command told of itself, and the exit code."""
    from bot.cli.errors import words_of  # its imports are heavy, and mostly not needed

    if os.environ.get("CARILLON_DEBUG"):
        import traceback

        traceback.print_exception(error)
    return words_of(error)


def _tell(words: str, code: int) -> int:
    if words:
        print(words, file=sys.stderr)
    return code
