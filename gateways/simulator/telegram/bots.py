"""One bot account: its clients, what it may still hear, what was accepted from it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any

from gateways.simulator.counts import Accepted
from gateways.simulator.telegram.answers import Json, Refusal, bad
from gateways.simulator.telegram.clients import ClientState, SimulatedClient
from gateways.simulator.telegram.forms import Upload
from gateways.simulator.telegram.groups import GroupState, SimulatedGroup
from gateways.simulator.telegram.messages import MEDIA_KINDS
from gateways.simulator.telegram.pressure import Pressure
from gateways.simulator.telegram.updates import UpdateQueue

if TYPE_CHECKING:
    from gateways.simulator.telegram.webhook import Webhook
    from gateways.simulator.telegram.world import World

Everyone = ClientState | Callable[[int], ClientState]
_query_numbers = count(880_012_345_678_900_001)


@dataclass(frozen=True, slots=True)
class Answer:
    """How a bot answered a press."""

    query_id: str
    text: str
    alert: bool
    url: str | None


@dataclass(slots=True)
class Query:
    query_id: str
    client: SimulatedClient
    data: str
    born_at: float
    answer: Answer | None = None


@dataclass
class Profile:
    """What the bot's owner sees in its profile, as the set... methods left it."""

    commands: dict[str, list[Json]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    menu_button: Json = field(default_factory=lambda: {"type": "commands"})


class SimulatedBot:
    def __init__(
        self,
        world: "World",
        token: str,
        username: str,
        first_name: str,
        *,
        is_admin: bool = False,
        keeps_messages: bool | None = None,
    ) -> None:
        if not token.partition(":")[0].isdigit():
            raise ValueError(f"a bot token is digits:text, this is {token!r}")
        self.world = world
        self.token = token
        self.bot_id = int(token.partition(":")[0])
        self.username = username
        self.first_name = first_name
        self.is_admin = is_admin  # for the page with the phones: operators talk to this one
        self.keeps_messages = keeps_messages  # None: as the world does
        self.updates = UpdateQueue()
        self.pressure = Pressure()
        self.accepted = Accepted()
        self.profile = Profile()
        self.webhook: Webhook | None = None
        self.everyone: Everyone = ClientState.UNKNOWN  # the state of whoever was not added
        self.clients: dict[int, SimulatedClient] = {}
        self.groups: dict[int, SimulatedGroup] = {}
        self.queries: dict[str, Query] = {}
        self.short_json: Json = {"id": self.bot_id, "is_bot": True, "first_name": first_name, "username": username}
        self.accepted_calls = 0
        self.webhook_set_at = -1.0
        self._ranges: list[tuple[range, ClientState]] = []
        self._revoked_from: int | None = None
        self._chat_instances = Random(self.bot_id)

    @property
    def keeps(self) -> bool:
        return self.world.keeps_messages if self.keeps_messages is None else self.keeps_messages

    # --- its token

    def revoke(self, *, after_messages: int = 0) -> None:
        """401 to every call from now on, or once that many more messages are accepted."""
        self._revoked_from = self.accepted_calls + after_messages

    def restore(self) -> None:
        self._revoked_from = None

    @property
    def revoked(self) -> bool:
        return self._revoked_from is not None and self.accepted_calls >= self._revoked_from

    # --- its clients

    def add_client(
        self,
        user_id: int,
        first_name: str,
        *,
        last_name: str | None = None,
        username: str | None = None,
        language_code: str | None = None,
        state: ClientState = ClientState.ACTIVE,
    ) -> SimulatedClient:
        client = SimulatedClient(self, user_id, first_name, last_name, username, language_code, state)
        self.clients[user_id] = client
        return client

    def add_range(self, users: range, state: ClientState = ClientState.ACTIVE) -> None:
        """Many clients at no cost: each is made when first spoken to. Later ranges win."""
        self._ranges.insert(0, (users, state))

    def add_group(self, chat_id: int, title: str, *, state: GroupState = GroupState.MEMBER) -> SimulatedGroup:
        group = self.groups[chat_id] = SimulatedGroup(self, chat_id, title, state)
        return group

    def client(self, user_id: int) -> SimulatedClient:
        """The client of this id, made now where it was only counted among a range or `everyone`."""
        known = self.clients.get(user_id)
        if known is None:
            known = self.clients[user_id] = SimulatedClient(
                self, user_id, f"Client {user_id}", state=self._default_state(user_id)
            )
        return known

    def _default_state(self, user_id: int) -> ClientState:
        for users, state in self._ranges:
            if user_id in users:
                return state
        return self.everyone if isinstance(self.everyone, ClientState) else self.everyone(user_id)

    def find_chat(self, chat_id: Any) -> "SimulatedClient | SimulatedGroup | None":
        """The chat that a call names: an id, or the @username of a group. A client nobody knows is not remembered."""
        try:
            number = int(chat_id)
        except (TypeError, ValueError):
            return next((each for each in self.groups.values() if f"@{each.username}" == chat_id), None)
        if number < 0:
            return self.groups.get(number)
        client = self.clients.get(number)
        if client is None and number and self._default_state(number) is not ClientState.UNKNOWN:
            client = self.client(number)
        return client

    def get_chat(self, chat_id: Any) -> "SimulatedClient | SimulatedGroup":
        """Raises the Refusal with which Telegram answers for a chat that can't be written to."""
        if chat_id is None or chat_id == "":
            raise bad("chat_id is empty")
        chat = self.find_chat(chat_id)
        if chat is None:
            raise bad("chat not found")
        if (refusal := chat.refusal()) is not None:
            raise refusal
        return chat

    # --- what it hears

    def press(self, client: SimulatedClient, message: Json, data: str) -> str:
        query_id = str(next(_query_numbers))
        self.queries[query_id] = Query(query_id, client, data, time.monotonic())
        body = {
            "id": query_id,
            "from": client.user_json(),
            "message": message,
            "chat_instance": str(-5_120_077_120_077_120 - client.user_id),
            "data": data,
        }
        self.updates.put("callback_query", body, ("callback_query", client.user_id))
        return query_id

    def answer_to(self, query_id: str | None) -> Answer | None:
        """How a press was answered; None while it is not."""
        query = self.queries.get(query_id or "")
        return None if query is None else query.answer

    def answer_query(self, answer: Answer) -> Query:
        """Take an answer, once and while the press is fresh. Raises Refusal."""
        query = self.queries.get(answer.query_id)
        stale_at = time.monotonic() - self.world.query_fresh_s
        if query is None or query.answer is not None or query.born_at < stale_at:
            raise bad("query is too old and response timeout expired or query ID is invalid")
        query.answer = answer
        return query

    def media_json(self, kind: str, content: bytes, file_name: str, mime_type: str) -> Json:
        """A file that a client sent, as it stands in the update."""
        file = self.world.files.receive(self.bot_id, kind, Upload(file_name, mime_type, content))
        if kind == "photo":
            return {"photo": self.world.files.sizes(file)}
        if kind == "animation":
            return {"animation": file.as_json(), "document": file.as_json()}  # Telegram sends both
        return {kind: file.as_json()}

    def adopted(self, body: Json) -> Json:
        """A message's content with file ids of this bot, where the files came from another bot's chat."""
        adopted = dict(body)
        for kind in MEDIA_KINDS:
            if kind not in body or (kind == "document" and "animation" in body):
                continue
            item = body[kind][-1] if kind == "photo" else body[kind]
            file = self.world.files.find(item["file_id"])
            if file is not None and file.bot_id != self.bot_id:
                adopted |= self.media_json(kind, file.content or b"", file.file_name or kind, file.mime_type)
        return adopted

    # --- what it did

    def me_json(self) -> Json:
        return {
            **self.short_json,
            "can_join_groups": True,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
        }

    def accept(self, chat_id: int, content: object, messages: int = 1) -> None:
        self.accepted_calls += 1
        self.accepted.add(time.monotonic(), chat_id, content, messages)

    def require_token(self) -> None:
        if self.revoked:
            raise Refusal(401)
