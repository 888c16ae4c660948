"""Writes docs/operators.md and its pictures: python -m tests.house.guide

Every conversation in it is played against the bot itself, in a shop of its own; so what stands there is what people
read. `python -m tests.house.guide --print` only prints it."""

import argparse
import asyncio
import tempfile
import textwrap
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

from PIL import Image

from tests.house import guide_after, guide_before
from tests.house.guide_shop import Paper, Task, open_shop

DOCS = Path(__file__).parent.parent.parent / "docs"
GUIDE, PICTURES = DOCS / "operators.md", DOCS / "pictures"
TASKS = (*guide_before.TASKS, *guide_after.TASKS)
_WIDEST = 640  # pixels of a picture
_WIDE = 120  # letters of a line
_COLOURS = 96
_HEAD = """\
# Operators' guide

How to do what with Carillon, one task after the other. You talk to the admin bot of your team, on Telegram, on
Slack or on its page in the browser. Every card says what happened and what can be done next, and every button is
also a command.

In the conversations `>` is what a person types, sends or presses; what follows is what the bot answers, with its
buttons in `[ ]` and what clients get in `« »`. Everybody in them is made up: a shop with 60 clients and four
channels. The bot has said all of it itself (`python -m tests.house.guide` plays it), so it reads so in your chat.
"""


async def write(folder: Path) -> tuple[str, Mapping[str, bytes]]:
    """The guide's text and its pictures by name; all tasks are played one after the other in one shop."""
    pages: list[str] = []
    pictures: dict[str, bytes] = {}
    async with open_shop(folder) as shop:
        for task in TASKS:
            shop.paper = Paper()
            if task.play is not None:
                await task.play(shop)
            pages.append(_page(task, shop.paper))
            pictures |= shop.paper.pictures
    return "\n".join([_HEAD, _contents(), *pages]), pictures


def _contents() -> str:
    return "".join(f"- [{task.title}](#{_anchor(task.title)})\n" for task in TASKS)


def _anchor(title: str) -> str:
    """As GitHub makes it of a heading."""
    kept = "".join(letter for letter in title.lower() if letter.isalnum() or letter in " -")
    return kept.replace(" ", "-")


def _page(task: Task, paper: Paper) -> str:
    shown = [f"![{task.captions[name]}](pictures/{name}.png)\n" for name in paper.pictures]
    talk = [f"```text\n{paper.text()}\n```\n"] if paper.lines else []
    return "\n".join([f"## {task.title}\n", f"{_filled(task.words)}\n", *talk, *shown])


def _filled(words: str) -> str:
    return "\n".join(
        textwrap.fill(line, _WIDE, break_on_hyphens=False, break_long_words=False) for line in words.split("\n")
    )


def small(png: bytes) -> bytes:
    """The picture as it stands in the guide."""
    picture = Image.open(BytesIO(png)).convert("RGB")
    if picture.width > _WIDEST:
        picture = picture.resize((_WIDEST, picture.height * _WIDEST // picture.width), Image.Resampling.LANCZOS)
    made = BytesIO()
    picture.quantize(_COLOURS, dither=Image.Dither.NONE).save(made, "PNG", optimize=True)
    return made.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the operators' guide.")
    parser.add_argument("--print", action="store_true", help="print the text, write nothing")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text, pictures = asyncio.run(write(Path(folder)))
    if options.print:
        print(text)
        return
    GUIDE.write_text(text)
    PICTURES.mkdir(exist_ok=True)
    for name, png in pictures.items():
        (PICTURES / f"{name}.png").write_bytes(small(png))


if __name__ == "__main__":
    main()
