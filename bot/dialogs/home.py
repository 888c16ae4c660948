"""The menu, the help, and the switch that stops everything."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.dialogs.talk import Rows, Screens, Talk, button, card, danger, in_rows, lines, paragraphs, primary
from bot.screens import Button, Said, Screen
from bot.texts import _
from storage.records import Status

if TYPE_CHECKING:
    from engine.operations import Summary

# name, what it does, the right it needs: the menu, /help and the surfaces' own menus are made of it
COMMANDS = (
    ("new", _("make a mailing"), "compose"),
    ("mailings", _("all mailings, newest first"), "compose"),
    ("now", _("what is being sent, live"), "compose"),
    ("after", _("once it is sent: take back, correct, write again"), "look"),
    ("saved", _("messages that are kept to be used again"), "compose"),
    ("accounts", _("your own accounts, where tests come"), "test"),
    ("templates", _("templates: write one, see what became of it"), "compose"),
    ("stats", _("numbers of a mailing or a period"), "statistics"),
    ("digest", _("numbers that come each day or week"), "statistics"),
    ("clients", _("find a client; why somebody got it or not"), "clients"),
    ("segments", _("segments: groups of clients that are saved"), "segments"),
    ("channels", _("channels: what works, what does not"), "look"),
    ("people", _("who may use me, and inviting somebody"), "people"),
    ("approval", _("what waits for a second person's approval"), "approve"),
    ("stop", _("stop all sending at once"), "stop"),
    ("go", _("let sending go on after /stop"), "go"),
    ("language", _("the language in which I speak with you"), "statistics"),
    ("help", _("what I understand"), "statistics"),
)


async def open_home(talk: Talk, *_args: str) -> Screens:
    """What is going on, and everything that can be done."""
    t = talk.t
    greeting = t("Hello, {name}! This is <b>{house}</b>.", name=talk.person.name, house=talk.house.name)
    if not talk.may("compose"):
        rows = [*await _approver_rows(talk), *_manager_rows(talk)]
        return [card(paragraphs(greeting, t("Ask me for numbers whenever you like.")), rows)]
    recent = await talk.operations.list_mailings(limit=50)
    draft = next((one for one in recent if one.status == Status.DRAFT), None)
    text = paragraphs(greeting, await _situation(talk, recent), t("What shall we do?"))
    return [
        card(
            text, _rows(talk, draft, await _waiting(talk)), ask=t.plain("Send me a message to mail, or press a button")
        )
    ]


async def open_help(talk: Talk, *_args: str) -> Screens:
    t = talk.t
    known = [f"/{name} – {t(does)}" for name, does, verb in COMMANDS if talk.may(verb)]
    hint = t("Or simply send or forward me a message: I make a mailing of it.") if talk.may("compose") else None
    more = t(
        "With a mailing's number: /stats 7, /launch 7, /pause 7, /resume 7, /cancel 7, /copy 7, /delete 7, /preview 7, "
        "/test 7, /audience 7, /send 7, /check 7, /speed 7 10, /report 7, /archive 7, /why 7 Ann; "
        "once it is sent: /after 7, /takeback 7, /correct 7, /resend 7, /unknown 7."
    )
    text = paragraphs(t("<b>What I understand</b>"), lines(*known), more if talk.may("compose") else None, hint)
    return [card(text, [(button(t("Menu"), "h"),)])]


async def stop_all(talk: Talk, *_args: str) -> Screens:
    """The kill switch: asks nothing, and says how to lift it."""
    await talk.operations.stop(talk.actor)
    return [_stopped_card(talk)]


async def go_on(talk: Talk, *_args: str) -> Screens:
    t = talk.t
    if await talk.operations.stopped() is None:
        text = t("Nothing was stopped: sending works as usual.")
    else:
        await talk.operations.go(talk.actor)
        text = t("▶ <b>Sending goes on.</b> Each mailing continues from where it stopped; nobody gets anything twice.")
    return [card(text, [(button(t("What is being sent"), "now"), button(t("Menu"), "h"))])]


async def did_not_understand(talk: Talk, _said: Said) -> Screens:
    """Whatever a manager says that is no question I know."""
    t = talk.t
    return [card(t("I answer questions about mailings: press a button, or type /stats."), _manager_rows(talk))]


async def _approver_rows(talk: Talk) -> Rows:
    """What waits for who may approve, and what such a person may look at."""
    t = talk.t
    if not talk.may("approve"):
        return []
    return [
        *(await _waiting(talk) or [(button(t("What waits for approval"), "ap"),)]),
        (button(t("Mailings"), "m:list", 0), button(t("Now"), "now")),
    ]


async def _waiting(talk: Talk) -> Rows:
    """The way to what waits for this person's word, where something does."""
    waiting = len(await talk.operations.waiting_approvals()) if talk.may("approve") else 0
    label = talk.t.plain_plural("✋ {count} to approve", "✋ {count} to approve", waiting)
    return [(primary(label, "ap"),)] if waiting else []


