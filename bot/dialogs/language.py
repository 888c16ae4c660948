"""The language in which the bot speaks with a person."""

from bot.dialogs.talk import Screens, Talk, button, card, footer, paragraphs
from bot.languages import LANGUAGES
from bot.texts import Texts, _
from engine.errors import Invalid

# However somebody calls one of them.
_NAMES = {
    "en": ("en", "english", "английский", "англійська", "по-английски", "англійською"),
    "ru": ("ru", "russian", "русский", "російська", "по-русски", "російською"),
    "uk": ("uk", "ua", "ukrainian", "украинский", "українська", "по-украински", "українською"),
}


async def open_language(talk: Talk, words: str = "") -> Screens:
    """/language, /language українська"""
    wanted = words.strip().casefold()
    if wanted:
        found = next((language for language, names in _NAMES.items() if wanted in names), None)
        if found is None:
            known = ", ".join(LANGUAGES.values())
            raise Invalid(_("I speak {languages}. Choose one: /language"), languages=known)
        return await choose(talk, found)
    t = talk.t
    rows = [
        tuple(
            button(f"✓ {name}" if language == t.locale else name, "lang:is", language)
            for language, name in LANGUAGES.items()
        ),
        footer(talk),
    ]
    return [card(t("<b>Which language shall I speak with you?</b>"), rows)]


async def choose(talk: Talk, language: str) -> Screens:
    from bot.dialogs import home

    if language not in LANGUAGES:
        return await open_language(talk)
    await talk.speak(language)
    talk.t = Texts(language, talk.t.timezone)
    note = talk.t("From now on I speak English with you.")
    return [card(paragraphs(note, screen.text), screen.rows, ask=screen.ask) for screen in await home.open_home(talk)]
