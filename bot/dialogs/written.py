"""What is said of a message while it is written: its pieces in words, what an SMS counts, what stands in the way."""

import re

from bot.dialogs.talk import Rows, Talk, button, digest, short
from bot.screens import Button
from bot.texts import Html, Texts, _
from engine.audience import field_words
from engine.errors import Invalid
from engine.writing import Missing, Writing
from gateways.base import Counted
from gateways.markup import InvalidMarkup, read_html
from gateways.message import Carousel, Element, File, Location, Pictures, Text, Video
from storage.records import Draft, Mailing

_GREETED = ("first_name", "name")  # what a word stands in for without being asked
_FIELD = re.compile(r"\{\{\s*client\.(\w+)[^{}]*\}\}")
_OTHER = re.compile(r"\{\{.*?\}\}|\{%.*?%\}")
_ALPHABETS = {"GSM-7": _("the plain alphabet (GSM-7)"), "UCS-2": _("Unicode")}


def friend(t: Texts) -> str:
    """Whom a client is greeted as whose name is not known."""
    return t.plain("friend")


def plain_of(text: str) -> str:
    """The words alone; expressions stand as they are."""
    try:
        return read_html(text).text
    except InvalidMarkup:
        return text


def said_piece(t: Texts, element: Element, most: int = 24) -> str:
    """What it is, in a line of plain words; `most` characters of its text."""
    words = "" if isinstance(element, Location) or not most else _spoken(t, element.text)
    words = short(words, most)
    match element:
        case Text():
            return t.plain("Text: “{words}”", words=words)
        case Location(location=point):
            return t.plain("Location {point}", point=f"{point.latitude:g}, {point.longitude:g}")
        case Pictures(pictures=(_one,)):
            what = t.plain("Picture")
        case Pictures(pictures=pictures):
            what = t.plain_plural("Album of {count} picture", "Album of {count} pictures", len(pictures))
        case File(name=name):
            what = t.plain("File {name}", name=short(name, 40)) if name else t.plain("File")
        case Video():
            what = t.plain("Video")
        case Carousel(carousel=cards):
            what = t.plain_plural("{count} card to turn over", "{count} cards to turn over", len(cards))
    return t.plain("{what}: “{words}”", what=what, words=words) if words else what


def _spoken(t: Texts, text: str) -> str:
    """The text on one line, its expressions as the fields that they show."""
    fields = _FIELD.sub(lambda found: f"‹{field_words(found[1], t.plain)}›", " ".join(plain_of(text).split()))
    return _OTHER.sub("‹…›", fields)


async def said_counts(talk: Talk, draft: Draft) -> list[str]:
    """Alphabet, characters and segments of each text, where a messenger counts them."""
    try:
        counted = await _writing(talk).counted(draft)
    except Invalid:  # an audience that can't be read is told where it is chosen
        return []
    return [
        _count(talk.t, title if len(counts) == 1 else f"{title} {number}/{len(counts)}", one)
        for title, counts in counted.items()
        for number, one in enumerate(counts, start=1)
    ]


def _count(t: Texts, title: str, one: Counted) -> str:
    alphabet = t(_ALPHABETS.get(one.alphabet, one.alphabet))
    if one.odd:
        alphabet = t("{alphabet}, because of “{letters}”", alphabet=alphabet, letters=one.odd)
    return t.plural(
        "✉ {title}: {characters} characters in {alphabet}: <b>{count} segment</b>, {room} more fit.",
        "✉ {title}: {characters} characters in {alphabet}: <b>{count} segments</b>, {room} more fit.",
        one.units,
        title=title,
        characters=t.number(one.characters),
        alphabet=alphabet,
        room=t.number(one.room),
    )


async def problems(talk: Talk, draft: Draft) -> list[str]:
    """Why the message can't go to some messenger, each once."""
    t = talk.t
    fits = (await talk.operations.checker.fits(draft)).values()
    whys = dict.fromkeys(t.error(fit.problem) for fit in fits if fit.problem is not None)
    return [t("⛔ It can't go out like this: {why}", why=why) for why in whys]


async def said_missing(talk: Talk, mailing: Mailing) -> tuple[list[str], Rows]:
    """How many have no value of what the text shows as it is; and the buttons that mend it."""
    try:
        found = await _writing(talk).missing(mailing.draft)
    except Invalid:
        return [], []
    return [_gap(talk.t, one) for one in found], [_mending(talk, mailing, one) for one in found if one.mendable]


def _gap(t: Texts, missing: Missing) -> Html:
    return t.plural(
        "⚠ {count} client has no {field}: the text has a gap there.",
        "⚠ {count} clients have no {field}: the text has a gap there.",
        missing.count,
        field=field_words(missing.field, t.plain),
    )


def _mending(talk: Talk, mailing: Mailing, missing: Missing) -> tuple[Button, ...]:
    t = talk.t
    at = (digest(missing.field), mailing.id, mailing.revision)
    name = field_words(missing.field, t.plain)
    if missing.field not in _GREETED:
        return (button(t.plain("No {field}: what to write?", field=name), "f:word", *at),)
    standard = button(t.plain("No {field}: “{word}”", field=name, word=friend(t)), "f:friend", *at)
    return (standard, button(t("Another word"), "f:word", *at))


def _writing(talk: Talk) -> Writing:
    return Writing(talk.store, talk.settings, talk.operations.checker)
