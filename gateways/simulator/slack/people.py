"""People of a simulated workspace: what they see of the bot, and what they do."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateways.simulator.slack.delivery import Ack, SlackApp
from gateways.simulator.slack.world import TEAM, Channel, Json, SlackMessage, StoredFile, View, new_id, new_ts

if TYPE_CHECKING:
    from gateways.simulator.slack.server import SlackSimulator


@dataclass(eq=False)
class SlackPerson:
    """Everything that a person does returns what the app acknowledged it with."""

    slack: "SlackSimulator"
    app: SlackApp
    id: str
    name: str
    dm: Channel
    tz: str = "Europe/Kyiv"
    locale: str = "en-GB"
    disabled: bool = False
    whispers: list[SlackMessage] = field(default_factory=list)  # what only this person was shown
    home: Json | None = None

    # --- what the person sees

    @property
    def messages(self) -> list[SlackMessage]:
        """The bot's, in its chat with the person."""
        return [one for one in self.dm.messages if one.user == self.app.user]

    @property
    def window(self) -> View | None:
        """The one on top."""
        stack = self.slack.views_of(self.id)
        return stack[-1] if stack else None

    async def receives(
        self, containing: str = "", number: int = 1, where: str = "", timeout_s: float = 5.0
    ) -> list[SlackMessage]:
        """Until at least so many messages of the bot's stand there that contain the words; these messages."""

        def fitting() -> list[SlackMessage]:
            messages = self.slack.channels[where].messages if where else self.dm.messages
            return [one for one in messages if one.user == self.app.user and containing in one.shown]

        try:
            await self.slack.until(lambda: len(fitting()) >= number, timeout_s)
        except TimeoutError:
            seen = [one.shown for one in self.dm.messages]
            raise TimeoutError(f"{self.name} waited for {containing!r}, saw {seen}") from None
        return fitting()

    async def is_whispered(self, containing: str = "", timeout_s: float = 5.0) -> SlackMessage:
        """Until a message for this person alone contains the words."""

        def found() -> list[SlackMessage]:
            return [one for one in self.whispers if containing in one.shown]

        await self.slack.until(found, timeout_s)
        return found()[-1]

    async def sees_window(self, timeout_s: float = 5.0) -> View:
        await self.slack.until(lambda: self.window, timeout_s)
        assert self.window is not None  # noqa: S101
        return self.window

    # --- what the person does

    async def commands(self, words: str = "", where: str = "", name: str = "/carillon") -> Ack:
        """A slash command; in the bot's own chat, where no other place is named."""
        trigger = self.slack.new_trigger(self.id)
        place = where or self.dm.id
        payload = {
            "command": name,
            "text": words,
            "user_id": self.id,
            "user_name": self.name.lower(),
            "team_id": TEAM,
            "team_domain": "acme",
            "channel_id": place,
            "channel_name": "directmessage" if place.startswith("D") else "ops",
            "response_url": self.slack.new_response_url(self.id, place),
            "trigger_id": trigger,
            "api_app_id": self.app.id,
            "is_enterprise_install": "false",
            "token": "deprecated",
        }
        ack = await self.slack.delivery.once(self.app, "slash_commands", payload)
        if isinstance(ack.body, dict) and ack.body.get("text"):
            self._whispered(place, ack.body)
        return ack

    async def says(
        self, text: str = "", *, blocks: Sequence[Json] = (), files: Sequence[StoredFile] = (), **more: Any
    ) -> Ack:
        """A message in the bot's own chat, formatted as `blocks` of rich_text say, or plain."""
        event = self._event("message", self.dm, text, blocks, files)
        return await self._bring({**event, "channel_type": "im", **more})

    async def mentions(self, where: str, text: str) -> Ack:
        """A message in a channel that names the bot."""
        channel = self.slack.channels[where]
        runs = [{"type": "user", "user_id": self.app.user}, {"type": "text", "text": f" {text}"}]
        blocks = [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": runs}]}]
        return await self._bring(self._event("app_mention", channel, f"<@{self.app.user}> {text}", blocks, ()))

    async def repeats(self, event: Json) -> Ack:
        """The same event once more, as Slack repeats one."""
        return await self.slack.delivery.event(self.app, event)

    async def presses(self, message: SlackMessage, label: str) -> Ack:
        button = message.button(label)
        is_whisper = bool(message.for_user)
        payload = {
            **self._acting("block_actions"),
            "trigger_id": self.slack.new_trigger(self.id),
            "response_url": self.slack.new_response_url(self.id, message.channel, message),
            "container": {
                "type": "message",
                "message_ts": message.ts,
                "channel_id": message.channel,
                "is_ephemeral": is_whisper,
            },
            "channel": {"id": message.channel, "name": "directmessage"},
            "state": {"values": {}},
            "actions": [{**button, "block_id": "b", "action_ts": new_ts()}],
        }
        if not is_whisper:
            payload["message"] = {"ts": message.ts, "text": message.text, "blocks": message.blocks}
        return await self.slack.delivery.once(self.app, "interactive", payload)

    async def submits(self, words: str = "", *, rich: Json | None = None) -> Ack:
        """Fill in every input of the window on top, and send it."""
        view = self.window
        assert view is not None, f"{self.name} has no window open"  # noqa: S101
        state = {}
        for block in view.content["blocks"]:
            if block["type"] == "input":
                kind, name = block["element"]["type"], block["element"]["action_id"]
                state[block["block_id"]] = {name: _filled(kind, words, rich)}
        payload = {**self._acting("view_submission"), "view": view.json(state), "response_urls": []}
        ack = await self.slack.delivery.once(self.app, "interactive", payload)
        if not ack.failed:
            self._answered(view, ack.body if isinstance(ack.body, dict) else {})
        return ack

    async def uses_shortcut(self, callback_id: str = "carillon", message: SlackMessage | None = None) -> Ack:
        """A global one, or one on a message."""
        kind = "shortcut" if message is None else "message_action"
        payload = {
            **self._acting(kind),
            "callback_id": callback_id,
            "trigger_id": self.slack.new_trigger(self.id),
            "action_ts": new_ts(),
        }
        if message is not None:
            files = [self.slack.file_json(file) for file in message.files]
            told = {"type": "message", "user": message.user, "ts": message.ts, "text": message.text, "files": files}
            payload |= {"message": {**told, "blocks": message.blocks}, "channel": {"id": message.channel}}
        return await self.slack.delivery.once(self.app, "interactive", payload)

    # --- within

    def _acting(self, kind: str) -> Json:
        user = {"id": self.id, "username": self.name.lower(), "team_id": TEAM}
        return {"type": kind, "team": {"id": TEAM, "domain": "acme"}, "user": user, "api_app_id": self.app.id}

    def _event(
        self, kind: str, channel: Channel, text: str, blocks: Sequence[Json], files: Sequence[StoredFile]
    ) -> Json:
        message = SlackMessage(channel.id, new_ts(), self.id, text, list(blocks), list(files))
        for file in files:
            file.channels.add(channel.id)
        self.slack.put(channel, message)
        if not blocks and text:
            runs = [{"type": "text", "text": text}]
            blocks = [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": runs}]}]
        told: Json = {"type": kind, "channel": channel.id, "user": self.id, "text": _escaped(text), "ts": message.ts}
        told |= {"client_msg_id": new_id("m"), "team": TEAM, "event_ts": message.ts, "blocks": list(blocks)}
        if files:
            told |= {"subtype": "file_share", "files": [self.slack.file_json(file) for file in files]}
        return told

    async def _bring(self, event: Json) -> Ack:
        return await self.slack.delivery.event(self.app, self.slack.event_of(self.app, event))

    def _answered(self, view: View, answer: Json) -> None:
        """What became of a window that was sent."""
        stack = self.slack.views_of(self.id)
        match answer.get("response_action"):
            case None:
                stack.remove(view)
            case "clear":
                stack.clear()
            case "errors":
                view.errors = dict(answer["errors"])
            case "update":
                view.content, view.hash = answer["view"], new_ts()
            case "push":
                stack.append(View(new_id("V"), self.id, answer["view"], new_ts(), view.root, view.id))
        self.slack.changed()

    def _whispered(self, place: str, body: Json) -> None:
        message = SlackMessage(place, new_ts(), self.app.user, body["text"], body.get("blocks") or [])
        message.for_user = self.id
        self.whispers.append(message)
        self.slack.changed()


def _filled(kind: str, words: str, rich: Json | None) -> Json:
    if kind != "rich_text_input":
        return {"type": kind, "value": words or None}
    runs = [{"type": "text", "text": words}] if words else []
    plain = {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": runs}]}
    return {"type": kind, "rich_text_value": rich or plain}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def now_s() -> int:
    return int(time.time())


def as_json(values: Json) -> str:
    return json.dumps(values, ensure_ascii=False)
