"""Clients: found by name, phone or id; the card; tags; opting out; why somebody got a mailing or not."""

from bot.dialogs.talk import (
    PAGE,
    Rows,
    Screens,
    Talk,
    button,
    card,
    chosen,
    danger,
    digest,
    find_mailing,
    footer,
    in_rows,
    lines,
    paragraphs,
    plain_words,
    primary,
    short,
)
from bot.screens import Said, Screen
from bot.texts import Html, _
from engine.errors import Invalid, NotFound
from storage.deliveries import DeliveryRow
from storage.records import AddressRecord, ClientCard, DeliveryState

_ENDS = {
    DeliveryState.PLANNED: _("It waits for its turn on {channel}."),
    DeliveryState.SENDING: _("It is being sent on {channel} this moment."),
    DeliveryState.SENT: _("Sent: {channel} took it."),
    DeliveryState.DELIVERED: _("Delivered by {channel}."),
    DeliveryState.READ: _("Read on {channel}."),
    DeliveryState.FAILED: _("Not got: it failed on {channel}."),
    DeliveryState.SKIPPED: _("Not sent: just before sending on {channel} something spoke against it."),
    DeliveryState.CANCELLED: _("Not sent: the mailing was cancelled before its turn on {channel}."),
    DeliveryState.UNKNOWN: _("Unknown: the connection to {channel} broke before the answer came."),
}
_NOT_PLANNED = {
    "not_started": _("Not sent yet: the mailing has not started."),
    "came_later": _("Not sent: when the audience was formed, the client was not in it; now it would be."),
    "not_in_audience": _("Not sent: the client is not in the audience of the mailing."),
}
_MAX_TAG = 60  # characters
_SHOWN_ATTRIBUTES = 12


async def open_clients(talk: Talk, *_args: str) -> Screens:
    t = talk.t
    talk.ask("k.find")
    text = t("<b>Clients</b>\n\nWhom do you look for? Type a piece of the name, a phone or an id.")
    return [card(text, [footer(talk)], ask=t.plain("A name, a phone or an id"))]


async def by_command(talk: Talk, words: str = "") -> Screens:
    """/clients, /clients Ann"""
    return await find(talk, words.strip()) if words.strip() else await open_clients(talk)


async def hear_find(talk: Talk, said: Said) -> Screens:
    words = plain_words(said)
    if not words:
        raise Invalid(_("Type a piece of the name, a phone or an id."))
    return await find(talk, words)


async def find(talk: Talk, words: str) -> Screens:
    t = talk.t
    talk.ask("k.find")
    found = await talk.store.clients.find(words)
    if not found:
        text = t(
            "I find no client “{words}”. Try a shorter piece of the name, the phone or the id.", words=short(words, 60)
        )
        return [card(text, [footer(talk)], ask=t.plain("A name, a phone or an id"))]
    if len(found) == 1:
        return [client_card(talk, found[0])]
    text = paragraphs(
        t.plural("{count} client found:", "{count} clients found:", len(found))
        if len(found) <= PAGE
        else t("The first of many; type more of the name to narrow them down:"),
        lines(*(t("{name} – {addresses}", name=name_of(one), addresses=_channels(one)) for one in found[:PAGE])),
    )
    rows = [*in_rows([button(short(name_of(one), 28), "k:of", one.id) for one in found[:PAGE]], 2), footer(talk)]
    return [card(text, rows, ask=t.plain("A name, a phone or an id"))]


async def open_client(talk: Talk, client_id: str) -> Screens:
    return [client_card(talk, await _get(talk, client_id))]


async def _get(talk: Talk, client_id: str) -> ClientCard:
    found: ClientCard | None = await talk.store.clients.get(int(client_id))
    if found is None:
        raise NotFound(_("There is no such client any more."))
    return found


