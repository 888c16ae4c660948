"""`carillon people …`: who may use the admin bot."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.context import Failure, Options, Wrong, desk_of, me, run, shown, table

if TYPE_CHECKING:
    from bot.desk import Desk
    from bot.people import Everybody

app = typer.Typer(no_args_is_help=True, help="Who may use the admin bot.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name by which the team knows them.")]


@app.command("list")
def list_(context: typer.Context) -> None:
    """The people of the configuration and those who were invited.

    Example: `carillon people list`"""
    options = Options.of(context)

    async def work() -> list[dict[str, Any]]:
        async with desk_of(options) as desk:
            return await _documents(desk)

    documents = run(work())
    cells = [tuple(document.values()) for document in documents]
    options.emit(
        documents,
        lambda out: out.print(
            table("name", "role", "telegram", "slack", "by", "until", rows=cells)
            if cells
            else "There is nobody yet: add [[people]] to the configuration, or invite somebody."
        ),
    )


@app.command()
def invite(
    context: typer.Context,
    name: Name,
    role: Annotated[
        str | None,
        typer.Option(metavar="ROLE", help="owner, operator, approver, manager; who is here keeps theirs."),
    ] = None,
) -> None:
    """Make a one-time invitation, and say how to come in by it.

    It binds one account on one messenger to the name and the role, and expires in a week. For somebody who is here
    already it binds a further account.

    Example: `carillon people invite Olha --role operator`"""
    options = Options.of(context)

    async def work() -> dict[str, Any]:
        from storage.records import Role

        if role is not None and role not in list(Role):
            raise Wrong(f"There is no role “{role}”: it is one of {', '.join(Role)}.")
        async with desk_of(options) as desk:
            everybody = await _everybody(desk)
            invitation, code = await everybody.invite(name, Role(role) if role else None, me(), desk.clock.now())
            return {
                "name": invitation.person,
                "role": invitation.role,
                "code": code,
                "expires_at": invitation.expires_at,
                "ways": await _ways(desk, code),
            }

    document = run(work())

    def show(out: Any) -> None:
        out.print(f"{document['name']} comes in as {document['role']}, once, until {shown(document['expires_at'])}:")
        for surface, way in document["ways"].items():
            out.print(f"  {surface}: {way}", soft_wrap=True)
        if not document["ways"]:
            out.print(f"  /join {document['code']}, said to the admin bot; no [[bots]] are configured yet.")

    options.emit(document, show)


@app.command()
def remove(context: typer.Context, name: Name) -> None:
    """Take the accounts away that somebody bound by invitation, and the invitations that wait under that name.

    Example: `carillon people remove Olha`"""
    options = Options.of(context)

    async def work() -> None:
        async with desk_of(options) as desk:
            await (await _everybody(desk)).remove(name, me(), desk.clock.now())

    run(work())
    options.emit({"name": name, "removed": True}, lambda out: out.print(f"{name} is removed."))


@app.command("test-alert")
def test_alert(context: typer.Context) -> None:
    """Send every owner a short announcement through the admin bot.

    It tells who got it, who did not and why; exit 1 if nobody got it.

    Example: `carillon people test-alert`"""
    options = Options.of(context)
    config = options.load()
    from bot.alerts import alert_owners

    told = run(alert_owners(config))
    if not told:
        raise Failure("Nobody in [[people]] is an owner, so nobody would be told.")
    cells = [(each.name, each.bot, "got it" if each.sent else "did not get it", each.reason) for each in told]
    options.emit(list(told), lambda out: out.print(table("name", "bot", "state", "why", rows=cells)))
    if not any(each.sent for each in told):
        raise Failure("Nobody got the test alert.")


async def _everybody(desk: "Desk") -> "Everybody":
    from bot.desk import people_of
    from bot.people import Everybody

    everybody = Everybody(people_of(desk.config), desk.store)
    await everybody.load()
    return everybody


async def _documents(desk: "Desk") -> list[dict[str, Any]]:
    everybody = await _everybody(desk)
    persons = {person.name: person for person in everybody.values()}
    documents = [
        {
            "name": person.name,
            "role": person.role.value,
            "telegram": person.accounts.get("telegram"),
            "slack": person.accounts.get("slack"),
            "by": "config" if everybody.is_configured(person.name) else "invitation",
            "until": None,
        }
        for person in persons.values()
    ]
    return documents + [
        {
            "name": one.person,
            "role": one.role.value,
            "telegram": None,
            "slack": None,
            "by": "invited, not here yet",
            "until": one.expires_at,
        }
        for one in await everybody.invitations(desk.clock.now())
    ]


async def _ways(desk: "Desk", code: str) -> Mapping[str, str]:
    """How to come in, by kind of admin bot; one that does not answer is left out."""
    from bot.config_models import ConsoleBot, SlackBot
    from bot.desk import open_bot
    from gateways.base import GatewayError

    config = desk.config
    ways: dict[str, str] = {}
    for bot in config.bots:
        match bot:
            case ConsoleBot():
                base_url = config.app.public_url or f"http://{config.web.host}:{config.web.port}"
                ways[bot.kind] = f"{base_url.rstrip('/')}/console/join?code={code}"
            case SlackBot():
                ways[bot.kind] = f"/carillon join {code}"
            case _:
                async with open_bot(desk, bot) as gateway:
                    try:
                        link = (await gateway.check()).link
                    except GatewayError:
                        continue
                    ways[bot.kind] = f"{link}?start={code}"
    return ways
