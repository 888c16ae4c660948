"""`carillon segment …`: saved filters over clients."""

import tomllib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.context import Options, Wrong, confirmed, desk_of, input_file, run, table

if TYPE_CHECKING:
    from storage.clients import AudienceCount

app = typer.Typer(no_args_is_help=True, help="Segments: saved filters over clients.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The segment's name.")]


@app.command("list")
def list_(context: typer.Context) -> None:
    """All segments.

    Example: `carillon segment list`"""
    options = Options.of(context)

    async def work() -> list[Any]:
        async with desk_of(options) as desk:
            return list(await desk.store.segments.list())

    found = run(work())
    cells = [(each.name, each.last_count, each.counted_at, each.updated_at) for each in found]
    columns = ("name", "last count", "counted", "changed")
    options.emit(
        found,
        lambda out: out.print(
            table(*columns, rows=cells, right=("last count",)) if cells else "There is no segment yet."
        ),
    )


@app.command()
def show(context: typer.Context, name: Name) -> None:
    """What a segment's conditions are.

    Example: `carillon segment show vip`"""
    options = Options.of(context)

    async def work() -> Any:
        async with desk_of(options) as desk:
            return await desk.store.segments.get(name)

    found = run(work())
    from engine.audience import describe, read_audience

    words = describe(read_audience(found.audience))
    options.emit(found, lambda out: out.print(f"{found.name}: {words}", markup=False))


@app.command()
def count(context: typer.Context, name: Name) -> None:
    """How many clients are in it now, and how many of them can be reached.

    Example: `carillon segment count vip --json`"""
    options = Options.of(context)

    async def work() -> "AudienceCount":
        async with desk_of(options) as desk:
            await desk.store.segments.get(name)
            counted = await desk.operations.checker.count_audience({"segment": name})
            await desk.store.segments.remember_count(name, counted.audience, desk.clock.now())
            return counted

    counted = run(work())
    rows = [
        ("in it", counted.audience),
        ("can be reached", counted.planned),
        *((f"  by {channel}", amount) for channel, amount in counted.by_channel.items()),
        *((f"left out: {reason}", amount) for reason, amount in counted.left_out.items()),
    ]
    options.emit(counted, lambda out: out.print(table("", "clients", rows=rows, right=("clients",))))


@app.command()
def save(
    context: typer.Context,
    name: Name,
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="TOML with `where = […]`, as a mailing file has it.")
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option(metavar="TERM", help="A condition, such as 'field = \"ltv\", gte = 1000'.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Clients with this tag.")] = None,
) -> None:
    """Save conditions under a name, in place of those that it had.

    Example: `carillon segment save vip --tag vip --where 'field = "ltv", gte = 1000'`"""
    options = Options.of(context)
    data = _audience(file, where or [], tag or [])

    async def work() -> "AudienceCount":
        from engine.audience import read_audience

        async with desk_of(options) as desk:
            audience = read_audience(data, await desk.store.clients.known_fields())
            counted = await desk.operations.checker.count_audience(data)  # what can't be counted is not saved
            now = desk.clock.now()
            await desk.store.segments.save(name, audience, now)
            await desk.store.segments.remember_count(name, counted.audience, now)
            return counted

    counted = run(work())
    document = {"name": name, "count": counted.audience}
    in_it = "1 client is" if counted.audience == 1 else f"{counted.audience:,} clients are"
    options.emit(document, lambda out: out.print(f"“{name}” is saved; {in_it} in it now."))


@app.command()
def delete(
    context: typer.Context,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove a segment; clients are not touched.

    Example: `carillon segment delete vip --yes`"""
    options = Options.of(context)
    confirmed(f"Delete the segment “{name}”?", yes=yes)

    async def work() -> None:
        async with desk_of(options) as desk:
            await desk.store.segments.delete(name)

    run(work())
    options.emit({"name": name, "deleted": True}, lambda out: out.print(f"“{name}” is deleted."))


def _audience(file: str | None, terms: list[str], tags: list[str]) -> dict[str, Any]:
    """The conditions as plain data. Raises Wrong for what is no TOML."""
    data: dict[str, Any] = {}
    if file is not None:
        try:
            data = tomllib.loads(input_file(file).read_text(encoding="utf-8-sig"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise Wrong(f"{file} is no TOML: {error}.") from error
        data = data.get("audience", data)
    where = [*data.get("where", []), *({"field": "tag", "is": tag} for tag in tags)]
    for term in terms:
        inner = term.strip().removeprefix("{").removesuffix("}")
        try:
            where.append(tomllib.loads(f"term = {{ {inner} }}")["term"])
        except tomllib.TOMLDecodeError as error:
            raise Wrong(f"--where {term} can't be read; write one as 'field = \"ltv\", gte = 1000'.") from error
    if not where and "segment" not in data:
        raise Wrong("A segment needs conditions: a FILE, --where or --tag.")
    return {**data, "where": where}
