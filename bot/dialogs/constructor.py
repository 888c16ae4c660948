"""The message piece by piece: texts, pictures, files, videos and locations, each added, changed, moved and removed."""

import re
from dataclasses import replace

from bot.dialogs import compose
from bot.dialogs.said import as_template, elements_of
from bot.dialogs.talk import (
    Rows,
    Screens,
    Talk,
    button,
    card,
    footer,
    in_rows,
    lines,
    paragraphs,
    plain_words,
    primary,
    short,
)
from bot.dialogs.work import (
    ALL,
    SAVED,
    Work,
    has_own,
    own_kinds,
    put,
    put_element,
    put_same,
    work_at,
    work_of,
)
from bot.dialogs.written import plain_of, problems, said_counts, said_piece
from bot.screens import Button, Said, Screen
from bot.texts import Html, Texts, _
from engine.errors import Invalid
from engine.media import check_url, file_name
from gateways.base import PartKind
from gateways.message import Element, File, Location, Message, Pictures, Point, Text, Video

_POINT = re.compile(r"(-?\d{1,2}(?:\.\d{1,10})?)\s*[,; ]\s*(-?\d{1,3}(?:\.\d{1,10})?)")
_SHOWN_TEXT = 700  # characters of a text on its own card

_ASKS = {  # what a piece is asked for by, and what the input field says
    "text": (_("Send me the text, with its formatting."), _("The text")),
    "pictures": (_("Send me the picture, or several as an album; or type the address of one."), _("A picture")),
    "file": (_("Send me the file, or type its address."), _("A file")),
    "video": (_("Send me the video, or type its address."), _("A video")),
    "location": (_("Send me the location, or type it: <code>50.45, 30.52</code>"), _("A location")),
}
_WANTED = {
    "pictures": _("Send a picture, or type its address: https://…"),
    "file": _("Send a file, or type its address: https://…"),
    "video": _("Send a video, or type its address: https://…"),
    "location": _("Send a location, or type it as: 50.45, 30.52"),
}


# --- the list of pieces ---


async def open_pieces(talk: Talk, scope: str, subject_id: str, revision: str) -> Screens:
    return [await pieces_card(talk, await work_at(talk, scope, subject_id, revision))]


async def open_by_command(talk: Talk, words: str = "") -> Screens:
    """/pieces 7"""
    return [await pieces_card(talk, work_of(await compose.draft_of(talk, words)))]


async def pieces_card(talk: Talk, work: Work, note: str = "") -> Screen:
    t = talk.t
    talk.ask("e.add", "any", *work.at)
    text = paragraphs(
        title_of(talk, work, t("Pieces of “{name}”", name=work.name)),
        lines(note, _about_versions(talk, work)) or None,
        lines(*(_line(t, number, one) for number, one in enumerate(work.elements, start=1))),
        lines(*await said_counts(talk, work.draft), *await problems(talk, work.draft)) or None,
        t("Press a piece to change, move or remove it. Or add the next one: press, or just send it."),
    )
    rows: Rows = [
        (button(f"{place + 1}. {said_piece(t, one)}", "e:of", work.scope, place, *work.at[1:]),)
        for place, one in enumerate(work.elements)
    ]
    labels = {
        "text": t("+ Text"),
        "pictures": t("+ Pictures"),
        "file": t("+ File"),
        "video": t("+ Video"),
        "location": t("+ Location"),
    }
    rows += in_rows([button(label, "e:add", what, *work.at) for what, label in labels.items()], 3)
    if work.kind is not None and has_own(work.message, work.kind):
        rows.append((button(t("The same as for all again"), "e:same", *work.at),))
    if work.scope != SAVED:
        rows.append((button(t("Take a saved one"), "v:pick", *work.at), button(t("Save it"), "v:keep", *work.at)))
    rows.append((button(t("Preview"), "e:see", *work.at), *_next(talk, work)))
    rows.append(footer(talk, back_of(talk, work), leave=work.leave))
    return card(text, rows, ask=t.plain("The next piece"))


