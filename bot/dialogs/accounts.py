"""A person's own accounts on the channels, where tests come: remembered as soon as they are told once."""

from collections.abc import Mapping, Sequence

from bot.dialogs.talk import (
    PAGE,
    Rows,
    Screens,
    Talk,
    button,
    card,
    chosen,
    digest,
    footer,
    in_rows,
    lines,
    paragraphs,
    plain_words,
    short,
    turner,
)
from bot.screens import Button, Said, Screen
from bot.texts import Html, _
from engine.addresses import read_address
from engine.errors import Invalid, NotFound
from gateways.base import AddressStatus
from storage.records import ClientCard

_MOST_NAMED = 3  # channels in a sentence


async def own_accounts(talk: Talk, channels: Sequence[str]) -> dict[str, str]:
    """The person's address on each of these channels where it is known: told before, the account by which we talk, or
    a phone that was told for another channel."""
    remembered = await talk.store.preferences.own_addresses(talk.person.name)
    accounts = {talk.event.surface: talk.event.account, **talk.person.accounts}
    known = talk.settings.channels
    by_phone = [name for name in remembered if name in known and known[name].able.address_by_phone]
    phone = remembered[by_phone[0]] if by_phone else None
    found: dict[str, str] = {}
    for channel in channels:
        own = remembered.get(channel) or accounts.get(known[channel].kind)
        if own is None and known[channel].able.address_by_phone:
            own = phone
        if own is not None:
            found[channel] = own
    return found


async def remember(talk: Talk, addresses: Mapping[str, str]) -> None:
    for channel, address in addresses.items():
        await talk.store.preferences.set_own_address(talk.person.name, channel, address)


async def read_typed(talk: Talk, said: Said, channels: Sequence[str]) -> dict[str, str]:
    """What somebody typed: a channel and an address, an address where there is one channel only, or who of the clients
    they are. Raises Invalid."""
    words = plain_words(said)
    channel, _space, address = words.partition(" ")
    if channel in channels and address.strip():
        return {channel: read_address(channel, address.strip(), talk.settings.channels[channel].able)}
    cards = await talk.store.clients.find(words, limit=2) if words else []
    if len(cards) == 1 and (addresses := _addresses_of(cards[0], channels)):
        return addresses
    if len(channels) == 1 and words:
        return {channels[0]: read_address(channels[0], words, talk.settings.channels[channels[0]].able)}
    if len(cards) > 1:
        raise Invalid(_("Several clients are called so: type your phone, or your id."))
    raise Invalid(
        _("Type a channel and an address, or your name or phone as a client. The channels are: {channels}."),
        channels=", ".join(channels),
    )


def _addresses_of(client: ClientCard, channels: Sequence[str]) -> dict[str, str]:
    able = [one for one in client.addresses if one.status is AddressStatus.ENABLED and one.channel in channels]
    return {str(one.channel): one.external_id for one in able}


def said_unknown(talk: Talk, channels: Sequence[str]) -> Html | None:
    """On which channels no test can come yet."""
    if not channels:
        return None
    t = talk.t
    named = [*channels[:_MOST_NAMED], *(["…"] if len(channels) > _MOST_NAMED else [])]
    return t("Not by {channels}: I don't know your account there yet.", channels=t.listed(named))


def how_to_tell(talk: Talk, channels: Sequence[str]) -> Html:
    """What to type, with an example for the first of these channels."""
    channel = next(iter(channels), "")
    able = talk.settings.channels[channel].able if channel else None
    address = "380501234567" if able is not None and able.address_by_phone else "100200300"
    return talk.t(
        "Type a channel and your address there, such as {example}; or your own name or phone, if you are among the "
        "clients: your card has the addresses. Where you are no client yet, write to the channel first.",
        example=Html(f"<code>{channel or 'tg-shop'} {address}</code>"),
    )


def account_row(talk: Talk, here: tuple[int, int]) -> tuple[Button, ...]:
    return (button(talk.t("My accounts"), "o:mine", *here),)


# --- the card


async def open_from(talk: Talk, mailing_id: str, revision: str, page: str = "0") -> Screens:
    """On the way to a test of a draft."""
    return [await _card(talk, _here(mailing_id, revision), int(page))]


async def open_accounts(talk: Talk, page: str = "0") -> Screens:
    return [await _card(talk, (), int(page))]


async def by_command(talk: Talk, _words: str = "") -> Screens:
    """/accounts"""
    return await open_accounts(talk)


async def hear_account(talk: Talk, said: Said, mailing_id: str = "", revision: str = "") -> Screens:
    typed = await read_typed(talk, said, list(talk.settings.channels))
    await remember(talk, typed)
    note = talk.t("✓ Remembered: {channels}.", channels=talk.t.listed(list(typed)))
    return [await _card(talk, _here(mailing_id, revision), 0, note)]


async def forget(talk: Talk, short_name: str, mailing_id: str = "", revision: str = "") -> Screens:
    remembered = await talk.store.preferences.own_addresses(talk.person.name)
    try:
        channel = chosen(list(remembered), short_name)
    except NotFound:  # pressed twice
        return [await _card(talk, _here(mailing_id, revision), 0)]
    await talk.store.preferences.set_own_address(talk.person.name, channel, None)
    note = talk.t("✓ Forgotten: {channel}.", channel=channel)
    return [await _card(talk, _here(mailing_id, revision), 0, note)]


def _here(mailing_id: str, revision: str) -> tuple[int, ...]:
    return (int(mailing_id), int(revision)) if mailing_id else ()


async def _card(talk: Talk, here: tuple[int, ...], page: int, note: str = "") -> Screen:
    t = talk.t
    talk.ask("o.mine", *here)
    channels = list(talk.settings.channels)
    shown = channels[page * PAGE : (page + 1) * PAGE]
    own = await own_accounts(talk, channels)
    remembered = await talk.store.preferences.own_addresses(talk.person.name)
    text = paragraphs(
        t("<b>Your own accounts</b>\nTests to yourself come here."),
        note or None,
        lines(*(_line(talk, channel, own.get(channel)) for channel in shown)),
        how_to_tell(talk, [one for one in channels if one not in own] or channels),
    )
    drops = [
        button(t.plain("✕ {channel}", channel=short(one, 24)), "o:drop", digest(one), *here)
        for one in shown
        if one in remembered
    ]
    more = len(channels) > (page + 1) * PAGE
    rows: Rows = [*in_rows(drops, 2), *turner(talk, page, more, "o:mine" if here else "o:own", *here)]
    if here:
        rows.append((button(t("Send me the test"), "l:test", *here),))
    rows.append(footer(talk, button(t("◀ Back"), "c:m", *here) if here else None, leave=here[0] if here else None))
    return card(text, rows, ask=t.plain("A channel and an address"))


def _line(talk: Talk, channel: str, own: str | None) -> Html:
    t = talk.t
    title = talk.settings.channels[channel].able.title
    if own is None:
        return t("• {channel} ({title}): not known yet", channel=channel, title=title)
    return t("• {channel} ({title}): <b>{address}</b>", channel=channel, title=title, address=own)
