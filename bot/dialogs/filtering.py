"""Where the buttons and answers of the filter builder lead: the same for a draft's audience and for a segment."""

from collections.abc import Mapping

from bot.dialogs import builder, outcomes
from bot.dialogs.talk import Answer, Opens, Route, Screens, Talk
from bot.screens import Said


def filter_presses(letter: str, verb: str, fresh: Opens, fresh_page: Opens) -> Mapping[str, Route]:
    """The tokens begin with the letter; `fresh_page` is for those that end with a page."""
    opened: Mapping[str, tuple[Opens, str]] = {
        "if": (builder.open_fields, "wnnn"),
        "f": (builder.open_values, "wwwnnn"),
        "v": (builder.choose, "wwwwnn"),
        "grp": (builder.open_group, "wnn"),
        "mode": (builder.set_mode, "wwnn"),
        "cut": (builder.cut, "wnn"),
        "ml": (outcomes.open_mailings, "wnnn"),
        "mo": (outcomes.open_results, "wnnn"),
        "mo+": (outcomes.add, "wwnnn"),
    }
    paged = ("if", "f", "ml")
    return {
        f"{letter}:{name}": Route(verb, _of(letter, opens), takes, fresh_page if name in paged else fresh)
        for name, (opens, takes) in opened.items()
    }


def filter_answers(letter: str, verb: str, fresh: Opens) -> Mapping[str, Answer]:
    heard: Mapping[str, Opens] = {
        "field": builder.hear_field,
        "value": builder.hear_value,
        "mailing": outcomes.hear_mailing,
    }
    return {f"{letter}.{name}": Answer(verb, _hearing(letter, hears), fresh) for name, hears in heard.items()}


def _of(letter: str, opens: Opens) -> Opens:
    async def open_it(talk: Talk, *args: str) -> Screens:
        return await opens(talk, letter, *args)

    return open_it


def _hearing(letter: str, hears: Opens) -> Opens:
    async def hear(talk: Talk, said: Said, *args: str) -> Screens:
        return await hears(talk, letter, said, *args)

    return hear
