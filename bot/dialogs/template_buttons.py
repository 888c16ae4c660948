"""The buttons of a template that is written here: quick replies, links, a phone."""

import re
from dataclasses import replace

from bot.dialogs.talk import (
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
)
from bot.dialogs.template_writing import button_line, draft_at, keep
from bot.screens import Button, Said, Screen
from bot.texts import _
from engine.errors import Invalid
from gateways.base import ButtonKind, NewButton
from gateways.new_templates import (
    MAX_BUTTONS,
    MAX_LABEL,
    MAX_OF_KIND,
    PLACE,
    button_problems,
    is_example,
    label_problems,
    with_button,
)
from storage.written import WrittenTemplate

_END = "{{1}}"


async def open_buttons(talk: Talk, template_id: str, revision: str) -> Screens:
    return [_card(talk, await draft_at(talk, template_id, revision))]


def _card(talk: Talk, written: WrittenTemplate, note: str = "") -> Screen:
    t = talk.t
    at = (written.id, written.revision)
    has = written.new.buttons
    text = paragraphs(
        note or None,
        t("<b>Buttons of “{name}”</b>", name=written.new.name),
        lines(*(button_line(t, one) for one in has)) or t("None yet."),
        t("A quick reply says its words to us, such as “Stop promotions”. Ten buttons at most."),
    )
    rows: Rows = [(danger(t.plain("✖ {label}", label=one.label), "w:bcut", number, *at),) for number, one in
                  enumerate(has)]  # fmt: skip
    labels = {ButtonKind.REPLY: t("+ Quick reply"), ButtonKind.LINK: t("+ Link"), ButtonKind.CALL: t("+ Phone")}
    free = [kind for kind in ButtonKind if sum(one.kind is kind for one in has) < MAX_OF_KIND[kind]]
    if len(has) < MAX_BUTTONS:
        rows.append(tuple(button(labels[kind], "w:bnew", kind.value, *at) for kind in free))
    return card(text, [*rows, footer(talk, button(t("◀ Back"), "w:of", written.id))])


async def cut(talk: Talk, number: str, template_id: str, revision: str) -> Screens:
    written = await draft_at(talk, template_id, revision)
    left = tuple(one for at, one in enumerate(written.new.buttons) if at != int(number))
    written = await keep(talk, written, replace(written.new, buttons=left))
    return [_card(talk, written, talk.t("Removed, and saved."))]


async def ask_label(talk: Talk, kind: str, template_id: str, revision: str) -> Screens:
    written = await draft_at(talk, template_id, revision)
    if kind not in list(ButtonKind):
        raise Invalid(_("That is no longer in the list; choose again."))
    talk.ask("w.label", written.id, written.revision, kind)
    text = talk.t("What stands on the button? {most} characters at most.", most=MAX_LABEL)
    return [card(text, [_back(talk, written)], ask=talk.t.plain("Such as: Open"))]


async def hear_label(talk: Talk, said: Said, template_id: str, revision: str, kind: str) -> Screens:
    written = await draft_at(talk, template_id, revision)
    label = plain_words(said)
    for words, values in label_problems(label):
        raise Invalid(words, **values)
    made = NewButton(ButtonKind(kind), label)
    if made.kind is ButtonKind.REPLY:
        return await _add(talk, written, made)
    t = talk.t
    talk.state["w.label"] = label
    talk.ask("w.target", written.id, written.revision, kind)
    if made.kind is ButtonKind.CALL:
        text, hint = t("Which phone does it call? Type it with + and its country."), "+447700900123"
    else:
        text = t(
            "Which page does it open? Type its address; where its end is another one in each mailing, put {end} there.",
            end=_END,
        )
        hint = "https://"
    return [card(text, [_back(talk, written)], ask=hint)]


async def hear_target(talk: Talk, said: Said, template_id: str, revision: str, kind: str) -> Screens:
    written = await draft_at(talk, template_id, revision)
    label = str(talk.state.get("w.label") or "")
    if not label:
        raise Invalid(_("Begin the button again, please."))
    made = NewButton(ButtonKind(kind), label, _target(plain_words(said), ButtonKind(kind)))
    if made.kind is ButtonKind.LINK and made.target.endswith(_END):
        t = talk.t
        _require_good(replace(made, example="x"))
        talk.state["w.target"] = made.target
        talk.ask("w.end", written.id, written.revision)
        text = t(
            "What may stand at the end of {link}? Type an example: whoever approves it wants to see one.",
            link=made.target,
        )
        return [card(text, [_back(talk, written)], ask=t.plain("Such as: spring"))]
    return await _add(talk, written, made)


def _target(words: str, kind: ButtonKind) -> str:
    if kind is ButtonKind.CALL:
        return re.sub(r"[\s()./-]", "", words)
    address = PLACE.sub(_END, words)
    return address if "://" in address or "." not in address else f"https://{address}"


async def hear_end(talk: Talk, said: Said, template_id: str, revision: str) -> Screens:
    written = await draft_at(talk, template_id, revision)
    label, target = (str(talk.state.get(name) or "") for name in ("w.label", "w.target"))
    words = plain_words(said)
    if not is_example(words) or " " in words:
        raise Invalid(_("Type the end of an address, without spaces."))
    example = words.removeprefix(target.removesuffix(_END))
    return await _add(talk, written, NewButton(ButtonKind.LINK, label, target, example))


def _require_good(made: NewButton) -> None:
    for words, values in button_problems(made):
        raise Invalid(words, **values)


async def _add(talk: Talk, written: WrittenTemplate, made: NewButton) -> Screens:
    _require_good(made)
    for name in ("ask", "w.label", "w.target"):
        talk.state.pop(name, None)
    written = await keep(talk, written, with_button(written.new, made))
    return [_card(talk, written, talk.t("Added, and saved."))]


def _back(talk: Talk, written: WrittenTemplate) -> tuple[Button, ...]:
    return footer(talk, button(talk.t("◀ Back"), "w:btns", written.id, written.revision))
