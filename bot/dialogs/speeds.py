"""How fast a mailing goes: what each speed would take, and choosing one while it is sent."""

from bot.dialogs import mailings
from bot.dialogs.live import RUNNING, speed_of
from bot.dialogs.talk import Opens, Rows, Screens, Talk, button, card, find_mailing, footer, in_rows, lines, paragraphs
from bot.screens import with_note
from bot.texts import _
from engine.errors import Invalid, Refused
from engine.statistics import speeds_up_to
from storage.records import Mailing

_TENTHS = 10  # a token carries whole numbers


def most_of(talk: Talk) -> float:
    return max((channel.max_rate for channel in talk.settings.channels.values()), default=25.0)


async def open_speeds(talk: Talk, mailing_id: str) -> Screens:
    """Every speed with the time that the rest would take."""
    t = talk.t
    mailing = await talk.operations.get(int(mailing_id))
    if mailing.status not in RUNNING:
        words = t("It is {status}: its speed matters only while it is sent.", status=t.status(mailing.status))
        return [await mailings.mailing_card(talk, mailing, words)]
    figures = await talk.operations.figures(mailing.id)
    now = speed_of(mailing, most_of(talk))
    left = {float(speed): seconds for speed, seconds in figures["eta_at"].items()}
    told = [
        t("{speed} a second: {span}", speed=t.number(speed), span=t.span(max(span, 1.0)))
        for speed, span in left.items()
    ]
    text = paragraphs(
        t("<b>How fast shall “{name}” go?</b>", name=mailing.draft.name),
        t("Now it goes {speed} a second on each channel.", speed=t.number(now)),
        lines(t("For the rest, {count} clients, that takes:", count=t.number(figures["waiting"])), *told)
        if figures["waiting"]
        else None,
    )
    buttons = [
        button(
            f"✓ {t.number(speed)}" if speed == now else t.number(speed), "m:speed", mailing.id, round(speed * _TENTHS)
        )
        for speed in left
    ]
    rows: Rows = [*in_rows(buttons, 3), footer(talk, button(t("◀ Back"), "m:open", mailing.id))]
    return [card(text, rows)]


async def choose(talk: Talk, mailing_id: str, tenths: str) -> Screens:
    return await set_speed(talk, await talk.operations.get(int(mailing_id)), int(tenths) / _TENTHS)


async def slower(talk: Talk, mailing_id: str) -> Screens:
    return await _turn(talk, mailing_id, up=False)


async def faster(talk: Talk, mailing_id: str) -> Screens:
    return await _turn(talk, mailing_id, up=True)


async def _turn(talk: Talk, mailing_id: str, *, up: bool) -> Screens:
    t = talk.t
    mailing = await talk.operations.get(int(mailing_id))
    most = most_of(talk)
    speed = speed_of(mailing, most)
    steps = [one for one in speeds_up_to(most) if (one > speed if up else one < speed)]
    if not steps:
        words = (
            t("That is as fast as its channels allow.") if up else t("Slower than 1 a second it can't go: pause it.")
        )
        return [await mailings.mailing_card(talk, mailing, words)]
    return await set_speed(talk, mailing, min(steps) if up else max(steps))


async def set_speed(talk: Talk, mailing: Mailing, speed: float) -> Screens:
    """Set it, and show how it stands; where it can't be done, the card says why."""
    t = talk.t
    try:
        await talk.operations.set_speed(mailing.id, speed, talk.actor)
    except Refused as error:
        return [await mailings.mailing_card(talk, await talk.operations.get(mailing.id), t.error(error))]
    screens = await mailings.open_mailing(talk, str(mailing.id))
    return [with_note(screen, t("Speed: {speed} a second.", speed=t.number(speed))) for screen in screens]


def by_command(which: Opens) -> Opens:
    """/speed 7 10, or /speed 7 for the choice; without a number `which` asks of which one."""

    async def open_verb(talk: Talk, words: str = "") -> Screens:
        named, _space, last = words.strip().rpartition(" ")
        if not named:
            return await which(talk, words)
        return await set_speed(talk, await find_mailing(talk, named), _read(talk, last))

    return open_verb


def _read(talk: Talk, words: str) -> float:
    most = most_of(talk)
    try:
        speed = float(words.replace(",", ".").removesuffix("/s"))
    except ValueError:
        raise Invalid(_("Type the number of the mailing and the speed, such as: /speed 7 10.")) from None
    if not 1 <= speed <= most:
        raise Invalid(_("The speed is from 1 to {most} messages a second."), most=f"{most:g}")
    return speed
