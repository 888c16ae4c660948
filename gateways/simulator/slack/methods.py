"""The methods of a simulated Web API; docs.slack.dev/reference/methods, November 2026."""

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gateways.simulator.slack.blocks import Invalid, check_blocks, check_view, read_list
from gateways.simulator.slack.delivery import SlackApp
from gateways.simulator.slack.world import TEAM, Channel, Json, SlackMessage, StoredFile, View, new_id, new_ts

if TYPE_CHECKING:
    from gateways.simulator.slack.server import SlackSimulator

MAX_POST, MAX_UPDATE = 40_000, 4_000  # characters of `text`
MAX_STACK = 3

# Calls a minute: tiers 1 to 4; docs.slack.dev/apis/web-api/rate-limits. Which tier the last ones have is unverified.
TIERS = {1: 5, 2: 20, 3: 50, 4: 100}
TIER_OF = {
    "apps.connections.open": 1,
    "auth.test": 4,
    "chat.update": 3,
    "chat.delete": 3,
    "chat.postEphemeral": 4,
    "conversations.open": 3,
    "files.completeUploadExternal": 4,
    "files.getUploadURLExternal": 4,
    "users.info": 4,
    "views.open": 4,
    "views.publish": 4,
    "views.push": 4,
    "views.update": 4,
}


