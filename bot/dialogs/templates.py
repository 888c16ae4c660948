"""The template that goes where a messenger takes no free message: picked from those that are approved, filled value by
value, shown as a client gets it."""

from dataclasses import replace
from typing import Any

from bot.dialogs import compose
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
from engine.audience import field_words
from engine.errors import Invalid
from engine.preview import template_text
from engine.template_fill import Place, Slot, field_of, slots_of
from gateways.base import PartKind, Template
from storage.records import Mailing

_FIRST_FIELDS = ("first_name", "last_name", "name")  # those that people ask for most
_MOST_FIELDS = 9  # buttons on one card
_BODY = 200  # characters of a template's text in the list


def kinds_with_templates(talk: Talk) -> dict[str, str]:
    """The kinds of messenger that take templates, and what people call them."""
    channels = talk.settings.channels.values()
    return {channel.kind: channel.able.title for channel in channels if channel.able.takes_templates}


def template_line(talk: Talk, mailing: Mailing) -> str | None:
    """Which templates the message has, for its card."""
    t = talk.t
    told = []
    for kind, title in sorted(kinds_with_templates(talk).items()):
        field = mailing.draft.message.only.get(kind, {}).get("template")
        if isinstance(field, dict):
            name = str(field.get("name") or field.get("sid"))
            told.append(t("{title} template: {name} ({language})", title=title, name=name, language=_language(field)))
    return lines(*told) or None


def _language(field: dict[str, Any]) -> str:
    return str(field.get("language") or "–")


