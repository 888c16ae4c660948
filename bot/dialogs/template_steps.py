"""What a template is asked for, step by step, and what is typed in answer."""

import html
from collections.abc import Mapping
from dataclasses import replace

from bot.dialogs.palette import instead, said_fields, tag_of
from bot.dialogs.talk import (
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
    primary,
    short,
)
from bot.dialogs.template_list import channel_at
from bot.dialogs.template_writing import VALUE, draft_at, keep, said_field, shown
from bot.dialogs.templates import fields_of_cards
from bot.screens import Said, Screen
from bot.texts import Html, Texts, _
from engine.audience import field_words
from engine.errors import Invalid
from gateways.base import NewTemplate, PartKind
from gateways.markup import InvalidMarkup, read_html, to_html, utf16_length
from gateways.new_templates import (
    CATEGORIES,
    LANGUAGES,
    MAX_BODY,
    MAX_LINE,
    PLACE,
    body_of,
    is_example,
    is_language,
    is_name,
    line_problems,
    name_like,
    with_body,
)
from storage.written import WrittenTemplate

_EXAMPLES = {  # of the card's own fields; a client's real values are for nobody else's eyes
    "client.first_name": _("Ann"),
    "client.last_name": _("Lee"),
    "client.name": _("Ann Lee"),
}
_FIELDS = 9  # on one card
_EMPTY = frozenset({"head", "footer"})  # what may be absent


# --- what is asked ---


async def open_new(talk: Talk, key: str) -> Screens:
    channel = channel_at(talk, key)
    return await open_next(talk, await talk.operations.new_template(channel.id, NewTemplate(), talk.actor))


async def open_next(talk: Talk, written: WrittenTemplate, note: str = "") -> Screens:
    """Ask for what it lacks, one thing after the other; then its card."""
    new = written.new
    for what in ("name", "language", "category", "body"):
        if not getattr(new, what):
            return [await question(talk, written, what, note)]
    for number, example in enumerate(new.examples):
        if not example:
            return [_example_question(talk, written, number, note)]
    return [await shown(talk, written, note)]


async def go_on(talk: Talk, template_id: str, revision: str) -> Screens:
    return await open_next(talk, await draft_at(talk, template_id, revision))


async def ask(talk: Talk, what: str, template_id: str, revision: str) -> Screens:
    written = await draft_at(talk, template_id, revision)
    if what not in _ASKS:
        raise Invalid(_("That is no longer in the list; choose again."))
    return [await question(talk, written, what)]


async def question(talk: Talk, written: WrittenTemplate, what: str, note: str = "") -> Screen:
    """What of it shall it be?"""
    t = talk.t
    at = (written.id, written.revision)
    if what != "category":
        talk.ask(f"w.{what}", *at)
    rows = _choices(talk, written, what)
    fields = await said_fields(talk) if what == "body" else ""
    hint = t("A value that each mailing gives is any word in braces: {value}", value="{{discount}}") if fields else None
    text = paragraphs(note or None, _asks(t, what), lines(fields, hint) if fields else None, _now(t, written.new, what))
    if what in _EMPTY and (getattr(written.new, "header" if what == "head" else what) or written.new.picture):
        rows.append((button(t("Without it"), "w:none", what, *at),))
    back = button(t("◀ Back"), "w:of", written.id)
    return card(text, [*rows, footer(talk, back)], ask=t.plain("Type it") if what != "category" else "")


def _asks(t: Texts, what: str) -> Html:
    return t(_ASKS[what], most=MAX_LINE, body=MAX_BODY)


_ASKS: Mapping[str, str] = {
    "name": _("<b>What is the template called?</b> Small Latin letters, digits and _; clients don't see it."),
    "language": _("<b>In which language is it?</b> Press it, or type its code, such as pt_BR."),
    "category": _(
        "<b>What is it for?</b>\nMarketing: offers, news, invitations. Utility: about something that the client has "
        "ordered or asked for. Who approves it may move it to marketing, which costs more."
    ),
    "body": _(
        "<b>What does it say?</b> Send me the text, {body} characters at most. A field may stand neither first nor "
        "last, nor beside another one. To put one in, copy it from here, or do it afterwards by a press:"
    ),
    "head": _("<b>What stands at its head?</b> Type a line of {most} characters at most, or send a picture."),
    "footer": _("<b>What stands small below it?</b> Type a line of {most} characters at most."),
}


def _now(t: Texts, new: NewTemplate, what: str) -> Html | None:
    if what == "body" and new.body:
        return t("Now: {line}", line=Html(to_html(read_html(new.body))))
    line = new.header if what == "head" else getattr(new, what)
    return t("Now: {line}", line=line) if line and what != "body" else None


def _choices(talk: Talk, written: WrittenTemplate, what: str) -> Rows:
    t = talk.t
    at = (written.id, written.revision)
    match what:
        case "name":
            return (
                [(button(t.plain("Take “{name}”", name=proposed(talk)), "w:take", *at),)]
                if not written.new.name
                else []
            )
        case "language":
            names = [button(_language_name(t, one), "w:lang", digest(one), *at) for one in LANGUAGES]
            return in_rows(names, 3)
        case "category":
            ways = (("marketing", t("Marketing")), ("utility", t("Utility")))
            return [tuple(button(label, "w:cat", name, *at) for name, label in ways)]
        case _:
            return []


