"""What a person does to a mailing that exists, by its buttons and by commands."""

from typing import Any

from bot.dialogs import compose, launch, mailings
from bot.dialogs.live import RUNNING
from bot.dialogs.talk import (
    PAGE,
    Opens,
    Rows,
    Screens,
    Talk,
    button,
    card,
    danger,
    find_mailing,
    footer,
    lines,
    paragraphs,
    primary,
)
from bot.screens import Screen, with_note
from engine.errors import Refused
from storage.records import Mailing, Status


async def pause(talk: Talk, mailing_id: str) -> Screens:
    return await _steer(talk, mailing_id, talk.operations.pause)


async def resume(talk: Talk, mailing_id: str) -> Screens:
    return await _steer(talk, mailing_id, talk.operations.resume)


async def _steer(talk: Talk, mailing_id: str, verb: Any) -> Screens:
    """Do it, and show how it stands; where it can't be done, the card says why and how it stands."""
    try:
        await verb(int(mailing_id), talk.actor)
    except Refused as error:
        mailing = await talk.operations.get(int(mailing_id))
        return [await mailings.mailing_card(talk, mailing, talk.t.error(error))]
    return await mailings.open_mailing(talk, mailing_id)


async def stop(talk: Talk, mailing_id: str) -> Screens:
    """The kill switch, from a live card, which stays."""
    await talk.operations.stop(talk.actor)
    return await _with_note(talk, mailing_id, talk.t("⛔ Everything is stopped, all other mailings too."))


async def go_on(talk: Talk, mailing_id: str) -> Screens:
    await talk.operations.go(talk.actor)
    return await _with_note(talk, mailing_id, talk.t("▶ Sending goes on."))


async def archive(talk: Talk, mailing_id: str) -> Screens:
    return await _put_away(talk, mailing_id, talk.operations.archive, talk.t("It is in the archive; its numbers stay."))


async def bring_back(talk: Talk, mailing_id: str) -> Screens:
    return await _put_away(talk, mailing_id, talk.operations.bring_back, talk.t("It is in the list again."))


async def _put_away(talk: Talk, mailing_id: str, verb: Any, note: str) -> Screens:
    try:
        await verb(int(mailing_id), talk.actor)
    except Refused as error:
        note = talk.t.error(error)
    return await _with_note(talk, mailing_id, note)


async def _with_note(talk: Talk, mailing_id: str, note: str) -> Screens:
    return [await mailings.mailing_card(talk, await talk.operations.get(int(mailing_id)), note)]


async def ask_cancel(talk: Talk, mailing_id: str) -> Screens:
    """The question, as a message of its own: a live card beneath would be edited over it."""
    t = talk.t
    mailing = await talk.operations.get(int(mailing_id))
    name = mailing.draft.name
    if mailing.status == Status.SCHEDULED:
        text = t("Cancel “{name}”? Nothing of it has been sent.", name=name)
    elif mailing.status in RUNNING:
        figures = await talk.operations.figures(mailing.id)
        text = paragraphs(
            t("<b>Cancel “{name}”?</b>", name=name),
            t.plural(
                "{count} client is still waiting and will not get it.",
                "{count} clients are still waiting and will not get it.",
                figures["waiting"],
            )
            if figures["planned"]
            else t("Its audience is not formed yet: nobody gets it."),
            await _in_flight(talk, mailing),
            t("Launched again later, it reaches only those it had not reached."),
        )
    else:
        return [
            await mailings.mailing_card(
                talk, mailing, t("There is nothing to cancel: it is {status}.", status=t.status(mailing.status))
            )
        ]
    rows: Rows = [(danger(t("Yes, cancel it"), "m:cancel", mailing.id), button(t("No, go on"), "m:open", mailing.id))]
    return [Screen(text=text, rows=tuple(rows), edit=False)]


async def _in_flight(talk: Talk, mailing: Mailing) -> str:
    t = talk.t
    count = await talk.store.deliveries.in_flight(mailing.step_id)
    if not count:
        return t("None is on its way this moment.")
    return t.plural(
        "{count} message is on its way this moment and will arrive.",
        "{count} messages are on their way this moment and will arrive.",
        count,
    )


async def cancel(talk: Talk, mailing_id: str) -> Screens:
    t = talk.t
    try:
        in_flight = await talk.operations.cancel(int(mailing_id), talk.actor)
    except Refused as error:
        mailing = await talk.operations.get(int(mailing_id))
        return [await mailings.mailing_card(talk, mailing, t.error(error))]
    mailing = await talk.operations.get(int(mailing_id))
    note = t.plural(
        "Cancelled. {count} message was on its way and still arrives.",
        "Cancelled. {count} messages were on their way and still arrive.",
        in_flight,
    )
    return [await mailings.mailing_card(talk, mailing, note if in_flight else t("Cancelled. Nothing more leaves."))]


async def copy(talk: Talk, mailing_id: str) -> Screens:
    mailing = await talk.operations.get(int(mailing_id))
    name = talk.t.plain("{name} (copy)", name=mailing.draft.name)
    made = await talk.operations.get(await talk.operations.copy(mailing.id, talk.actor, name=name))
    return [compose.message_card(talk, made, talk.t("Copied: this is a new draft, saved."))]


async def edit(talk: Talk, mailing_id: str) -> Screens:
    """A scheduled one becomes a draft again; a draft is opened; any other can't be edited, and says so."""
    mailing = await talk.operations.get(int(mailing_id))
    if mailing.status == Status.DRAFT:
        return await compose.open_fresh(talk, mailing_id)
    try:
        await talk.operations.edit_again(int(mailing_id), talk.actor)
    except Refused as error:
        return [await mailings.mailing_card(talk, mailing, talk.t.error(error))]
    mailing = await talk.operations.get(int(mailing_id))
    return [
        compose.message_card(
            talk, mailing, talk.t("It is a draft again and will not start by itself. Change it, then schedule it.")
        )
    ]


