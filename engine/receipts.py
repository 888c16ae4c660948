"""What a channel heard: committed first, answered after. No messenger's name stands here."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from engine.binding import StartPayloads
from engine.clock import Clock
from engine.errors import Invalid
from engine.fit import fit
from engine.opt_out_words import Language, Wish, read_wish
from engine.personalise import buttons_of, read_button_data
from engine.prices import read_price
from engine.room import Room
from engine.tidying import tidy
from gateways.base import (
    AccountBroken,
    AnswersPresses,
    Gateway,
    GatewayError,
    Heard,
    Inbound,
    News,
    Pressed,
    Subscribed,
    TemplateChanged,
    Wrote,
)
from gateways.message import Button, Buy, Link, Reply, read_message
from storage.happenings import Happening, Press
from storage.inbound import Noted, Taken
from storage.orders import Purchase
from storage.receipts import Late, apply_late_receipts
from storage.store import Store

log = logging.getLogger(__name__)
T = TypeVar("T")

_KEPT_STEPS = 200  # whose buttons are remembered
# What is written at once holds the loop up, and the slots of every lane with it: so many receipts take milliseconds.
# More at once cost less each, so there is more room while nothing is being sent; and where many wait, as they do after
# the storage was away: a platform that is told to come again too often gives up.
_ROOM, _ROOM_BESIDE_LANES, _MANY = 200, 32, 100
_HAPPENING, _WATERMARK = 10, 5  # what one of them weighs beside a receipt: each has statements of its own
_LATE_EVERY_S = 60.0
_LATE_FOR_S = 600.0  # so long a receipt is looked at again that its part was not known for
_LATE_AT_START_S = 7 * 86_400.0


class Replies(Protocol):
    async def reply(self, channel: str, address: str, text: str) -> None:
        """Answer a client ahead of all bulk; a failed answer harms nothing."""
        ...


class Inbox:
    """Takes what gateways heard, for every channel.

    `revoked` is told of each address that may not be written to any more, so that a lane drops what it holds for it;
    `broken` of a channel whose platform says that it may not send now, with the platform's words; `templates_changed`
    of a channel whose templates are to be read anew. Without `payloads` no link binds anybody. `hands_over`:
    what clients write by themselves is shown to people. `sending`: whether mailings are under way."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        gateways: Mapping[str, Gateway],
        *,
        replies: Replies,
        revoked: Callable[[str, int], None],
        broken: Callable[[str, str], Awaitable[None]] | None = None,
        templates_changed: Callable[[str], None] | None = None,
        payloads: StartPayloads | None = None,
        hands_over: bool = False,
        sending: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = store
        self._clock = clock
        self._gateways = gateways
        self._replies = replies
        self._revoked = revoked
        self._broken = broken
        self._templates_changed = templates_changed
        self._payloads = payloads
        self._hands_over = hands_over
        self._sending = sending
        self._buttons: dict[tuple[int, str], tuple[Button, ...]] = {}
        self._answers: set[asyncio.Task[None]] = set()
        self._room = Room(_ROOM)

    async def take(self, channel: str, heard: Heard) -> None:
        """Returns when all of it is committed; the same a second time changes nothing. Answers follow by themselves."""
        if heard.inbound or heard.receipts or heard.watermarks:
            await self._take(channel, tidy(heard))
        for news in heard.news:
            await self._take_news(channel, news)

    async def _take(self, channel: str, heard: Heard) -> None:
        happenings = [await self._read(inbound) for inbound in heard.inbound]
        self._room.size = _ROOM_BESIDE_LANES if self._sending() and self._room.waiting < _MANY else _ROOM
        for taken, weight in _pieces(channel, self._clock.now(), happenings, heard, self._room.size):
            async with self._room.take(weight):
                noted = await self._store.inbound.take(taken)
            for address in noted.revoked:
                self._revoked(address.channel, address.address_id)
            for happening, note in zip(taken.happenings, noted.notes, strict=True):
                self._answer(channel, happening, note)
        if happenings:
            log.info("took what a channel heard", extra={"channel": channel, "events": len(happenings)})

    async def _take_news(self, channel: str, news: News) -> None:
        match news:
            case AccountBroken(words=words):
                log.warning("a platform has stopped a channel", extra={"channel": channel, "code": news.code})
                if self._broken is not None:
                    await self._broken(channel, words)
            case TemplateChanged():
                await self._store.templates.set_status(channel, news.name, news.language, news.status)
                if self._templates_changed is not None:
                    self._templates_changed(channel)

    async def settled(self) -> None:
        """Wait until every answer that is on its way has ended."""
        while self._answers:
            await asyncio.wait(set(self._answers))

    # --- reading ---

    async def _read(self, inbound: Inbound) -> Happening:
        if isinstance(inbound, Subscribed):
            return self._read_start(inbound)
        if isinstance(inbound, Wrote):
            return self._read_words(inbound)
        if isinstance(inbound, Pressed):
            return await self._read_press(inbound)
        return Happening(inbound)

    def _read_start(self, came: Subscribed) -> Happening:
        """A payload of ours names the client and is no source: it stays out of what is kept."""
        client = self._payloads.read(came.payload) if self._payloads is not None else None
        return Happening(came) if client is None else Happening(replace(came, payload=""), binds=client)

    def _read_words(self, wrote: Wrote) -> Happening:
        found = self._payloads.read_words(wrote.text) if self._payloads is not None else None
        if found is not None:
            return Happening(replace(wrote, text=found[1]), binds=found[0])
        wish = read_wish(wrote.text)
        return Happening(wrote, wish=wish[0].value if wish else None, hands_over=self._hands_over and wish is None)

    async def _read_press(self, pressed: Pressed) -> Happening:
        """Which button it was, and what it says: the data is the client's to forge, so storage proves it."""
        named = read_button_data(pressed.data)
        if named is None:
            return Happening(pressed)
        delivery_id, index = named
        button = await self._find_button(delivery_id, index)
        if button is None:
            return Happening(pressed, press=Press(delivery_id, index))
        wish = read_wish(button.message) if isinstance(button, Reply) else None
        press = Press(delivery_id, index, _kind_of(button), _purchase_of(button))
        return Happening(pressed, wish=wish[0].value if wish else None, press=press)

    async def _find_button(self, delivery_id: int, index: int) -> Button | None:
        if delivery_id >= 2**63:
            return None
        found = await self._store.inbound.find_press(delivery_id)
        gateway = self._gateways.get(found["channel"]) if found else None
        if found is None or gateway is None:
            return None
        key = (found["step_id"], found["channel"])
        if key not in self._buttons:
            while len(self._buttons) >= _KEPT_STEPS:
                self._buttons.pop(next(iter(self._buttons)))
            self._buttons[key] = _buttons_of(found["message"], gateway)
        buttons = self._buttons[key]
        return buttons[index] if index < len(buttons) else None

    # --- answering ---

    def _answer(self, channel: str, happening: Happening, note: Noted) -> None:
        inbound = happening.inbound
        gateway = self._gateways.get(channel)
        if isinstance(inbound, Pressed) and isinstance(gateway, AnswersPresses):
            # A repeat too: the first answer may have been lost, and the button spins until one comes.
            self._begin(_answer_press(gateway, inbound, channel))
        if note.left or note.came_back:
            language = _language_of(happening, note)
            words = language.stopped if note.left else language.started
            self._begin(self._replies.reply(channel, inbound.address, words))

    def _begin(self, answer: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(answer, name="answer a client")
        self._answers.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._answers.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("an answer to a client failed", exc_info=error)


def _pieces(
    channel: str, at: datetime, happenings: Sequence[Happening], heard: Heard, most: int
) -> Iterable[tuple[Taken, int]]:
    """What is committed one after the other, each with what it weighs. A piece that fails is heard again with the
    whole of it, and those before it change nothing the second time."""
    whole = Taken(channel, at, tuple(happenings), heard.receipts, heard.watermarks)
    weight = len(whole.happenings) * _HAPPENING + len(whole.receipts) + len(whole.watermarks) * _WATERMARK
    return ((whole, weight),) if weight <= most else _cut_up(whole, most)


def _cut_up(whole: Taken, most: int) -> Iterator[tuple[Taken, int]]:
    nothing = Taken(whole.channel, whole.received_at)
    for some in _cut(whole.happenings, most // _HAPPENING):
        yield replace(nothing, happenings=some), len(some) * _HAPPENING
    for few in _cut(whole.receipts, most):
        yield replace(nothing, receipts=few), len(few)
    for marks in _cut(whole.watermarks, most // _WATERMARK):
        yield replace(nothing, watermarks=marks), len(marks) * _WATERMARK


def _cut(values: tuple[T, ...], size: int) -> Iterator[tuple[T, ...]]:
    return (values[begin : begin + size] for begin in range(0, len(values), size))


async def keep_late_receipts(store: Store, clock: Clock) -> None:
    """Apply, minute by minute, receipts that came while neither they nor their part could see the other. A task.

    The first look reaches as far back as platforms repeat what was not taken: this may have been down as long."""
    reach_s = _LATE_AT_START_S
    while True:
        try:
            await _look_at_late(store, clock.now() - timedelta(seconds=reach_s))
            reach_s = _LATE_FOR_S
        except Exception:
            log.exception("receipts that wait could not be looked at")
        await clock.sleep(_LATE_EVERY_S)


async def _look_at_late(store: Store, since: datetime) -> None:
    look: Late | None = Late(since)
    applied = 0
    while look is not None:
        looked_at = await store.writer.write(apply_late_receipts, look)
        look = looked_at.onward
        applied += looked_at.applied
    if applied:
        log.info("receipts that had waited were applied", extra={"receipts": applied})


async def _answer_press(gateway: AnswersPresses, pressed: Pressed, channel: str) -> None:
    try:
        await gateway.answer_press(pressed)
    except GatewayError as error:
        log.warning("a press was not answered", extra={"channel": channel, "error": type(error).__name__})


def _language_of(happening: Happening, note: Noted) -> Language:
    """The language of the client's own word; the card decides where several languages share the word."""
    text = happening.inbound.text if isinstance(happening.inbound, Wrote) else ""
    found = read_wish(text, note.language)
    if found is not None:
        return found[1]
    fallback = read_wish(Wish.STOP.value, note.language)
    assert fallback is not None  # noqa: S101  # STOP is in the list
    return fallback[1]


def _buttons_of(message: Mapping[str, Any], gateway: Gateway) -> tuple[Button, ...]:
    """The buttons as they were sent, in reading order; the same order in which their data counts them."""
    try:
        return tuple(buttons_of(fit(read_message(message), gateway.capabilities).every_part))
    except (Invalid, ValueError):
        return ()


def _kind_of(button: Button) -> str:
    match button:
        case Link():
            return "link"
        case Reply():
            return "message"
        case Buy():
            return "buy"


def _purchase_of(button: Button) -> Purchase | None:
    if not isinstance(button, Buy):
        return None
    amount, currency = read_price(button.price) or (None, None)
    return Purchase(button.buy, amount, currency)
