"""Words that people type instead of pressing, in each of our languages; the commands themselves are Latin."""

import re
from collections.abc import Mapping, Sequence

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
        "stats": "stats statistics статистика цифры цифри",
        "clients": "clients клиенты клієнти",
        "channels": "channels каналы канали",
        "language": "language язык мова",
        "stop": "stop стоп",
        "go": "go",
    }.items()
    for word in words.split()
}
# Questions to which a message, a name or a label is the answer: there, "stop" may be meant as it stands.
_TAKES_ANYTHING = frozenset({"c.first", "c.edit", "c.name", "b.lines", "b.label", "b.target", "a.value", "k.tag"})

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
