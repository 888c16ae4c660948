"""Opting a client out of mailings, on one channel or on all, and in again."""

from bot.dialogs.clients import channels_of, client_card, get_client, name_of
from bot.dialogs.talk import (
    Rows,
    Screens,
    Talk,
    button,
    card,
    chosen,
    danger,
    digest,
    footer,
    lines,
    paragraphs,
    plain_words,
    short,
)
from bot.screens import Said
from bot.texts import Html, _
from engine.errors import Invalid
from gateways.base import AddressStatus
from storage.opting import EVERYWHERE
from storage.records import ClientCard


async def ask_out(talk: Talk, client_id: str) -> Screens:
    t = talk.t
    client = await get_client(talk, client_id)
    rows: Rows = [
        (danger(t.plain("On {channel} only", channel=short(channel, 24)), "k:out!", client.id, digest(channel)),)
        for channel in channels_of(client)
    ]
    rows.append((danger(t("Everywhere"), "k:out!", client.id, EVERYWHERE),))
    rows.append(footer(talk, button(t("◀ Back"), "k:of", client.id)))
    text = t("Opt {name} out? No mailing reaches {name} there until {name} subscribes again.", name=name_of(client))
    return [card(text, rows)]


async def opt_out(talk: Talk, client_id: str, where: str) -> Screens:
    t = talk.t
    client = await get_client(talk, client_id)
    scope = _scope(client, where)
    await talk.operations.opt_out(client.id, scope, talk.actor)
    told = t("Opted out everywhere.") if scope == EVERYWHERE else t("Opted out on {channel}.", channel=scope)
    return [await client_card(talk, await get_client(talk, client_id), told)]


async def ask_in(talk: Talk, client_id: str) -> Screens:
    """Only an owner gets here: who opted out is let in again by their own word."""
    t = talk.t
    client = await get_client(talk, client_id)
    out = [one for one in channels_of(client) if one in _left(client)]
    if not out:
        text = t("{name} has opted out of nothing.", name=name_of(client))
        return [card(text, [footer(talk, button(t("◀ Back"), "k:of", client.id))])]
    rows: Rows = [
        (button(t.plain("On {channel} only", channel=short(channel, 24)), "k:in!", client.id, digest(channel)),)
        for channel in out
    ]
    if len(out) > 1:
        rows.append((button(t("Everywhere"), "k:in!", client.id, EVERYWHERE),))
    rows.append(footer(talk, button(t("◀ Back"), "k:of", client.id)))
    text = paragraphs(
        t("<b>Opt {name} in again?</b>", name=name_of(client)),
        lines(*(await _standing(talk, client))) or None,
        t(
            "Do it only where {name} asked for it: messengers close channels that write to who did not ask.",
            name=name_of(client),
        ),
    )
    return [card(text, rows)]


async def ask_reason(talk: Talk, client_id: str, where: str) -> Screens:
    t = talk.t
    client = await get_client(talk, client_id)
    _scope(client, where)
    talk.ask("k.in", client.id, where)
    text = t("How did {name} ask for it? Type it in a sentence: it is kept with your name.", name=name_of(client))
    back = footer(talk, button(t("◀ Back"), "k:in", client.id))
    return [card(text, [back], ask=t.plain("Such as: asked for it by phone today"))]


async def hear_reason(talk: Talk, said: Said, client_id: str, where: str) -> Screens:
    t = talk.t
    client = await get_client(talk, client_id)
    if said.attachments or not plain_words(said):
        raise Invalid(_("Type in a sentence how the client asked for it."))
    back = await talk.operations.opt_in(client.id, _scope(client, where), plain_words(said), talk.actor)
    told = t("Mailings come again on {channels}.", channels=", ".join(back) or "–")
    return [await client_card(talk, await get_client(talk, client_id), told)]


async def _standing(talk: Talk, client: ClientCard) -> list[Html]:
    t = talk.t
    found = [one for one in await talk.store.histories.opt_outs(client.id) if one.ended_at is None]
    return [
        t("Opted out everywhere, {day}.", day=t.day(one.at))
        if one.scope == EVERYWHERE
        else t("Opted out on {channel}, {day}.", channel=one.scope, day=t.day(one.at))
        for one in found
    ]


def _left(client: ClientCard) -> set[str]:
    return {one.channel for one in client.addresses if one.channel and one.status is AddressStatus.UNSUBSCRIBED}


def _scope(client: ClientCard, where: str) -> str:
    return EVERYWHERE if where == EVERYWHERE else chosen(channels_of(client), where)
