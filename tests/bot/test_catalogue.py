"""The lists of translations: whole, with the names and tags of their sentences, and in one language."""

import re
from collections.abc import Iterator, Sequence

import pytest

from bot.catalogue import merged, sentences
from bot.languages import TRANSLATED, catalogue_of
from gateways.markup import read_html

_NAME = re.compile(r"\{\{|\}\}|\{[^{}]*\}")
_TAG = re.compile(r"</?([a-z-]+)[^>]*>")
_SAME_ANYWHERE = re.compile(
    r"https?://\S*|/[a-z]+|--\w+|\{[^{}]*\}|<[^>]*>|[\w.]+_[\w.]+|client\.\w+|\[\[\w+\]\]|&\w+;"
)
# Names of products and of their pages' parts, and what a person types or writes in a file.
_NAMES = set(
    """
    Carillon Telegram Viber VK WhatsApp Messenger Facebook Slack Twilio Meta Excel Support Inbox App Review Account
    quality Manager Payment settings Cloud Bot Content Graph partners viber com config toml carillon segment save Europe
    Kyiv JSON CSV XLSX xls xlsx UTF NUL HTML JPEG PNG GIF MP GP DLC WebP UTC API id https http tg SMS STOP
    name text pictures buttons elements for only table language parameters header latitude longitude channels routing
    main chosen cascade start now speed timezone client phone email click region quota per package check true false
    between connection in mailing outcome is not none defined files read shop vip tag field friend city ltv plan free
    token en UA canary first share run import clients approval prices pdf SKU EUR GSM
    """.split()  # noqa: SIM905  # a word to a line would fill pages
)


def _forms() -> Iterator[tuple[str, str, str, bool]]:
    """language, the English, the translation, whether it is one of several forms."""
    for language in TRANSLATED:
        for message in catalogue_of(language):
            if isinstance(message.id, tuple | list):
                for form in message.string:
                    yield language, message.id[1], form, True
            elif message.id:
                yield language, message.id, str(message.string), False


def test_every_sentence_of_the_code_is_translated() -> None:
    """What to do where it fails: `python -m bot.catalogue`, then translate what stands there empty."""
    for language in TRANSLATED:
        listed = {_key(one.id) for one in catalogue_of(language) if one.id}
        assert set(sentences()) - listed == set(), language
        assert listed - set(sentences()) == set(), language
        assert [one.id for one in catalogue_of(language) if one.id and one.fuzzy] == []
    assert [words for _language, words, form, _plural in _forms() if not form] == []


def _key(words: str | Sequence[str]) -> str | tuple[str, ...]:
    return words if isinstance(words, str) else tuple(words)


def test_bringing_a_list_up_to_date_keeps_what_is_translated() -> None:
    for language in TRANSLATED:
        assert {one.id: one.string for one in merged(language)} == {
            one.id: one.string for one in catalogue_of(language)
        }


def test_numbers_have_the_three_forms_of_their_languages() -> None:
    for language in TRANSLATED:
        assert catalogue_of(language).num_plurals == 3
        for message in catalogue_of(language):
            if isinstance(message.id, tuple | list):
                assert len(message.string) == 3, message.id
                assert all("{count}" in form for form in message.string), message.id


def test_a_translation_has_the_names_and_the_tags_of_its_sentence() -> None:
    for language, words, form, _plural in _forms():
        assert sorted(set(_NAME.findall(form))) == sorted(set(_NAME.findall(words))), (language, form)
        assert sorted(_TAG.findall(form)) == sorted(_TAG.findall(words)), (language, form)
        assert (form[:1] == " ", form[-1:] == " ") == (words[:1] == " ", words[-1:] == " "), (language, form)
        if "<" in words and not re.search(r"<(?!/?[a-z])", words):
            read_html(_NAME.sub("x", form))


def test_no_english_word_is_left_in_a_translation() -> None:
    for language, words, form, _plural in _forms():
        left = {word for word in re.findall(r"[A-Za-z]+", _SAME_ANYWHERE.sub(" ", form)) if len(word) > 1}
        assert left <= _NAMES, (language, words, form, left - _NAMES)


@pytest.mark.parametrize(("language", "foreign"), [("ru", "іїєґ’"), ("uk", "ыэъё'")])
def test_a_translation_has_the_letters_of_its_language(language: str, foreign: str) -> None:
    for spoken_here, words, form, _plural in _forms():
        if spoken_here == language:
            found = set(_NAME.sub("", form).casefold()) & set(foreign) - set(words)
            assert not found, (form, found)
