"""A group, supergroup or channel in which a bot may be."""

import time
from enum import StrEnum
from typing import TYPE_CHECKING

from gateways.simulator.telegram.answers import Json, Refusal
from gateways.simulator.telegram.clients import SimulatedClient

if TYPE_CHECKING:
    from gateways.simulator.telegram.bots import SimulatedBot


class GroupState(StrEnum):
    MEMBER = "member"
    KICKED = "kicked"
    NOT_A_MEMBER = "not_a_member"
    DELETED = "deleted"
    UPGRADED = "upgraded"  # to the supergroup in `migrated_to`


class SimulatedGroup(SimulatedClient):
    """A chat with a negative id; it keeps messages as a client does."""

    __slots__ = ("group_state", "kind", "migrated_to", "title")

    def __init__(self, bot: "SimulatedBot", chat_id: int, title: str, state: GroupState) -> None:
        super().__init__(bot, chat_id, title)
        self.title = title
        self.group_state = state
        self.kind = "supergroup" if chat_id < -1_000_000_000_000 else "group"
        self.migrated_to: int | None = None

    def chat_json(self) -> Json:
        return {"id": self.user_id, "title": self.title, "type": self.kind, **self._given("username")}

    def migrate(self, chat_id: int) -> "SimulatedGroup":
        """Become a supergroup with another id; the old one answers with the new one."""
        self.group_state = GroupState.UPGRADED
        self.migrated_to = chat_id
        return self.bot.add_group(chat_id, self.title)

    # --- what its members do

    def hears(self, person: SimulatedClient, text: str) -> int:
        """A member's words; a bot in privacy mode gets only replies to its own and commands. The message's id."""
        raw: Json = {
            "message_id": self.take_id(),
            "from": person.user_json(),
            "chat": self.chat_json(),
            "date": int(time.time()),
            "text": text,
        }
        self.keep(raw, from_bot=False)
        self.bot.updates.put("message", raw, ("message", self.user_id))
        return int(raw["message_id"])

    def pressed_by(self, person: SimulatedClient, message_id: int, label: str) -> str:
        """A member's press of an inline button: the query's id."""
        stored = self.find_stored(message_id)
        if stored is None:
            raise LookupError(f"group {self.user_id} has no message {message_id}")
        button = stored.seen(self.bot.world.files.find).button(label)
        return self.bot.press(person, stored.raw, str(button.callback_data))

    # --- what the platform does

    def refusal(self) -> Refusal | None:
        match self.group_state:
            case GroupState.MEMBER:
                return None
            case GroupState.KICKED:
                return Refusal(403, f"bot was kicked from the {self.kind} chat")
            case GroupState.NOT_A_MEMBER:
                return Refusal(403, f"bot is not a member of the {self.kind} chat")
            case GroupState.DELETED:
                return Refusal(403, "the group chat was deleted")
            case GroupState.UPGRADED:
                words = "group chat was upgraded to a supergroup chat"
                return Refusal(400, words, {"migrate_to_chat_id": self.migrated_to})
