"""A person of the team at the admin bot: says, presses, and waits for what the chat shows."""

from gateways.simulator.telegram.clients import SimulatedClient
from gateways.simulator.telegram.ledger import RecordedCall
from gateways.simulator.telegram.messages import Message
from tests.flows.carillon import ADMIN_TOKEN, Carillon

ADMIN_BOT = f"""
[[bots]]
kind = "telegram"
token = "{ADMIN_TOKEN}"
api_base = "{{api_base}}"
"""
OLHA, MAX, STRANGER = 1001, 1002, 1003  # owner, manager, nobody of ours
SOON_S = 60.0


class AtTheBot:
    def __init__(self, running: Carillon, user_id: int, first_name: str) -> None:
        self._running = running
        self.client: SimulatedClient = running.simulator.add_client(
            running.simulator.bot(ADMIN_TOKEN), user_id, first_name
        )

    async def say(self, words: str, then: str) -> Message:
        self.client.says(words)
        return await self.sees(then)

    async def press(self, label: str, then: str) -> Message:
        """Press the newest button whose label holds the words, and wait for the answer."""
        message = next(one for one in reversed(self.client.messages) if _find(one, label))
        query = self.client.presses(message.message_id, _find(message, label))
        bot = self._running.simulator.bot(ADMIN_TOKEN)
        await self.client.wait_for(lambda _: bot.answer_to(query) is not None or self._shows(then), SOON_S)
        return await self.sees(then)

    async def sees(self, words: str, timeout_s: float = SOON_S) -> Message:
        """The newest message that holds the words, as soon as there is one."""
        return (await self.client.receives(1, words, timeout_s))[-1]

    def _shows(self, words: str) -> bool:
        return any(words in message.text for message in self.client.messages)

    def edits_of(self, message: Message, since: float = 0.0) -> list[RecordedCall]:
        """Edits of one message, in order, from a moment on (monotonic)."""
        calls = self._running.simulator.requests(ADMIN_TOKEN, "editMessageText")
        return [
            call
            for call in calls
            if call.parameters["message_id"] == message.message_id
            and call.parameters["chat_id"] == self.client.user_id
            and call.arrived_at >= since
        ]


def _find(message: Message, label: str) -> str:
    """The whole label of the message's button that holds the words; "" where there is none."""
    return next((button.label for row in message.keyboard for button in row if label in button.label), "")
