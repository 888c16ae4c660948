"""The buttons under a message: typed as "Label - https://…", or made step by step."""

from bot.dialogs import compose
from bot.dialogs.said import MAX_LABEL, buttons_of, link_of, read_buttons, with_buttons, without_button
from bot.dialogs.talk import Rows, Screens, Talk, button, card, footer, lines, paragraphs, plain_words, primary, short
from bot.screens import Said, Screen
from bot.texts import _
from engine.errors import Invalid
from gateways.message import Button, Link, Reply
from storage.records import Mailing


async def open_buttons(talk: Talk, mailing_id: str, revision: str) -> Screens:
    return [_card(talk, await compose.draft_at(talk, mailing_id, revision))]


async def open_by_command(talk: Talk, words: str = "") -> Screens:
    """/buttons 7"""
    return [_card(talk, await compose.draft_of(talk, words))]


def _card(talk: Talk, mailing: Mailing, note: str = "") -> Screen:
    t = talk.t
    here = compose.at(mailing)
    talk.ask("b.lines", *here)
    flat = [one for row in buttons_of(mailing.draft.message) for one in row]
    shown = lines(*(t("• {label} → {target}", label=one.label, target=_target(one)) for one in flat))
    text = paragraphs(
        t("<b>Buttons of “{name}”</b>", name=mailing.draft.name),
        note or None,
        shown or t("None yet."),
        t(
            "Type them, one a line: <code>Open - https://acme.test/sale</code> opens a page, "
            "<code>More - Tell me more</code> says words in the client's name. Or press:"
        ),
    )
    rows: Rows = [
        (button(t("+ Link"), "b:label", "link", *here), button(t("+ Message"), "b:label", "message", *here)),
        *((button(f"✕ {one.label}", "b:cut", place, *here),) for place, one in enumerate(flat)),
    ]
    if flat:
        rows.append((button(t("Preview"), "c:see", *here), primary(t("Next: audience ▶"), "a", *here)))
    rows.append(footer(talk, button(t("◀ Back"), "c:m", *here), leave=mailing.id))
    return card(text, rows, ask=t.plain("Label - https://…"))


def _target(one: Button) -> str:
    match one:
        case Link(link=link):
            return short(link, 60)
        case Reply(message=words):
            return f"“{short(words, 60)}”"
        case _:
            return one.buy


async def hear_lines(talk: Talk, said: Said, mailing_id: str, revision: str) -> Screens:
    """Typed lines: added below what stands there already."""
    mailing = await compose.draft_at(talk, mailing_id, revision)
    words = plain_words(said)
    if not words:
        raise Invalid(_("A button is typed as: Label - https://…"))
    message = mailing.draft.message
    mailing = await compose.change(
        talk, mailing, message=with_buttons(message, (*buttons_of(message), *read_buttons(words)))
    )
    return [_card(talk, mailing, talk.t("Added, and saved."))]


async def ask_label(talk: Talk, what: str, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    talk.ask("b.label", what, *compose.at(mailing))
    t = talk.t
    back = button(t("◀ Back"), "b", *compose.at(mailing))
    text = t("What stands on the button?")
    return [card(text, [footer(talk, back, leave=mailing.id)], ask=t.plain("The label, such as Open"))]


async def hear_label(talk: Talk, said: Said, what: str, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    label = " ".join(plain_words(said).split())
    if not label:
        raise Invalid(_("A label is a word or two: type them."))
    if len(label) > MAX_LABEL:
        raise Invalid(_("That label is too long: {most} signs at most."), most=MAX_LABEL)
    talk.ask("b.target", what, label, *compose.at(mailing))
    t = talk.t
    text = (
        t("Which page does “{label}” open?", label=label)
        if what == "link"
        else t("What does a client say by pressing “{label}”?", label=label)
    )
    back = button(t("◀ Back"), "b:label", what, *compose.at(mailing))
    ask = t.plain("https://…") if what == "link" else t.plain("The words, such as Tell me more")
    return [card(text, [footer(talk, back, leave=mailing.id)], ask=ask)]


async def hear_target(talk: Talk, said: Said, what: str, label: str, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    words = plain_words(said)
    if not words:
        raise Invalid(_("Type it as a text."))
    made: Button = Link(link_of(words), label) if what == "link" else Reply(words, label)
    message = mailing.draft.message
    mailing = await compose.change(talk, mailing, message=with_buttons(message, (*buttons_of(message), (made,))))
    return [_card(talk, mailing, talk.t("Added, and saved."))]


async def cut(talk: Talk, place: str, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    mailing = await compose.change(talk, mailing, message=without_button(mailing.draft.message, int(place)))
    return [_card(talk, mailing, talk.t("Removed, and saved."))]
