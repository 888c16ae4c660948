"""Saved messages: kept under a name for one messenger or for all, used in mailings, copied, changed, deleted."""

from dataclasses import replace
from itertools import count
from zoneinfo import ZoneInfo

from bot.dialogs import compose, kinds
from bot.dialogs.said import message_from, name_for
from bot.dialogs.talk import (
    PAGE,
    Rows,
    Screens,
    Talk,
    button,
    card,
    danger,
    footer,
    in_rows,
    lines,
    paragraphs,
    plain_words,
    primary,
    short,
    turner,
)
from bot.dialogs.work import ALL, Work, put, put_message, work_at
from bot.dialogs.written import problems, said_counts, said_piece
from bot.screens import Said, Screen
from bot.texts import _
from engine.errors import Invalid
from gateways.message import ELEMENT_FIELDS, Message
from storage.records import Draft
from storage.saved import MAX_NAME, SavedMessage, SavedName

_EVERY = "any"  # in tokens: of any kind; "all": for all messengers


# --- the list ---


async def open_saved(talk: Talk, kind: str = _EVERY, page: str = "0") -> Screens:
    t = talk.t
    talk.ask("v.find")
    every = await talk.store.saved.names()
    found = [one for one in every if kind == _EVERY or one.kind == _kind_in(kind)]
    first = int(page) * PAGE
    shown = found[first : first + PAGE]
    text = paragraphs(
        t("<b>Saved messages</b>, the last changed first"),
        lines(*(_line(talk, one) for one in shown)) or t("None yet. Keep one from a draft, or send me one: press New."),
        t("Type a piece of a name to find one.") if len(every) > PAGE else None,
    )
    rows: Rows = [*_opening(talk, shown), *turner(talk, int(page), len(found) > first + PAGE, "v", kind)]
    rows += _filters(talk, every, kind)
    rows.append((primary(t("New saved message"), "v:new", _EVERY if kind == _EVERY else kind),))
    rows.append(footer(talk))
    return [card(text, rows, ask=t.plain("A piece of a name"))]


def _kind_in(word: str) -> str:
    return "" if word in (ALL, _EVERY) else word


def _line(talk: Talk, one: SavedName) -> str:
    t = talk.t
    return t(
        "• <b>{name}</b> – {messenger}, {day}", name=one.name, messenger=_for(talk, one.kind), day=t.day(one.saved_at)
    )


def _for(talk: Talk, kind: str) -> str:
    if not kind:
        return talk.t.plain("for all messengers")
    return talk.t.plain("for {messenger}", messenger=talk.operations.checker.titles([kind])[0])


def _opening(talk: Talk, shown: list[SavedName]) -> Rows:
    return in_rows([button(_label(talk, one), "v:of", one.id) for one in shown], 2)


def _label(talk: Talk, one: SavedName) -> str:
    if not one.kind:
        return one.name
    return f"{short(one.name, 26)} · {talk.operations.checker.titles([one.kind])[0]}"


def _filters(talk: Talk, every: list[SavedName], chosen: str) -> Rows:
    """One button for each kind that there is something of, where there are several."""
    t = talk.t
    of = {kind: sum(one.kind == kind for one in every) for kind in sorted({one.kind for one in every})}
    if len(of) < 2:
        return []
    labels = {_EVERY: t.plain("All {count}", count=t.number(len(every)))}
    for kind, amount in of.items():
        messenger = talk.operations.checker.titles([kind])[0] if kind else t.plain("For all")
        labels[kind or ALL] = t.plain("{messenger} {count}", messenger=messenger, count=t.number(amount))
    buttons = [button(f"✓ {words}" if kind == chosen else words, "v", kind) for kind, words in labels.items()]
    return in_rows(buttons, 3)


async def open_by_command(talk: Talk, words: str = "") -> Screens:
    """/saved, /saved spring"""
    return await _found(talk, words.strip()) if words.strip() else await open_saved(talk)


