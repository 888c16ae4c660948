"""A template that is written here: the card from which it is completed, looked at, submitted and followed."""

from dataclasses import replace

from bot.dialogs.looks import picture_words
from bot.dialogs.talk import (
    Rows,
    Screens,
    Talk,
    button,
    card,
    danger,
    digest,
    footer,
    in_rows,
    lines,
    paragraphs,
    primary,
)
from bot.dialogs.template_list import MARKS, name_of, open_list, why
from bot.pictures.scene import Scene
from bot.pictures.sources import draw_all
from bot.screens import Button, Drawn, Screen
from bot.texts import Html, Texts, _
from engine.audience import field_words
from engine.errors import Invalid, Stale
from engine.media import Media
from gateways.base import ButtonKind, NewButton, NewTemplate, Outgoing, Part, PartKind
from gateways.markup import read_html, to_html
from gateways.new_templates import filled, name_like, rows_of
from storage.written import WrittenState, WrittenTemplate

VALUE = "value"  # what stands for a placeholder that no field of the card fills


async def open_one(talk: Talk, template_id: str, *_rest: str) -> Screens:
    return [await shown(talk, await talk.store.written.get(int(template_id)))]


async def draft_at(talk: Talk, template_id: str, revision: str) -> WrittenTemplate:
    """The draft, as the card showed it. Raises Stale."""
    written = await talk.store.written.get(int(template_id))
    if written.state is not WrittenState.DRAFT or written.revision != int(revision):
        raise Stale(_("That card was old: the template has changed since. Here it is as it is now."))
    return written


async def keep(talk: Talk, written: WrittenTemplate, new: NewTemplate) -> WrittenTemplate:
    return await talk.operations.change_template(written, new, talk.actor)


async def shown(talk: Talk, written: WrittenTemplate, note: str = "") -> Screen:
    t = talk.t
    problems = await talk.operations.template_problems(written) if written.state is WrittenState.DRAFT else []
    text = paragraphs(note or None, _head(talk, written), *_pieces(talk, written.new), _state(talk, written, problems))
    if written.state is not WrittenState.DRAFT:
        return card(text, [*_after(talk, written), footer(talk, _to_list(talk, written))])
    at = (written.id, written.revision)
    pieces = [
        button(t("Name"), "w:ask", "name", *at),
        button(t("Language"), "w:ask", "language", *at),
        button(t("Category"), "w:ask", "category", *at),
        button(t("Text"), "w:ask", "body", *at),
        *([button(t("Put a field in"), "w:field", *at)] if written.new.body else []),
        *([button(t("Examples"), "w:eg", *at)] if written.new.examples else []),
        button(t("Head"), "w:ask", "head", *at),
        button(t("Footer"), "w:ask", "footer", *at),
        button(t("Buttons"), "w:btns", *at),
    ]
    rows: Rows = [*in_rows(pieces, 3)]
    if written.new.body:
        rows.append((button(t("Preview"), "w:see", written.id),))
    if not problems:
        rows.append((primary(t("Submit"), "w:go?", *at),))
    elif _lacks(written.new):
        rows.append((primary(t("Go on"), "w:next", *at),))
    rows.append((danger(t("Delete the draft"), "w:cut?", *at),))
    rows.append(footer(talk, _to_list(talk, written)))
    return card(text, rows)


def _lacks(new: NewTemplate) -> bool:
    """Whether something is to be asked for."""
    return not (new.name and new.language and new.category and new.body and all(new.examples))


def _to_list(talk: Talk, written: WrittenTemplate) -> Button:
    return button(talk.t("◀ Back"), "w:list", digest(written.channel))


def _head(talk: Talk, written: WrittenTemplate) -> str:
    t, new = talk.t, written.new
    told = [new.language, t(new.category)] if new.category else [new.language]
    return lines(
        t("<b>{name}</b> – template for {channel}", name=name_of(t, new), channel=written.channel),
        t.listed([one for one in told if one]) or None,
    )


def _pieces(talk: Talk, new: NewTemplate) -> list[str | None]:
    t = talk.t
    body = t("<blockquote>{body}</blockquote>", body=Html(to_html(read_html(new.body)))) if new.body else None
    return [
        t("Head: <b>{line}</b>", line=new.header) if new.header else None,
        t("Head: a picture.") if new.picture else None,
        body,
        lines(*(_place(t, number, *one) for number, one in enumerate(zip(new.fields, new.examples, strict=True), 1))),
        t("Footer: {line}", line=new.footer) if new.footer else None,
        lines(*(button_line(t, one) for one in new.buttons)),
    ]


def _place(t: Texts, number: int, field: str, example: str) -> str:
    place = f"{{{{{number}}}}}"
    what = said_field(t, field)
    if not example:
        return t("{place} – {what}; no example yet", place=place, what=what)
    return t("{place} – {what}, such as “{example}”", place=place, what=what, example=example)


def said_field(t: Texts, field: str) -> str:
    """What a placeholder stands for."""
    if field.startswith("client."):
        return field_words(field.removeprefix("client."), t.plain)
    return field if field not in ("", VALUE) and not field.isdecimal() else t.plain("a value of the mailing")


def button_line(t: Texts, one: NewButton) -> str:
    match one.kind:
        case ButtonKind.REPLY:
            return t("[{label}] – quick reply", label=one.label)
        case ButtonKind.LINK:
            return t("[{label}] – opens {link}", label=one.label, link=one.target)
        case ButtonKind.CALL:
            return t("[{label}] – calls {phone}", label=one.label, phone=one.target)


