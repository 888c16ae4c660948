"""`carillon demo`: everything embedded, and one mailing through the bot's own conversation."""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from html import unescape
from pathlib import Path
from re import fullmatch, sub
from typing import Any

from rich.console import Console
from rich.markup import escape

from bot.app import Demo, Service, running
from bot.charts import draw_mailing, drawn
from bot.cli.figures import print_figures
from bot.config import Config, read
from bot.demo_clients import SHOWN, Crowd, write_clients
from bot.numbers import rows_of
from bot.ports import free_port
from bot.screens import Attachment, Command, Event, Press, Said, Screen
from bot.simulated import EVERY, SHOP, Simulated
from bot.surfaces.console.phones import ManyPhones, Phones
from bot.surfaces.console.platform_phones import PlatformPhones
from bot.surfaces.console.telegram_phones import TelegramPhones
from bot.texts import Texts
from bot.watch import watch_mailing
from engine.imports import import_clients
from gateways.base import PartKind
from gateways.message import read_message
from gateways.simulator.telegram.server import TelegramSimulator
from storage.records import Actor, Draft, Role, Routing

OWNER, OPERATOR = "You", "Olha"
PEOPLE = {OWNER: Role.OWNER, OPERATOR: Role.OPERATOR, "Iryna": Role.APPROVER, "Max": Role.MANAGER}
PRICES = {
    "whatsapp.marketing": "0.06 EUR",
    "whatsapp.utility": "0.02 EUR",
    "viber.charged": "0.012 EUR",
    "sms.segment": "0.045 EUR",
}
READY_WITHIN_S = 30.0
LINES_SHOWN = 8

MESSAGE = (
    "<b>Hello, {{ client.first_name | default('friend') }}!</b>\n"
    "The spring sale is on until Sunday: everything for the balcony at <i>half the price</i>."
)
BUTTONS = "See the sale - https://acme.test/spring\nTell me more - Tell me more"
# What the person does: a command, words (and a picture), or where a button leads, whose label may be in any language.
SCRIPT: Sequence[tuple[str, str]] = (
    ("command", "new"),
    ("picture", MESSAGE),
    ("press", "c:name"),
    ("say", "Spring sale"),
    ("press", "b"),
    ("say", BUTTONS),
    ("press", "c:m"),
    ("press", "t"),  # what a client gets on WhatsApp who has not written for a day
    ("press", "t:list:whatsapp"),
    ("press", "t:use"),
    ("press", "t:field"),
    ("say", "friend"),
    ("say", "Tell me more"),
    ("command", "preview"),
    ("press", "a"),
    ("press", "l"),
    ("press", "l:check"),
    ("press", "l:go"),
)


# What the operator has asked about before: SMS, which costs money, needs a second person.
ASKED = Draft(
    name="Closed on Monday",
    message=read_message(
        {
            "text": "{{ client.first_name | default('Hello') }}, our shop is closed on Monday. From Tuesday on we are "
            "there as ever. Acme"
        }
    ),
    routing=Routing.CHOSEN,
    channels=("sms-shop",),
)


async def run_demo(*, clients: int, port: int, speed: float, ends: bool, seed: int, ended: asyncio.Event) -> None:
    """Show it; with `ends` return after the mailing, else serve the page until the event is set."""
    out = Console(highlight=False)
    folder = Path(tempfile.mkdtemp(prefix="carillon-demo-"))
    messengers = [make(seed) for make in EVERY]
    async with AsyncExitStack() as stack:
        for messenger in messengers:
            await messenger.server.start()
            stack.push_async_callback(messenger.server.stop)
        config = demo_config(folder, messengers, free_port(port), speed)
        own_url = str(config.app.public_url)
        there = write_clients(folder / "clients.csv", messengers, count=clients, seed=seed)
        few = {channel: who[:SHOWN] for channel, who in there.items()}
        overheard = Overheard()
        demo = Demo(phones_of(messengers, few, own_url), overheard.hear)
        service = await stack.enter_async_context(running(config, demo=demo))
        crowd = Crowd(phones_of(messengers, there, own_url), own_url, seed)
        stack.push_async_callback(crowd.leave)
        await _prepare(service, folder, out, messengers, crowd)
        await _ask_before(service)
        out.print(f"The page: {own_url}/  (everything of this demo lies in {folder})")
        others = ", ".join(f"{name} ({role})" for name, role in PEOPLE.items() if name != OWNER)
        out.print(f"There you may be {others}, too: the list beside the title.\n")
        crowd.come()
        mailing_id = await _converse(service, overheard, out, folder)
        out.print()
        figures = await _until_ended(service, mailing_id, ended)
        if figures is None:
            return
        await crowd.settle()
        await _receipts_in(messengers)
        await _tell(service, mailing_id, folder / "mailing.png", out)
        if not ends:
            out.print(f"\nGo on at {own_url}/ ; Ctrl-C ends.")
            await ended.wait()