async def hear_find(talk: Talk, said: Said) -> Screens:
    words = plain_words(said)
    if not words or said.attachments or said.location or len(words) > MAX_NAME or "\n" in words:
        return await compose.ask_what_for(talk, said, None)
    return await _found(talk, words)


async def _found(talk: Talk, words: str) -> Screens:
    t = talk.t
    found = (await talk.store.saved.names(search=words))[:PAGE]
    if len(found) == 1:
        return await open_one(talk, str(found[0].id))
    talk.ask("v.find")
    said = t("Saved messages with “{words}”:", words=short(words, 60))
    if not found:
        said = t("No saved message has “{words}” in its name. Type another piece of it.", words=short(words, 60))
    text = paragraphs(said, lines(*(_line(talk, one) for one in found)))
    rows = [*_opening(talk, found), footer(talk, button(t("◀ Back"), "v"))]
    return [card(text, rows, ask=t.plain("A piece of a name"))]


# --- one of them ---


async def open_one(talk: Talk, saved_id: str, *_rest: str) -> Screens:
    return [await _card(talk, await talk.store.saved.get(int(saved_id)))]


async def _card(talk: Talk, saved: SavedMessage, note: str = "") -> Screen:
    t = talk.t
    pieces = enumerate(saved.message.elements, start=1)
    labels = [one.label for element in saved.message.elements for row in element.buttons for one in row]
    draft = Draft(saved.name, replace(saved.message, kinds=_kinds_of(saved)))
    text = paragraphs(
        t("<b>{name}</b> – saved message {messenger}", name=saved.name, messenger=_for(talk, saved.kind)),
        note or None,
        lines(*(f"{number}. {t.listed([said_piece(t, one, 200)])}" for number, one in pieces)),
        t("Buttons: {labels}", labels=t.listed(labels)) if labels else None,
        lines(*await said_counts(talk, draft), *await problems(talk, draft)) or None,
        t("Saved by {name}, {day}.", name=saved.saved_by, day=t.day(saved.saved_at)),
    )
    rows: Rows = [
        (primary(t("New mailing of it"), "v:use", saved.id),),
        (button(t("Change it"), "e", "saved", saved.id, saved.revision), button(t("Preview"), "v:see", saved.id)),
        (button(t("Rename"), "v:name", saved.id, saved.revision), button(t("Copy"), "v:copy", saved.id)),
        (danger(t("Delete"), "v:delete?", saved.id),),
        footer(talk, button(t("◀ Back"), "v")),
    ]
    return card(text, rows)


def _kinds_of(saved: SavedMessage) -> frozenset[str]:
    return frozenset({saved.kind}) if saved.kind else saved.message.kinds


async def see(talk: Talk, saved_id: str) -> Screens:
    """The message as a client gets it, and pictures; then its card."""
    from bot.dialogs import looks

    saved = await talk.store.saved.get(int(saved_id))
    draft = Draft(saved.name, replace(saved.message, kinds=_kinds_of(saved)))
    preview = await talk.operations.checker.preview(draft)
    drawn = await looks.draw(talk, draft)
    return [looks.with_looks(replace(await _card(talk, saved), preview=preview.shown), drawn)]


async def use(talk: Talk, saved_id: str) -> Screens:
    """A new draft that begins with it."""
    saved = await talk.store.saved.get(int(saved_id))
    message = replace(saved.message, kinds=_kinds_of(saved))
    mailing = await compose.create(talk, message, saved.name)
    return await compose.show(talk, mailing, talk.t("Saved as a draft: it stays in /mailings whatever happens."))


async def ask_name(talk: Talk, saved_id: str, revision: str) -> Screens:
    saved = await talk.store.saved.get(int(saved_id))
    talk.ask("v.name", revision, saved.id)
    t = talk.t
    text = t("How shall “{name}” be called?", name=saved.name)
    return [card(text, [footer(talk, button(t("◀ Back"), "v:of", saved.id))], ask=t.plain("The new name"))]