def title_of(talk: Talk, work: Work, words: str) -> Html:
    title = talk.t("<b>{words}</b>", words=Html(words))
    if work.kind is None:
        return title
    return talk.t("{title} on {messenger}", title=title, messenger=messenger_of(talk, work.kind))


def messenger_of(talk: Talk, kind: str) -> str:
    return talk.operations.checker.titles([kind])[0]


def back_of(talk: Talk, work: Work) -> Button:
    """The card from which the pieces were opened."""
    if work.scope == SAVED:
        return button(talk.t("◀ Back"), "v:of", work.subject.id)
    return button(talk.t("◀ Back"), "c:m" if work.scope == ALL else "c:kinds", *work.at[1:])


def _next(talk: Talk, work: Work) -> tuple[Button, ...]:
    return () if work.scope == SAVED else (primary(talk.t("Next: audience ▶"), "a", *work.at[1:]),)


def _about_versions(talk: Talk, work: Work) -> str | None:
    """What a change here holds for."""
    t = talk.t
    if work.kind is not None:
        messenger = messenger_of(talk, work.kind)
        if has_own(work.message, work.kind):
            return t("{messenger} has this version of its own.", messenger=messenger)
        return t(
            "{messenger} gets the same as all. What you change here holds for {messenger} alone.", messenger=messenger
        )
    own = own_kinds(work.message)
    if not own:
        return None
    return t(
        "Versions of their own, which stay as they are: {messengers}.",
        messengers=t.listed(talk.operations.checker.titles(own)),
    )


def _line(t: Texts, number: int, element: Element) -> str:
    labels = [one.label for row in element.buttons for one in row]
    under = t("buttons: {labels}", labels=t.listed(labels)) if labels else None
    said = Html(f"{number}. {t.listed([said_piece(t, element, 80)])}")
    return t("{said} – {under}", said=said, under=under) if under else said


async def see(talk: Talk, scope: str, subject_id: str, revision: str) -> Screens:
    """The real message as a client gets it, and pictures, on this messenger; then the pieces again."""
    from bot.dialogs import looks

    work = await work_at(talk, scope, subject_id, revision)
    screen = await pieces_card(talk, work)
    kind = work.kind or getattr(work.subject, "kind", "")
    channel = next((one.id for one in talk.settings.channels.values() if one.kind == kind), None)
    preview = await talk.operations.checker.preview(work.draft, channel=channel)
    drawn = await looks.draw(talk, work.draft, channel=channel)
    return [looks.with_looks(replace(screen, preview=preview.shown), drawn)]


async def same(talk: Talk, scope: str, subject_id: str, revision: str) -> Screens:
    """Give up what one messenger has of its own."""
    work = await work_at(talk, scope, subject_id, revision)
    return [await pieces_card(talk, await put_same(talk, work, scope), talk.t("Changed, and saved."))]


# --- a new piece ---


async def ask_add(talk: Talk, what: str, scope: str, subject_id: str, revision: str) -> Screens:
    work = await work_at(talk, scope, subject_id, revision)
    return [ask_for(talk, work, what, "e.add", what, *work.at, back=button(talk.t("◀ Back"), "e", *work.at))]


def ask_for(talk: Talk, work: Work | None, what: str, question: str, *args: object, back: Button) -> Screen:
    """A question for a text, a picture, a file …"""
    words, hint = _ASKS.get(what, _ASKS["text"])
    talk.ask(question, *args)
    t = talk.t
    return card(t(words), [footer(talk, back, leave=work.leave if work else None)], ask=t.plain(hint))


async def hear_add(talk: Talk, said: Said, what: str, scope: str, subject_id: str, revision: str) -> Screens:
    work = await work_at(talk, scope, subject_id, revision)
    work = await put(talk, work, (*work.elements, *pieces_from(said, what)))
    return [await pieces_card(talk, work, talk.t("Added, and saved."))]


