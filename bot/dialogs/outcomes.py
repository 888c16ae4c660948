"""A condition about an earlier mailing: who got, read, clicked it, or did not."""

from bot.dialogs.builder import back_to
from bot.dialogs.talk import (
    PAGE,
    Rows,
    Screens,
    Talk,
    button,
    card,
    find_mailing,
    footer,
    in_rows,
    paragraphs,
    plain_words,
    short,
    turner,
)
from bot.dialogs.targets import Target, changed, target_at
from bot.dialogs.terms import root_of, with_added, with_root
from bot.screens import Said, Screen
from bot.texts import _
from engine.errors import Invalid
from storage.filters import MailingResult
from storage.records import Status

_RESULTS = {
    MailingResult.SENT: (_("Was sent it"), _("Was not sent it")),
    MailingResult.DELIVERED: (_("It was delivered"), _("It was not delivered")),
    MailingResult.READ: (_("Read it"), _("Did not read it")),
    MailingResult.CLICKED: (_("Pressed a button"), _("Pressed no button")),
    MailingResult.FAILED: (_("It failed"), _("It did not fail")),
    MailingResult.UNSUBSCRIBED: (_("Unsubscribed then"), _("Did not unsubscribe")),
    MailingResult.KEPT: (_("Has it still as it was sent"), _("Has it no more as it was sent")),
}


async def open_mailings(talk: Talk, letter: str, path: str, target_id: str, revision: str, page: str = "0") -> Screens:
    target = await target_at(talk, letter, target_id, revision)
    t = talk.t
    here = target.here
    talk.ask(target.asks("mailing"), path, *here)
    at = int(page) * PAGE
    recent = await talk.operations.list_mailings(limit=PAGE + 1, offset=at)
    launched = [one for one in recent[:PAGE] if one.status not in (Status.DRAFT, Status.SCHEDULED)]
    name = target.button("mo")
    rows = in_rows([button(f"#{one.id} {short(one.name, 22)}", name, path, one.id, *here) for one in launched], 1)
    rows += turner(talk, int(page), len(recent) > PAGE, target.button("ml"), path, *here)
    rows.append(footer(talk, button(t("◀ Back"), target.button("if"), path, *here, 0), leave=target.draft_id))
    text = paragraphs(
        t("<b>Which mailing?</b> Press it, or type its number or a piece of its name."),
        None if launched else t("None of these was sent yet."),
    )
    return [card(text, rows, ask=t.plain("A mailing's number or name"))]


async def hear_mailing(talk: Talk, letter: str, said: Said, path: str, target_id: str, revision: str) -> Screens:
    target = await target_at(talk, letter, target_id, revision)
    words = plain_words(said)
    if not words:
        raise Invalid(_("Type a mailing's number or a piece of its name."))
    mailing = await find_mailing(talk, words)
    return [await _results_card(talk, target, path, mailing.id)]


async def open_results(talk: Talk, letter: str, path: str, mailing_id: str, target_id: str, revision: str) -> Screens:
    target = await target_at(talk, letter, target_id, revision)
    return [await _results_card(talk, target, path, int(mailing_id))]


async def _results_card(talk: Talk, target: Target, path: str, mailing_id: int) -> Screen:
    t = talk.t
    here = target.here
    mailing = await talk.operations.get(mailing_id)
    name = target.button("mo+")
    rows: Rows = [
        tuple(
            button(t(words), name, path, f"{sign}{result}", mailing_id, *here)
            for sign, words in zip(("", "not_"), both, strict=True)
        )
        for result, both in _RESULTS.items()
    ]
    rows.append(footer(talk, button(t("◀ Back"), target.button("ml"), path, *here, 0), leave=target.draft_id))
    return card(t("What became of “{name}” with the client?", name=mailing.draft.name), rows)


async def add(
    talk: Talk, letter: str, path: str, result: str, mailing_id: str, target_id: str, revision: str
) -> Screens:
    target = await target_at(talk, letter, target_id, revision)
    outcome = result.removeprefix("not_")
    condition: dict[str, object] = {"mailing": int(mailing_id), "outcome": outcome}
    if outcome != result:
        condition["is_not"] = True
    root = with_added(root_of(target.audience), path, condition)
    return await back_to(talk, await changed(talk, target, with_root(target.audience, root)), path)