def client_card(talk: Talk, client: ClientCard, note: str = "") -> Screen:
    t = talk.t
    talk.ask("k.find")
    attributes = sorted((client.attributes or {}).items())[:_SHOWN_ATTRIBUTES]
    text = paragraphs(
        t("<b>{name}</b> · id {id}", name=name_of(client), id=client.external_id or client.id),
        note or None,
        lines(
            t("Language: {language}", language=client.language) if client.language else None,
            t("Time zone: {zone}", zone=client.timezone) if client.timezone else None,
            t("Tags: {tags}", tags=t.listed(list(client.tags))) if client.tags else t("No tags"),
            t("Here since {day}", day=t.day(client.created_at)),
            t("Last seen {when}", when=t.ago(client.last_seen_at, talk.clock.now())) if client.last_seen_at else None,
        ),
        lines(*(_address(talk, client, one) for one in client.addresses)) or t("No address: nothing can be sent."),
        lines(*(t("{name}: {value}", name=name, value=str(value)) for name, value in attributes)) or None,
    )
    rows: Rows = [
        (button(t("Tags"), "k:tags", client.id), button(t("Why (not)?"), "k:why", client.id)),
        (danger(t("Opt out"), "k:out", client.id),),
        footer(talk, button(t("◀ Find another"), "k")),
    ]
    return card(text, rows, ask=t.plain("Another client: a name, a phone or an id"))


def name_of(client: ClientCard) -> str:
    full = " ".join(part for part in (client.first_name, client.last_name) if part)
    return client.name or full or client.external_id or f"#{client.id}"


def _channels(client: ClientCard) -> str:
    return ", ".join(one.channel for one in client.addresses if one.channel) or "–"


def _address(talk: Talk, client: ClientCard, one: AddressRecord) -> str:
    t = talk.t
    status = t("enabled") if one.status == "enabled" else t.reason(str(one.status))
    where = one.channel or one.scope
    main = t(" (main)") if one.channel and one.channel == client.main_channel else Html("")
    return t("{where}: {address}, {status}{main}", where=where, address=one.external_id, status=status, main=main)


# --- tags ---


async def open_tags(talk: Talk, client_id: str) -> Screens:
    return [await _tags_card(talk, await _get(talk, client_id))]


async def _tags_card(talk: Talk, client: ClientCard) -> Screen:
    t = talk.t
    talk.ask("k.tag", client.id)
    common = [name for name, _count in await talk.store.clients.tags() if name not in client.tags][:PAGE]
    rows: Rows = in_rows(
        [button(f"✓ {short(tag, 24)}", "k:untag", client.id, digest(tag)) for tag in client.tags]
        + [button(short(tag, 26), "k:tag", client.id, digest(tag)) for tag in common],
        2,
    )
    text = t("Tags of {name}: press one to put it on or take it off, or type a new one.", name=name_of(client))
    return card(text, [*rows, footer(talk, button(t("◀ Back"), "k:of", client.id))], ask=t.plain("A new tag"))


async def tag(talk: Talk, client_id: str, short_name: str) -> Screens:
    name = chosen([name for name, _count in await talk.store.clients.tags()], short_name)
    await talk.store.clients.tag(int(client_id), name)
    return await open_tags(talk, client_id)


async def untag(talk: Talk, client_id: str, short_name: str) -> Screens:
    client = await _get(talk, client_id)
    await talk.store.clients.untag(client.id, chosen(client.tags, short_name))
    return await open_tags(talk, client_id)


async def hear_tag(talk: Talk, said: Said, client_id: str) -> Screens:
    name = " ".join(plain_words(said).split())
    if not name or len(name) > _MAX_TAG:
        raise Invalid(_("A tag is a word or two: type it, {most} signs at most."), most=_MAX_TAG)
    await talk.store.clients.tag(int(client_id), name)
    return await open_tags(talk, client_id)


# --- opting out ---


async def ask_out(talk: Talk, client_id: str) -> Screens:
    t = talk.t
    client = await _get(talk, client_id)
    channels = [one.channel for one in client.addresses if one.channel]
    rows: Rows = [
        (danger(t.plain("On {channel} only", channel=short(channel, 24)), "k:out!", client.id, digest(channel)),)
        for channel in dict.fromkeys(channels)
    ]
    rows.append((danger(t("Everywhere"), "k:out!", client.id, "all"),))
    rows.append(footer(talk, button(t("◀ Back"), "k:of", client.id)))
    text = t("Opt {name} out? No mailing reaches {name} there until {name} subscribes again.", name=name_of(client))
    return [card(text, rows)]


