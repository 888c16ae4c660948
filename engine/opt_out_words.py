"""Words by which a client leaves and comes back, in whatever language; nothing but the whole message counts."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Wish(StrEnum):
    STOP = "stop"
    START = "start"


@dataclass(frozen=True, slots=True)
class Language:
    """Lists as carriers and Twilio document them, the rest is ours; the answers carry no advertising."""

    stop: tuple[str, ...]
    start: tuple[str, ...]
    stopped: str
    started: str


LANGUAGES: Mapping[str, Language] = {
    "en": Language(
        ("stop", "stopall", "stop all", "unsubscribe", "end", "quit", "cancel", "optout", "opt-out", "opt out",
         "revoke", "remove", "stop promotions"),  # the last: the button of WhatsApp's marketing templates
        ("start", "unstop", "yes"),
        "You are unsubscribed: no more mailings come here. Write START to get them again.",
        "You are subscribed again. Write STOP to leave.",
    ),
    "ru": Language(
        ("стоп", "отписаться", "отписка", "отпишите", "отписать", "не пишите", "не беспокоить", "хватит", "отмена"),
        ("старт", "подписаться"),
        "Вы отписаны: рассылки больше не придут. Чтобы получать их снова, напишите СТАРТ.",
        "Вы снова подписаны. Чтобы отписаться, напишите СТОП.",
    ),
    "uk": Language(
        ("стоп", "відписатися", "відписатись", "відписка", "відпишіть", "не пишіть", "досить", "скасувати"),
        ("старт", "підписатися"),
        "Вас відписано: розсилок більше не буде. Щоб отримувати їх знову, напишіть СТАРТ.",
        "Ви знову підписані. Щоб відписатися, напишіть СТОП.",
    ),
    "es": Language(
        ("alto", "parar", "cancelar", "baja", "dar de baja", "darme de baja", "detener", "no mas"),
        ("inicio", "alta"),
        "Ya no recibirá más mensajes. Escriba INICIO para recibirlos de nuevo.",
        "Vuelve a estar suscrito. Escriba BAJA para salir.",
    ),
    "fr": Language(
        ("arret", "arreter"),
        (),
        "Vous êtes désabonné : plus aucun message. Écrivez START pour les recevoir de nouveau.",
        "Vous êtes de nouveau abonné. Écrivez STOP pour arrêter.",
    ),
}  # fmt: skip

_LONGEST = 40  # characters; no word of the lists comes near


def read_wish(text: str, client_language: str | None = None) -> tuple[Wish, Language] | None:
    """What the whole message asks for, and the language to answer in; None for any other text.

    Lists of all languages are looked through, whatever the client's; the answer is in the client's language where we
    speak it, else in that of the word."""
    if len(text) > _LONGEST:
        return None
    said = _fold(text)
    for wish, words in _WORDS.items():
        spoken = words.get(said) or words.get(_as_cyrillic(said))
        if spoken:
            own = (client_language or "").split("-")[0].lower()
            return wish, LANGUAGES[own if own in LANGUAGES else spoken[0]]
    return None


def _fold(text: str) -> str:
    """Small letters without quotes, punctuation, emoji and Latin accents; й and ї stay what they are."""
    text = unicodedata.normalize("NFKC", text).casefold().replace("ё", "е").strip().removeprefix("/")
    kept = [letter if letter.isalnum() or letter == "-" else " " for letter in map(_without_accent, text)]
    return re.sub(r"\s+", " ", "".join(kept)).strip(" -")


def _without_accent(letter: str) -> str:
    base = unicodedata.normalize("NFD", letter)[0]
    return base if base.isascii() else letter


def _as_cyrillic(said: str) -> str:
    """СТОП typed on a Latin keyboard, or half of it."""
    return said.translate(_LOOK_ALIKES)


_LOOK_ALIKES = str.maketrans("ctopmkahbxeyi", "стормканвхеуі")


def _by_word(wish: Wish) -> Mapping[str, tuple[str, ...]]:
    words: dict[str, tuple[str, ...]] = {}
    for code, language in LANGUAGES.items():
        for word in getattr(language, wish.value):
            words[_fold(word)] = (*words.get(_fold(word), ()), code)
    return words


_WORDS: Mapping[Wish, Mapping[str, tuple[str, ...]]] = {wish: _by_word(wish) for wish in Wish}
