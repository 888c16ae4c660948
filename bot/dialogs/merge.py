"""Two cards that are one client: what comes of it is shown before, and asked once."""

from collections.abc import Iterator

from bot.dialogs.clients import channels_of, choose_client, client_card, get_client, name_of
from bot.dialogs.talk import (
    PAGE,
    Rows,
    Screens,
    Talk,
    button,
    card,
    danger,
    footer,
    lines,
    paragraphs,
    plain_words,
    short,
)
from bot.screens import Said, Screen
from bot.texts import Html, _
from engine.errors import Invalid, NotFound
from gateways.base import AddressStatus
from storage.opting import EVERYWHERE
from storage.records import ClientCard


async def ask_other(talk: Talk, client_id: str) -> Screens:
    t = talk.t
    client = await get_client(talk, client_id)
    talk.ask("k.merge", client.id)
    text = t(
        "Which other card is {name}, too? Type a piece of its name, a phone or an id. You see what comes of it before "
        "anything is changed.",
        name=name_of(client),
    )
    back = footer(talk, button(t("◀ Back"), "k:of", client.id))
    return [card(text, [back], ask=t.plain("The other card: a name, a phone or an id"))]


async def hear_other(talk: Talk, said: Said, client_id: str) -> Screens:
    t = talk.t
    client = await get_client(talk, client_id)
    words = plain_words(said)
    if not words:
        raise Invalid(_("Type a piece of the name, a phone or an id."))
    found = [one for one in await talk.store.clients.find(words, limit=PAGE + 1) if one.id != client.id][:PAGE]
    if not found:
        raise NotFound(_("I find no other client “{words}”."), words=short(words, 60))
    if len(found) == 1:
        return [await _preview(talk, found[0], client)]
    return [choose_client(talk, t("Which of them is {name}, too?", name=name_of(client)), found, "k:merge?", client.id)]


async def preview(talk: Talk, from_id: str, into_id: str) -> Screens:
    return [await _preview(talk, await get_client(talk, from_id), await get_client(talk, into_id))]


async def _preview(talk: Talk, goes: ClientCard, stays: ClientCard) -> Screen:
    t = talk.t
    if goes.id == stays.id:
        raise Invalid(_("That is the same card."))
    talk.ask("k.merge", stays.id)
    text = paragraphs(
        t("<b>Are these two one client?</b>"),
        lines(
            t("Stays: <b>{name}</b> · id {id}", name=name_of(stays), id=_id(stays)),
            t("Goes into it: <b>{name}</b> · id {id}", name=name_of(goes), id=_id(goes)),
        ),
        lines(t("<b>What comes of it</b>"), *_outcome(talk, goes, stays)),
        lines(*(await _opt_outs(talk, goes, stays))) or t("Neither has opted out."),
        t("It can't be undone."),
    )
    rows: Rows = [
        (danger(t("Yes, they are one"), "k:merge!", goes.id, stays.id),),
        (button(t("⇄ The other one stays"), "k:merge?", stays.id, goes.id),),
        footer(talk, button(t("◀ Back"), "k:of", stays.id)),
    ]
    return card(text, rows, ask=t.plain("Another card: a name, a phone or an id"))


def _id(client: ClientCard) -> str:
    return client.external_id or f"#{client.id}"


def _outcome(talk: Talk, goes: ClientCard, stays: ClientCard) -> Iterator[Html]:
    t = talk.t
    addresses = [*stays.addresses, *goes.addresses]
    places = [f"{one.channel or t.plain(one.scope)}: {one.external_id}" for one in addresses]
    yield t("Addresses: {places}", places=t.listed(places)) if places else t("No address")
    tags = sorted({*stays.tags, *goes.tags})
    yield t("Tags: {tags}", tags=t.listed(tags)) if tags else t("No tags")
    main = stays.main_channel or goes.main_channel
    if main:
        yield t("Main channel: {channel}", channel=main)
    for name, kept, dropped in _differing(talk, goes, stays):
        yield t("{name}: {kept} stays, {dropped} goes", name=name, kept=kept, dropped=dropped)
    if goes.external_id and stays.external_id:
        yield t(
            "Your own system knows both: {first} and {second} lead to this card then.",
            first=_id(stays),
            second=_id(goes),
        )


def _differing(talk: Talk, goes: ClientCard, stays: ClientCard) -> Iterator[tuple[str, str, str]]:
    """The fields that both cards fill differently."""
    t = talk.t
    pairs = [
        (t.plain("name"), name_of(stays), name_of(goes)),
        (t.plain("language"), stays.language, goes.language),
        (t.plain("time zone"), stays.timezone, goes.timezone),
    ]
    pairs += [(name, stays.attributes.get(name), goes.attributes.get(name)) for name in sorted(stays.attributes)]
    for name, kept, dropped in pairs:
        if kept is not None and dropped is not None and str(kept) != str(dropped):
            yield name, str(kept), str(dropped)


async def _opt_outs(talk: Talk, goes: ClientCard, stays: ClientCard) -> list[Html]:
    """The stricter one holds for both."""
    t = talk.t
    histories = talk.store.histories
    rows = [*await histories.opt_outs(goes.id), *await histories.opt_outs(stays.id)]
    scopes = {one.scope for one in rows if one.ended_at is None}
    if EVERYWHERE in scopes:
        return [t("⚠ One of them opted out everywhere: that holds for the whole card.")]
    scopes |= {
        one.channel
        for one in (*goes.addresses, *stays.addresses)
        if one.channel and one.status is AddressStatus.UNSUBSCRIBED
    }
    known = {*channels_of(goes), *channels_of(stays)}
    return [
        t("⚠ Opted out on {channel}: that holds for every address there.", channel=one)
        for one in sorted(scopes & known)
    ]


async def merge(talk: Talk, from_id: str, into_id: str) -> Screens:
    await talk.operations.merge_clients(int(from_id), int(into_id), talk.actor)
    return [await client_card(talk, await get_client(talk, into_id), talk.t("The two cards are one now."))]


async def open_fresh(talk: Talk, *args: str) -> Screens:
    """A press that comes too late: the card as it is now."""
    return [await client_card(talk, await get_client(talk, args[-1]))]
