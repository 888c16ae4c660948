"""`carillon demo`: everything embedded, and one mailing through the bot's own conversation."""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from html import unescape
from pathlib import Path
from re import sub
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.markup import escape

from bot.app import Demo, Service, running
from bot.charts import draw_mailing
from bot.cli.figures import print_figures
from bot.config import Config, read
from bot.demo_clients import SHOP, Crowd, unsubscribe_some, write_clients
from bot.ports import free_port
from bot.screens import Attachment, Command, Event, Press, Said, Screen
from bot.surfaces.console.phones import TelegramPhones
from bot.watch import watch_mailing
from engine.imports import import_clients
from gateways.base import PartKind
from gateways.simulator.telegram.server import TelegramSimulator
from storage.timelines import Timelines

if TYPE_CHECKING:
    from gateways.simulator.telegram.bots import SimulatedBot

OWNER = "You"
SHOP_TOKEN = "1:demo"  # noqa: S105  # of a bot that exists nowhere else
PHONES = 4
STOPS_WITHIN_S = 30.0
LINES_SHOWN = 8

MESSAGE = (
    "<b>Hello, {{ client.first_name | default('friend') }}!</b>\n"
    "The spring sale is on until Sunday: everything for the balcony at <i>half the price</i>."
)
BUTTONS = "See the sale - https://acme.test/spring\nTell me more - Tell me more"
# What the person does: a command, words (and a picture), or the beginning of a button's label.
SCRIPT: Sequence[tuple[str, str]] = (
    ("command", "new"),
    ("picture", MESSAGE),
    ("press", "Rename"),
    ("say", "Spring sale"),
    ("press", "Add buttons"),
    ("say", BUTTONS),
    ("press", "Next: audience"),
    ("press", "Next: when and how fast"),
    ("press", "Next: check"),
    ("press", "🚀 Send to"),
)


async def run_demo(*, clients: int, port: int, speed: float, ends: bool, seed: int, ended: asyncio.Event) -> None:
    """Show it; with `ends` return after the mailing, else serve the page until the event is set."""
    out = Console(highlight=False)
    folder = Path(tempfile.mkdtemp(prefix="carillon-demo-"))
    simulator = TelegramSimulator(seed=seed)
    shop = simulator.add_bot(SHOP_TOKEN, username="acme_demo_bot", first_name="Acme")
    await simulator.start()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(simulator.stop)
        config = demo_config(folder, simulator.url, free_port(port), speed)
        write_clients(folder / "clients.csv", shop, count=clients, seed=seed)
        overheard = Overheard()
        demo = Demo(TelegramPhones(simulator, shop, list(shop.clients)[:PHONES], channel=SHOP), overheard.hear)
        service = await stack.enter_async_context(running(config, demo=demo))
        await _prepare(service, folder, out, shop, clients)
        out.print(f"The page: http://127.0.0.1:{service.port}/  (everything of this demo lies in {folder})\n")
        crowd = Crowd(simulator, shop, seed)
        stack.push_async_callback(crowd.leave)
        crowd.come()
        mailing_id = await _converse(service, overheard, out, folder)
        out.print()
        figures = await _until_ended(service, mailing_id, ended)
        if figures is None:
            return
        await crowd.settle()
        await _tell(service, mailing_id, folder / "mailing.png", out)
        if not ends:
            out.print(f"\nGo on at http://127.0.0.1:{service.port}/ ; Ctrl-C ends.")
            await ended.wait()


def demo_config(folder: Path, api_base: str, port: int, speed: float) -> Config:
    source = f"""
[app]
name = "Acme mailings"
timezone = "Europe/Kyiv"

[web]
port = {port}

[[people]]
name = "{OWNER}"
role = "owner"

[[bots]]
kind = "console"

[[channels]]
id = "{SHOP}"
kind = "telegram"
token = "{SHOP_TOKEN}"
api_base = "{api_base}"
rate = {speed}
"""
    return read(source, folder / "config.toml", {})


class Overheard:
    """The screens of the console's last answer: whose buttons the demo presses by their labels."""

    def __init__(self) -> None:
        self.screens: Sequence[Screen] = ()

    def hear(self, _event: Event, screens: Sequence[Screen]) -> None:
        self.screens = screens or self.screens

    def press(self, label: str) -> tuple[Press, str]:
        """A press of the button whose label begins so, and the whole label. Raises LookupError."""
        for screen in reversed(self.screens):
            for button in (button for row in screen.rows for button in row):
                if button.label.startswith(label):
                    return Press(button.token), button.label
        raise LookupError(f"no button begins with {label!r}")


async def _prepare(service: Service, folder: Path, out: Console, shop: "SimulatedBot", clients: int) -> None:
    """The clients into the storage; some of them have written STOP before."""
    outcome = await import_clients(service.desk.store, folder / "clients.csv", channels=[SHOP])
    leaving = unsubscribe_some(shop, seed=clients)
    async with asyncio.timeout(STOPS_WITHIN_S):
        while True:
            count = await service.desk.operations.checker.count_audience({})
            if count.left_out.get("unsubscribed", 0) >= leaving:
                break
            await asyncio.sleep(0.1)
    out.print(f"{outcome.added:,} sample clients; {leaving} of them have written STOP.")


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
    timeline = await Timelines(desk.store.database).of_step((await desk.operations.get(mailing_id)).step_id)
    zone = ZoneInfo(desk.settings.timezone)
    await asyncio.to_thread(lambda: chart.write_bytes(draw_mailing(figures, timeline, zone)))
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
