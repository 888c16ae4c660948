"""Who follows a link: a person, or a program that looks at it for one (platforms/tracking.md section 5).

What can be told from the request alone is told here; what only shows in hindsight, `storage.links` tells.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from storage.links import Visitor

SHIPPED = Path(__file__).parent / "preview_agents.txt"
OWN_LIST = "preview_agents.txt"  # in data_dir: what an operator adds
LOOK_EVERY_S = 5.0
_PREFETCH_HEADERS = ("sec-purpose", "purpose", "x-moz")


class Visitors:
    """Knows previewing programs by lists in files, and reads a list anew within 5 s of its change."""

    def __init__(self, files: Sequence[Path], *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._files = tuple(files)
        self._monotonic = monotonic
        self._look_again_at = float("-inf")
        self._seen: tuple[int, ...] = ()
        self._agents: tuple[str, ...] = ()

    def classify(self, headers: Mapping[str, str]) -> Visitor:
        """`headers` by lower-case names."""
        if self._is_preview(headers.get("user-agent", "")):
            return Visitor.PREVIEW
        if any("prefetch" in headers.get(name, "").lower() for name in _PREFETCH_HEADERS):
            return Visitor.PREFETCH
        return Visitor.HUMAN

    def _is_preview(self, agent: str) -> bool:
        return any(
            agent.startswith(known[1:]) if known.startswith("^") else known in agent for known in self._current()
        )

    def _current(self) -> Sequence[str]:
        now = self._monotonic()
        if now >= self._look_again_at:
            self._look_again_at = now + LOOK_EVERY_S
            changed = tuple(file.stat().st_mtime_ns if file.is_file() else 0 for file in self._files)
            if changed != self._seen:
                self._seen, self._agents = changed, tuple(_read(self._files))
        return self._agents


def _read(files: Sequence[Path]) -> Sequence[str]:
    lines = [line.strip() for file in files if file.is_file() for line in file.read_text("utf-8").splitlines()]
    return [line for line in lines if line and line != "^" and not line.startswith("#")]
