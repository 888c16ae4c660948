"""Words that people type instead of pressing, in each of our languages; the commands themselves are Latin."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.languages import LANGUAGES
from bot.screens import Screen
from bot.texts import Texts

# A whole message that means a command. `stop` counts even while another question stands, unless any text answers it.
COMMANDS: Mapping[str, str] = {
    word: command
    for command, words in {
        "start": "menu start hi hello меню старт привет здравствуйте привіт вітаю начало початок",
        "help": "help ? помощь справка допомога довідка",
        "new": "new новая нова создать створити",
        "mailings": "mailings рассылки розсилки",
        "now": "now сейчас зараз",
        "saved": "saved сохранённые сохраненные збережені",
        "templates": "templates шаблоны шаблони",
        "accounts": "accounts аккаунты акаунти",
        "archive": "archive архив архів",
        "stats": "stats statistics статистика цифры цифри",
        "digest": "digest digests дайджест дайджесты дайджести сводка зведення",
        "clients": "clients клиенты клієнти",
        "segments": "segments сегменты сегменти",
        "channels": "channels каналы канали",
        "people": "people люди команда",
        "approval": "approval approvals согласование согласования погодження",
        "language": "language язык мова",
        "stop": "stop стоп",
        "go": "go",
    }.items()
    for word in words.split()
}
# Questions to which a message, a name or a label is the answer: there, "stop" may be meant as it stands.
_TAKES_ANYTHING = frozenset(
    {"c.first", "c.edit", "c.name", "b.lines", "b.label", "b.target", "k.tag"}
    | {"e.first", "e.add", "e.set", "b.price", "b.set", "f.instead", "f.word", "v.name", "v.new", "v.keep"}
    | {"a.value", "a.save", "g.value", "g.new", "g.message", "af.text", "af.write"}
    | {"w.body", "w.head", "w.footer", "w.label"}
)

_WAYS = {
    "yes": ("yes", "y", "да", "ага", "так"),
    "no": ("no", "n", "нет", "ні"),
    "back": ("back", "назад"),
    "out": ("cancel", "отмена", "скасувати", "відміна"),
}
_WAY_OF = {word: way for way, words in _WAYS.items() for word in words}

_TIMES = (  # the first that fits counts: "last week" is a week
    ("yesterday", r"yesterday|вчера|вчерашн\w+|вчора|учора|вчорашн\w+|учорашн\w+"),
    ("today", r"today|сегодня|сегодняшн\w+|сьогодні|сьогоднішн\w+"),
    ("week", r"week|недел\w+|тижд?\w+"),
    ("month", r"month|месяц\w*|місяц\w+"),
    ("all", r"all|everything|total|всё|всего|все|весь|усе|увесь|усього"),
    ("last", r"last|latest|recent|последн\w+|прошл\w{2}|останн\w+"),
)
_WORDS_AROUND = """
    how did do does is was were it s the one ones mailing mailings go going went doing what about show me stats
    statistics numbers results for of in this last time
    как там у с со что о об про за по в на и прошла прошло прошли прошел идёт идет идут дела покажи покажите дай
    статистика статистику цифры результаты итоги время эту этот эта
    як що з зі із пройшла пройшло пройшли минула йде йдуть справи покажіть цифри підсумки результати час цей ця цю