async def opt_out(talk: Talk, client_id: str, where: str) -> Screens:
    t = talk.t
    client = await _get(talk, client_id)
    scope = "all" if where == "all" else chosen([one.channel for one in client.addresses if one.channel], where)
    await talk.store.clients.opt_out(client.id, scope, talk.actor)
    told = t("Opted out everywhere.") if scope == "all" else t("Opted out on {channel}.", channel=scope)
    return [client_card(talk, await _get(talk, client_id), told)]


# --- why ---


async def ask_why(talk: Talk, client_id: str) -> Screens:
    t = talk.t
    client = await _get(talk, client_id)
    talk.ask("k.why", client.id)
    recent = [one for one in await talk.operations.list_mailings(limit=20) if one.status != "draft"][:PAGE]
    rows = in_rows([button(f"#{one.id} {short(one.name, 20)}", "k:why!", client.id, one.id) for one in recent], 2)
    text = t("Which mailing did {name} get, or not get? Press it, or type its number.", name=name_of(client))
    return [
        card(text, [*rows, footer(talk, button(t("◀ Back"), "k:of", client.id))], ask=t.plain("A mailing's number"))
    ]


async def hear_why(talk: Talk, said: Said, client_id: str) -> Screens:
    mailing = await find_mailing(talk, plain_words(said))
    return await why(talk, client_id, str(mailing.id))


async def why(talk: Talk, client_id: str, mailing_id: str) -> Screens:
    client = await _get(talk, client_id)
    return [await _why_card(talk, client, int(mailing_id))]


async def _why_card(talk: Talk, client: ClientCard, mailing_id: int) -> Screen:
    t = talk.t
    mailing = await talk.operations.get(mailing_id)
    _card, delivery, word = await talk.operations.why(mailing_id, str(client.external_id or client.id))
    text = paragraphs(
        t("<b>{name} and “{mailing}”</b>", name=name_of(client), mailing=mailing.draft.name),
        _what_happened(talk, delivery) if delivery is not None else _why_not(talk, word),
        lines(*(_address(talk, client, one) for one in client.addresses)) or t("The client has no address."),
    )
    rows: Rows = [(primary(t("The client"), "k:of", client.id),), footer(talk, button(t("◀ Back"), "k:why", client.id))]
    return card(text, rows)


def _what_happened(talk: Talk, delivery: DeliveryRow) -> str:
    """The delivery in one or two sentences."""
    t = talk.t
    head = t(_ENDS[delivery.state], channel=delivery.channel)
    when = t("Last tried {when}.", when=t.moment(delivery.finished_at)) if delivery.finished_at else None
    why = t("Reason: {reason}.", reason=t.reason(delivery.reason)) if delivery.reason else None
    words = t("The messenger said: {words}", words=t.told(delivery.words)) if delivery.words else None
    return lines(head, why, words, when)


def _why_not(talk: Talk, word: str) -> str:
    t = talk.t
    if word in _NOT_PLANNED:
        return t(_NOT_PLANNED[word])
    return t("Not sent: left out before the start, {reason}.", reason=t.reason(word))


async def why_by_command(talk: Talk, words: str = "") -> Screens:
    """/why 7 Ann"""
    number, _space, who = words.strip().partition(" ")
    if not number or not who.strip():
        raise Invalid(_("Type a mailing's number and a client, such as: /why 7 Ann. Or find the client in /clients."))
    mailing = await find_mailing(talk, number)
    found = await talk.store.clients.find(who.strip())
    if not found:
        raise NotFound(
            _("I find no client “{words}”: type a piece of the name, a phone or an id."), words=short(who, 60)
        )
    if len(found) == 1:
        return [await _why_card(talk, found[0], mailing.id)]
    rows = in_rows([button(short(name_of(one), 28), "k:why!", one.id, mailing.id) for one in found[:PAGE]], 2)
    return [card(talk.t("Which of them?"), [*rows, footer(talk)])]
