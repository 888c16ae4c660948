"""A test to oneself: the message as it is, to the person's own account."""

from bot.dialogs import compose
from bot.dialogs.talk import (
    Screens,
    Talk,
    button,
    card,
    footer,
    in_rows,
    plain_words,
    short,
)
from bot.screens import Said
from bot.texts import Html, _
from engine.addresses import read_address
from engine.errors import Invalid
from storage.records import Mailing


async def open_test(talk: Talk, mailing_id: str, revision: str) -> Screens:
    """Send the mailing to the person's own account, on each channel where that is known."""
    mailing = await compose.draft_at(talk, mailing_id, revision)
    t = talk.t
    here = compose.at(mailing)
    back = button(t("◀ Back"), "c:m", *here)
    mine = _own_accounts(talk)
    if len(mine) == 1:
        channel, address = mine[0]
        return await _send_test(talk, mailing, channel, address)
    talk.ask("l.address", *here)
    if not mine:
        text = t(
            "I don't know your own account on a messenger: it stands beside your name in [[people]]. "
            "Or type where to send the test: a channel and an address, such as {example}.",
            example=Html(f"<code>{next(iter(talk.settings.channels), 'tg-shop')} 100200300</code>"),
        )
    else:
        text = t("By which channel shall the test come to you?")
    rows = [
        *in_rows([button(short(channel, 24), "l:to", place, *here) for place, (channel, _to) in enumerate(mine)], 2),
        footer(talk, back, leave=mailing.id),
    ]
    return [card(text, rows, ask=t.plain("A channel and an address"))]


async def open_test_by_command(talk: Talk, words: str = "") -> Screens:
    """/test 7"""
    mailing = await compose.draft_of(talk, words)
    return await open_test(talk, str(mailing.id), str(mailing.revision))


async def send_test_by_channel(talk: Talk, place: str, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    mine = _own_accounts(talk)
    if int(place) >= len(mine):
        raise Invalid(_("That channel is no longer set up."))
    return await _send_test(talk, mailing, *mine[int(place)])


async def hear_address(talk: Talk, said: Said, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    channel, _space, address = plain_words(said).partition(" ")
    if not address and len(talk.settings.channels) == 1:
        channel, address = next(iter(talk.settings.channels)), channel
    if channel not in talk.settings.channels or not address.strip():
        raise Invalid(
            _("Type a channel and an address. The channels are: {channels}."),
            channels=", ".join(talk.settings.channels),
        )
    address = read_address(channel, address.strip(), talk.settings.channels[channel].able)
    return await _send_test(talk, mailing, channel, address)


def _own_accounts(talk: Talk) -> list[tuple[str, str]]:
    accounts = {talk.event.surface: talk.event.account, **talk.person.accounts}
    return [(one.id, accounts[one.kind]) for one in talk.settings.channels.values() if one.kind in accounts]


async def _send_test(talk: Talk, mailing: Mailing, channel: str, address: str) -> Screens:
    t = talk.t
    try:
        await talk.operations.send_test(mailing.id, channel, address, talk.actor)
    except Invalid as error:
        note = t("⚠ {why}", why=t.error(error))
        return [compose.message_card(talk, mailing, note)]
    note = t("✓ The test is sent to you by {channel}. It counts in no statistics.", channel=channel)
    return [compose.message_card(talk, mailing, note)]