"""
_AROUND = frozenset(_WORDS_AROUND.split())  # what else may stand in a question about a time or the last one
_MAILING = re.compile(r"(?:рассыл|розсил)\w+")
_HOW_WENT = re.compile(
    r"(?:how did|how is|how's|как прошла|как идёт|как идет|как там|як пройшла|як йде|як там)\s+(?:рассылка |розсилка )?"
    r"(?P<name>.+?)(?:\s+(?:go|going|doing))?"
)


_COMPARE = re.compile(r"compared?|comparison|сравни\w*|сравнен\w+|порівня\w+")
_JOINING = frozenset({"with", "to", "and", "vs", "с", "со", "и", "з", "із", "та", "і"})
_BEFORE = re.compile(r"before|previous|past|предыдущ\w+|попередн\w+|прошл\w+|минул\w+|перед")
_NUMBER = re.compile(r"[#№]?(\d{1,12})")


@dataclass(frozen=True, slots=True)
class Compared:
    """What somebody wants compared: two mailings by number, a span of time with the one before it, else the last
    mailing with the one before."""

    numbers: tuple[int, int] | None = None
    period: str | None = None


def plain(words: str) -> str:
    """As it is compared: lower case, one space, no signs around."""
    return " ".join(words.casefold().replace("’", "'").split()).strip("!.?… «»“”\"'")


def command_of(words: str, asked: Sequence[str]) -> str | None:
    """The command that the words mean, said with that question open."""
    command = COMMANDS.get(plain(words))
    if command != "stop" or not asked:
        return command if not asked else None
    return None if asked[0] in _TAKES_ANYTHING else command


def time_of(words: str) -> str | None:
    """The time of which somebody asks: "yesterday", "today", "week", "month", "all", or "last" for the last mailing.

    Every word must belong to such a question: more is a message, or a name."""
    left = re.sub(r"'s\b", "", plain(words)).replace(",", " ").split()
    found = None
    for name, pattern in _TIMES:
        others = [word for word in left if not re.fullmatch(pattern, word)]
        if len(others) < len(left):
            found, left = found or name, others
    return found if all(word in _AROUND or _MAILING.fullmatch(word) for word in left) else None


def mailing_of(words: str) -> str | None:
    """The mailing of which somebody asks how it went, as they named it."""
    found = _HOW_WENT.fullmatch(plain(words))
    return found["name"].strip("«»“”\"' ") if found else None


def two_numbers(words: str) -> tuple[int, int] | None:
    """ "7 5", "#7 and #5": two mailings."""
    numbers, left = _numbers(words)
    return (numbers[0], numbers[1]) if len(numbers) == 2 and not left else None


def compared(words: str) -> Compared | None:
    """What is to be compared, where every word belongs to such a wish: more is a message."""
    left = plain(words).replace(",", " ").split()
    others = [word for word in left if not _COMPARE.fullmatch(word)]
    if len(others) == len(left):
        return None
    numbers, others = _numbers(" ".join(others))
    period = None
    for name, pattern in _TIMES:
        rest = [word for word in others if not re.fullmatch(pattern, word)]
        if len(rest) < len(others) and name != "last":
            period = period or name
        others = rest
    if len(numbers) not in (0, 2) or not all(_is_around(word) for word in others):
        return None
    return Compared((numbers[0], numbers[1]) if numbers else None, period)


def _numbers(words: str) -> tuple[list[int], list[str]]:
    """The numbers in the words, and what is left without them and what joins them."""
    pieces = words.replace(",", " ").split()
    found = [int(number[1]) for piece in pieces if (number := _NUMBER.fullmatch(piece))]
    return found, [piece for piece in pieces if not _NUMBER.fullmatch(piece) and piece.casefold() not in _JOINING]


def _is_around(word: str) -> bool:
    return word in _AROUND or bool(_MAILING.fullmatch(word) or _BEFORE.fullmatch(word))


def ways_of(screens: Sequence[Screen]) -> dict[str, str]:
    """The buttons of the newest card that have words of their own: yes, no, back, out of here."""
    ways: dict[str, str] = {}
    for label, token in ((one.label, one.token) for row in screens[-1].rows for one in row if one.token):
        if way := _label_way(label):
            ways.setdefault(way, token)
    return ways


def way_of(words: str, ways: Mapping[str, str]) -> str | None:
    """The button that the words mean."""
    return ways.get(_WAY_OF.get(plain(words), ""))


def _label_way(label: str) -> str | None:
    first = label.partition(",")[0]
    for language in LANGUAGES:
        t = Texts(language)
        if label in (t.plain("Cancel"), t.plain("Menu")):
            return "out"
        if label.startswith("◀"):
            return "back"
        if first == t.plain("No"):
            return "no"
        if first in ("Yes", "Да", "Так") and first != label:
            return "yes"
    return None
