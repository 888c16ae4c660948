"""The pictures of an album: more of them, in another order, without one."""

from dataclasses import replace

from bot.dialogs import constructor
from bot.dialogs.talk import Rows, Screens, Talk, button, card, footer, lines, paragraphs, short
from bot.dialogs.work import Work, put_element, work_at
from bot.screens import Said, Screen
from bot.texts import Texts, _
from engine.errors import Invalid
from engine.media import PREFIX
from gateways.message import Pictures

_MOST_PICTURES = 30


async def open_pictures(talk: Talk, scope: str, place: str, subject_id: str, revision: str) -> Screens:
    return [_pictures_card(talk, await work_at(talk, scope, subject_id, revision), int(place))]


def _pictures_card(talk: Talk, work: Work, place: int, note: str = "") -> Screen:
    t = talk.t
    pictures = _album(work, place).pictures
    at = (work.scope, place, *work.at[1:])
    talk.ask("e.more", *at)
    text = paragraphs(
        constructor.title_of(talk, work, t("Pictures of piece {number} of “{name}”", number=place + 1, name=work.name)),
        note or None,
        lines(*(f"{number}. {t.listed([_called(t, one)])}" for number, one in enumerate(pictures, start=1))),
        t("The preview shows them in this order. Send more of them, and they stand after the last one."),
    )
    rows: Rows = []
    for number, _source in enumerate(pictures):
        up = (button(t.plain("▲ {number}", number=number + 1), "e:pup", number, *at),) if number else ()
        rows.append((*up, button(t.plain("✕ {number}", number=number + 1), "e:pcut", number, *at)))
    rows.append((button(t("Preview"), "e:see", *work.at),))
    rows.append(footer(talk, button(t("◀ Back"), "e:of", *at), leave=work.leave))
    return card(text, rows, ask=t.plain("More pictures"))


async def hear_more(talk: Talk, said: Said, scope: str, place: str, subject_id: str, revision: str) -> Screens:
    work = await work_at(talk, scope, subject_id, revision)
    album = _album(work, place)
    sent = [one for one in constructor.pieces_from(said, "pictures") if isinstance(one, Pictures)]
    pictures = (*album.pictures, *(source for one in sent for source in one.pictures))
    work = await put_element(talk, work, place, _with_pictures(album, pictures))
    return [_pictures_card(talk, work, int(place), talk.t("Added, and saved."))]


def _called(t: Texts, source: str) -> str:
    return t.plain("a picture that was sent") if source.startswith(PREFIX) else short(source, 60)


def _album(work: Work, place: int | str) -> Pictures:
    element = work.element(place)
    if not isinstance(element, Pictures):
        raise Invalid(_("That piece has no pictures any more; choose again."))
    return element


def _with_pictures(element: Pictures, pictures: tuple[str, ...]) -> Pictures:
    if not pictures:
        raise Invalid(_("The last picture can't go alone: remove the whole piece, or send another picture first."))
    if len(pictures) > _MOST_PICTURES:
        raise Invalid(_("An album has {most} pictures at most."), most=_MOST_PICTURES)
    return replace(element, pictures=pictures)


async def picture_earlier(talk: Talk, number: str, scope: str, place: str, subject_id: str, revision: str) -> Screens:
    work = await work_at(talk, scope, subject_id, revision)
    album = _album(work, place)
    pictures = list(album.pictures)
    if 0 < int(number) < len(pictures):
        pictures.insert(int(number) - 1, pictures.pop(int(number)))
    work = await put_element(talk, work, place, _with_pictures(album, tuple(pictures)))
    return [_pictures_card(talk, work, int(place), talk.t("Moved, and saved."))]


async def cut_picture(talk: Talk, number: str, scope: str, place: str, subject_id: str, revision: str) -> Screens:
    work = await work_at(talk, scope, subject_id, revision)
    album = _album(work, place)
    left = tuple(one for at, one in enumerate(album.pictures) if at != int(number))
    work = await put_element(talk, work, place, _with_pictures(album, left))
    return [_pictures_card(talk, work, int(place), talk.t("Removed, and saved."))]
