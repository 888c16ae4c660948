"""Correcting what clients have, where it stands: new words, another address under a button, then one press."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

from bot.dialogs import after
from bot.dialogs.said import as_template, link_of
from bot.dialogs.talk import (
    Rows,
    Screens,
    Talk,
    button,
    card,
    digest,
    footer,
    lines,
    paragraphs,
    plain_words,
    primary,
    short,
)
from bot.screens import Button, Said, Screen
from bot.texts import _
from engine.errors import Invalid, Refused, Stale
from gateways.message import Button as AnyButton
from gateways.message import Link, Location, Message, content_hash, plain, read_message
from storage.records import AmendmentKind, Mailing

_WORDS = 28  # characters of a text on a button
_SHOWN = 1000  # of one on a card


async def open_correct(talk: Talk, mailing_id: str) -> Screens:
    """What of the message can be corrected; where that is one text only, it is asked for at once."""
    t = talk.t
    mailing = await talk.operations.get(int(mailing_id))
    if first := await after.not_yet(talk, mailing):
        return first
    message = await _corrected(talk, mailing)
    texts, links = list(_texts_of(message)), list(_links_of(message))
    if not texts and not links:
        words = t("It has no words and no links that could be corrected: write to those who got it instead.")
        return [await after.after_card(talk, mailing, words)]
    if len(texts) == 1 and not links:
        return await ask_text(talk, mailing_id, str(texts[0][0]))
    rows: Rows = [
        (button(t.plain("Words: {words}", words=short(_bare(text), _WORDS)), "af:text", mailing.id, place),)
        for place, text in texts
    ]
    rows += [
        (button(t.plain("Link of “{label}”", label=short(link.label, _WORDS)), "af:link", mailing.id, place),)
        for place, link in links
    ]
    text = t(
        "What is wrong in “{name}”? Only words and links can be changed where they stand.", name=mailing.draft.name
    )
    return [card(text, [*rows, _back(talk, mailing)])]


async def ask_text(talk: Talk, mailing_id: str, place: str) -> Screens:
    t = talk.t
    mailing = await talk.operations.get(int(mailing_id))
    texts = dict(_texts_of(await _corrected(talk, mailing)))
    if int(place) not in texts:
        return await open_correct(talk, mailing_id)
    talk.ask("af.text", mailing.id, place)
    text = paragraphs(
        t("<b>Send me the words as they should be.</b>"),
        t("Now they are: {words}", words=short(_bare(texts[int(place)]), _SHOWN)),
        t("Pictures, files and buttons stay as they are."),
    )
    return [card(text, [_back(talk, mailing)], ask=t.plain("The right words"))]


async def hear_text(talk: Talk, said: Said, mailing_id: str, place: str) -> Screens:
    if said.attachments or said.location or not said.text.strip():
        raise Invalid(_("Only words can be changed where they stand: type them, or send them as a message."))
    mailing = await talk.operations.get(int(mailing_id))
    message = await _corrected(talk, mailing)
    texts = dict(_texts_of(message))
    if int(place) not in texts:
        raise Stale(_("That text is no longer there; choose again."))
    return await _show(talk, mailing, _with_text(message, int(place), as_template(said.text)))


async def ask_link(talk: Talk, mailing_id: str, place: str) -> Screens:
    t = talk.t
    mailing = await talk.operations.get(int(mailing_id))
    links = dict(_links_of(await _corrected(talk, mailing)))
    if int(place) not in links:
        return await open_correct(talk, mailing_id)
    link = links[int(place)]
    talk.ask("af.link", mailing.id, place)
    text = paragraphs(
        t("Where should “{label}” lead? Type the address.", label=link.label),
        t("Now it leads to {address}", address=link.link),
    )
    return [card(text, [_back(talk, mailing)], ask="https://…")]


async def hear_link(talk: Talk, said: Said, mailing_id: str, place: str) -> Screens:
    mailing = await talk.operations.get(int(mailing_id))
    message = await _corrected(talk, mailing)
    if int(place) not in dict(_links_of(message)):
        raise Stale(_("That button is no longer there; choose again."))
    return await _show(talk, mailing, _with_link(message, int(place), link_of(plain_words(said))))


async def _show(talk: Talk, mailing: Mailing, message: Message) -> Screens:
    """The message as it would read, and whom that reaches. Raises Invalid where it can't go out so."""
    t = talk.t
    preview = await talk.operations.checker.preview(replace(mailing.draft, message=message, audience={}))
    hopes = await talk.operations.hopes(mailing.id, AmendmentKind.CORRECT, message)
    talk.state["fix"] = {"mailing": mailing.id, "message": plain(message)}
    got = sum(hope.got for hope in hopes if hope.hopeless is None)
    text = paragraphs(
        t("Above is “{name}” as it will read.", name=mailing.draft.name),
        t.plural("It is changed for {count} client.", "It is changed for {count} clients.", got)
        if got
        else t("It can't be changed for anybody."),
        after.left_alone(t, hopes),
        lines(t("They see it where it stands, without a new sound."), after.pace(talk, hopes)) if got else None,
    )
    rows: Rows = []
    if got:
        words = t.plain_plural("Correct it for {count} client", "Correct it for {count} clients", got)
        rows.append((primary(words, "af:go", mailing.id, digest(content_hash(message))),))
    if len(list(_texts_of(message))) + len(list(_links_of(message))) > 1:
        rows.append((button(t("Change something else too"), "af:fix", mailing.id),))
    else:
        rows.append((button(t("Type it again"), "af:fix", mailing.id),))
    return [Screen(text, (*rows, _back(talk, mailing)), preview=preview.shown)]


