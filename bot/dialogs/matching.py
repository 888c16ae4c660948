"""Who is in an audience: by pages and by name, each with the channel it goes to."""

from typing import Any

from bot.dialogs.talk import PAGE, Rows, Screens, Talk, button, card, in_rows, lines, paragraphs, plain_words, short
from bot.dialogs.targets import ASIDE, SEGMENT, find_segment, of_talk, said_audience
from bot.screens import Button, Said, Screen
from bot.texts import Html
from engine.audience import read_audience
from storage.audiences import Audience
from storage.members import Member, Page
from storage.records import ClientCard, Status

# Where the list was opened: on the card of the audience, on the check card; or a segment's, or of a mere filter.
AUDIENCE, CHECK = "a", "l"


async def open_list(talk: Talk, whence: str, owner_id: str, way: str = "after", at: str = "0") -> Screens:
    """The clients behind or before one of them; "all", "lost" and "anew" begin at the first."""
    kept = _kept(talk, whence, owner_id)
    match way:
        case "all" | "lost":
            kept = {**kept, "left_out": way == "lost"}
        case "anew":
            kept = {**kept, "words": ""}
    before = int(at) if way == "before" else None
    page = Page(PAGE + 1, int(at) if way == "after" else 0, before, kept["words"], kept["left_out"])
    return [await _card(talk, whence, int(owner_id), kept, page)]


async def hear_find(talk: Talk, said: Said, whence: str, owner_id: str) -> Screens:
    kept = {**_kept(talk, whence, owner_id), "words": " ".join(plain_words(said).split())[:60]}
    page = Page(PAGE + 1, words=kept["words"], left_out=kept["left_out"])
    return [await _card(talk, whence, int(owner_id), kept, page)]


def _kept(talk: Talk, whence: str, owner_id: str) -> dict[str, Any]:
    """What the list was narrowed down to; another list begins with everybody."""
    owner = f"{whence}{owner_id}"
    kept = talk.state.get("members") or {}
    return dict(kept) if kept.get("of") == owner else {"of": owner, "words": "", "left_out": False}


async def _card(talk: Talk, whence: str, owner_id: int, kept: dict[str, Any], page: Page) -> Screen:
    t = talk.t
    name, audience, data, back = await _owner(talk, whence, owner_id)
    talk.state["members"] = kept
    talk.ask("who.find", whence, owner_id)
    found = await talk.store.audiences.page(audience, page)
    shown = found[-PAGE:] if page.before is not None else found[:PAGE]
    more = len(found) > PAGE
    earlier = more if page.before is not None else page.after > 0
    later = page.before is not None or more
    text = paragraphs(
        t("<b>Who gets “{name}”</b>", name=name)
        if whence not in (SEGMENT, ASIDE)
        else t("<b>Who is in “{name}”</b>", name=name),
        said_audience(talk, data),
        t("Only those with “{words}” in the name, the phone, the e-mail or the id.", words=kept["words"])
        if kept["words"]
        else None,
        t("Only those who are left out.") if kept["left_out"] else None,
        lines(*(_line(talk, one) for one in shown)) or t("Nobody here."),
    )
    at = (whence, owner_id)
    rows: Rows = in_rows([button(short(_name(one.card), 28), "k:of", one.card.id) for one in shown], 2)
    if not talk.may("clients"):
        rows = []
    turns = []
    if shown and earlier:
        turns.append(button(t("◀ Back a page"), "who", *at, "before", shown[0].card.id))
    if shown and later:
        turns.append(button(t("More ▶"), "who", *at, "after", shown[-1].card.id))
    if turns:
        rows.append(tuple(turns))
    others = [button(t("Everybody"), "who", *at, "all")] if kept["left_out"] else []
    others += [button(t("Only who is left out"), "who", *at, "lost")] if not kept["left_out"] else []
    if kept["words"]:
        others.append(button(short(f"✕ {kept['words']}", 28), "who", *at, "anew"))
    rows.append(tuple(others))
    rows.append((back, button(t("Menu"), "h")))
    return card(text, rows, ask=t.plain("A piece of the name, a phone or an id"))


async def _owner(talk: Talk, whence: str, owner_id: int) -> tuple[str, Audience, Any, Button]:
    """What it is called, whom it means now, that as plain data, and the way back."""
    t = talk.t
    checker = talk.operations.checker
    if whence == SEGMENT:
        segment = await find_segment(talk, str(owner_id))
        audience = checker.audience_by(read_audience(segment.audience))
        return segment.name, audience, segment.audience, button(t("◀ Back"), "g:of", owner_id)
    if whence == ASIDE:
        target = of_talk(talk)
        found = checker.audience_by(read_audience(target.audience))
        return target.name, found, target.audience, button(t("◀ Back"), "q")
    mailing = await talk.operations.get(owner_id)
    back = button(t("◀ Back"), "m:open", owner_id)
    if mailing.status == Status.DRAFT and talk.may("compose"):
        back = button(t("◀ Back"), "l:check" if whence == CHECK else "a", mailing.id, mailing.revision)
    return mailing.draft.name, checker.audience_of(mailing.draft), mailing.draft.audience, back


def _line(talk: Talk, member: Member) -> Html:
    t = talk.t
    if member.channel is not None:
        return t("{name} → {channel}", name=_name(member.card), channel=member.channel)
    return t("{name} – left out: {reason}", name=_name(member.card), reason=t.reason(member.left_out or "no_address"))


def _name(client: ClientCard) -> str:
    from bot.dialogs.clients import name_of

    return name_of(client)
