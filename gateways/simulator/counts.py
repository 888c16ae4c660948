"""What a simulated account took: counts that cost little at a million messages."""

from array import array
from collections import Counter
from collections.abc import Sequence


class Accepted:
    """The messages of one account that were taken, whatever their sender heard of it."""

    __slots__ = ("at", "by_chat", "by_content")

    def __init__(self) -> None:
        self.at = array("d")  # monotonic seconds, one a call
        self.by_chat: Counter[int | str] = Counter()  # messages; an album counts each of its items
        self.by_content: Counter[int] = Counter()  # calls by hash of (chat, content)

    def add(self, at: float, chat_id: int | str, content: object, messages: int = 1) -> None:
        self.at.append(at)
        self.by_chat[chat_id] += messages
        self.by_content[hash((chat_id, content))] += 1

    def repeats(self) -> int:
        """How many calls brought a chat what it had already got."""
        return self.by_content.total() - len(self.by_content)

    def clear(self) -> None:
        del self.at[:]
        self.by_chat.clear()
        self.by_content.clear()


def most_in_window(moments: Sequence[float], window_s: float = 1.0) -> int:
    """The most moments that lie in any half-open window of that length."""
    most = begin = 0
    for end, moment in enumerate(moments):
        while moment - moments[begin] >= window_s:
            begin += 1
        most = max(most, end - begin + 1)
    return most


def rate_per_s(moments: Sequence[float]) -> float:
    """Calls a second between the first and the last one; 0.0 for fewer than two."""
    if len(moments) < 2 or moments[-1] <= moments[0]:
        return 0.0
    return (len(moments) - 1) / (moments[-1] - moments[0])