async def ask_delete(talk: Talk, mailing_id: str) -> Screens:
    t = talk.t
    mailing = await talk.operations.get(int(mailing_id))
    if mailing.status != Status.DRAFT:
        words = t("Only a draft can be deleted; this one is {status}.", status=t.status(mailing.status))
        return [await mailings.mailing_card(talk, mailing, words)]
    text = t("Delete the draft “{name}”? It can't be brought back.", name=mailing.draft.name)
    rows: Rows = [(danger(t("Yes, delete it"), "m:delete", mailing.id), button(t("No, keep it"), "m:open", mailing.id))]
    return [card(text, rows)]


async def delete(talk: Talk, mailing_id: str) -> Screens:
    mailing = await talk.operations.get(int(mailing_id))
    await talk.operations.delete(mailing.id, talk.actor)
    made = await mailings.list_card(talk, 0)
    return [with_note(made, talk.t("Deleted: “{name}”.", name=mailing.draft.name))]


async def ask_again(talk: Talk, mailing_id: str) -> Screens:
    t = talk.t
    mailing = await talk.operations.get(int(mailing_id))
    if mailing.status != Status.CANCELLED:
        words = t("Only a cancelled mailing is launched again; this one is {status}.", status=t.status(mailing.status))
        return [await mailings.mailing_card(talk, mailing, words)]
    figures = await talk.operations.figures(mailing.id)
    text = t.plural(
        "<b>Launch “{name}” again?</b> {count} client has had it and gets nothing twice; all the others get it now.",
        "<b>Launch “{name}” again?</b> {count} clients have had it and get nothing twice; all the others get it now.",
        figures["sent"],
        name=mailing.draft.name,
    )
    if not figures["sent"]:
        text = t("<b>Launch “{name}” again?</b> Nobody has had it yet: all get it now.", name=mailing.draft.name)
    rows: Rows = [
        (primary(t("Yes, launch it"), "m:again", mailing.id, mailing.revision), button(t("No"), "m:open", mailing.id))
    ]
    return [card(text, rows)]


async def again(talk: Talk, mailing_id: str, revision: str) -> Screens:
    mailing = await talk.operations.get(int(mailing_id))
    if mailing.status != Status.CANCELLED:
        return [await mailings.mailing_card(talk, mailing, talk.t("It was launched already; once is enough."))]
    try:
        launched = await talk.operations.launch(int(mailing_id), talk.actor, revision=int(revision))
    except Refused as error:
        return [await mailings.mailing_card(talk, mailing, talk.t.error(error))]
    return await launch.launched_card(talk, launched)


# --- who failed ---


async def open_failed(talk: Talk, mailing_id: str, after: str = "0") -> Screens:
    t = talk.t
    mailing = await talk.operations.get(int(mailing_id))
    found = await talk.operations.failed(mailing.id, after_id=int(after), limit=PAGE + 1)
    failures = (await talk.operations.figures(mailing.id))["failures"]
    text = paragraphs(
        t("<b>Who did not get “{name}”</b>", name=mailing.draft.name),
        t.reasons(failures) or None,
        lines(*(_failure(talk, row) for row in found[:PAGE])) or t("Nobody failed."),
    )
    rows: Rows = []
    if len(found) > PAGE:
        rows.append((button(t("More ▶"), "m:failed", mailing.id, found[PAGE - 1].id),))
    if found:
        rows.append((button(t("All of them as a file"), "m:failed+", mailing.id),))
    return [card(text, [*rows, footer(talk, button(t("◀ Back"), "m:open", mailing.id))])]


def _failure(talk: Talk, row: Any) -> str:
    t = talk.t
    name = row.client_name or f"#{row.client_id}"
    told = t("{name} · {channel}: {reason}", name=name, channel=row.channel, reason=t.reason(row.reason or "rejected"))
    return t("{told} – {words}", told=told, words=t.told(row.words)) if row.words else told


# --- the same by command ---


def by_command(name: str, verb: Opens) -> Opens:
    """`/pause 7`; without a number the running ones, with their buttons."""

    async def open_verb(talk: Talk, words: str = "") -> Screens:
        if words.strip():
            return await verb(talk, str((await find_mailing(talk, words)).id))
        screens = await mailings.open_now(talk)
        told = talk.t("Which one? Press its button, or type the number too, such as: /{name} 7.", name=name)
        return [with_note(screens[0], told), *screens[1:]]

    return open_verb


def by_list(name: str, verb: Opens) -> Opens:
    """`/copy 7`; without a number the list."""

    async def open_verb(talk: Talk, words: str = "") -> Screens:
        if words.strip():
            return await verb(talk, str((await find_mailing(talk, words)).id))
        told = talk.t("Which one? Type the number too, such as: /{name} 7.", name=name)
        return [with_note(await mailings.list_card(talk, 0), told)]

    return open_verb


async def launch_by_command(talk: Talk, words: str = "") -> Screens:
    """/launch 7: the check card with its question; a cancelled one is asked about too."""
    if words.strip():
        mailing = await find_mailing(talk, words)
        if mailing.status == Status.CANCELLED:
            return await ask_again(talk, str(mailing.id))
        if mailing.status != Status.DRAFT:
            return [await mailings.mailing_card(talk, mailing, talk.t("It was launched already."))]
    return await launch.check_by_command(talk, words)