def pieces_from(said: Said, what: str) -> tuple[Element, ...]:
    """What was sent, as the piece that was asked for; "any" takes it as it is. Raises Invalid."""
    words = plain_words(said)
    if what == "location" and said.location is None and not said.problem:
        return (Location(_point(words)),)
    if what in ("pictures", "file", "video") and not said.problem:
        wanted = PartKind.VIDEO if what == "video" else PartKind.PICTURE
        if what == "file" and said.attachments:
            text = as_template(said.text)
            return tuple(
                File(one.source, one.name, "" if place else text) for place, one in enumerate(said.attachments)
            )
        if not any(one.kind is wanted for one in said.attachments):
            if not words.startswith(("http://", "https://")):
                raise Invalid(_WANTED[what])
            return (_behind(check_url(words), what),)
    return elements_of(said)


def _behind(url: str, what: str) -> Element:
    if what == "pictures":
        return Pictures((url,))
    return Video(url) if what == "video" else File(url, file_name(url.partition("?")[0]))


def _point(words: str) -> Point:
    found = _POINT.fullmatch(words)
    if found is None or not (abs(float(found[1])) <= 90 and abs(float(found[2])) <= 180):
        raise Invalid(_WANTED["location"])
    return Point(float(found[1]), float(found[2]))


async def open_first(talk: Talk, what: str) -> Screens:
    """A new mailing that begins with this piece."""
    return [ask_for(talk, None, what, "e.first", what, back=button(talk.t("◀ Back"), "c:new"))]


async def hear_first(talk: Talk, said: Said, what: str) -> Screens:
    mailing = await compose.create(talk, Message(pieces_from(said, what)))
    note = talk.t("Saved as a draft: it stays in /mailings whatever happens.")
    return [await pieces_card(talk, work_of(mailing), note)]


# --- one of them ---


async def open_piece(talk: Talk, scope: str, place: str, subject_id: str, revision: str) -> Screens:
    return [await piece_card(talk, await work_at(talk, scope, subject_id, revision), int(place))]


async def piece_card(talk: Talk, work: Work, place: int, note: str = "") -> Screen:
    t = talk.t
    element = work.element(place)
    at = (work.scope, place, *work.at[1:])
    talk.ask("e.set", "any", *at)
    labels = [one.label for row in element.buttons for one in row]
    said = t("Piece {number} of {count} of “{name}”", number=place + 1, count=len(work.elements), name=work.name)
    words = "" if isinstance(element, Location) else short(plain_of(element.text).strip(), _SHOWN_TEXT)
    text = paragraphs(
        title_of(talk, work, said),
        note or None,
        None if isinstance(element, Text) else t.listed([said_piece(t, element, 0)]),
        t("<blockquote>{words}</blockquote>", words=words) if words else None,
        t("Buttons: {labels}", labels=t.listed(labels)) if labels else None,
        lines(*await said_counts(talk, work.draft), *await problems(talk, work.draft)) or None,
    )
    rows: Rows = [*_changing(talk, element, at), (button(t("Buttons under it"), "b:on", *at),)]
    moving = []
    if place > 0:
        moving.append(button(t("▲ Earlier"), "e:up", *at))
    if place < len(work.elements) - 1:
        moving.append(button(t("▼ Later"), "e:down", *at))
    rows.append((*moving, button(t("✕ Remove"), "e:cut", *at)))
    rows.append(footer(talk, button(t("◀ Back"), "e", *work.at), leave=work.leave))
    return card(text, rows, ask=t.plain("Something new in its place"))


def _changing(talk: Talk, element: Element, at: tuple[object, ...]) -> Rows:
    """What can be changed of a piece of this kind."""
    t = talk.t
    if isinstance(element, Location):
        return [(button(t("Another place"), "e:ask", "location", *at),)]
    if isinstance(element, Text):
        return [(button(t("Change the text"), "e:ask", "text", *at), button(t("Insert a field"), "f", *at))]
    rows: Rows = [(button(t("Text beside it") if not element.text else t("Change the text"), "e:ask", "text", *at),)]
    if element.text:
        rows[0] += (button(t("Insert a field"), "f", *at), button(t("Without text"), "e:bare", *at))
    match element:
        case Pictures():
            rows.append((button(t("Pictures: add, move, remove"), "e:pics", *at),))
        case File():
            another = button(t("Another file"), "e:ask", "file", *at)
            rows.append((another, button(t("Name of the file"), "e:ask", "name", *at)))
        case Video():
            rows.append((button(t("Another video"), "e:ask", "video", *at),))
    return rows


