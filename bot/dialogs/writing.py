"""Where the buttons and the answers of writing a message lead: its pieces, their buttons and fields, saved messages."""

from collections.abc import Mapping, Sequence

from bot.dialogs import album, buttons, compose, constructor, palette, saved
from bot.dialogs.talk import Answer, Opens, Route, Screens, Talk, button, footer
from bot.dialogs.work import SAVED
from bot.screens import Button


def _fresh_after(scope_at: int) -> Opens:
    """The card as it is now, of a draft or of a saved message: scope, number and revision stand in the token, the scope
    at that place from its end."""

    async def fresh(talk: Talk, *args: str) -> Screens:
        if args[scope_at] == SAVED:
            return await saved.open_one(talk, args[-2])
        return await compose.open_fresh(talk, args[-2])

    return fresh


async def _fresh(talk: Talk, *args: str) -> Screens:
    return await compose.open_fresh(talk, args[-2])


_work = _fresh_after(-3)  # scope, number, revision
_piece = _fresh_after(-4)  # scope, place of the piece, number, revision


async def _palette(talk: Talk, scope: str, _place: str, subject_id: str, *_rest: str) -> Screens:
    return await (saved.open_one if scope == SAVED else compose.open_fresh)(talk, subject_id)


async def _picked(talk: Talk, _scope: str, subject_id: str, *_rest: str) -> Screens:
    return await compose.open_fresh(talk, subject_id)


async def _renamed(talk: Talk, saved_id: str, *_rest: str) -> Screens:
    return await saved.open_one(talk, saved_id)


async def _renamed_so(talk: Talk, _revision: str, saved_id: str) -> Screens:
    return await saved.open_one(talk, saved_id)


PRESSES: Mapping[str, Route] = {
    # pieces
    "e": Route("compose", constructor.open_pieces, "wnn", _work),
    "e:see": Route("compose", constructor.see, "wnn", _work),
    "e:same": Route("compose", constructor.same, "wnn", _work),
    "e:add": Route("compose", constructor.ask_add, "wwnn", _work),
    "e:first": Route("compose", constructor.open_first, "w"),
    "e:of": Route("compose", constructor.open_piece, "wnnn", _piece),
    "e:ask": Route("compose", constructor.ask_set, "wwnnn", _piece),
    "e:bare": Route("compose", constructor.without_text, "wnnn", _piece),
    "e:up": Route("compose", constructor.earlier, "wnnn", _piece),
    "e:down": Route("compose", constructor.later, "wnnn", _piece),
    "e:cut": Route("compose", constructor.cut, "wnnn", _piece),
    "e:pics": Route("compose", album.open_pictures, "wnnn", _piece),
    "e:pup": Route("compose", album.picture_earlier, "nwnnn", _piece),
    "e:pcut": Route("compose", album.cut_picture, "nwnnn", _piece),
    # buttons
    "b": Route("compose", buttons.open_buttons, "nn", _fresh),
    "b:on": Route("compose", buttons.open_at, "wnnn", _piece),
    "b:new": Route("compose", buttons.ask_label, "wwnnn", _piece),
    "b:free": Route("compose", buttons.without_price, "wnnn", _piece),
    "b:one": Route("compose", buttons.open_one, "nwnnn", _piece),
    "b:ask": Route("compose", buttons.ask_set, "wnwnnn", _piece),
    "b:move": Route("compose", buttons.move, "wnwnnn", _piece),
    "b:cut": Route("compose", buttons.cut, "nwnnn", _piece),
    # fields of the card
    "f": Route("compose", palette.open_palette, "wnnnn?", _palette),
    "f:of": Route("compose", palette.ask_where, "wwnnn", _piece),
    "f:put": Route("compose", palette.put, "wwwnnn", _piece),
    "f:friend": Route("compose", palette.put_friend, "wnn", _fresh),
    "f:word": Route("compose", palette.ask_word, "wnn", _fresh),
    # saved messages
    "v": Route("compose", saved.open_saved, "w?n?"),
    "v:of": Route("compose", saved.open_one, "n"),
    "v:see": Route("compose", saved.see, "n"),
    "v:use": Route("compose", saved.use, "n"),
    "v:name": Route("compose", saved.ask_name, "nn", _renamed),
    "v:copy": Route("compose", saved.ask_copy, "n"),
    "v:copied": Route("compose", saved.copy, "nw"),
    "v:delete?": Route("compose", saved.ask_delete, "n"),
    "v:delete": Route("compose", saved.delete, "n"),
    "v:new": Route("compose", saved.ask_new, "w"),
    "v:keep": Route("compose", saved.ask_keep, "wnn", _work),
    "v:as": Route("compose", saved.keep_as_named, "wnn", _work),
    "v:pick": Route("compose", saved.pick, "wnnn?", _picked),
    "v:put": Route("compose", saved.put_in, "nwnn", _work),
}

ANSWERS: Mapping[str, Answer] = {
    "e.first": Answer("compose", constructor.hear_first),
    "e.add": Answer("compose", constructor.hear_add, _work),
    "e.set": Answer("compose", constructor.hear_set, _piece),
    "e.more": Answer("compose", album.hear_more, _piece),
    "b.lines": Answer("compose", buttons.hear_lines, _piece),
    "b.label": Answer("compose", buttons.hear_label, _piece),
    "b.target": Answer("compose", buttons.hear_target, _piece),
    "b.price": Answer("compose", buttons.hear_price, _piece),
    "b.set": Answer("compose", buttons.hear_set, _piece),
    "f.instead": Answer("compose", palette.hear_instead, _piece),
    "f.word": Answer("compose", palette.hear_word, _fresh),
    "v.find": Answer("compose", saved.hear_find),
    "v.name": Answer("compose", saved.hear_name, _renamed_so),
    "v.new": Answer("compose", saved.hear_new),
    "v.keep": Answer("compose", saved.hear_keep, _work),
}

# The card to go back to from a question, and how many of the question's last words its token takes.
BACK: Mapping[str, tuple[str, int]] = {
    "e.first": ("c:new", 0),
    "e.add": ("e", 3),
    "e.set": ("e:of", 4),
    "e.more": ("e:pics", 4),
    "b.lines": ("b:on", 4),
    "b.label": ("b:on", 4),
    "b.target": ("b:on", 4),
    "b.price": ("b:on", 4),
    "b.set": ("b:on", 4),
    "f.instead": ("f", 4),
    "f.word": ("c:m", 2),
    "v.find": ("v", 0),
    "v.name": ("v:of", 1),
    "v.new": ("v", 1),
    "v.keep": ("e", 3),
}


def way_back(talk: Talk, asked: Sequence[str]) -> tuple[Button, ...]:
    """From a question of these; a draft stays saved when its person goes."""
    name, count = BACK[asked[0]]
    at = asked[len(asked) - count :]
    in_draft = count >= 2 and at[0] != SAVED
    return footer(talk, button(talk.t("◀ Back"), name, *at), leave=int(at[-2]) if in_draft else None)
