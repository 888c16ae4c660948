"""A test of what tells the owners that something is wrong: one short announcement to each."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bot.config import Config
from bot.config_models import Person, TelegramBot
from bot.desk import open_bot, open_desk
from gateways.base import AddressGone, Gateway, GatewayError, Outgoing, Part, PartKind
from gateways.markup import RichText

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
    """Announce to every owner, and say of each what became of it."""
    owners = [person for person in config.people if person.role == "owner"]
    bot = next((bot for bot in config.bots if isinstance(bot, TelegramBot)), None)
    if bot is None:
        return [_missed(owner, None, "no admin bot on a messenger is configured; add [[bots]]") for owner in owners]
    async with open_desk(config) as desk, open_bot(desk, bot) as gateway:
        return await asyncio.gather(*(_tell(gateway, bot, owner, config.app.name) for owner in owners))


async def _tell(gateway: Gateway, bot: TelegramBot, owner: Person, name: str) -> Told:
    if owner.telegram is None:
        return _missed(owner, bot.kind, f"[[people]] “{owner.name}” has no {bot.kind}")
    words = _TEXT.format(name=name)
    part = Part(PartKind.TEXT, text=words)
    alert = Outgoing(owner.telegram, part, RichText(words), buttons=(), button_data=(), reference="test-alert")
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            (answer,) = await gateway.send([alert])
    except TimeoutError:
        return _missed(owner, bot.kind, f"no answer within {ANSWER_WITHIN_S:g} s")
    if isinstance(answer, GatewayError):
        return _missed(owner, bot.kind, _reason(answer))
    return Told(owner.name, bot.kind, sent=True, reason=None)


def _reason(error: GatewayError) -> str:
    words = error.words or type(error).__name__
    return f"{words}; open a chat with the admin bot and press Start" if isinstance(error, AddressGone) else words


def _missed(owner: Person, bot: str | None, reason: str) -> Told:
    return Told(owner.name, bot, sent=False, reason=reason)
