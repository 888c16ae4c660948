"""What people are told unasked: that a mailing has started, stopped or ended, that somebody stopped everything."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bot.dialogs.after import amendment_card
from bot.dialogs.approval import answered_screen, asked_card
from bot.dialogs.live import canary_line, canary_ways, live_card, tally
from bot.dialogs.talk import House, Reader, Rows, button, card, lines, paragraphs, primary
from bot.dialogs.template_list import judged
from bot.reports import report_of
from bot.screens import Screen
from bot.texts import Html, Texts
from engine.clock import Clock
from storage.records import Mailing, Notice

if TYPE_CHECKING:
    from engine.operations import Operations

FOR_OWNERS = ("channel_broken", "stopped", "went_on")  # whoever did it


class Announcements:
    """Notices in words."""

    def __init__(self, operations: "Operations", house: House, clock: Clock) -> None:
        self._operations = operations
        self._house = house
        self._clock = clock

    async def screen(self, t: Texts, notice: Notice, mailing: Mailing | None, *, own: bool) -> Screen | None:
        """None where there is nothing to tell. `own` where it is told to whoever did it."""
        match notice.kind:
            case "channel_broken":
                return self._broken(t, notice)
            case "client_wrote":
                return _client_wrote(t, notice.details)
            case "stopped":
                return _stopped(t, notice)
            case "went_on":
                rows: Rows = [(button(t("What is being sent"), "now"), button(t("Menu"), "h"))]
                return Screen(t("▶ <b>{name} let sending go on.</b>", name=_name(notice)), tuple(rows))
            case "joined":
                return _joined(t, **notice.details)
            case "template":
                return judged(t, notice.details, self._operations.settings)
            case _ if mailing is None:
                return None
            case "started" if own and notice.details.get("at_once"):
                return None  # who pressed Launch has the live card
            case "started" if own:
                return live_card(t, mailing, await self._operations.figures(mailing.id), self._clock.now())
            case "started":
                return _started(t, notice, mailing)
            case "finished":
                return await self._finished(t, mailing)
            case "paused":
                head = t("⏸ <b>“{name}” was paused.</b>", name=mailing.draft.name)
                return _held(t, mailing, head, _because(t, _why(notice)))
            case "amended":
                progress = await self._operations.amendment(int(notice.details["amendment"]))
                return replace(amendment_card(t, mailing, progress), edit=False)
            case "approval_asked":
                return await self._approval_asked(t, mailing)
            case "approval_approved" | "approval_rejected" | "approval_withdrawn":
                reader = Reader(t, self._operations.settings)
                return answered_screen(reader, mailing, notice.kind.removeprefix("approval_"), notice.details)
            case "canary":
                return await self._canary(t, mailing)
            case "canary_passed":
                words = t(
                    "🐤 “{name}” goes on to all the others: its first clients took it well.", name=mailing.draft.name
                )
                return Screen(words, (_open_row(t, mailing),))
            case "interrupted":
                head = t("⚠ <b>“{name}” has stopped by itself.</b>", name=mailing.draft.name)
                advice = t("Nobody gets it twice: mend the cause and resume it, or cancel it.")
                return _held(t, mailing, head, _because(t, _why(notice)), advice, self._support(t))
            case _:
                what = t("“{name}”: {what}", name=mailing.draft.name, what=_why(notice) or notice.kind)
                return Screen(what, (_open_row(t, mailing),))

    def _broken(self, t: Texts, notice: Notice) -> Screen:
        text = paragraphs(
            t("⚠ <b>Channel {channel} is broken.</b>", channel=str(notice.details.get("channel", ""))),
            _because(t, _why(notice)),
            t("The other channels go on. Mend it, then press Resume on its mailing."),
            self._support(t),
        )
        return Screen(text, ((button(t("Channels"), "ch"), button(t("Mailings"), "m:list", 0)),))

    async def _finished(self, t: Texts, mailing: Mailing) -> Screen:
        figures = await self._operations.figures(mailing.id)
        told = t.plural(
            "✅ <b>“{name}” is finished:</b> {sent} of {count} client got it, {failed} failed.",
            "✅ <b>“{name}” is finished:</b> {sent} of {count} clients got it, {failed} failed.",
            figures["planned"],
            name=mailing.draft.name,
            sent=t.number(figures["sent"]),
            failed=t.number(figures["failed"]),
        )
        failures = figures.get("failures") or {}
        text = paragraphs(told, t("Failed: {reasons}", reasons=t.reasons(failures)) if failures else None)
        rows: Rows = [(primary(t("Statistics"), "s:of", mailing.id), button(t("Open"), "m:open", mailing.id))]
        return Screen(text, tuple(rows), files=await report_of(self._operations, mailing.id))

    async def _approval_asked(self, t: Texts, mailing: Mailing) -> Screen | None:
        """The check card with Yes and No, while it waits for its answer."""
        made = await asked_card(Reader(t, self._operations.settings), self._operations, mailing)
        return made if made.rows else None

    async def _canary(self, t: Texts, mailing: Mailing) -> Screen | None:
        """The first clients have it, and it waits."""
        figures = await self._operations.figures(mailing.id)
        words = canary_line(t, figures)
        if words is None:
            return None
        head = t("🐤 <b>“{name}”: a few clients have it.</b>", name=mailing.draft.name)
        return Screen(paragraphs(head, tally(t, figures), words), (*canary_ways(t, mailing.id), _open_row(t, mailing)))

    def _support(self, t: Texts) -> Html | None:
        return t("If you need help: {support}", support=self._house.support) if self._house.support else None


def moved_on(t: Texts, mailing: Mailing) -> Screen:
    """What an older live card says when a newer one stands in the chat."""
    return card(t("The live card of “{name}” goes on further down.", name=mailing.draft.name))


def _started(t: Texts, notice: Notice, mailing: Mailing) -> Screen:
    told = t("📨 “{name}” has started.", name=mailing.draft.name)
    by = t("Launched by {name}.", name=notice.actor.name) if notice.actor is not None else None
    return Screen(lines(told, by), (_open_row(t, mailing),))


def _held(t: Texts, mailing: Mailing, *told: str | None) -> Screen:
    number = mailing.id
    ways = (primary(t("▶ Resume"), "m:resume", number), button(t("✖ Cancel"), "m:cancel?", number))
    return Screen(paragraphs(*told), (ways, _open_row(t, mailing)))


def _stopped(t: Texts, notice: Notice) -> Screen:
    text = paragraphs(
        t("⛔ <b>{name} stopped all sending.</b>", name=_name(notice)),
        t("Nothing more leaves on any channel; mailings keep their place. An owner lifts it with /go."),
    )
    return Screen(text, ((button(t("▶ Let sending go on"), "go"), button(t("What is being sent"), "now")),))


def _joined(t: Texts, person: str, role: str, surface: str) -> Screen:
    words = t("👋 <b>{name} has joined</b> as {role}, on {where}.", name=person, role=role, where=surface.capitalize())
    return Screen(words, ((button(t("People"), "p"),),))


def _client_wrote(t: Texts, details: Mapping[str, Any]) -> Screen:
    """A client's own words, handed over to people."""
    client, name = details.get("client"), details.get("name") or t.plain("somebody new")
    said = str(details.get("text") or "") or t.plain("({what})", what=details.get("what") or "")
    text = paragraphs(
        t("✉ <b>{name}</b>, {channel}:", name=name, channel=details.get("channel", "")), t("{words}", words=said)
    )
    rows: Rows = [(button(t("Open the client"), "k:of", client),)] if client is not None else []
    return Screen(text, rows=tuple(rows))


def _open_row(t: Texts, mailing: Mailing) -> tuple[Any, ...]:
    return button(t("Open"), "m:open", mailing.id), button(t("Statistics"), "s:of", mailing.id)


def _because(t: Texts, why: str) -> Html | None:
    return t("Why: {why}", why=why) if why else None


def _why(notice: Notice) -> str:
    return str(notice.details.get("words") or notice.details.get("reason") or "")


def _name(notice: Notice) -> str:
    return str(notice.details.get("name") or "")
