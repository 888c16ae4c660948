"""A second person's word on a mailing: asked for, given with a press, refused with a reason."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.dialogs import compose
from bot.dialogs.checking import said_check, said_question
from bot.dialogs.talk import (
    Answer,
    Reads,
    Route,
    Rows,
    Screens,
    Talk,
    button,
    card,
    danger,
    find_mailing,
    footer,
    in_rows,
    lines,
    paragraphs,
    plain_words,
    primary,
    short,
)
from bot.screens import Button, Said, Screen, with_note
from bot.texts import Html, Texts, _
from engine.access import may
from engine.check import CheckCard
from engine.errors import Invalid, Refused
from storage.approvals import Approval, ApprovalState
from storage.records import Mailing, Status

if TYPE_CHECKING:
    from engine.operations import Operations

_REASONS = {"text": _("The text is wrong"), "who": _("The audience is wrong"), "when": _("The time is wrong")}


def is_waiting(check: CheckCard) -> bool:
    return check.approval is not None and check.approval.state is ApprovalState.WAITING


def said_needs(reads: Reads, check: CheckCard) -> Html | None:
    """Why a second person has to see it, and what was asked and answered so far."""
    if not check.needs:
        return None
    t = reads.t
    why = t.listed([t.error(need) for need in check.needs])
    told = t("✋ A second person has to approve it: {why}.", why=why)
    return lines(told, _stands(reads, check.approval) if check.approval else None)


def _stands(reads: Reads, approval: Approval) -> Html | None:
    t = reads.t
    named = {"who": approval.asked_by.name, "when": t.moment(approval.asked_at)}
    decided = approval.decided_by.name if approval.decided_by else ""
    match approval.state:
        case ApprovalState.WAITING:
            return t("⏳ {who} asked for it {when}.", **named)
        case ApprovalState.APPROVED:
            return t("✅ {who} has approved it.", who=decided)
        case ApprovalState.REJECTED:
            return t("✖ {who} has rejected it: {words}", who=decided, words=approval.words or "")
        case ApprovalState.WITHDRAWN:
            return None


# --- what waits ---


async def open_waiting(talk: Talk) -> Screens:
    t = talk.t
    waiting = await talk.operations.waiting_approvals()
    back = (button(t("Menu"), "h"),)
    if not waiting:
        text = t("Nothing waits for an approval.")
        if talk.settings.approval is None:
            text = t("No mailing needs a second person here: the configuration has no [approval].")
        return [card(text, [back])]
    told = [
        t(
            "#{id} <b>{name}</b> – {who}, {when}",
            id=mailing.id,
            name=mailing.draft.name,
            who=approval.asked_by.name,
            when=t.ago(approval.asked_at, talk.clock.now()),
        )
        for mailing, approval in waiting
    ]
    opening = [
        button(f"#{mailing.id} {short(mailing.draft.name, 20)}", "ap:open", mailing.id) for mailing, _ in waiting
    ]
    return [card(paragraphs(t("<b>What waits for an approval</b>"), lines(*told)), [*in_rows(opening, 2), back])]


async def by_command(talk: Talk, words: str = "") -> Screens:
    """/approval, /approval 7"""
    if not words.strip():
        return await open_waiting(talk)
    return await open_card(talk, str((await find_mailing(talk, words)).id))


# --- one of them ---


async def open_card(talk: Talk, mailing_id: str, *_rest: str) -> Screens:
    """The message as clients get it, and the check, with what this person may say to it."""
    return [await approval_card(talk, await talk.operations.get(int(mailing_id)))]


async def look_again(talk: Talk, mailing_id: str) -> Screens:
    """The card as it is now; the message stands above it already."""
    return [_in_place(await approval_card(talk, await talk.operations.get(int(mailing_id))))]


def _in_place(screen: Screen) -> Screen:
    return replace(screen, preview=(), edit=True)


async def approval_card(talk: Talk, mailing: Mailing, note: str = "") -> Screen:
    t = talk.t
    if mailing.status not in (Status.DRAFT, Status.CANCELLED, Status.PAUSED):
        from bot.dialogs import mailings

        return await mailings.mailing_card(talk, mailing, note or t("There is nothing to approve any more."))
    check = await talk.operations.check(mailing.id)
    shown = await asked_card(talk, talk.operations, mailing, check)
    rows: Rows = []
    if is_waiting(check) and check.approval is not None:
        if check.approval.asked_by.name == talk.person.name:
            note = note or t("You asked for it yourself: somebody else has to approve it.")
            rows.append((button(t("Take the question back"), "ap:back", mailing.id),))
        elif talk.may("approve"):
            rows.append(_answers(t, mailing, check.approval))
        else:
            note = note or t("An approver or an owner says yes or no to it.")
    elif check.needs and not check.may_go and talk.may("launch"):
        rows.append((primary(t("✋ Ask for approval"), "ap:ask", *compose.at(mailing)),))
    elif not check.needs:
        note = note or t("It needs no approval as it is now.")
    rows += _looking(t, mailing)
    rows.append(footer(talk, button(t("◀ What waits"), "ap")))
    shown = replace(shown, rows=tuple(rows))
    return with_note(shown, note) if note else shown


async def asked_card(
    reads: Reads, operations: "Operations", mailing: Mailing, check: CheckCard | None = None
) -> Screen:
    """The question, with Yes and No where it waits for an answer; told also to who did not ask for the card."""
    t = reads.t
    if check is None:
        check = await operations.check(mailing.id)
    waits = check.approval if is_waiting(check) and not check.problems else None
    text = paragraphs(
        t("✋ <b>Approval</b> · “{name}” #{id}", name=mailing.draft.name, id=mailing.id),
        said_check(reads, mailing, check),
        said_needs(reads, check),
        said_question(reads, mailing, check.count.planned) if waits else None,
    )
    rows = [_answers(t, mailing, waits), *_looking(t, mailing)] if waits is not None else []
    try:
        preview = (await operations.preview(mailing.id)).shown
    except Invalid:
        preview = ()  # the check says what is wrong with it
    return Screen(text=text, rows=tuple(rows), preview=preview)


def _answers(t: Texts, mailing: Mailing, approval: Approval) -> tuple[Button, ...]:
    return (
        primary(t("✅ Approve"), "ap:yes", mailing.id, approval.id),
        danger(t("✖ Reject…"), "ap:no", mailing.id, approval.id),
    )


def _looking(t: Texts, mailing: Mailing) -> Rows:
    """What can be looked at before an answer."""
    check = button(t("Check again"), "ap:look", mailing.id)
    who = button(t("Who they are"), "who", "l", mailing.id, "all")
    return [(check, who), (button(t("Preview"), "m:see", mailing.id),)]


async def waiting_line(talk: Talk, mailing: Mailing) -> Html | None:
    """That somebody was asked, for the card on which it could still be changed."""
    last = await talk.operations.find_approval(mailing.id)
    return _stands(talk, last) if last is not None and last.state is ApprovalState.WAITING else None


# --- asking ---


async def ask(talk: Talk, mailing_id: str, revision: str) -> Screens:
    from bot.dialogs import launch

    t = talk.t
    await talk.operations.ask_approval(int(mailing_id), talk.actor, revision=int(revision))
    others = sorted(
        {one.name for one in talk.people.values() if may(one.role, "approve") and one.name != talk.person.name}
    )
    note = (
        t("✓ Asked: {people}. You are told what the answer is.", people=t.listed(others))
        if others
        else t("⚠ Asked, and nobody else here may approve: an owner can add an approver.")
    )
    mailing = await talk.operations.get(int(mailing_id))
    if mailing.status is Status.DRAFT:
        return [await launch.check_card(talk, mailing, note)]
    return [_in_place(await approval_card(talk, mailing, note))]


async def withdraw(talk: Talk, mailing_id: str) -> Screens:
    from bot.dialogs import launch

    await talk.operations.withdraw(int(mailing_id), talk.actor)
    mailing = await talk.operations.get(int(mailing_id))
    note = talk.t("Taken back: nobody can approve it now.")
    if mailing.status is Status.DRAFT:
        return [await launch.check_card(talk, mailing, note)]
    return [_in_place(await approval_card(talk, mailing, note))]


# --- answering ---


async def approve(talk: Talk, mailing_id: str, approval_id: str) -> Screens:
    t = talk.t
    try:
        mailing = await talk.operations.approve(int(mailing_id), int(approval_id), talk.actor)
    except Refused as error:
        mailing = await talk.operations.get(int(mailing_id))
        return [_in_place(await approval_card(talk, mailing, t("⛔ {why}", why=t.error(error))))]
    named = {"name": mailing.draft.name}
    text = (
        t("✅ Approved: “{name}” starts at its time.", **named)
        if mailing.status is Status.SCHEDULED
        else t("✅ Approved: “{name}” is being sent.", **named)
    )
    return [card(text, [(button(t("Open"), "m:open", mailing.id), button(t("◀ What waits"), "ap"))])]


async def ask_why_not(talk: Talk, mailing_id: str, approval_id: str) -> Screens:
    t = talk.t
    mailing = await talk.operations.get(int(mailing_id))
    talk.ask("ap.why", mailing_id, approval_id)
    text = t("Why not “{name}”? Type it in a few words, or press one: who asked is told.", name=mailing.draft.name)
    reasons = [button(t(words), "ap:no=", mailing_id, approval_id, name) for name, words in _REASONS.items()]
    rows: Rows = [*in_rows(reasons, 1), footer(talk, button(t("◀ Back"), "ap:look", mailing_id))]
    return [card(text, rows, ask=t.plain("Why not"))]


async def reject_for(talk: Talk, mailing_id: str, approval_id: str, reason: str) -> Screens:
    if reason not in _REASONS:
        return await ask_why_not(talk, mailing_id, approval_id)
    return await _reject(talk, mailing_id, approval_id, talk.t.plain(_REASONS[reason]))


async def hear_why_not(talk: Talk, said: Said, mailing_id: str, approval_id: str) -> Screens:
    words = " ".join(plain_words(said).split())
    if not words:
        raise Invalid(_("Type in a few words why not."))
    return await _reject(talk, mailing_id, approval_id, words)


async def _reject(talk: Talk, mailing_id: str, approval_id: str, words: str) -> Screens:
    t = talk.t
    mailing = await talk.operations.get(int(mailing_id))
    talk.state.pop("ask", None)
    try:
        await talk.operations.reject(mailing.id, int(approval_id), talk.actor, words)
    except Refused as error:
        return [_in_place(await approval_card(talk, mailing, t("⛔ {why}", why=t.error(error))))]
    text = t("✖ Rejected: “{name}” stays as it is, and who asked is told.", name=mailing.draft.name)
    return [card(text, [(button(t("◀ What waits"), "ap"), button(t("Menu"), "h"))])]


# --- what is told to who asked ---


def answered_screen(reads: Reads, mailing: Mailing, state: str, details: Mapping[str, object]) -> Screen | None:
    """Yes or no, and what can be done then; nothing where the question was taken back."""
    t = reads.t
    named = {"name": mailing.draft.name, "who": str(details.get("by") or "")}
    match state:
        case ApprovalState.APPROVED:
            text = t("✅ {who} has approved “{name}”: it goes out at its time, by itself.", **named)
            if mailing.draft.start == "now":
                text = t("✅ {who} has approved “{name}”: it is being sent.", **named)
        case ApprovalState.REJECTED:
            text = paragraphs(
                t("✖ {who} has rejected “{name}”: {words}", **named, words=str(details.get("words") or "")),
                t("Nothing was sent. Change it and ask again, or delete it."),
            )
        case _:
            return None
    return Screen(text, rows=((button(t("Open"), "m:open", mailing.id), button(t("Menu"), "h")),))


# --- where its buttons lead ---


async def _fresh(talk: Talk, mailing_id: str, *_rest: str) -> Screens:
    return await look_again(talk, mailing_id)


PRESSES: Mapping[str, Route] = {
    "ap": Route("look", open_waiting),
    "ap:open": Route("look", open_card, "n"),
    "ap:look": Route("look", look_again, "n"),
    "ap:ask": Route("launch", ask, "nn", _fresh),
    "ap:back": Route("launch", withdraw, "n"),
    "ap:yes": Route("approve", approve, "nn", _fresh),
    "ap:no": Route("approve", ask_why_not, "nn", _fresh),
    "ap:no=": Route("approve", reject_for, "nnw", _fresh),
}
ANSWERS: Mapping[str, Answer] = {"ap.why": Answer("approve", hear_why_not, _fresh)}