async def hear_name(talk: Talk, said: Said, revision: str, saved_id: str) -> Screens:
    saved = await talk.store.saved.get(int(saved_id))
    saved = replace(saved, name=_name(said), revision=int(revision), saved_at=talk.clock.now())
    saved = await talk.store.saved.change(replace(saved, saved_by=talk.person.name))
    return [await _card(talk, saved, talk.t("Renamed, and saved."))]


def _name(said: Said) -> str:
    """Raises Invalid."""
    name = " ".join(plain_words(said).split())
    if not name:
        raise Invalid(_("A name is a few words: type them."))
    if len(name) > MAX_NAME:
        raise Invalid(_("That name is too long: {most} signs at most."), most=MAX_NAME)
    return name


async def ask_copy(talk: Talk, saved_id: str) -> Screens:
    saved = await talk.store.saved.get(int(saved_id))
    t = talk.t
    ways = [button(t("For all messengers"), "v:copied", saved.id, ALL)]
    ways += [button(title, "v:copied", saved.id, kind) for kind, title in sorted(kinds.titles(talk).items())]
    text = t("For which messenger shall the copy of “{name}” be?", name=saved.name)
    return [card(text, [*in_rows(ways, 2), footer(talk, button(t("◀ Back"), "v:of", saved.id))])]


async def copy(talk: Talk, saved_id: str, kind: str) -> Screens:
    saved = await talk.store.saved.get(int(saved_id))
    wanted = _kind_in(kind)
    message = _for_one(saved.message, wanted) if wanted else saved.message
    name = await _free_name(talk, saved.name, wanted)
    made = await talk.store.saved.save(name, message, talk.person.name, talk.clock.now(), kind=wanted)
    return [await _card(talk, made, talk.t("Copied: this is the copy."))]


def _for_one(message: Message, kind: str) -> Message:
    """What that kind of messenger gets of it, with what only its gateway knows."""
    own = {name: value for name, value in message.only.get(kind, {}).items() if name not in ELEMENT_FIELDS}
    return Message(message.for_kind(kind), only={kind: own} if own else {})


async def _free_name(talk: Talk, name: str, kind: str) -> str:
    """The name, with a number behind it where it is taken."""
    taken = {one.name for one in await talk.store.saved.names(kind=kind)}
    name = short(name, MAX_NAME - 5)
    return next(
        one for one in (name if number == 1 else f"{name} ({number})" for number in count(1)) if one not in taken
    )


async def ask_delete(talk: Talk, saved_id: str) -> Screens:
    saved = await talk.store.saved.get(int(saved_id))
    t = talk.t
    text = paragraphs(
        t("<b>Delete the saved message “{name}”?</b>", name=saved.name),
        t("It can't be brought back. Mailings that were made of it stay as they are."),
    )
    rows = [
        (danger(t("Yes, delete it"), "v:delete", saved.id), button(t("No, keep it"), "v:of", saved.id)),
        footer(talk),
    ]
    return [card(text, rows)]


async def delete(talk: Talk, saved_id: str) -> Screens:
    saved = await talk.store.saved.get(int(saved_id))
    await talk.store.saved.delete(saved.id)
    (screen,) = await open_saved(talk)
    return [replace(screen, text=paragraphs(talk.t("Deleted: “{name}”.", name=saved.name), screen.text))]


# --- a new one ---


async def ask_new(talk: Talk, kind: str) -> Screens:
    talk.ask("v.new", kind)
    t = talk.t
    text = t("Send or forward me the message that I shall keep.")
    back = button(t("◀ Back"), "v", kind)
    return [card(text, [footer(talk, back)], ask=t.plain("The message, as clients should see it"))]


