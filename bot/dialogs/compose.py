"""The message of a mailing: sent or forwarded as clients should see it, changed, named, previewed. A draft is saved
from the first message on."""

from dataclasses import replace
from typing import Any

from bot.dialogs.said import buttons_of, message_from, name_for, with_buttons
from bot.dialogs.talk import (
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
from bot.screens import Button, Said, Screen
from bot.texts import Html, _
from engine.errors import Invalid, Refused, Stale
from gateways.message import Message, plain, read_message
from storage.records import Draft, Mailing, Status

MAX_NAME = 100  # characters
ALL = "all"  # messengers: not one's own version


async def draft_at(talk: Talk, mailing_id: str, revision: str) -> Mailing:
    """The draft that a card was made of. Raises Stale when somebody changed it since, Refused when it is no draft."""
    mailing = await talk.operations.get(int(mailing_id))
    if mailing.status != Status.DRAFT:
        raise Refused(
            _("“{name}” is no draft any more: it is {status}."), name=mailing.draft.name, status=mailing.status
        )
    if mailing.revision != int(revision):
        raise Stale(
            _("That card was old: “{name}” has changed since. Here it is as it is now."), name=mailing.draft.name
        )
    return mailing


async def change(talk: Talk, mailing: Mailing, **fields: Any) -> Mailing:
    """The draft with these fields changed, as it is in storage then."""
    draft = replace(mailing.draft, **fields)
    await talk.operations.change(mailing.id, draft, talk.actor, revision=mailing.revision)
    return await talk.operations.get(mailing.id)


def at(mailing: Mailing) -> tuple[int, int]:
    """What a token of this draft's cards carries: which draft, and how it was when the card was made."""
    return mailing.id, mailing.revision


# --- a new one ---


async def open_new(talk: Talk, name: str = "") -> Screens:
    """Ask for the message; a name may be given with the command."""
    from bot.dialogs.palette import said_fields

    talk.ask("c.first", short(name.strip(), MAX_NAME))
    t = talk.t
    fields = await said_fields(talk)
    text = paragraphs(
        t("<b>New mailing</b>"),
        t(
            "Send or forward me the message exactly as clients should see it: text with its formatting, a picture, an "
            "album, a file, a video or a location."
        ),
        lines(t("What of each client can stand in the text:"), fields)
        if fields
        else t(
            "To greet everybody by name, write {example}.",
            example=Html("<code>{{ client.first_name | default('friend') }}</code>"),
        ),
        t("Or build it piece by piece:"),
    )
    first = {"text": t("Text"), "pictures": t("Pictures"), "file": t("File"), "video": t("Video")}
    rows: Rows = [
        *in_rows([button(t.plain("+ {piece}", piece=label), "e:first", what) for what, label in first.items()], 4),
        (button(t("+ Location"), "e:first", "location"), button(t("Take a saved one"), "v")),
        (button(t("◀ Back"), "h"), button(t("Cancel"), "c:leave")),
    ]
    return [card(text, rows, ask=t.plain("The message, as clients should see it"))]


async def hear_first(talk: Talk, said: Said, name: str = "") -> Screens:
    """The first message: from here on the draft is in storage."""
    return await _created(talk, message_from(said), name)


async def create(talk: Talk, message: Message, name: str = "") -> Mailing:
    """A draft of the message, in storage; without a name it gets one from its first words."""
    from zoneinfo import ZoneInfo

    local = talk.clock.now().astimezone(ZoneInfo(talk.t.timezone))
    draft = Draft(name=name or name_for(message, local), message=message)
    return await talk.operations.get(await talk.operations.create(draft, talk.actor))


async def _created(talk: Talk, message: Message, name: str = "") -> Screens:
    mailing = await create(talk, message, name)
    return await show(talk, mailing, talk.t("Saved as a draft: it stays in /mailings whatever happens."))


# --- the card of the message ---


async def open_message(talk: Talk, mailing_id: str, revision: str) -> Screens:
    return [message_card(talk, await draft_at(talk, mailing_id, revision))]


async def open_fresh(talk: Talk, mailing_id: str, *_rest: str) -> Screens:
    """The draft's message card as it is now, or the mailing's where it is no draft any more."""
    mailing = await talk.operations.get(int(mailing_id))
    if mailing.status == Status.DRAFT:
        return [message_card(talk, mailing)]
    from bot.dialogs import mailings

    return await mailings.open_mailing(talk, mailing_id)


async def draft_of(talk: Talk, words: str) -> Mailing:
    """The draft that a command names, or the newest one. Raises Invalid that says what to type."""
    if words.strip():
        mailing = await find_mailing(talk, words)
    else:
        newest = await newest_draft(talk)
        if newest is None:
            raise Invalid(_("There is no draft now: /new makes one."))
        mailing = await talk.operations.get(newest)
    if mailing.status != Status.DRAFT:
        raise Refused(
            _("“{name}” is no draft any more. /mailings {id} shows what it allows."),
            name=mailing.draft.name,
            id=mailing.id,
        )
    return mailing


async def newest_draft(talk: Talk) -> int | None:
    recent = await talk.operations.list_mailings(limit=50)
    return next((one.id for one in recent if one.status == Status.DRAFT), None)


def message_card(talk: Talk, mailing: Mailing, note: str = "", seen: str = "", mending: Rows | None = None) -> Screen:
    """`mending` are buttons for what `seen` warns of."""
    from bot.dialogs import templates

    t = talk.t
    talk.ask("c.more", *at(mailing))
    message = mailing.draft.message
    labels = [one.label for element in message.elements for row in element.buttons for one in row]
    text = paragraphs(
        t("<b>{name}</b> · draft #{id}", name=mailing.draft.name, id=mailing.id),
        lines(note, seen),
        t("Buttons: {labels}", labels=t.listed(labels)) if labels else None,
        templates.template_line(talk, mailing),
        _only_for(talk, mailing),
        _own_versions(talk, mailing),
        t("Next: who gets it. Or change the message first."),
    )
    rows = [*(mending or []), *_message_rows(talk, mailing, bool(buttons_of(message)))]
    return card(text, rows, ask=t.plain("Another message, to replace or add"))


def _message_rows(talk: Talk, mailing: Mailing, has_buttons: bool) -> Rows:
    t = talk.t
    here = at(mailing)
    return [
        (primary(t("Next: audience ▶"), "a", *here),),
        (
            button(t("Buttons") if has_buttons else t("Add buttons"), "b", *here),
            button(t("Piece by piece"), "e", ALL, *here),
        ),
        (button(t("Change message"), "c:edit", *here), button(t("Save it"), "v:keep", ALL, *here)),
        (button(t("Preview"), "c:see", *here), button(t("Another client"), "c:who", *here)),
        (button(t("Test to myself"), "l:test", *here), button(t("Rename"), "c:name", *here)),
        *_by_messenger(talk, mailing),
        footer(talk, button(t("◀ Back"), "m:list", 0), leave=mailing.id),
    ]


def _by_messenger(talk: Talk, mailing: Mailing) -> Rows:
    """What differs from messenger to messenger, where there is more than one, or one with templates."""
    from bot.dialogs import kinds, templates

    t = talk.t
    here = at(mailing)
    row = []
    if len(kinds.titles(talk)) > 1:
        row.append(button(t("Messengers"), "c:kinds", *here))
    if templates.kinds_with_templates(talk):
        row.append(button(t("Template"), "t", *here))
    return [tuple(row)] if row else []


def _only_for(talk: Talk, mailing: Mailing) -> str | None:
    kinds = mailing.draft.message.kinds
    messengers = talk.t.listed(talk.operations.checker.titles(kinds))
    return talk.t("Only for {messengers}", messengers=messengers) if kinds else None


def _own_versions(talk: Talk, mailing: Mailing) -> str | None:
    from bot.dialogs.work import own_kinds

    own = talk.operations.checker.titles(own_kinds(mailing.draft.message))
    return talk.t("Another version for {messengers}", messengers=talk.t.listed(own)) if own else None


async def show(talk: Talk, mailing: Mailing, note: str = "", *, client: str | None = None) -> Screens:
    """The real message as a real client gets it, then its card. A message that can't be rendered says why instead."""
    from bot.dialogs import written

    t = talk.t
    try:
        preview = await talk.operations.preview(mailing.id, client=client)
    except Invalid as error:
        broken = t("⚠ It can't go out like this: {why}", why=t.error(error))
        return [replace(message_card(talk, mailing, note, broken), edit=False)]
    gaps, mending = await written.said_missing(talk, mailing)
    counts = await written.said_counts(talk, mailing.draft)
    seen = lines(_seen_by(talk, preview), losses(talk, preview.losses), *counts, *gaps)
    return [replace(message_card(talk, mailing, note, seen, mending), preview=preview.shown, edit=False)]


def _seen_by(talk: Talk, preview: Any) -> str:
    t = talk.t
    if preview.client is None:
        return t("Above is the message. There is no client yet to fill it in for.")
    name = preview.client.name or preview.client.first_name or f"#{preview.client.id}"
    return t("Above is what {name} gets by {channel}.", name=name, channel=preview.channel)


def losses(talk: Talk, found: Any) -> str | None:
    """What a channel changes or drops, a line each."""
    t = talk.t
    told = [t("⚠ {loss}", loss=t(loss.words, **loss.values)) for loss in found]
    return lines(*told) or None


# --- changing it ---


async def open_edit(talk: Talk, mailing_id: str, revision: str) -> Screens:
    mailing = await draft_at(talk, mailing_id, revision)
    talk.ask("c.edit", *at(mailing))
    t = talk.t
    text = t("Send me the new message for “{name}”. Its buttons stay.", name=mailing.draft.name)
    back = button(t("◀ Back"), "c:m", *at(mailing))
    return [card(text, [footer(talk, back, leave=mailing.id)], ask=t.plain("The new message"))]


async def hear_edit(talk: Talk, said: Said, mailing_id: str, revision: str) -> Screens:
    mailing = await draft_at(talk, mailing_id, revision)
    return await _replace_message(talk, mailing, message_from(said))


async def _replace_message(talk: Talk, mailing: Mailing, message: Message) -> Screens:
    if not buttons_of(message):
        message = with_buttons(message, buttons_of(mailing.draft.message))
    # What differs on single messengers stays: it was made for them, and its card says so.
    message = replace(message, kinds=mailing.draft.message.kinds, only=mailing.draft.message.only)
    return await show(talk, await change(talk, mailing, message=message), talk.t("Changed, and saved."))


async def hear_more(talk: Talk, said: Said, mailing_id: str, revision: str) -> Screens:
    """A message while its draft is open: it may mean three things, so ask."""
    mailing = await draft_at(talk, mailing_id, revision)
    return await ask_what_for(talk, said, mailing)


async def hear_anything(talk: Talk, said: Said) -> Screens:
    """A message out of the blue: the start of a mailing, most likely."""
    return await ask_what_for(talk, said, None)


async def ask_what_for(talk: Talk, said: Said, mailing: Mailing | None) -> Screens:
    talk.state["heard"] = plain(message_from(said))
    t = talk.t
    if mailing is None:
        text = t("Shall I make a new mailing of this message?")
        rows: Rows = [(primary(t("New mailing"), "c:heard", "new"),), footer(talk)]
        return [card(text, rows)]
    here = at(mailing)
    text = t("What is this message for?")
    rows = [
        (primary(t.plain("Replace “{name}”", name=short(mailing.draft.name, 24)), "c:heard", "put", *here),),
        (button(t("Send it after the other"), "c:heard", "add", *here),),
        (button(t("New mailing"), "c:heard", "new"),),
        footer(talk, button(t("◀ Back"), "c:m", *here), leave=mailing.id),
    ]
    return [card(text, rows)]


async def use_heard(talk: Talk, what: str, mailing_id: str = "", revision: str = "") -> Screens:
    heard = talk.state.get("heard")
    if not heard:
        raise Invalid(_("I don't have that message any more: send it again."))
    message = read_message(heard)
    if what == "new":
        screens = await _created(talk, message)
    else:
        mailing = await draft_at(talk, mailing_id, revision)
        if what == "add":
            message = replace(mailing.draft.message, elements=(*mailing.draft.message.elements, *message.elements))
            screens = await show(talk, await change(talk, mailing, message=message), talk.t("Added, and saved."))
        else:
            screens = await _replace_message(talk, mailing, message)
    talk.state.pop("heard", None)
    return screens


async def open_name(talk: Talk, mailing_id: str, revision: str) -> Screens:
    mailing = await draft_at(talk, mailing_id, revision)
    talk.ask("c.name", *at(mailing))
    t = talk.t
    text = t("How shall “{name}” be called? Clients don't see the name.", name=mailing.draft.name)
    back = button(t("◀ Back"), "c:m", *at(mailing))
    return [card(text, [footer(talk, back, leave=mailing.id)], ask=t.plain("The new name"))]


async def hear_name(talk: Talk, said: Said, mailing_id: str, revision: str) -> Screens:
    mailing = await draft_at(talk, mailing_id, revision)
    name = " ".join(plain_words(said).split())
    if not name:
        raise Invalid(_("A name is a few words: type them."))
    if len(name) > MAX_NAME:
        raise Invalid(_("That name is too long: {most} signs at most."), most=MAX_NAME)
    return [message_card(talk, await change(talk, mailing, name=name), talk.t("Renamed, and saved."))]


# --- other clients' eyes ---


async def open_who(talk: Talk, mailing_id: str, revision: str) -> Screens:
    mailing = await draft_at(talk, mailing_id, revision)
    talk.ask("c.who", *at(mailing))
    t = talk.t
    text = t("Whose message shall I show? Type a name, a phone or an id.")
    back = button(t("◀ Back"), "c:m", *at(mailing))
    return [card(text, [footer(talk, back, leave=mailing.id)], ask=t.plain("A client's name, phone or id"))]


async def hear_who(talk: Talk, said: Said, mailing_id: str, revision: str) -> Screens:
    mailing = await draft_at(talk, mailing_id, revision)
    words = plain_words(said)
    found = await talk.store.clients.find(words)
    if not found:
        raise Invalid(
            _("I find no client “{words}”: type a piece of the name, a phone or an id."), words=short(words, 60)
        )
    from bot.dialogs import looks

    return await looks.show(talk, mailing, client=str(found[0].external_id or found[0].id))


# --- leaving ---


async def leave(talk: Talk, mailing_id: str = "") -> Screens:
    """Out of the dialog; the draft stays."""
    t = talk.t
    if not mailing_id:
        from bot.dialogs import home

        return await home.open_home(talk)
    mailing = await talk.operations.get(int(mailing_id))
    rows: list[tuple[Button, ...]] = [
        (button(t("Go on with it"), "m:open", mailing.id),),
        (danger(t("Delete the draft"), "m:delete?", mailing.id), button(t("Menu"), "h")),
    ]
    return [
        card(t("Left as it is: “{name}” is saved as a draft, #{id}.", name=mailing.draft.name, id=mailing.id), rows)
    ]