def proposed(talk: Talk) -> str:
    """A name that nobody needs to think of; what somebody typed in another way is made one."""
    typed = name_like(str(talk.state.get("w.name") or ""))
    return typed or name_like(f"{talk.house.name} {talk.clock.now():%Y %m %d}")


def _language_name(t: Texts, code: str) -> str:
    from babel import Locale

    name: str | None = Locale.parse(code).get_display_name(t.locale)
    return name or code


# --- what is answered ---


async def hear_name(talk: Talk, said: Said, template_id: str, revision: str) -> Screens:
    written = await draft_at(talk, template_id, revision)
    words = plain_words(said)
    if is_name(words):
        return await _kept(talk, written, replace(written.new, name=words))
    talk.state["w.name"] = short(words, 100)
    if not name_like(words):
        raise Invalid(_("Type a name of small Latin letters, digits and _, such as spring_sale."))
    t = talk.t
    name = proposed(talk)
    talk.ask("w.name", written.id, written.revision)
    text = t("A name has small Latin letters, digits and _ only. Is “{name}” right? Or type another one.", name=name)
    take = primary(t.plain("Take “{name}”", name=name), "w:take", written.id, written.revision)
    return [card(text, [(take,), footer(talk, button(t("◀ Back"), "w:of", written.id))])]


async def take_name(talk: Talk, template_id: str, revision: str) -> Screens:
    written = await draft_at(talk, template_id, revision)
    return await _kept(talk, written, replace(written.new, name=proposed(talk)))


async def hear_language(talk: Talk, said: Said, template_id: str, revision: str) -> Screens:
    written = await draft_at(talk, template_id, revision)
    words = plain_words(said).replace("-", "_")
    head, _line, rest = words.partition("_")
    code = f"{head.lower()}_{rest.upper()}" if rest else head.lower()
    if not is_language(code):
        raise Invalid(_("Type the code of a language, such as en or pt_BR."))
    return await _kept(talk, written, replace(written.new, language=code))


async def set_language(talk: Talk, key: str, template_id: str, revision: str) -> Screens:
    written = await draft_at(talk, template_id, revision)
    return await _kept(talk, written, replace(written.new, language=chosen(LANGUAGES, key)))


async def set_category(talk: Talk, category: str, template_id: str, revision: str) -> Screens:
    written = await draft_at(talk, template_id, revision)
    if category not in CATEGORIES:
        raise Invalid(_("Choose whether it is marketing or utility."))
    return await _kept(talk, written, replace(written.new, category=category))


async def hear_body(talk: Talk, said: Said, template_id: str, revision: str) -> Screens:
    """A text, with a picture at its head where one comes along."""
    written = await draft_at(talk, template_id, revision)
    picture = _picture_of(said)
    if not plain_words(said):
        raise Invalid(_("Send me the text of the template."))
    new = with_body(written.new, _readable(said.text))
    if (length := utf16_length(body_of(new))) > MAX_BODY:
        raise Invalid(_("Its text has {length} characters; {most} is the most."), length=length, most=MAX_BODY)
    return await _kept(talk, written, replace(new, picture=picture, header="") if picture else new)


def _readable(text: str) -> str:
    try:
        return to_html(read_html(text))
    except InvalidMarkup as error:
        raise Invalid(_("That text can't be read: send it again without its marks.")) from error


def _picture_of(said: Said) -> str:
    return next((one.source for one in said.attachments if one.kind is PartKind.PICTURE), "")


async def hear_head(talk: Talk, said: Said, template_id: str, revision: str) -> Screens:
    written = await draft_at(talk, template_id, revision)
    if picture := _picture_of(said):
        return await _kept(talk, written, replace(written.new, picture=picture, header=""))
    line = _line_of(said, _("Type a line, or send a picture."))
    return await _kept(talk, written, replace(written.new, header=line, picture=""))


async def hear_footer(talk: Talk, said: Said, template_id: str, revision: str) -> Screens:
    written = await draft_at(talk, template_id, revision)
    return await _kept(talk, written, replace(written.new, footer=_line_of(said, _("Type a line."))))


def _line_of(said: Said, otherwise: str) -> str:
    line = plain_words(said)
    if not line:
        raise Invalid(otherwise)
    for words, values in line_problems(line):
        raise Invalid(words, **values)
    return line


async def without(talk: Talk, what: str, template_id: str, revision: str) -> Screens:
    written = await draft_at(talk, template_id, revision)
    if what == "head":
        return await _kept(talk, written, replace(written.new, header="", picture=""))
    return await _kept(talk, written, replace(written.new, footer=""))


async def _kept(talk: Talk, written: WrittenTemplate, new: NewTemplate) -> Screens:
    talk.state.pop("ask", None)
    talk.state.pop("w.name", None)
    return await open_next(talk, await keep(talk, written, new))


