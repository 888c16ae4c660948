"""The operators' guide says what the bot says."""

import re
from difflib import unified_diff
from pathlib import Path

from tests.house.guide import GUIDE, PICTURES, write


async def test_the_guide_is_what_the_bot_says_and_has_its_pictures(tmp_path: Path) -> None:
    text, pictures = await write(tmp_path)
    written = GUIDE.read_text()
    changed = "\n".join(
        unified_diff(written.splitlines(), text.splitlines(), "docs/operators.md", "the bot", lineterm="")
    )
    assert not changed, f"Cards read otherwise now; look at it, then run: python -m tests.house.guide\n{changed}"
    assert set(re.findall(r"\(pictures/(.+?)\.png\)", written)) == set(pictures)
    missing = [name for name in pictures if not (PICTURES / f"{name}.png").is_file()]
    assert not missing, "python -m tests.house.guide draws the pictures"
