"""A test of what tells the owners that something is wrong: one short announcement to each."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from bot.config import Config
from bot.config_models import SlackBot, TelegramBot
from bot.desk import Desk, open_bot, open_desk, people_of
from bot.people import Everybody
from bot.screens import Person
from gateways.base import AddressGone, Gateway, GatewayError, Outgoing, Part, PartKind
from gateways.markup import RichText
from storage.records import Role

ANSWER_WITHIN_S = 30.0
_TEXT = "This is a test alert of {name}. You would be told here if something needed you; nothing does."


@dataclass(frozen=True, slots=True)
class Told:
    """Whether an owner got it, on which kind of admin bot, and if not, why."""

    name: str
    bot: str | None
    sent: bool
    reason: str | None


async def alert_owners(config: Config) -> Sequence[Told]:
    """Announce to every owner on each admin bot, and say of each what became of it."""
    bots = [bot for bot in config.bots if isinstance(bot, TelegramBot | SlackBot)]
    words = _TEXT.format(name=config.app.name)
    async with open_desk(config) as desk:
        people = Everybody(people_of(config), desk.store)
        await people.load()
        owners = list({person.name: person for person in people.values() if person.role is Role.OWNER}.values())
        if not bots:
            return [_missed(owner, None, "no admin bot on a messenger is configured; add [[bots]]") for owner in owners]
        told = [await _tell_all(desk, bot, owners, words) for bot in bots]
    return [one for each in told for one in each]


async def _tell_all(desk: Desk, bot: TelegramBot | SlackBot, owners: Sequence[Person], words: str) -> list[Told]:
    if isinstance(bot, SlackBot):
        from bot.surfaces.slack.checking import tell

        return list(
            await asyncio.gather(*(_tell(bot.kind, owner, partial(tell, bot, words=words)) for owner in owners))
        )
    async with open_bot(desk, bot) as gateway:
        by = partial(_by_gateway, gateway, words)
        return list(await asyncio.gather(*(_tell(bot.kind, owner, by) for owner in owners)))


async def _tell(kind: str, owner: Person, tell: Callable[[str], Awaitable[str]]) -> Told:
    """`tell` sends to an account and says why it could not, or ""."""
    account = owner.accounts.get(kind)
    if account is None:
        return _missed(owner, kind, f"“{owner.name}” has no {kind}")
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            reason = await tell(account)
    except TimeoutError:
        reason = f"no answer within {ANSWER_WITHIN_S:g} s"
    return _missed(owner, kind, reason) if reason else Told(owner.name, kind, sent=True, reason=None)


async def _by_gateway(gateway: Gateway, words: str, account: str) -> str:
    part = Part(PartKind.TEXT, text=words)
    (answer,) = await gateway.send(
        [Outgoing(account, part, RichText(words), buttons=(), button_data=(), reference="test-alert")]
    )
    return _reason(answer) if isinstance(answer, GatewayError) else ""


def _reason(error: GatewayError) -> str:
    words = error.words or type(error).__name__
    return f"{words}; open a chat with the admin bot and press Start" if isinstance(error, AddressGone) else words


def _missed(owner: Person, bot: str | None, reason: str) -> Told:
    return Told(owner.name, bot, sent=False, reason=reason)