class Failed(Exception):
    """`ok` is false, with this error."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.answer: Json = {"ok": False, "error": error, **more}


class Methods:
    def __init__(self, slack: "SlackSimulator") -> None:
        self._slack = slack
        self._by_name: Mapping[str, Callable[[SlackApp, Json], Json]] = {
            "auth.test": self._auth_test,
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "chat.delete": self._delete,
            "chat.postEphemeral": self._whisper,
            "conversations.open": self._open_chat,
            "users.info": self._user,
            "views.open": self._open_view,
            "views.push": self._push_view,
            "views.update": self._update_view,
            "views.publish": self._publish,
            "files.getUploadURLExternal": self._upload_url,
            "files.completeUploadExternal": self._complete,
        }

    def knows(self, name: str) -> bool:
        return name in self._by_name

    def call(self, app: SlackApp, name: str, values: Json) -> Json:
        """The answer; its `ok` may be false."""
        try:
            return {"ok": True, **self._by_name[name](app, values)}
        except Failed as error:
            return error.answer
        except Invalid as error:
            told = {"errors": [error.words], "response_metadata": {"messages": [f"[ERROR] {error.words}"]}}
            return {"ok": False, "error": error.code, **(told if error.words else {})}

    def _auth_test(self, app: SlackApp, _values: Json) -> Json:
        told = {"url": "https://acme.slack.com/", "team": "Acme", "user": "mailings", "team_id": TEAM}
        return {**told, "user_id": app.user, "bot_id": app.bot}

    # --- messages ---

    def _post(self, app: SlackApp, values: Json) -> Json:
        channel = self._channel(app, str(values.get("channel", "")))
        message = self._message(app, channel, values)
        self._slack.put(channel, message)
        return {"channel": channel.id, "ts": message.ts, "message": _told(app, message)}

    def _update(self, app: SlackApp, values: Json) -> Json:
        channel = self._slack.channels.get(str(values.get("channel", "")))
        if channel is None:
            raise Failed("channel_not_found")  # also for U…
        message = channel.find(str(values.get("ts", "")))
        if message is None:
            raise Failed("message_not_found")
        if message.user != app.user:
            raise Failed("cant_update_message")
        new = self._message(app, channel, values, MAX_UPDATE)
        if "text" in values or "blocks" in values:
            message.blocks = new.blocks  # text without blocks takes them away
        message.text = new.text
        message.edited += 1
        self._slack.changed()
        return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": _told(app, message)}

    def _delete(self, app: SlackApp, values: Json) -> Json:
        channel = self._channel(app, str(values.get("channel", "")))
        message = channel.find(str(values.get("ts", "")))
        if message is None:
            raise Failed("message_not_found")
        if message.user != app.user:
            raise Failed("cant_delete_message")
        channel.messages.remove(message)
        self._slack.changed()
        return {"channel": channel.id, "ts": message.ts}

    def _whisper(self, app: SlackApp, values: Json) -> Json:
        channel = self._channel(app, str(values.get("channel", "")))
        person = self._slack.people.get(str(values.get("user", "")))
        if person is None or person.id not in channel.members:
            raise Failed("user_not_in_channel")
        message = self._message(app, channel, values)
        message.for_user = person.id
        person.whispers.append(message)
        self._slack.changed()
        return {"message_ts": message.ts}

    def _message(self, app: SlackApp, channel: Channel, values: Json, most: int = MAX_POST) -> SlackMessage:
        blocks = read_list(values.get("blocks"))
        text = values.get("text") or ""
        if not isinstance(text, str) or (not text and not blocks):
            raise Failed("no_text")
        if len(text) > most and most == MAX_UPDATE:
            raise Failed("msg_too_long")
        check_blocks(blocks or [], shared=[file.id for file in self._slack.files.values() if file.channels])
        thread = str(values.get("thread_ts") or "")
        return SlackMessage(channel.id, new_ts(), app.user, text[:MAX_POST], blocks or [], thread_ts=thread)

    def _channel(self, app: SlackApp, name: str) -> Channel:
        """Where something can be posted; a person's id opens the bot's own chat."""
        if name.startswith(("U", "W")):
            return self._own_chat(app, name)
        channel = self._slack.channels.get(name)
        if channel is None:
            raise Failed("channel_not_found")
        if app.user not in channel.members:
            raise Failed("not_in_channel")
        if channel.archived:
            raise Failed("is_archived")
        return channel

    def _own_chat(self, app: SlackApp, user: str) -> Channel:
        person = self._slack.people.get(user)
        if person is None or user == app.user:
            raise Failed("channel_not_found")
        if person.disabled:
            raise Failed("user_disabled")
        return person.dm

    def _open_chat(self, app: SlackApp, values: Json) -> Json:
        user = str(values.get("users", ""))
        if user not in self._slack.people:
            raise Failed("user_not_found")
        return {"channel": {"id": self._own_chat(app, user).id}}

    def _user(self, app: SlackApp, values: Json) -> Json:
        person = self._slack.people.get(str(values.get("user", "")))
        if person is None:
            raise Failed("user_not_found")
        told = {"id": person.id, "name": person.name.lower(), "real_name": person.name, "tz": person.tz}
        return {"user": {**told, **({"locale": person.locale} if values.get("include_locale") else {})}}

    # --- windows ---

    def _open_view(self, app: SlackApp, values: Json) -> Json:
        user = self._spend(values)
        if self._slack.views_of(user):
            raise Failed("push_limit_reached")
        return self._add_view(user, values)

    def _push_view(self, app: SlackApp, values: Json) -> Json:
        user = self._spend(values)
        if len(self._slack.views_of(user)) >= MAX_STACK:
            raise Failed("push_limit_reached")
        return self._add_view(user, values)

    def _update_view(self, app: SlackApp, values: Json) -> Json:
        view = next(
            (one for stack in self._slack.views.values() for one in stack if one.id == values.get("view_id")), None
        )
        if view is None:
            raise Failed("not_found")
        if values.get("hash") not in (None, view.hash):
            raise Failed("hash_conflict")
        view.content = check_view(values.get("view"))
        view.hash = new_ts()
        self._slack.changed()
        return {"view": view.json()}

    def _publish(self, app: SlackApp, values: Json) -> Json:
        person = self._slack.people.get(str(values.get("user_id", "")))
        if person is None:
            raise Failed("invalid_arguments")
        person.home = check_view(values.get("view"))
        self._slack.changed()
        return {"view": person.home}

    def _spend(self, values: Json) -> str:
        """Whose trigger it is: each opens one window, within three seconds."""
        trigger = self._slack.triggers.get(str(values.get("trigger_id", "")))
        if trigger is None:
            raise Failed("invalid_trigger_id")
        if trigger.spent:
            raise Failed("exchanged_trigger_id")
        if time.monotonic() > trigger.until:
            raise Failed("expired_trigger_id")
        trigger.spent = True
        return trigger.user

    def _add_view(self, user: str, values: Json) -> Json:
        content = check_view(values.get("view"))
        stack = self._slack.views_of(user)
        view_id = new_id("V")
        previous = stack[-1].id if stack else None
        view = View(view_id, user, content, new_ts(), stack[0].id if stack else view_id, previous)
        stack.append(view)
        self._slack.changed()
        return {"view": view.json()}

    # --- files ---

    def _upload_url(self, app: SlackApp, values: Json) -> Json:
        try:
            length = int(values.get("length", 0))
        except (TypeError, ValueError):
            length = 0
        if length <= 0 or not values.get("filename"):
            raise Failed("missing_argument")
        file = StoredFile(new_id("F"), str(values["filename"]))
        self._slack.files[file.id] = file
        return {"upload_url": f"{self._slack.url}/upload/v1/{file.id}", "file_id": file.id}

    def _complete(self, app: SlackApp, values: Json) -> Json:
        listed = values.get("files")
        try:
            wanted = json.loads(listed) if isinstance(listed, str) else listed
            named = [(self._slack.files[one["id"]], str(one.get("title") or "")) for one in wanted or ()]
        except (ValueError, TypeError, LookupError):
            raise Failed("file_not_found") from None
        if not named:
            raise Failed("no_files")
        if any(file.complete or not file.content for file, _title in named):
            raise Failed("file_not_found" if any(not file.content for file, _title in named) else "internal_error")
        to = str(values.get("channel_id") or "")
        if to.startswith(("U", "W")):
            raise Failed("invalid_channel")
        channel = self._channel(app, to) if to else None
        for file, title in named:
            file.complete, file.title = True, title
            if channel is not None:
                file.channels.add(channel.id)
        if channel is not None:
            text = str(values.get("initial_comment") or "")
            shared = SlackMessage(channel.id, new_ts(), app.user, text, files=[file for file, _title in named])
            self._slack.later(lambda: self._slack.put(channel, shared))
        return {"files": [{"id": file.id, "title": file.title} for file, _title in named]}


def _told(app: SlackApp, message: SlackMessage) -> Json:
    told = {"type": "message", "user": app.user, "bot_id": app.bot, "text": message.text, "ts": message.ts}
    return {**told, **({"blocks": message.blocks} if message.blocks else {})}
