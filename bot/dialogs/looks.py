"""How a message looks on each messenger: a picture of each, as one client gets it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bot.dialogs import compose, launch
from bot.dialogs.talk import Screens, Talk, find_mailing, lines
from bot.pictures.scene import Note, Scene, Words, is_plainer, shown_parts
from bot.pictures.sources import draw_all
from bot.screens import Drawn, Screen
from bot.texts import Html, Texts
from engine.media import Media
from engine.preview import Look
from gateways.base import Outgoing
from storage.records import Draft, Mailing, Status

_MAX_WORDS = 400  # letters of what a picture says to those who don't see it


@dataclass(frozen=True, slots=True)
class Looks:
    """`told` says what the pictures are, and on which messengers there is none and why."""

    album: tuple[Drawn, ...]
    told: Html


async def see(talk: Talk, mailing_id: str, revision: str) -> Screens:
    """Pictures of every messenger, the real message, and its card."""
    return await show(talk, await compose.draft_at(talk, mailing_id, revision))


async def see_by_command(talk: Talk, words: str = "") -> Screens:
    """/preview 7; what is no draft any more is shown as it went out"""
    if words.strip() and (mailing := await find_mailing(talk, words)).status is not Status.DRAFT:
        from bot.dialogs import about

        return await about.see(talk, str(mailing.id))
    return await show(talk, await compose.draft_of(talk, words))


async def show(talk: Talk, mailing: Mailing, *, client: str | None = None) -> Screens:
    looks = await draw(talk, mailing.draft, client=client)
    (screen,) = await compose.show(talk, mailing, looks.told, client=client)
    return [replace(screen, album=looks.album)]


async def see_at_check(talk: Talk, mailing_id: str, revision: str) -> Screens:
    """Pictures of every messenger, and the check card again."""
    screens = await launch.open_check(talk, mailing_id, revision)
    mailing = await compose.draft_at(talk, mailing_id, revision)
    return [*screens[:-1], with_looks(screens[-1], await draw(talk, mailing.draft))]


def with_looks(screen: Screen, looks: Looks) -> Screen:
    """The card with the pictures above it."""
    return replace(screen, text=f"{looks.told}\n\n{screen.text}", album=looks.album, edit=False)


async def draw(talk: Talk, draft: Draft, *, client: str | None = None, channel: str | None = None) -> Looks:
    """On every messenger that the draft may use, or on one channel. Raises Invalid where there is none."""
    t = talk.t
    found = await talk.operations.checker.previews(draft, client=client, channels=[channel] if channel else None)
    able = [look for look in found if look.preview is not None]
    scenes = [_scene(talk, look) for look in able]
    drawn = await draw_all(scenes, Media(talk.settings.data_dir))
    titles = _titles(found)
    album = tuple(
        Drawn(titles[look.channel], png, _words_in(scene)) for look, scene, png in zip(able, scenes, drawn, strict=True)
    )
    told = lines(
        t("Pictures: {messengers}.", messengers=t.listed([one.title for one in album])) if album else None,
        t("Emoji look plainer there than on a phone.") if any(map(is_plainer, scenes)) else None,
        *(
            t("⛔ {messenger} can't carry it: {why}", messenger=titles[look.channel], why=t.error(look.problem))
            for look in found
            if look.problem is not None
        ),
    )
    return Looks(album, told)


def _titles(looks: Sequence[Look]) -> dict[str, str]:
    """What each is called; with its channel where two would be called the same."""
    names = [look.able.title for look in looks]
    return {
        look.channel: look.able.title if names.count(look.able.title) == 1 else f"{look.able.title} · {look.channel}"
        for look in looks
    }


def picture_words(t: Texts) -> Words:
    """What stands in a picture and is nobody's message."""
    return Words(
        video=t.plain("Video"),
        file=t.plain("File"),
        more=t.plain("The message goes on"),
        link=t.plain("Link"),
        call=t.plain("Call"),
        code=t.plain("Copy the code"),
        reply=t.plain("Reply"),
    )


def _scene(talk: Talk, look: Look) -> Scene:
    t = talk.t
    words = picture_words(t)
    return Scene(
        look=look.able.look,
        markup=look.able.markup,
        name=talk.house.name,
        under=f"{look.able.title} · {look.channel}",
        clock=t.clock(talk.clock.now()),
        parts=tuple(_parts(talk, look, words)),
        words=words,
    )


def _parts(talk: Talk, look: Look, words: Words) -> Iterator[Outgoing | Note]:
    """What goes while the client's window is open, then what goes while it is closed, where that is another thing."""
    t = talk.t
    if look.preview is None:
        return
    inside, outside = look.preview.outgoing, look.preview.outside
    differs = bool(outside) and outside != inside
    if differs:
        yield Note(t.plain("While the reply window is open"))
    yield from shown_parts(inside, look.templates, words)
    if differs:
        yield Note(t.plain("While it is closed: the template"))
        yield from shown_parts(outside, look.templates, words)


def _words_in(scene: Scene) -> str:
    said = []
    for part in scene.parts:
        if isinstance(part, Note):
            said.append(part.text)
            continue
        said += [part.text.text, *(f"{card.title}. {card.text}" for card in part.cards)]
        said += [button.label for row in part.buttons for button in row]
    whole = " ".join(" ".join(said).split())
    return whole if len(whole) <= _MAX_WORDS else f"{whole[:_MAX_WORDS]}…"