def demo_config(folder: Path, messengers: Sequence[Simulated], port: int, speed: float) -> Config:
    tables = "\n".join(f"{messenger.table}rate = {speed}\n" for messenger in messengers)
    people = "".join(f'[[people]]\nname = "{name}"\nrole = "{role}"\n\n' for name, role in PEOPLE.items())
    prices = "\n".join(f'"{name}" = "{price}"' for name, price in PRICES.items())
    source = f"""
[app]
name = "{SHOP} mailings"
timezone = "Europe/Kyiv"
public_url = "http://127.0.0.1:{port}"
inbox = true

[web]
port = {port}

[approval]
channels = ["sms-shop"]

[prices]
{prices}

{people}
[[bots]]
kind = "console"

{tables}"""
    return read(source, folder / "config.toml", {})


def phones_of(messengers: Sequence[Simulated], there: Mapping[str, Sequence[str]], own_url: str) -> ManyPhones:
    """The phones of these addresses, by channel."""
    return ManyPhones([_phones_on(messenger, there[messenger.channel], own_url) for messenger in messengers])


def _phones_on(messenger: Simulated, addresses: Sequence[str], own_url: str) -> Phones:
    server, channel = messenger.server, messenger.channel
    if isinstance(server, TelegramSimulator):
        return TelegramPhones(server, server.bot(messenger.account), [int(one) for one in addresses], channel=channel)
    title = "SMS" if messenger.kind == "sms" else ""
    return PlatformPhones(
        server, messenger.account, addresses, channel=channel, kind=messenger.kind, title=title, own_url=own_url
    )


class Overheard:
    """The screens of the console's last answer: whose buttons the demo presses."""

    def __init__(self) -> None:
        self.screens: Sequence[Screen] = ()

    def hear(self, _event: Event, screens: Sequence[Screen]) -> None:
        self.screens = screens or self.screens

    def press(self, name: str) -> tuple[Press, str]:
        """A press of the first button that leads there with a draft, and its label. Raises LookupError."""
        for screen in reversed(self.screens):
            for button in (button for row in screen.rows for button in row):
                if fullmatch(rf"{name}((:[a-z]+)?:[0-9a-f]{{12}})?:\d+:\d+", button.token):
                    return Press(button.token), button.label
        raise LookupError(f"no button leads to {name!r}")


async def _prepare(service: Service, folder: Path, out: Console, messengers: Sequence[Simulated], crowd: Crowd) -> None:
    """The clients into the storage; some of them have written before, STOP among other things."""
    channels = service.desk.settings.channels
    outcome = await import_clients(service.desk.store, folder / "clients.csv", channels=channels)
    async with asyncio.timeout(READY_WITHIN_S):
        while not service.webhooks.tried:  # noqa: ASYNC110  # it says so in no other way
            await asyncio.sleep(0.05)
        while not await service.desk.store.templates.of_channel("wa-shop"):  # noqa: ASYNC110  # the same
            await asyncio.sleep(0.05)
        leaving = crowd.write_before()
        await _receipts_in(messengers)
        while await _unsubscribed(service) < leaving:  # noqa: ASYNC110  # the counts say it in no other way
            await asyncio.sleep(0.1)
    for messenger in messengers:
        messenger.report()
    out.print(f"{outcome.added:,} sample clients on five messengers and SMS; {leaving} of them have written STOP.")


async def _ask_before(service: Service) -> None:
    """Somebody else has composed a mailing, and it waits for a second person. All who are told of it have been before
    the owner's own mailing begins."""
    operations = service.desk.operations
    by = Actor(OPERATOR, PEOPLE[OPERATOR], "console", OPERATOR)
    await operations.ask_approval(await operations.create(ASKED, by), by)
    while await operations.notices():  # noqa: ASYNC110  # they go as it tells them
        await asyncio.sleep(0.1)