async def open_templates(talk: Talk, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    kinds = kinds_with_templates(talk)
    if len(kinds) == 1:
        return [await _list(talk, mailing, next(iter(kinds)))]
    t = talk.t
    here = compose.at(mailing)
    if not kinds:
        raise Invalid(_("No messenger that takes templates is set up."))
    rows: Rows = [(button(title, "t:list", kind, *here),) for kind, title in sorted(kinds.items())]
    back = button(t("◀ Back"), "c:m", *here)
    return [card(t("On which messenger?"), [*rows, footer(talk, back, leave=mailing.id)])]


async def open_list(talk: Talk, kind: str, mailing_id: str, revision: str, page: str = "0") -> Screens:
    return [await _list(talk, await compose.draft_at(talk, mailing_id, revision), kind, int(page))]


async def _list(talk: Talk, mailing: Mailing, kind: str, page: int = 0, note: str = "") -> Screen:
    t = talk.t
    here = compose.at(mailing)
    approved = await _approved(talk, kind)
    shown = approved[page * PAGE : (page + 1) * PAGE]
    title = kinds_with_templates(talk).get(kind, kind)
    own = mailing.draft.message.only.get(kind, {}).get("template")
    text = paragraphs(
        t("<b>{title} templates</b> for “{name}”", title=title, name=mailing.draft.name),
        note or None,
        t("A template goes to clients who have not written for so long that {title} takes nothing else.", title=title),
        lines(*(_line(talk, one) for one in shown)) or t("None is approved yet, or they were not read: /channels."),
    )
    rows: Rows = [
        *((button(f"{one.name} · {one.language}", "t:use", kind, digest(_key(one)), *here),) for one in shown),
        *turner(talk, page, len(approved) > (page + 1) * PAGE, "t:list", kind, *here),
    ]
    if any(one.kind == kind and one.able.submits_templates for one in talk.settings.channels.values()):
        rows.append((button(t("Write a new one"), "w"),))
    if own is not None:
        rows.append((danger(t("Without template"), "t:drop", kind, *here),))
    rows.append(footer(talk, button(t("◀ Back"), "c:m", *here), leave=mailing.id))
    return card(text, rows)


def _line(talk: Talk, template: Template) -> str:
    return talk.t(
        "• <b>{name}</b> ({language}, {category}): {body}",
        name=template.name,
        language=template.language,
        category=template.category,
        body=short(" ".join(template.body.split()), _BODY),
    )


def _key(template: Template) -> str:
    return f"{template.name}\0{template.language}"


async def _approved(talk: Talk, kind: str) -> list[Template]:
    """Of all channels of the kind, each name and language once."""
    found: dict[str, Template] = {}
    for channel in talk.settings.channels.values():
        if channel.kind == kind and channel.able.takes_templates:
            for one in await talk.store.templates.of_channel(channel.id):
                if one.status == "approved":
                    found.setdefault(_key(one), one)
    return [found[key] for key in sorted(found)]


async def _template(talk: Talk, kind: str, key: str) -> Template:
    """Raises NotFound when it has gone in between."""
    approved = {_key(one): one for one in await _approved(talk, kind)}
    return approved[chosen(list(approved), key)]


# --- filling it ---


async def use(talk: Talk, kind: str, key: str, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    talk.state["filling"] = {"kind": kind, "key": key, "values": {}}
    return await _next(talk, mailing)


async def _next(talk: Talk, mailing: Mailing) -> Screens:
    """Ask for the next value, or keep the template once it has all."""
    kind, template, values = await _filling(talk)
    slot = next((one for one in slots_of(template) if str(one) not in values), None)
    if slot is not None:
        return [await _question(talk, mailing, template, slot, values)]
    field = field_of(template, values)
    mailing = await talk.operations.set_template(mailing.id, kind, field, talk.actor, revision=mailing.revision)
    talk.state.pop("filling", None)
    return await _shown(talk, mailing, kind, talk.t("The template is kept."))


async def _filling(talk: Talk) -> tuple[str, Template, dict[str, Any]]:
    """What is being filled. Raises Invalid where that was left."""
    filling = talk.state.get("filling")
    if not filling:
        raise Invalid(_("Choose the template again."))
    return filling["kind"], await _template(talk, filling["kind"], filling["key"]), filling["values"]


async def _question(talk: Talk, mailing: Mailing, template: Template, slot: Slot, values: dict[str, Any]) -> Screen:
    t = talk.t
    here = compose.at(mailing)
    talk.ask("t.value", *here)
    given = {one.name: values[str(one)] for one in slots_of(template) if one.place is Place.BODY and str(one) in values}
    so_far = template_text({"parameters": given}, template)
    fields = (
        (await fields_of_cards(talk))[:_MOST_FIELDS] if slot.place in (Place.BODY, Place.HEAD, Place.BUTTON) else []
    )
    text = paragraphs(
        t("<b>{name}</b> ({language})", name=template.name, language=template.language),
        t("<blockquote>{body}</blockquote>", body=so_far) if so_far else None,
        _asks(talk, slot),
        t("Type it, or press what of the client's card shall stand there.") if fields else None,
    )
    rows: Rows = [*in_rows([button(field_words(name, t.plain), "t:field", digest(name), *here) for name in fields], 3)]
    if slot.place is Place.REPLY:
        rows.append((button(t("Don't count it"), "t:skip", *here),))
    back = button(t("◀ Back"), "t", *here)
    return card(text, [*rows, footer(talk, back, leave=mailing.id)], ask=t.plain("The value"))


def _asks(talk: Talk, slot: Slot) -> Html:
    t = talk.t
    match slot.place:
        case Place.FILE:
            return t("Send me the picture, video or file that stands at its head.")
        case Place.POINT:
            return t("Send me the location that stands at its head.")
        case Place.BUTTON:
            return t("What does button {number} lead to: the end of its link, or the code to copy?", number=slot.name)
        case Place.REPLY:
            return t(
                "What does a client say by pressing quick reply {number}? Type the words: the press is counted under "
                "them.",
                number=slot.name,
            )
        case Place.HEAD:
            return t("What stands at its head in place of {slot}?", slot=f"{{{{{slot.name}}}}}")
        case _:
            return t("What stands in place of {slot}?", slot=f"{{{{{slot.name}}}}}")


async def fields_of_cards(talk: Talk) -> list[str]:
    """What cards hold and a text can name, the most usual first."""
    known = await talk.store.clients.known_fields() - {"tags", "id"}
    attributes = [name for name in await talk.store.clients.attribute_names() if name.isidentifier()]
    usual = [name for name in _FIRST_FIELDS if name in known]
    rest = sorted(known.difference(usual, attributes))
    return list(dict.fromkeys([*usual, *attributes, *(name for name in rest if name.isidentifier())]))


async def hear_value(talk: Talk, said: Said, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    _kind, template, values = await _filling(talk)
    slot = next((one for one in slots_of(template) if str(one) not in values), None)
    if slot is not None:
        values[str(slot)] = _value(said, slot)
    return await _next(talk, mailing)


def _value(said: Said, slot: Slot) -> Any:
    """What was said, as this slot takes it. Raises Invalid."""
    if slot.place is Place.FILE:
        taken = (PartKind.PICTURE, PartKind.VIDEO, PartKind.FILE)
        file = next((one for one in said.attachments if one.kind in taken), None)
        if file is None:
            raise Invalid(_("Send a picture, a video or a file."))
        return {"file": file.source, "name": file.name} if file.name else file.source
    if slot.place is Place.POINT:
        if said.location is None:
            raise Invalid(_("Send a location."))
        return {"latitude": said.location.latitude, "longitude": said.location.longitude}
    words = plain_words(said)
    if not words:
        raise Invalid(_("Type it as a text."))
    return words


async def without_words(talk: Talk, mailing_id: str, revision: str) -> Screens:
    """A quick reply that comes back as whatever stands on it, and is no click."""
    mailing = await compose.draft_at(talk, mailing_id, revision)
    _kind, template, values = await _filling(talk)
    slot = next((one for one in slots_of(template) if str(one) not in values), None)
    if slot is not None and slot.place is Place.REPLY:
        values[str(slot)] = ""
    return await _next(talk, mailing)


async def take_field(talk: Talk, short_name: str, mailing_id: str, revision: str) -> Screens:
    """A field of the card: what stands there for a client of whom it is not known?"""
    mailing = await compose.draft_at(talk, mailing_id, revision)
    field = chosen(await fields_of_cards(talk), short_name)
    await _filling(talk)
    here = compose.at(mailing)
    talk.state["filling"]["field"] = field
    talk.ask("t.default", *here)
    t = talk.t
    name = field_words(field, t.plain)
    text = t("What stands there for a client whose {field} is not known? Type it, such as: friend", field=name)
    rows: Rows = [(button(t("Then nothing goes to that client"), "t:bare", *here),)]
    return [card(text, [*rows, footer(talk, _again(talk, mailing), leave=mailing.id)], ask=t.plain("Such as: friend"))]


def _again(talk: Talk, mailing: Mailing) -> Button:
    return button(talk.t("◀ Back"), "t:back", *compose.at(mailing))


async def ask_again(talk: Talk, mailing_id: str, revision: str) -> Screens:
    return await _next(talk, await compose.draft_at(talk, mailing_id, revision))


async def hear_default(talk: Talk, said: Said, mailing_id: str, revision: str) -> Screens:
    words = plain_words(said).replace("'", "’")
    if not words or "{" in words or "}" in words or "\\" in words:
        raise Invalid(_("Type a word or two."))
    return await _take(talk, f" | default('{words}')", mailing_id, revision)


async def without_default(talk: Talk, mailing_id: str, revision: str) -> Screens:
    return await _take(talk, "", mailing_id, revision)


async def _take(talk: Talk, default: str, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    _kind, template, values = await _filling(talk)
    field = talk.state["filling"].pop("field", None)
    slot = next((one for one in slots_of(template) if str(one) not in values), None)
    if field is not None and slot is not None:
        values[str(slot)] = f"{{{{ client.{field}{default} }}}}"
    return await _next(talk, mailing)


# --- afterwards ---


async def drop(talk: Talk, kind: str, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    mailing = await talk.operations.set_template(mailing.id, kind, None, talk.actor, revision=mailing.revision)
    return [await _list(talk, mailing, kind, note=talk.t("Removed, and saved."))]


async def _shown(talk: Talk, mailing: Mailing, kind: str, note: str) -> Screens:
    """The template as a client gets it, then the message's card."""
    t = talk.t
    channel = next(one.id for one in talk.settings.channels.values() if one.kind == kind and one.able.takes_templates)
    try:
        preview = await talk.operations.preview(mailing.id, channel=channel)
    except Invalid as error:
        broken = t("⚠ It can't go out like this: {why}", why=t.error(error))
        return [replace(compose.message_card(talk, mailing, note, broken), edit=False)]
    seen = t("Above is what a client gets by {channel} while the reply window is closed.", channel=channel)
    screen = compose.message_card(talk, mailing, note, seen)
    return [replace(screen, preview=preview.shown_outside, edit=False)]