def _state(talk: Talk, written: WrittenTemplate, problems: list[Invalid]) -> str | None:
    t = talk.t
    title = talk.settings.channels[written.channel].able.title if written.channel in talk.settings.channels else ""
    if written.state is WrittenState.SENDING:
        return t("⏳ It was handed to {title}, and no answer has come. I look, and tell you.", title=title)
    if written.state is WrittenState.SUBMITTED:
        return _word(talk, written, title)
    refused = t("⚠ {title} did not take it: {why}", title=title, why=written.reason) if written.reason else None
    if not problems:
        return paragraphs(refused, t("Saved as a draft. It can be submitted now."))
    left = t("Saved as a draft. Before it can be submitted:")
    return paragraphs(refused, lines(left, *(t("• {why}", why=t.error(one)) for one in problems)))


def _word(talk: Talk, written: WrittenTemplate, title: str) -> str:
    t = talk.t
    if written.status == "approved":
        told = t("✅ {title} approved it: it can be picked in a mailing, under Template.", title=title)
    elif written.status == "rejected":
        told = t("❌ {title} rejected it.", title=title)
    elif written.status in MARKS and written.status != "pending":
        told = t("{mark} {title} says that it is {status}.", mark=MARKS[written.status], title=title,
                 status=written.status)  # fmt: skip
    else:
        told = t("⏳ {title} is looking at it; that takes up to a day. I tell you.", title=title)
    because = t("Why: {why}", why=why(t, written.reason)) if written.reason else None
    by = t("Submitted by {name}.", name=written.written_by.name)
    return lines(told, because, by)


def _after(talk: Talk, written: WrittenTemplate) -> Rows:
    return [
        (button(talk.t("Write one like it"), "w:like", written.id), button(talk.t("Preview"), "w:see", written.id)),
        (button(talk.t("Look again"), "w:of", written.id),),
    ]


async def write_alike(talk: Talk, template_id: str) -> Screens:
    """A draft with the same content: what was submitted can't be changed here."""
    written = await talk.store.written.get(int(template_id))
    name = name_like(f"{written.new.name}_2")
    made = await talk.operations.new_template(written.channel, replace(written.new, name=name), talk.actor)
    note = talk.t("A draft with the same content, as “{name}”.", name=name)
    return [await shown(talk, made, note)]


# --- how it looks ---


async def see(talk: Talk, template_id: str) -> Screens:
    """A picture of it with its examples, then its card."""
    written = await talk.store.written.get(int(template_id))
    new = written.new
    able = talk.settings.channels[written.channel].able
    text = new.body and (f"<b>{to_html(read_html(_plain(new.header)))}</b>\n" if new.header else "") + filled(new)
    if new.footer:
        text += f"\n\n<i>{_plain(new.footer)}</i>"
    part = Part(PartKind.PICTURE, media=(new.picture,)) if new.picture else Part(PartKind.TEXT)
    outgoing = Outgoing("", part, read_html(text), rows_of(new), (), "")
    scene = Scene(
        look=able.look,
        markup=able.markup | {"b", "i"},
        name=talk.house.name,
        under=f"{able.title} · {written.channel}",
        clock=talk.t.clock(talk.clock.now()),
        parts=(outgoing,),
        words=picture_words(talk.t),
    )
    (png,) = await draw_all([scene], Media(talk.settings.data_dir))
    screen = await shown(talk, written, talk.t("Above: as a client gets it, with the examples."))
    return [replace(screen, album=(Drawn(able.title, png, read_html(text).text),), edit=False)]


def _plain(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


# --- submitting and deleting ---


async def ask_submit(talk: Talk, template_id: str, revision: str) -> Screens:
    t = talk.t
    written = await draft_at(talk, template_id, revision)
    channel = talk.settings.channels[written.channel]
    text = paragraphs(
        t("<b>Submit “{name}” to {title}?</b>", name=written.new.name, title=channel.able.title),
        t(
            "It is looked at there, which takes up to a day; I tell you and the team what becomes of it. From then on "
            "it is changed and deleted in {place} only, and its name stays taken.",
            place=channel.able.submits_templates,
        ),
    )
    yes = primary(t("Yes, submit it"), "w:go", written.id, written.revision)
    return [card(text, [(yes,), footer(talk, button(t("◀ Back"), "w:of", written.id))])]


async def submit(talk: Talk, template_id: str, revision: str) -> Screens:
    t = talk.t
    try:
        written = await talk.operations.submit_template(int(template_id), talk.actor, revision=int(revision))
    except Stale:
        raise
    except Invalid as error:
        return [await shown(talk, await talk.store.written.get(int(template_id)), t("⚠ {why}", why=t.error(error)))]
    return [await shown(talk, written, t("<b>Submitted.</b>"))]


async def ask_delete(talk: Talk, template_id: str, revision: str) -> Screens:
    t = talk.t
    written = await draft_at(talk, template_id, revision)
    text = lines(t("Delete the draft “{name}”?", name=name_of(t, written.new)), t("It can't be brought back."))
    yes = danger(t("Yes, delete it"), "w:cut", written.id, written.revision)
    return [card(text, [(yes,), footer(talk, button(t("◀ Back"), "w:of", written.id))])]


async def delete(talk: Talk, template_id: str, revision: str) -> Screens:
    written = await draft_at(talk, template_id, revision)
    await talk.operations.delete_template(written.id, talk.actor)
    note = talk.t("Deleted: “{name}”.", name=name_of(talk.t, written.new))
    return await open_list(talk, digest(written.channel), note=note)
