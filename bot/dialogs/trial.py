"""A test to oneself: the real message to the person's own account, on every channel at once."""

from collections.abc import Mapping, Sequence

from bot.dialogs import compose
from bot.dialogs.accounts import account_row, how_to_tell, own_accounts, read_typed, remember, said_unknown
from bot.dialogs.talk import (
    Rows,
    Screens,
    Talk,
    button,
    card,
    chosen,
    digest,
    footer,
    in_rows,
    lines,
    paragraphs,
    short,
)
from bot.screens import Button, Said, with_note
from engine.errors import Invalid
from engine.plan import channels_of
from storage.records import Mailing

MOST_AT_ONCE = 10  # channels; of more, one chooses
_MOST_CHOICES = 30


async def open_test(talk: Talk, mailing_id: str, revision: str) -> Screens:
    """Send it at once to every own account that is known."""
    return await _open(talk, await compose.draft_at(talk, mailing_id, revision), "c")


async def open_test_at_check(talk: Talk, mailing_id: str, revision: str) -> Screens:
    """The same, and back to the check card."""
    return await _open(talk, await compose.draft_at(talk, mailing_id, revision), "l")


async def open_test_by_command(talk: Talk, words: str = "") -> Screens:
    """/test 7"""
    return await _open(talk, await compose.draft_of(talk, words), "c")


async def _open(talk: Talk, mailing: Mailing, way: str) -> Screens:
    mine = await _own(talk, mailing)
    if not mine:
        return _ask_account(talk, mailing, way)
    if len(mine) > MOST_AT_ONCE:
        return _ask_which(talk, mailing, way, mine)
    return await _send(talk, mailing, way, mine)


async def send_to_all(talk: Talk, way: str, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    return await _send(talk, mailing, way, await _own(talk, mailing))


async def send_by_channel(talk: Talk, way: str, short_name: str, mailing_id: str, revision: str) -> Screens:
    mailing = await compose.draft_at(talk, mailing_id, revision)
    mine = await _own(talk, mailing)
    channel = chosen(list(mine), short_name)
    return await _send(talk, mailing, way, {channel: mine[channel]})


async def hear_address(talk: Talk, said: Said, way: str, mailing_id: str, revision: str) -> Screens:
    """Where to send the test, typed: it is remembered."""
    mailing = await compose.draft_at(talk, mailing_id, revision)
    typed = await read_typed(talk, said, _channels(talk, mailing))
    await remember(talk, typed)
    return await _send(talk, mailing, way, typed)


def _ask_account(talk: Talk, mailing: Mailing, way: str) -> Screens:
    t = talk.t
    here = compose.at(mailing)
    talk.ask("o.address", way, *here)
    text = paragraphs(
        t("<b>Test to myself</b>\nI don't know your own account on a messenger yet; told once, I remember it."),
        how_to_tell(talk, _channels(talk, mailing)),
    )
    return [
        card(text, [footer(talk, _back(talk, way, here), leave=mailing.id)], ask=t.plain("A channel and an address"))
    ]


def _ask_which(talk: Talk, mailing: Mailing, way: str, mine: Mapping[str, str]) -> Screens:
    t = talk.t
    here = compose.at(mailing)
    text = t("<b>Test to myself</b>\nI know your accounts on {count} channels. Which shall get it?", count=len(mine))
    one_each = [button(short(name, 24), "o:to", way, digest(name), *here) for name in list(mine)[:_MOST_CHOICES]]
    rows: Rows = [
        (button(t("All at once"), "o:all", way, *here),),
        *in_rows(one_each, 3),
        footer(talk, _back(talk, way, here), leave=mailing.id),
    ]
    return [card(text, rows)]


async def _send(talk: Talk, mailing: Mailing, way: str, addresses: Mapping[str, str]) -> Screens:
    t = talk.t
    here = compose.at(mailing)
    try:
        outcomes = await talk.operations.send_tests(mailing.id, addresses, talk.actor)
    except Invalid as error:
        return await _answer(talk, mailing, way, t("⚠ {why}", why=t.error(error)), [])
    sent = [channel for channel, error in outcomes.items() if error is None]
    own = await _own(talk, mailing)
    unknown = [channel for channel in _channels(talk, mailing) if channel not in own]
    note = lines(
        t("✓ The test is sent to you by {channel}. It counts in no statistics.", channel=t.listed(sent))
        if sent
        else None,
        *(t("⚠ {why}", why=t.error(error)) for error in outcomes.values() if error is not None),
        said_unknown(talk, unknown),
    )
    return await _answer(talk, mailing, way, note, [account_row(talk, here)])


async def _answer(talk: Talk, mailing: Mailing, way: str, note: str, rows: Rows) -> Screens:
    """What became of it, on the card from which it was asked for."""
    if way == "l":
        from bot.dialogs import launch

        screens = await launch.open_check(talk, *map(str, compose.at(mailing)))
        return [*screens[:-1], with_note(screens[-1], note)]
    return [compose.message_card(talk, mailing, note, mending=rows)]


def _back(talk: Talk, way: str, here: tuple[int, int]) -> Button:
    return button(talk.t("◀ Back"), "l:check" if way == "l" else "c:m", *here)


async def _own(talk: Talk, mailing: Mailing) -> dict[str, str]:
    return await own_accounts(talk, _channels(talk, mailing))


def _channels(talk: Talk, mailing: Mailing) -> Sequence[str]:
    return channels_of(mailing.draft, talk.settings.channels)