async def ask_set(talk: Talk, what: str, scope: str, place: str, subject_id: str, revision: str) -> Screens:
    work = await work_at(talk, scope, subject_id, revision)
    work.element(place)
    at = (scope, place, *work.at[1:])
    t = talk.t
    back = button(t("◀ Back"), "e:of", *at)
    if what == "name":
        talk.ask("e.set", what, *at)
        text = t("Under which name do clients get the file?")
        return [card(text, [footer(talk, back, leave=work.leave)], ask=t.plain("Such as prices.pdf"))]
    return [ask_for(talk, work, what, "e.set", what, *at, back=back)]


async def hear_set(
    talk: Talk, said: Said, what: str, scope: str, place: str, subject_id: str, revision: str
) -> Screens:
    """Something new for a piece: its text, its medium or its name, by what was asked for or by what was sent."""
    work = await work_at(talk, scope, subject_id, revision)
    element = _changed(work.element(place), said, what)
    work = await put_element(talk, work, place, element)
    return [await piece_card(talk, work, int(place), talk.t("Changed, and saved."))]


def _changed(element: Element, said: Said, what: str) -> Element:
    """The element with what was said in it. Raises Invalid."""
    if what == "name" and isinstance(element, File):
        words = " ".join(plain_words(said).split())
        if not words:
            raise Invalid(_("A name is a word or two: type them."))
        return replace(element, name=file_name(words))
    if what in ("text", "any") and not isinstance(element, Location) and _is_text(said):
        return replace(element, text=as_template(said.text))
    pieces = pieces_from(said, "location" if isinstance(element, Location) else what)
    if len(pieces) > 1:
        raise Invalid(_("That is more than one piece: send one, or go back and add them."))
    made = replace(pieces[0], buttons=pieces[0].buttons or element.buttons)
    if isinstance(made, Location | Text) or isinstance(element, Location) or made.text:
        return made
    return replace(made, text=element.text)


def _is_text(said: Said) -> bool:
    return bool(said.text.strip()) and not (said.attachments or said.location or said.problem or said.unusable)


async def without_text(talk: Talk, scope: str, place: str, subject_id: str, revision: str) -> Screens:
    work = await work_at(talk, scope, subject_id, revision)
    element = work.element(place)
    if isinstance(element, Pictures | File | Video):
        work = await put_element(talk, work, place, replace(element, text=""))
    return [await piece_card(talk, work, int(place), talk.t("Changed, and saved."))]


async def earlier(talk: Talk, scope: str, place: str, subject_id: str, revision: str) -> Screens:
    return await _move(talk, scope, int(place), -1, subject_id, revision)


async def later(talk: Talk, scope: str, place: str, subject_id: str, revision: str) -> Screens:
    return await _move(talk, scope, int(place), 1, subject_id, revision)


async def _move(talk: Talk, scope: str, place: int, by: int, subject_id: str, revision: str) -> Screens:
    work = await work_at(talk, scope, subject_id, revision)
    work.element(place)
    to = min(max(place + by, 0), len(work.elements) - 1)
    elements = list(work.elements)
    elements.insert(to, elements.pop(place))
    return [await piece_card(talk, await put(talk, work, elements), to, talk.t("Moved, and saved."))]


async def cut(talk: Talk, scope: str, place: str, subject_id: str, revision: str) -> Screens:
    work = await work_at(talk, scope, subject_id, revision)
    work.element(place)
    left = [one for number, one in enumerate(work.elements) if number != int(place)]
    return [await pieces_card(talk, await put(talk, work, left), talk.t("Removed, and saved."))]
