"""What runs and what prepares it: demo, run, check, init, sandbox."""

from typing import Annotated, Any

import typer

from bot.cli.context import Failure, Options, Wrong, run, table

PARTS = ("web", "engine", "bot")


def register(app: typer.Typer) -> None:
    for command in (demo, run_all, check, init, sandbox):
        app.command(name="run" if command is run_all else None)(command)


def demo(
    clients: Annotated[int, typer.Option(min=1, max=100_000, help="So many sample clients.")] = 500,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of the page; the next free one where it is taken.")
    ] = 8080,
    speed: Annotated[float, typer.Option(min=0.1, max=25, help="Messages a second.")] = 25.0,
    exit_: Annotated[bool, typer.Option("--exit", help="End after the mailing instead of serving the page.")] = False,
    seed: Annotated[int, typer.Option(help="Another number makes other clients.")] = 1,
) -> None:
    """Everything embedded: one mailing through the bot, then the page.

    Example: `carillon demo --clients 100 --exit`"""
    from bot.demo import run_demo
    from bot.loop import run_until_signal

    run_until_signal(
        lambda ended: run_demo(clients=clients, port=port, speed=speed, ends=exit_, seed=seed, ended=ended)
    )


def run_all(
    context: typer.Context,
    only: Annotated[str | None, typer.Option(metavar="PARTS", help="Only these of web,engine,bot.")] = None,
) -> None:
    """Run bots, engine and webhooks until SIGTERM or Ctrl-C.

    Example: `carillon --config /etc/carillon/config.toml run`"""
    parts = _parts(only)
    config = Options.of(context).load()
    from bot.app import serve_all
    from bot.logs import set_up_logs
    from bot.loop import run_until_signal

    set_up_logs(form=config.app.logs)
    run_until_signal(lambda ended: serve_all(config, parts, ended, _tell))


def check(
    context: typer.Context,
    fix: Annotated[bool, typer.Option("--fix", help="Point webhooks at us where they are not.")] = False,
) -> None:
    """Check configuration, storage and every token.

    Each platform is asked who its token belongs to and which webhook is set; exit 1 if anything is wrong.
    --fix works while `carillon run` answers at public_url: most platforms ask there at once.

    Example: `carillon check --json`"""
    options = Options.of(context)
    config = options.load()

    from bot.check import check_all

    findings = run(check_all(config, fix=fix))
    cells = [(each.what, each.state, each.said()) for each in findings]
    wrong = sum(not each.ok for each in findings)
    document = {"ok": not wrong, "checks": list(findings)}
    options.emit(document, lambda out: out.print(table("what", "state", "found", rows=cells)))
    if wrong:
        raise Failure(f"{wrong} of {len(findings)} checks found something wrong.")


def init(
    context: typer.Context,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that exists.")] = False,
) -> None:
    """Write a configuration, asking a few questions.

    Example: `carillon init --config config.toml`"""
    options = Options.of(context)
    from pathlib import Path

    from bot.setup import Answers, write_config

    file = Path(options.config)
    if file.exists() and not force:
        raise Wrong(f"{file} exists already; --force writes over it.")
    if not file.resolve().parent.is_dir():
        raise Wrong(f"There is no folder {file.parent}.")

    def ask(question: str, default: str | None, check: Any = str) -> str:
        return str(typer.prompt(question, default=default, type=check, err=True))

    answers = Answers(
        name=ask("What is this installation called", "Carillon"),
        timezone=ask("Its time zone", "UTC"),
        person=ask("Your name", None),
        telegram=ask("Your Telegram id (@userinfobot tells it)", None),
        bot_variable=ask("Environment variable with the admin bot's token", "ADMIN_BOT_TOKEN"),
        channel=ask("A short id of the first channel", "tg-shop"),
        channel_variable=ask("Environment variable with that channel's token", "TG_TOKEN"),
    )
    write_config(file, answers)
    words = (
        f"{file} is written. Set {answers.bot_variable} and {answers.channel_variable}, then: carillon check, "
        "carillon run."
    )
    options.emit({"file": str(file)}, lambda out: out.print(words, markup=False))


def sandbox(
    context: typer.Context,
    port: Annotated[
        int, typer.Option(min=0, max=65530, help="Of the first; the others follow. 0 takes free ones.")
    ] = 8081,
    clients: Annotated[int, typer.Option(min=0, help="Telegram ids 1 to N are clients who started the bot.")] = 1000,
) -> None:
    """The simulated messengers alone, and a configuration for them, to try things with.

    Example: `carillon sandbox --port 8081`"""
    options = Options.of(context)
    from bot.loop import run_until_signal
    from bot.sandbox import serve_sandbox

    run_until_signal(lambda ended: serve_sandbox(port, clients, ended, options.emit))


def _tell(words: str) -> None:
    print(words, flush=True)


def _parts(only: str | None) -> frozenset[str]:
    if only is None:
        return frozenset(PARTS)
    parts = [part.strip() for part in only.split(",") if part.strip()]
    for part in parts:
        if part not in PARTS:
            raise Wrong(f"--only knows {', '.join(PARTS)}; “{part}” is none of them.")
    if not parts:
        raise Wrong(f"--only needs one or more of {', '.join(PARTS)}.")
    return frozenset(parts)