async def _unsubscribed(service: Service) -> int:
    count = await service.desk.operations.checker.count_audience({})
    return count.left_out.get("unsubscribed", 0)


async def _receipts_in(messengers: Sequence[Simulated]) -> None:
    """Until all that the messengers had to tell us has been taken."""
    others = [messenger.platform for messenger in messengers if messenger.kind != "telegram"]
    await asyncio.gather(*(platform.hooks.settled() for platform in others))


async def _converse(service: Service, overheard: Overheard, out: Console, folder: Path) -> int:
    """Compose and launch the mailing as a person would; returns its id."""
    console = service.console
    assert console is not None  # noqa: S101  # the demo's own configuration has it
    picture = service.desk.media.keep(_picture(folder), "sale.png")
    for action, words in SCRIPT:
        match action:
            case "command":
                out.print(f"[bold cyan]you[/]  /{words}")
                await console.act(OWNER, Command(words))
            case "press":
                press, label = overheard.press(words)
                out.print(f"[bold cyan]you[/]  [reverse] {escape(label)} [/]")
                await console.act(OWNER, press)
            case _:
                _print_said(out, words, with_picture=action == "picture")
                attachments = (Attachment(PartKind.PICTURE, picture, "sale.png"),) if action == "picture" else ()
                await console.act(OWNER, Said(text=words, attachments=attachments))
        _print_answer(out, overheard.screens)
    newest = await service.desk.operations.list_mailings(limit=1)
    return newest[0].id


async def _until_ended(service: Service, mailing_id: int, ended: asyncio.Event) -> Mapping[str, Any] | None:
    """Its last figures, with the bar meanwhile; None where Ctrl-C came first."""
    watching = asyncio.ensure_future(watch_mailing(service.desk.operations, mailing_id))
    signal = asyncio.ensure_future(ended.wait())
    try:
        await asyncio.wait((watching, signal), return_when=asyncio.FIRST_COMPLETED)
        return watching.result() if watching.done() else None
    finally:
        watching.cancel()
        signal.cancel()


async def _tell(service: Service, mailing_id: int, chart: Path, out: Console) -> None:
    """The final statistics, and their chart."""
    desk = service.desk
    figures = await desk.operations.figures(mailing_id)
    print_figures(out, figures)
    t = Texts("en", desk.settings.timezone)
    rows, timeline = rows_of(t, figures, desk.settings), await desk.operations.timeline(mailing_id)
    under = f"#{mailing_id} · {t.status(figures['status'])}"
    await asyncio.to_thread(chart.write_bytes, await drawn(draw_mailing, t, figures["name"], under, rows, timeline))
    out.print(f"Chart: {chart}", soft_wrap=True)


def _print_said(out: Console, words: str, *, with_picture: bool) -> None:
    first = "[picture] " if with_picture else ""
    for number, line in enumerate(plain_text(words).splitlines()):
        out.print("[bold cyan]you[/]  " + escape(f"{first}{line}" if number == 0 else line))


def _print_answer(out: Console, screens: Sequence[Screen]) -> None:
    """The last card in short: its first lines, and the buttons."""
    screen = next((screen for screen in reversed(screens) if screen.text), None)
    if screen is None:
        return
    for line in [line for line in plain_text(screen.text).splitlines() if line.strip()][:LINES_SHOWN]:
        out.print(f"[bold green]bot[/]  {escape(line)}", soft_wrap=True)
    labels = [button.label for row in screen.rows for button in row]
    out.print("     " + escape("  ".join(f"[{label}]" for label in labels)) + "\n", style="dim", soft_wrap=True)


def plain_text(html: str) -> str:
    return unescape(sub(r"<[^>]+>", "", html))


def _picture(folder: Path) -> Path:
    """A picture to send, drawn here so that none has to lie about."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.linear_gradient("L").rotate(90).resize((960, 480))
    image = Image.composite(Image.new("RGB", image.size, "#2f9e6e"), Image.new("RGB", image.size, "#2f6fed"), image)
    pen = ImageDraw.Draw(image)
    pen.text((60, 150), "Spring sale", fill="white", font=ImageFont.load_default(110))
    pen.text((64, 290), "everything for the balcony, half the price", fill="white", font=ImageFont.load_default(36))
    file = folder / "sale.png"
    image.save(file)
    return file