# --- examples ---


async def open_examples(talk: Talk, template_id: str, revision: str) -> Screens:
    t = talk.t
    written = await draft_at(talk, template_id, revision)
    if len(written.new.examples) == 1:
        return [_example_question(talk, written, 0)]
    at = (written.id, written.revision)
    rows = in_rows(
        [
            button(f"{{{{{number + 1}}}}} {one}", "w:eg=", number, *at)
            for number, one in enumerate(written.new.examples)
        ],
        3,
    )
    return [
        card(t("<b>Which example shall change?</b>"), [*rows, footer(talk, button(t("◀ Back"), "w:of", written.id))])
    ]


async def ask_example(talk: Talk, number: str, template_id: str, revision: str) -> Screens:
    written = await draft_at(talk, template_id, revision)
    if int(number) >= len(written.new.examples):
        raise Invalid(_("That is no longer in the list; choose again."))
    return [_example_question(talk, written, int(number))]


def _example_question(talk: Talk, written: WrittenTemplate, number: int, note: str = "") -> Screen:
    t = talk.t
    talk.ask("w.eg", written.id, written.revision, number)
    field = written.new.fields[number]
    text = paragraphs(
        note or None,
        t("<blockquote>{body}</blockquote>", body=Html(to_html(read_html(written.new.body)))),
        t(
            "<b>What may stand in place of {place} ({what})?</b> Type an example, of no real client: whoever approves "
            "it wants to see one.",
            place=f"{{{{{number + 1}}}}}",
            what=said_field(t, field),
        ),
    )
    rows: Rows = []
    if field in _EXAMPLES:
        rows.append((button(t(_EXAMPLES[field]), "w:eg!", number, written.id, written.revision),))
    return card(text, [*rows, footer(talk, button(t("◀ Back"), "w:of", written.id))], ask=t.plain("An example"))


async def hear_example(talk: Talk, said: Said, template_id: str, revision: str, number: str) -> Screens:
    return await _set_example(talk, plain_words(said), number, template_id, revision)


async def take_example(talk: Talk, number: str, template_id: str, revision: str) -> Screens:
    written = await draft_at(talk, template_id, revision)
    field = written.new.fields[int(number)] if int(number) < len(written.new.fields) else ""
    return await _set_example(talk, talk.t.plain(_EXAMPLES.get(field, "")), number, template_id, revision)


async def _set_example(talk: Talk, words: str, number: str, template_id: str, revision: str) -> Screens:
    written = await draft_at(talk, template_id, revision)
    if not is_example(words):
        raise Invalid(_("Type a word or two, on one line."))
    examples = list(written.new.examples)
    examples[int(number) : int(number) + 1] = [words]
    return await _kept(talk, written, replace(written.new, examples=tuple(examples)))


# --- fields of the card ---


async def open_fields(talk: Talk, template_id: str, revision: str) -> Screens:
    t = talk.t
    written = await draft_at(talk, template_id, revision)
    at = (written.id, written.revision)
    fields = [button(field_words(one, t.plain), "w:put", digest(one), *at) for one in await _fields(talk)]
    rows = in_rows([*fields, button(t("A value of the mailing"), "w:put", VALUE, *at)], 2)
    text = paragraphs(
        t("<b>What shall stand in the text?</b>"),
        t("A field of the client's card, or a value that each mailing gives, such as a discount."),
    )
    return [card(text, [*rows, footer(talk, button(t("◀ Back"), "w:of", written.id))])]


async def _fields(talk: Talk) -> list[str]:
    return (await fields_of_cards(talk))[:_FIELDS]


async def ask_where(talk: Talk, key: str, template_id: str, revision: str) -> Screens:
    t = talk.t
    written = await draft_at(talk, template_id, revision)
    if key != VALUE:
        chosen(await _fields(talk), key)
    talk.ask("w.put", written.id, written.revision, key)
    text = paragraphs(
        t("<blockquote>{body}</blockquote>", body=Html(to_html(read_html(written.new.body)))),
        t("In place of which word shall it stand? Type that word: it becomes the example."),
    )
    back = button(t("◀ Back"), "w:field", written.id, written.revision)
    return [card(text, [footer(talk, back)], ask=t.plain("A word of the text"))]


async def hear_where(talk: Talk, said: Said, template_id: str, revision: str, key: str) -> Screens:
    written = await draft_at(talk, template_id, revision)
    words = plain_words(said)
    if not is_example(words):
        raise Invalid(_("Type a word or two."))
    tag = f"{{{{ {VALUE} }}}}" if key == VALUE else tag_of(chosen(await _fields(talk), key))
    before = PLACE.sub(lambda found: f"{{{{{found[1]}}}}}", written.new.body)
    text = instead(before, words, tag)
    begins = text.index(tag)
    at = len(PLACE.findall(text[:begins]))
    example = html.unescape(before[begins : begins + len(before) - len(text) + len(tag)])
    changed = with_body(written.new, text)
    examples = [*written.new.examples[:at], example, *written.new.examples[at:]]
    return await _kept(talk, written, replace(changed, examples=tuple(examples)))
