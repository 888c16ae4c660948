"""What a mailing is: its message, whom it is for, how it goes, who made it; the message itself, the report as files."""

from bot.dialogs.audience import said_audience
from bot.dialogs.live import RUNNING, speed_of
from bot.dialogs.said import buttons_of
from bot.dialogs.sending import max_rate, said_start
from bot.dialogs.talk import Rows, Screens, Talk, button, card, footer, lines, paragraphs
from bot.dialogs.through import said_through
from bot.dialogs.written import said_piece
from bot.reports import MOST_FAILED, failed_of, report_of
from bot.screens import Screen
from bot.texts import Html
from engine.errors import Invalid
from gateways.message import Message
from storage.records import Mailing, Status

_PIECES = 4  # of a message that stand in its line
_WORDS = 60  # characters of a text there


def said_about(talk: Talk, mailing: Mailing) -> Html:
    """Its message, audience and settings, a line each."""
    t = talk.t
    message = mailing.draft.message
    return lines(
        t("✉ {pieces}", pieces=t.listed(_pieces(talk, message))),
        t("Buttons: {labels}", labels=t.listed(labels)) if (labels := _labels(message)) else None,
        said_settings(talk, mailing),
        _who(talk, mailing),
    )


def said_settings(talk: Talk, mailing: Mailing) -> Html:
    """Whom it is for, and how it goes."""
    return lines(
        talk.t("To: {audience}", audience=said_audience(talk, mailing.draft.audience)),
        said_through(talk, mailing.draft),
        _goes(talk, mailing),
    )


def _pieces(talk: Talk, message: Message) -> list[str]:
    told = [said_piece(talk.t, element, _WORDS) for element in message.elements]
    return [*told[:_PIECES], *(["…"] if len(told) > _PIECES else [])]


def _labels(message: Message) -> list[str]:
    return [one.label for row in buttons_of(message) for one in row]


def _goes(talk: Talk, mailing: Mailing) -> str:
    t = talk.t
    speed = t.number(speed_of(mailing, max_rate(talk)))
    if mailing.started_at is None:
        return t("Start: {start}; speed {speed} a second", start=said_start(talk, mailing), speed=speed)
    return t("Started {start}; speed {speed} a second", start=t.moment(mailing.started_at), speed=speed)


def _who(talk: Talk, mailing: Mailing) -> str:
    t = talk.t
    made = t("Made by {name}, {day}", name=mailing.created_by.name, day=t.day(mailing.created_at))
    if mailing.launched_by is None or mailing.launched_at is None:
        return made
    by, day = mailing.launched_by.name, t.day(mailing.launched_at)
    if mailing.status is Status.SCHEDULED:
        return t("{made}; scheduled by {name}, {day}", made=made, name=by, day=day)
    return t("{made}; launched by {name}, {day}", made=made, name=by, day=day)


async def open_about(talk: Talk, mailing_id: str) -> Screens:
    """As a message of its own: the live card goes on above it."""
    t = talk.t
    mailing = await talk.operations.get(int(mailing_id))
    text = paragraphs(
        t("<b>{name}</b> · #{id}", name=mailing.draft.name, id=mailing.id),
        said_about(talk, mailing),
        t("While it is under way it can't be edited, deleted or archived. Copy it to send something like it.")
        if mailing.status in RUNNING
        else None,
    )
    rows: Rows = [
        *kept_rows(talk, mailing),
        footer(talk, button(t("◀ Live card") if mailing.status in RUNNING else t("◀ Back"), "m:open", mailing.id)),
    ]
    return [Screen(text, tuple(rows))]


def kept_rows(talk: Talk, mailing: Mailing) -> Rows:
    """What can be looked at of any mailing that has begun."""
    t = talk.t
    return [
        (button(t("Message"), "m:see", mailing.id), button(t("Report"), "m:report", mailing.id)),
        (button(t("Statistics"), "s:of", mailing.id), button(t("Copy"), "m:copy", mailing.id)),
    ]


async def see(talk: Talk, mailing_id: str) -> Screens:
    """The real message as a real client gets it, and a picture of it on each messenger."""
    from bot.dialogs import looks

    t = talk.t
    mailing = await talk.operations.get(int(mailing_id))
    rows = (footer(talk, button(t("◀ Back"), "m:open", mailing.id)),)
    try:
        preview = await talk.operations.preview(mailing.id)
    except Invalid as error:
        return [card(t("It can't be shown: {why}", why=t.error(error)), rows)]
    name = mailing.draft.name
    drawn = await looks.draw(talk, mailing.draft)
    if preview.client is None:
        screen = Screen(t("Above is the message of “{name}”.", name=name), rows, preview=preview.shown)
        return [looks.with_looks(screen, drawn)]
    who = preview.client.name or preview.client.first_name or f"#{preview.client.id}"
    told = t("Above is “{name}” as {who} gets it by {channel}.", name=name, who=who, channel=preview.channel)
    return [looks.with_looks(Screen(told, rows, preview=preview.shown), drawn)]


async def send_report(talk: Talk, mailing_id: str) -> Screens:
    """The numbers as files."""
    t = talk.t
    mailing = await talk.operations.get(int(mailing_id))
    if mailing.status in (Status.DRAFT, Status.SCHEDULED):
        return [
            card(
                t("“{name}” has not begun: there is nothing to report yet.", name=mailing.draft.name),
                [footer(talk, button(t("◀ Back"), "m:open", mailing.id))],
            )
        ]
    files = await report_of(talk.operations, mailing.id)
    name = mailing.draft.name
    text = t("The numbers of “{name}” as files: a row for all of it, and one for each channel.", name=name)
    back = button(t("◀ Back"), "m:open", mailing.id) if talk.may("look") else button(t("◀ Statistics"), "s", 0)
    return [Screen(text, (footer(talk, back),), files=files)]


async def send_failed(talk: Talk, mailing_id: str) -> Screens:
    """Those who did not get it, as files."""
    t = talk.t
    mailing = await talk.operations.get(int(mailing_id))
    files = await failed_of(talk.operations, mailing.id)
    back = (footer(talk, button(t("◀ Back"), "m:failed", mailing.id, 0)),)
    if not files:
        return [card(t("Nobody failed."), back)]
    failed = (await talk.operations.figures(mailing.id))["failed"]
    told = t("Who did not get “{name}”, and why, as files.", name=mailing.draft.name)
    if failed > MOST_FAILED:
        most, count = t.number(MOST_FAILED), t.number(failed)
        told = paragraphs(told, t("The first {most} of {count} stand there.", most=most, count=count))
    return [Screen(told, back, files=files)]
