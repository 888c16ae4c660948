"""Clients: found by name, phone or id; the card with its last mailings; tags and the main channel; the file of all we
know; forgetting."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot.dialogs.talk import (
    PAGE,
    Opens,
    Rows,
    Screens,
    Talk,
    button,
    card,
    chosen,
    danger,
    digest,
    footer,
    in_rows,
    lines,
    paragraphs,
    plain_words,
    short,
)
from bot.screens import Button, Document, Said, Screen
from bot.texts import Html, _
from engine.errors import Invalid, NotFound
from gateways.base import AddressStatus
from storage.histories import Got
from storage.records import AddressRecord, ClientCard, DeliveryState

# What is asked for of a client: the press that does it, and the question where nobody is named yet.
ACTIONS: Mapping[str, tuple[str, str]] = {
    "card": ("k:of", _("<b>Clients</b>\n\nWhom do you look for? Type a piece of the name, a phone or an id.")),
    "tags": ("k:tags", _("Whose tags? Type a piece of the name, a phone or an id.")),
    "main": ("k:main", _("Whose main channel? Type a piece of the name, a phone or an id.")),
    "out": ("k:out", _("Who wants no mailings? Type a piece of the name, a phone or an id.")),
    "in": ("k:in", _("Who wants mailings again? Type a piece of the name, a phone or an id.")),
    "merge": ("k:merge", _("Which client has two cards? Type a piece of the name, a phone or an id of one of them.")),
    "export": ("k:export", _("Whose data? Type a piece of the name, a phone or an id.")),
    "erase": ("k:erase?", _("Who is to be forgotten? Type a piece of the name, a phone or an id.")),
}
_STATES = {
    DeliveryState.PLANNED: _("waits"),
    DeliveryState.SENDING: _("is being sent"),
    DeliveryState.SENT: _("sent"),
    DeliveryState.DELIVERED: _("delivered"),
    DeliveryState.READ: _("read"),
    DeliveryState.FAILED: _("failed"),
    DeliveryState.SKIPPED: _("not sent"),
    DeliveryState.CANCELLED: _("cancelled"),
    DeliveryState.UNKNOWN: _("unknown"),
}
_MAX_TAG = 60  # characters
_SHOWN_ATTRIBUTES = 12
_SHOWN_MAILINGS = 5


async def open_clients(talk: Talk, *_args: str) -> Screens:
    return ask_whom(talk, "card")


def ask_whom(talk: Talk, action: str) -> Screens:
    t = talk.t
    talk.ask("k.find", action)
    rows: Rows = [(button(t("By a filter"), "q"),)] if action == "card" else []
    return [card(t(ACTIONS[action][1]), [*rows, footer(talk)], ask=t.plain("A name, a phone or an id"))]


def by_command(action: str) -> Opens:
    """/clients, /clients Ann; /erase Ann …"""

    async def opens(talk: Talk, words: str = "") -> Screens:
        return await find(talk, words.strip(), action) if words.strip() else ask_whom(talk, action)

    return opens


async def hear_find(talk: Talk, said: Said, action: str = "card") -> Screens:
    words = plain_words(said)
    if not words:
        raise Invalid(_("Type a piece of the name, a phone or an id."))
    return await find(talk, words, action)


async def find_more(talk: Talk, after: str) -> Screens:
    """The next ones of the last search."""
    looked = talk.state.get("find")
    if not looked:
        return ask_whom(talk, "card")
    return await find(talk, *looked, after=int(after))


async def find(talk: Talk, words: str, action: str = "card", *, after: int = 0) -> Screens:
    """One client opens at once, several are shown to choose from, page by page."""
    t = talk.t
    leads_to = ACTIONS[action][0]
    talk.ask("k.find", action)
    found = await talk.store.clients.find(words, limit=PAGE + 1, after=after)
    if not found:
        text = t(
            "I find no client “{words}”. Try a shorter piece of the name, the phone or the id.", words=short(words, 60)
        )
        return [card(text, [footer(talk)], ask=t.plain("A name, a phone or an id"))]
    if len(found) == 1 and not after:
        from bot.dialogs.routes import PRESSES  # which names this module

        return await PRESSES[leads_to].open(talk, str(found[0].id))
    talk.state["find"] = [words, action]
    if len(found) > PAGE or after:
        head = t("Several; type more of the name to narrow them down:")
    else:
        head = t.plural("{count} client found:", "{count} clients found:", len(found))
    more = [button(t("More ▶"), "k:more", found[PAGE - 1].id)] if len(found) > PAGE else []
    return [choose_client(talk, head, found[:PAGE], leads_to, more=more)]


def choose_client(
    talk: Talk, head: Html, found: Sequence[ClientCard], leads_to: str, *args: object, more: Sequence[Button] = ()
) -> Screen:
    """Which of several is meant."""
    t = talk.t
    text = paragraphs(
        head, lines(*(t("{name} – {addresses}", name=name_of(one), addresses=_channels(one)) for one in found))
    )
    rows: Rows = in_rows([button(short(name_of(one), 28), leads_to, one.id, *args) for one in found], 2)
    rows += [tuple(more)] if more else []
    return card(text, [*rows, footer(talk)], ask=t.plain("A name, a phone or an id"))


async def open_client(talk: Talk, client_id: str) -> Screens:
    return [await client_card(talk, await get_client(talk, client_id))]


async def get_client(talk: Talk, client_id: str) -> ClientCard:
    """The client, or the one that the card was merged into. Raises NotFound for one who was forgotten."""
    try:
        return await talk.store.clients.get_standing(int(client_id))
    except NotFound:
        raise NotFound(_("There is no such client any more.")) from None


async def client_card(talk: Talk, client: ClientCard, note: str = "") -> Screen:
    t = talk.t
    talk.ask("k.find", "card")
    attributes = sorted((client.attributes or {}).items())[:_SHOWN_ATTRIBUTES]
    got = await talk.store.histories.last_mailings(client.id, _SHOWN_MAILINGS)
    text = paragraphs(
        note or None,
        t("<b>{name}</b> · id {id}", name=name_of(client), id=client.external_id or f"#{client.id}"),
        lines(
            t("Language: {language}", language=client.language) if client.language else None,
            t("Time zone: {zone}", zone=client.timezone) if client.timezone else None,
            t("Tags: {tags}", tags=t.listed(list(client.tags))) if client.tags else t("No tags"),
            t("Here since {day}", day=t.day(client.created_at)),
            t("Last seen {when}", when=t.ago(client.last_seen_at, talk.clock.now())) if client.last_seen_at else None,
        ),
        lines(*(address_line(talk, client, one) for one in client.addresses)) or t("No address: nothing can be sent."),
        lines(*(t("{name}: {value}", name=name, value=str(value)) for name, value in attributes)) or None,
        lines(t("<b>Last mailings</b>"), *(_got(talk, one) for one in got)) if got else t("No mailing yet."),
    )
    return card(text, _card_rows(talk, client), ask=t.plain("Another client: a name, a phone or an id"))


def _card_rows(talk: Talk, client: ClientCard) -> Rows:
    t = talk.t
    second = [button(t("Main channel"), "k:main", client.id)] if len(channels_of(client)) > 1 else []
    is_out = [one.status is AddressStatus.UNSUBSCRIBED for one in client.addresses if one.channel]
    if not is_out or not all(is_out):
        second.append(danger(t("Opt out"), "k:out", client.id))
    if talk.may("opt_in") and any(is_out):
        second.append(button(t("Opt in again"), "k:in", client.id))
    last = [button(t("Export"), "k:export", client.id), button(t("Merge"), "k:merge", client.id)]
    if talk.may("erase"):
        last.append(danger(t("Erase"), "k:erase?", client.id))
    return [
        (button(t("Why (not)?"), "k:why", client.id), button(t("Tags"), "k:tags", client.id)),
        *([tuple(second)] if second else []),
        tuple(last),
        footer(talk, button(t("◀ Find another"), "k")),
    ]


def name_of(client: ClientCard) -> str:
    full = " ".join(part for part in (client.first_name, client.last_name) if part)
    return client.name or full or client.external_id or f"#{client.id}"


def channels_of(client: ClientCard) -> list[str]:
    return list(dict.fromkeys(one.channel for one in client.addresses if one.channel))


def _channels(client: ClientCard) -> str:
    return ", ".join(channels_of(client)) or "–"


def address_line(talk: Talk, client: ClientCard, one: AddressRecord) -> Html:
    t = talk.t
    status = t("enabled") if one.status is AddressStatus.ENABLED else t.reason(str(one.status))
    where = one.channel or (t.plain(_SCOPES[one.scope]) if one.scope in _SCOPES else one.scope)
    main = t(" (main)") if one.channel and one.channel == client.main_channel else Html("")
    return t("{where}: {address}, {status}{main}", where=where, address=one.external_id, status=status, main=main)


_SCOPES = {"phone": _("phone"), "email": _("e-mail")}


def _got(talk: Talk, one: Got) -> Html:
    t = talk.t
    state = t(_STATES[one.state])
    if one.reason:
        state = t("{state}, {reason}", state=state, reason=t.reason(one.reason))
    if one.at is None:
        return t("#{id} {name} – {state}", id=one.mailing_id, name=one.name, state=state)
    return t("#{id} {name} – {state}, {day}", id=one.mailing_id, name=one.name, state=state, day=t.day(one.at))


# --- tags ---


async def open_tags(talk: Talk, client_id: str) -> Screens:
    return [await _tags_card(talk, await get_client(talk, client_id))]


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
    await talk.store.clients.tag((await get_client(talk, client_id)).id, name)
    return await open_tags(talk, client_id)


async def untag(talk: Talk, client_id: str, short_name: str) -> Screens:
    client = await get_client(talk, client_id)
    await talk.store.clients.untag(client.id, chosen(client.tags, short_name))
    return await open_tags(talk, client_id)


async def hear_tag(talk: Talk, said: Said, client_id: str) -> Screens:
    name = " ".join(plain_words(said).split())
    if not name or len(name) > _MAX_TAG:
        raise Invalid(_("A tag is a word or two: type it, {most} signs at most."), most=_MAX_TAG)
    await talk.store.clients.tag((await get_client(talk, client_id)).id, name)
    return await open_tags(talk, client_id)


# --- the main channel ---


async def open_main(talk: Talk, client_id: str) -> Screens:
    t = talk.t
    client = await get_client(talk, client_id)
    channels = channels_of(client)
    back = button(t("◀ Back"), "k:of", client.id)
    if len(channels) < 2:
        text = t(
            "{name} is on {channel} only, so that is the main channel.", name=name_of(client), channel=_channels(client)
        )
        return [card(text, [footer(talk, back)])]
    rows: Rows = in_rows(
        [
            button(
                f"✓ {short(one, 24)}" if one == client.main_channel else short(one, 26),
                "k:main!",
                client.id,
                digest(one),
            )
            for one in channels
        ],
        2,
    )
    text = paragraphs(
        t("By which channel do mailings reach {name} first?", name=name_of(client)),
        lines(*(address_line(talk, client, one) for one in client.addresses if one.channel)),
    )
    return [card(text, [*rows, footer(talk, back)])]


async def set_main(talk: Talk, client_id: str, short_name: str) -> Screens:
    client = await get_client(talk, client_id)
    channel = chosen(channels_of(client), short_name)
    await talk.operations.set_main_channel(client.id, channel, talk.actor)
    told = talk.t("The main channel is {channel} now.", channel=channel)
    return [await client_card(talk, await get_client(talk, client_id), told)]


# --- the file of all we know, forgetting ---


async def export(talk: Talk, client_id: str) -> Screens:
    """Everything that stands about the client, as a file: what somebody may ask for who wants to know."""
    t = talk.t
    client = await get_client(talk, client_id)
    everything = await talk.store.clients.export(client.id)
    content = json.dumps(everything, ensure_ascii=False, indent=2).encode()
    text = t("All that we know of {name} stands in this file. Hand it on with care.", name=name_of(client))
    screen = card(text, [footer(talk, button(t("◀ Back"), "k:of", client.id))])
    return [replace(screen, files=(Document(f"client-{client.id}.json", content),))]


async def ask_erase(talk: Talk, client_id: str) -> Screens:
    t = talk.t
    client = await get_client(talk, client_id)
    text = paragraphs(
        t("<b>Forget {name} for good?</b>", name=name_of(client)),
        t(
            "The name, all addresses, tags and fields go, and what {name} wrote. It can't be undone.",
            name=name_of(client),
        ),
        t("Counted mailings stay counted, without a name. An import does not bring {name} back.", name=name_of(client)),
    )
    rows: Rows = [
        (danger(t("Yes, forget for good"), "k:erase", client.id),),
        (button(t("Export first"), "k:export", client.id),),
        footer(talk, button(t("◀ Back"), "k:of", client.id)),
    ]
    return [card(text, rows)]


async def erase(talk: Talk, client_id: str) -> Screens:
    t = talk.t
    client = await get_client(talk, client_id)
    await talk.operations.erase_client(client.id, talk.actor)
    text = t("Forgotten: nothing of this client is left but sums.")
    return [card(text, [footer(talk, button(t("◀ Find another"), "k"))])]