async def hear_new(talk: Talk, said: Said, kind: str) -> Screens:
    message = message_from(said)
    local = talk.clock.now().astimezone(ZoneInfo(talk.t.timezone))
    name = await _free_name(talk, name_for(message, local), _kind_in(kind))
    by, at = talk.person.name, talk.clock.now()
    saved = await talk.store.saved.save(name, message, by, at, kind=_kind_in(kind))
    return [await _card(talk, saved, talk.t("Saved. Use it in as many mailings as you like."))]


async def ask_keep(talk: Talk, scope: str, subject_id: str, revision: str) -> Screens:
    """Keep the message of a draft, or one messenger's version of it."""
    work = await work_at(talk, scope, subject_id, revision)
    talk.ask("v.keep", *work.at)
    t = talk.t
    kind = work.kind or _only_kind(work)
    text = paragraphs(
        t("Under which name shall I keep this message, {messenger}?", messenger=_for(talk, kind)),
        t("Type it, or press:"),
    )
    rows: Rows = [
        (button(t.plain("“{name}”", name=short(work.name, 30)), "v:as", *work.at),),
        footer(talk, button(t("◀ Back"), "e", *work.at), leave=work.leave),
    ]
    return [card(text, rows, ask=t.plain("A name"))]


def _only_kind(work: Work) -> str:
    return next(iter(work.message.kinds)) if len(work.message.kinds) == 1 else ""


async def hear_keep(talk: Talk, said: Said, scope: str, subject_id: str, revision: str) -> Screens:
    return await _keep(talk, await work_at(talk, scope, subject_id, revision), _name(said))


async def keep_as_named(talk: Talk, scope: str, subject_id: str, revision: str) -> Screens:
    work = await work_at(talk, scope, subject_id, revision)
    return await _keep(talk, work, work.name[:MAX_NAME])


async def _keep(talk: Talk, work: Work, name: str) -> Screens:
    kind = work.kind or _only_kind(work)
    message = _for_one(work.message, kind) if kind else work.message
    saved = await talk.store.saved.save(name, message, talk.person.name, talk.clock.now(), kind=kind)
    t = talk.t
    text = t("Saved as “{name}”, {messenger}. It stands in /saved.", name=saved.name, messenger=_for(talk, saved.kind))
    rows: Rows = [
        (primary(t("Go on with the draft"), "e", *work.at),),
        (button(t("Open it"), "v:of", saved.id), button(t("Menu"), "h")),
    ]
    return [card(text, rows)]


# --- taking one into a draft ---


async def pick(talk: Talk, scope: str, subject_id: str, revision: str, page: str = "0") -> Screens:
    """Those that fit here: for one messenger's version, its own and those for all."""
    work = await work_at(talk, scope, subject_id, revision)
    names = [one for one in await talk.store.saved.names() if work.kind is None or one.kind in ("", work.kind)]
    first = int(page) * PAGE
    t = talk.t
    text = paragraphs(
        t("<b>Which saved message?</b>"),
        t("It takes the place of what stands in “{name}” now.", name=work.name) if names else t("None is saved yet."),
        lines(*(_line(talk, one) for one in names[first : first + PAGE])),
    )
    rows: Rows = [
        *in_rows([button(_label(talk, one), "v:put", one.id, *work.at) for one in names[first : first + PAGE]], 2),
        *turner(talk, int(page), len(names) > first + PAGE, "v:pick", *work.at),
        footer(talk, button(t("◀ Back"), "e", *work.at), leave=work.leave),
    ]
    return [card(text, rows)]


async def put_in(talk: Talk, saved_id: str, scope: str, subject_id: str, revision: str) -> Screens:
    from bot.dialogs import constructor

    work = await work_at(talk, scope, subject_id, revision)
    saved = await talk.store.saved.get(int(saved_id))
    if work.kind is not None:
        work = await put(talk, work, saved.message.for_kind(work.kind))
    else:
        work = await put_message(talk, work, replace(saved.message, kinds=_kinds_of(saved)))
    return [await constructor.pieces_card(talk, work, talk.t("“{name}” stands in it now.", name=saved.name))]
