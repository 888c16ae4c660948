"""Fields of the client's card in a text: which there are, with examples; put in by a press; what stands for a missing
one."""

import html
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.dialogs import compose, constructor
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
from bot.dialogs.templates import fields_of_cards
from bot.dialogs.work import Work, put_element, work_at
from bot.dialogs.written import friend, plain_of
from bot.screens import Said
from bot.texts import Html, Texts, _
from engine.audience import field_words
from engine.errors import Invalid
from engine.values import shown
from engine.writing import with_default
from gateways.message import Location

_APART = re.compile(r"<[^>]*>|\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)  # where no word of the text stands
_SHOWN_TEXT = 500  # characters
_ON_NEW = 5  # fields that the question for a message shows


async def said_fields(talk: Talk) -> str:
    """The most usual fields, to be copied into a message."""
    examples = await talk.store.clients.examples()
    fields = [field for field in await fields_of_cards(talk) if field in examples]
    return lines(*(_line(talk.t, field, examples) for field in fields[:_ON_NEW]))


def _line(t: Texts, field: str, examples: Mapping[str, Any]) -> str:
    code = Html(f"<code>{tag_of(field, friend(t) if field == 'first_name' else None)}</code>")
    if field not in examples:
        return t("{code} – {field}", code=code, field=field_words(field, t.plain))
    example = short(shown(examples[field]), 40)
    return t("{code} – {field}, such as {value}", code=code, field=field_words(field, t.plain), value=example)


def tag_of(field: str, default: str | None = None) -> str:
    """The field as it stands in a text, as plain text."""
    return f"{{{{ client.{field} }}}}" if default is None else f"{{{{ client.{field} | default('{default}') }}}}"


async def open_palette(talk: Talk, scope: str, place: str, subject_id: str, revision: str, page: str = "0") -> Screens:
    work = await work_at(talk, scope, subject_id, revision)
    text_of(work, place)
    fields = await fields_of_cards(talk)
    examples = await talk.store.clients.examples()
    first = int(page) * PAGE
    on_page = fields[first : first + PAGE]
    at = (scope, place, *work.at[1:])
    t = talk.t
    text = paragraphs(
        t("<b>Which field of the client's card shall stand in the text?</b>"),
        lines(*(_line(t, field, examples) for field in on_page)),
        t("Each client reads a value of their own. Press one; or copy it into the text that you send."),
    )
    rows: Rows = [
        *in_rows([button(field_words(field, t.plain), "f:of", digest(field), *at) for field in on_page], 2),
        *turner(talk, int(page), len(fields) > first + PAGE, "f", *at),
        footer(talk, button(t("◀ Back"), "e:of", *at), leave=work.leave),
    ]
    return [card(text, rows)]


def text_of(work: Work, place: str) -> str:
    """Raises Invalid where the piece has none."""
    element = work.element(place)
    if isinstance(element, Location) or not element.text.strip():
        raise Invalid(_("That piece has no text yet: type one first."))
    return element.text


async def ask_where(talk: Talk, key: str, scope: str, place: str, subject_id: str, revision: str) -> Screens:
    """The field is chosen: where shall it stand?"""
    work = await work_at(talk, scope, subject_id, revision)
    field = chosen(await fields_of_cards(talk), key)
    at = (scope, place, *work.at[1:])
    talk.ask("f.instead", key, *at)
    t = talk.t
    name = field_words(field, t.plain)
    text = paragraphs(
        t("<blockquote>{words}</blockquote>", words=short(plain_of(text_of(work, place)).strip(), _SHOWN_TEXT)),
        t(
            "In place of which word shall the {field} stand? Type that word: a client whose {field} is not known reads "
            "it as it is.",
            field=name,
        ),
    )
    rows: Rows = [
        (button(t("At the beginning"), "f:put", "start", key, *at), button(t("At the end"), "f:put", "end", key, *at)),
        footer(talk, button(t("◀ Back"), "f", *at), leave=work.leave),
    ]
    return [card(text, rows, ask=t.plain("A word of the text"))]


async def put(talk: Talk, where: str, key: str, scope: str, place: str, subject_id: str, revision: str) -> Screens:
    work = await work_at(talk, scope, subject_id, revision)
    tag = tag_of(chosen(await fields_of_cards(talk), key))
    text = text_of(work, place)
    return await _kept(talk, work, place, f"{tag} {text}" if where == "start" else f"{text} {tag}")


async def hear_instead(
    talk: Talk, said: Said, key: str, scope: str, place: str, subject_id: str, revision: str
) -> Screens:
    work = await work_at(talk, scope, subject_id, revision)
    field = chosen(await fields_of_cards(talk), key)
    words = plain_words(said)
    if not words or re.search(r"[{}\\]", words):
        raise Invalid(_("Type a word or two."))
    tag = tag_of(field, words.replace("'", "’"))
    return await _kept(talk, work, place, instead(text_of(work, place), words, tag))


def instead(text: str, words: str, tag: str) -> str:
    """The text with the tag in place of the first of these words, tags and expressions left alone. Raises Invalid."""
    written = html.escape(words, quote=False)
    gaps = [(found.start(), found.end()) for found in _APART.finditer(text)]
    for found in re.finditer(re.escape(written), text, re.IGNORECASE):
        if not any(start < found.end() and found.start() < end for start, end in gaps):
            return text[: found.start()] + tag + text[found.end() :]
    raise Invalid(_("“{words}” does not stand in the text: type a word of it."), words=short(words, 60))


async def _kept(talk: Talk, work: Work, place: str, text: str) -> Screens:
    element = work.element(place)
    if not isinstance(element, Location):
        work = await put_element(talk, work, place, replace(element, text=text))
    return [await constructor.piece_card(talk, work, int(place), talk.t("Changed, and saved."))]


# --- what stands for a missing value ---


async def _bare_field(talk: Talk, key: str) -> str:
    return chosen(sorted(await talk.store.clients.known_fields()), key)


async def put_friend(talk: Talk, key: str, mailing_id: str, revision: str) -> Screens:
    return await _defaulted(talk, key, friend(talk.t), mailing_id, revision)


async def ask_word(talk: Talk, key: str, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    field = await _bare_field(talk, key)
    here = compose.at(mailing)
    talk.ask("f.word", key, *here)
    t = talk.t
    text = t(
        "What shall a client read whose {field} is not known? Type it, such as: {word}",
        field=field_words(field, t.plain),
        word=friend(t),
    )
    return [card(text, [footer(talk, button(t("◀ Back"), "c:m", *here), leave=mailing.id)], ask=t.plain("A word"))]


async def hear_word(talk: Talk, said: Said, key: str, mailing_id: str, revision: str) -> Screens:
    return await _defaulted(talk, key, plain_words(said), mailing_id, revision)


async def _defaulted(talk: Talk, key: str, words: str, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    message = with_default(mailing.draft.message, await _bare_field(talk, key), words)
    return await compose.show(talk, await compose.change(talk, mailing, message=message), talk.t("Changed, and saved."))