def _manager_rows(talk: Talk) -> Rows:
    t = talk.t
    return [
        (primary(t("Statistics"), "s"),),
        (button(t("This week"), "s:since", "week"), button(t("Help"), "h:help")),
        (_language(talk),),
    ]


def _language(talk: Talk) -> Button:
    return button(talk.t("🌐 Language"), "lang")


def _rows(talk: Talk, draft: "Summary | None", waiting: Rows) -> Rows:
    t = talk.t
    go_on: Rows = [(button(t.plain("Go on with “{name}”", name=draft.name), "m:open", draft.id),)] if draft else []
    buttons: list[Button] = [
        button(t("Mailings"), "m:list", 0),
        button(t("Now"), "now"),
        button(t("Saved messages"), "v"),
        button(t("Statistics"), "s"),
        button(t("Clients"), "k"),
        button(t("Segments"), "g:list", 0),
        button(t("Channels"), "ch"),
        *([button(t("People"), "p")] if talk.may("people") else []),
        button(t("Help"), "h:help"),
        _language(talk),
    ]
    return [
        *waiting,
        (primary(t("New mailing"), "c:new"),),
        *go_on,
        *in_rows(buttons, 2),
        (danger(t("Stop everything"), "stop"),),
    ]


async def _situation(talk: Talk, recent: "Sequence[Summary]") -> str:
    t = talk.t
    stopped = await talk.operations.stopped()
    sending = [one for one in recent if one.status == Status.SENDING]
    waiting = [one for one in recent if one.status in (Status.PAUSED, Status.INTERRUPTED)]
    drafts = [one for one in recent if one.status == Status.DRAFT]
    approvals = len(await talk.operations.waiting_approvals()) if talk.may("approve") else 0
    return lines(
        t("⛔ Sending is stopped by {name}. An owner lifts it with /go.", name=stopped.name) if stopped else None,
        t.plural("{count} mailing is being sent.", "{count} mailings are being sent.", len(sending))
        if sending
        else t("Nothing is being sent."),
        t.plural("{count} mailing waits for you.", "{count} mailings wait for you.", len(waiting)) if waiting else None,
        t.plural(
            "{count} mailing waits for an approval: /approval.",
            "{count} mailings wait for an approval: /approval.",
            approvals,
        )
        if approvals
        else None,
        t("A draft is saved: “{name}”.", name=drafts[0].name) if drafts else None,
    )


def _stopped_card(talk: Talk) -> Screen:
    t = talk.t
    may_lift = talk.may("go")
    who = t("You lift it with /go.") if may_lift else t("An owner lifts it with /go.")
    text = paragraphs(
        t("⛔ <b>Everything is stopped.</b> Nothing more leaves on any channel; what was already on its way arrives."),
        t("Mailings keep their place and go on from there. {who}", who=who),
    )
    lift: Rows = [(button(t("Let sending go on"), "go"),)] if may_lift else []
    return card(text, [*lift, (button(t("Menu"), "h"),)])
