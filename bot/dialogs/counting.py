"""Clients by a filter without a mailing: counted, listed, saved as a segment, written to. The filter is the person's
own, and stays where they left it."""

from bot.dialogs.audience import segment_label
from bot.dialogs.builder import condition_rows
from bot.dialogs.segments import begin_mailing, free_name, segment_card
from bot.dialogs.talk import (
    PAGE,
    Rows,
    Screens,
    Talk,
    button,
    card,
    chosen,
    digest,
    footer,
    in_rows,
    paragraphs,
    primary,
    turner,
)
from bot.dialogs.targets import ASIDE, Target, changed, of_segment, of_talk, said_audience, said_count, target_at
from bot.dialogs.terms import ROOT
from bot.screens import Said, Screen
from engine.audience import read_audience


async def open_count(talk: Talk, *_rest: str) -> Screens:
    return [await count_card(talk, of_talk(talk))]


async def count_card(talk: Talk, target: Target, note: str = "") -> Screen:
    t = talk.t
    here = target.here
    talk.ask("q.field", ROOT, *here)
    text = paragraphs(
        t("<b>Clients by a filter</b>"),
        note or None,
        said_audience(talk, target.audience),
        await said_count(talk, target),
    )
    rows: Rows = [
        (
            button(t("By tag"), "q:f", ROOT, digest("tag"), "is", *here, 0),
            button(t("By condition"), "q:if", ROOT, *here, 0),
            button(t("A saved segment"), "q:segs", *here, 0),
        ),
    ]
    if target.audience.get("segment"):
        rows.append((button(f"✕ {target.audience['segment']}", "q:free", *here),))
    rows += condition_rows(talk, target)
    if target.audience:
        rows.append((button(t("Everybody"), "q:all"), button(t("Save as a segment"), "q:save", *here)))
    rows.append((button(t("Who they are"), "who", ASIDE, 0, "all"), button(t("Count again"), "q")))
    rows.append((primary(t("New mailing to them"), "q:mail", *here),))
    rows.append(footer(talk, button(t("◀ Back"), "k")))
    return card(text, rows, ask=t.plain("A condition, such as: city is Kyiv"))


async def everybody(talk: Talk) -> Screens:
    talk.state.pop("aside", None)
    return await open_count(talk)


# --- a segment ---


async def open_segments(talk: Talk, number: str, revision: str, page: str = "0") -> Screens:
    here = (await target_at(talk, ASIDE, number, revision)).here
    t, at = talk.t, int(page)
    found = await talk.store.segments.list()
    shown = found[at * PAGE : (at + 1) * PAGE]
    rows = in_rows([button(segment_label(talk, one), "q:use", digest(one.name), *here) for one in shown], 1)
    rows += turner(talk, at, len(found) > (at + 1) * PAGE, "q:segs", *here)
    rows.append(footer(talk, button(t("◀ Back"), "q")))
    none = t("No segment is saved yet: set conditions, then press “Save as a segment”.")
    return [card(t("<b>Which segment?</b>") if found else none, rows)]


async def use_segment(talk: Talk, short_name: str, number: str, revision: str) -> Screens:
    target = await target_at(talk, ASIDE, number, revision)
    name = chosen([one.name for one in await talk.store.segments.list()], short_name)
    return [await count_card(talk, await changed(talk, target, {**target.audience, "segment": name}))]


async def drop_segment(talk: Talk, number: str, revision: str) -> Screens:
    target = await target_at(talk, ASIDE, number, revision)
    audience = {key: value for key, value in target.audience.items() if key != "segment"}
    return [await count_card(talk, await changed(talk, target, audience))]


async def ask_save(talk: Talk, number: str, revision: str) -> Screens:
    target = await target_at(talk, ASIDE, number, revision)
    talk.ask("q.save", *target.here)
    t = talk.t
    text = paragraphs(
        t("<b>Save as a segment</b>"),
        said_audience(talk, target.audience),
        t("Type a name for it: any mailing can go to it then."),
    )
    return [card(text, [footer(talk, button(t("◀ Back"), "q"))], ask=t.plain("The segment's name"))]


async def hear_save(talk: Talk, said: Said, number: str, revision: str) -> Screens:
    target = await target_at(talk, ASIDE, number, revision)
    name = await free_name(talk, said)
    await talk.store.segments.save(name, read_audience(target.audience), talk.clock.now())
    note = talk.t("Saved: any mailing can go to it.")
    return [await segment_card(talk, of_segment(await talk.store.segments.get(name)), note)]


# --- a mailing ---


async def ask_mailing(talk: Talk, number: str, revision: str) -> Screens:
    target = await target_at(talk, ASIDE, number, revision)
    talk.ask("q.message", *target.here)
    t = talk.t
    text = paragraphs(
        t("<b>New mailing</b>"),
        t("To: {audience}", audience=said_audience(talk, target.audience)),
        t("Send or forward me the message exactly as clients should see it."),
    )
    rows = [footer(talk, button(t("◀ Back"), "q"))]
    return [card(text, rows, ask=t.plain("The message, as clients should see it"))]


async def hear_message(talk: Talk, said: Said, number: str, revision: str) -> Screens:
    target = await target_at(talk, ASIDE, number, revision)
    return await begin_mailing(talk, said, target.audience)