async def go(talk: Talk, mailing_id: str, short_hash: str) -> Screens:
    """The one press: what was shown is what clients will read."""
    mailing = await talk.operations.get(int(mailing_id))
    message = _kept(talk, mailing)
    if message is None or digest(content_hash(message)) != short_hash:
        raise Stale(_("That card was old. Here is what can be done now."))
    try:
        made = await talk.operations.correct(mailing.id, message, talk.actor)
    except Refused as error:
        return [await after.after_card(talk, mailing, talk.t.error(error))]
    talk.state.pop("fix", None)
    return await after.open_amendment(talk, str(made.id))


# --- the message while it is being corrected ---


def _kept(talk: Talk, mailing: Mailing) -> Message | None:
    kept = talk.state.get("fix") or {}
    return read_message(kept["message"]) if kept.get("mailing") == mailing.id else None


async def _corrected(talk: Talk, mailing: Mailing) -> Message:
    return _kept(talk, mailing) or await talk.operations.reads_now(mailing.id)


def _texts_of(message: Message) -> Iterator[tuple[int, str]]:
    """Place and text of every element that has one."""
    for place, element in enumerate(message.elements):
        if not isinstance(element, Location) and element.text.strip():
            yield place, element.text


def _links_of(message: Message) -> Iterator[tuple[int, Link]]:
    """Number and button of every link under the elements, counted along all buttons."""
    number = 0
    for element in message.elements:
        for row in element.buttons:
            for one in row:
                if isinstance(one, Link):
                    yield number, one
                number += 1


def _with_text(message: Message, wanted: int, text: str) -> Message:
    elements = [
        replace(element, text=text) if place == wanted and not isinstance(element, Location) else element
        for place, element in enumerate(message.elements)
    ]
    return replace(message, elements=tuple(elements))


def _with_link(message: Message, wanted: int, address: str) -> Message:
    number = count()
    elements = [
        replace(
            element,
            buttons=tuple(
                tuple(_led_to(one, address) if next(number) == wanted else one for one in row)
                for row in element.buttons
            ),
        )
        for element in message.elements
    ]
    return replace(message, elements=tuple(elements))


def _led_to(one: AnyButton, address: str) -> AnyButton:
    return replace(one, link=address) if isinstance(one, Link) else one


def _bare(text: str) -> str:
    from gateways.markup import InvalidMarkup, read_html

    try:
        return " ".join(read_html(text).text.split())
    except InvalidMarkup:
        return text


def _back(talk: Talk, mailing: Mailing) -> tuple[Button, ...]:
    return footer(talk, button(talk.t("◀ Back"), "af", mailing.id))
