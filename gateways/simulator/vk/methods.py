"""Every method of the simulated VK beside sending: answers as the official schema has them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateways.simulator.phones import SimClient
from gateways.simulator.platform import SimAccount
from gateways.simulator.vk.checks import read_object
from gateways.simulator.vk.community import Community, Document, Photo, Server, VkError, bad
from gateways.simulator.vk.events import Events
from gateways.simulator.vk.sending import CHAT_PEERS, REFUSALS

Json = dict[str, Any]
Values = Mapping[str, str]

MAX_SERVERS, MAX_TITLE, MAX_SECRET = 10, 14, 50
RIGHTS = {"messages": 4096, "photos": 4, "docs": 131072, "manage": 262144}


@dataclass(frozen=True, slots=True)
class Methods:
    """`url` is where this VK listens; `state_of` and `client` look a client up."""

    url: str
    account: SimAccount
    community: Community
    events: Events
    state_of: Callable[[str], str]
    client: Callable[[str], SimClient]

    @property
    def table(self) -> Mapping[str, Callable[[Values], Any]]:
        return {
            "messages.sendMessageEventAnswer": self._answer_press,
            "messages.getConversationsById": self._conversations,
            "messages.isMessagesFromGroupAllowed": self._is_allowed,
            "messages.getHistory": self._history,
            "messages.setActivity": lambda _: 1,
            "photos.getMessagesUploadServer": self._photo_server,
            "photos.saveMessagesPhoto": self._save_photo,
            "docs.getMessagesUploadServer": self._document_server,
            "docs.save": self._save_document,
            "groups.getById": self._group,
            "groups.getTokenPermissions": self._rights,
            "groups.getCallbackConfirmationCode": lambda _: {"code": self.community.code},
            "groups.getCallbackServers": self._servers,
            "groups.addCallbackServer": self._add_server,
            "groups.editCallbackServer": self._edit_server,
            "groups.deleteCallbackServer": self._delete_server,
            "groups.setCallbackSettings": self._set_server,
            "groups.setLongPollSettings": self._set_long_poll,
            "groups.getLongPollServer": self._long_poll_server,
            "users.get": self._users,
        }

    # --- messages

    def _answer_press(self, values: Values) -> int:
        user = _need(values, "user_id")
        data = read_object(values["event_data"], "event_data") if values.get("event_data") else {}
        if not self.community.take_press(_need(values, "event_id"), user, time.time()):
            raise bad("event_id is invalid")
        if data.get("type") == "show_snackbar":
            self.client(user).note(str(data.get("text", "")))
        return 1

    def _conversations(self, values: Values) -> Json:
        peers = _need(values, "peer_ids").split(",")
        if len(peers) > 100:
            raise bad("peer_ids has too many elements")
        items = [self._conversation(peer) for peer in peers if peer in self.community.dialogs]
        return {"count": len(items), "items": items}

    def _conversation(self, peer: str) -> Json:
        dialog = self.community.dialogs[peer]
        refusal = REFUSALS.get(self.state_of(peer))
        can_write: Json = {"allowed": True} if refusal is None else {"allowed": False, "reason": refusal}
        return {
            "peer": {"id": int(peer), "type": "user", "local_id": int(peer)}, "in_read": dialog.in_read,
            "out_read": dialog.out_read, "last_message_id": dialog.last_message_id,
            "last_conversation_message_id": dialog.conversation_message_id, "can_write": can_write,
        }  # fmt: skip

    def _is_allowed(self, values: Values) -> Json:
        self._own_group(values)
        return {"is_allowed": int(REFUSALS.get(self.state_of(_need(values, "user_id"))) is None)}

    def _history(self, values: Values) -> Json:
        dialog = self.community.dialogs.get(_need(values, "peer_id"))
        count = int(values.get("count", "20"))
        sent = list(dialog.sent)[-count:] if dialog else []
        items = [{"id": number, "date": int(at), "out": 1, "random_id": given} for given, at, number in reversed(sent)]
        return {"count": len(items), "items": items}

    # --- files

    def _photo_server(self, values: Values) -> Json:
        token = self.community.keep_upload({"owner": values.get("peer_id") or f"-{self.community.group_id}"})
        url = f"{self.url}/upload/photo?act=do_add&group={self.community.group_id}&token={token}"
        return {"album_id": -64, "upload_url": url, "user_id": 0, "group_id": self.community.group_id}

    def _save_photo(self, values: Values) -> list[Json]:
        kept = self.community.uploads.pop(values.get("hash", ""), {})
        if "photo" not in kept or kept["photo"] != values.get("photo") or str(kept["server"]) != values.get("server"):
            raise VkError(121)
        number = 900100 + len(self.community.photos)
        photo = Photo(int(kept["owner"]), number, f"a{number:x}", kept["content"])
        self.community.photos[photo.name] = photo
        sizes = [{"type": "x", "width": 604, "height": 402, "url": f"{self.url}/p.jpg"}]
        return [{
            "id": number, "owner_id": photo.owner_id, "album_id": -64, "access_key": photo.key,
            "date": int(time.time()), "sizes": sizes,
        }]  # fmt: skip

    def _document_server(self, values: Values) -> Json:
        peer = _need(values, "peer_id")
        if values.get("type", "doc") not in ("doc", "audio_message"):
            raise bad("type is invalid")
        if (code := REFUSALS.get(self.state_of(peer))) is not None and int(peer) < CHAT_PEERS:
            raise VkError(code)
        token = self.community.keep_upload({"owner": peer})
        return {"upload_url": f"{self.url}/upload/doc?group={self.community.group_id}&token={token}"}

    def _save_document(self, values: Values) -> Json:
        kept = self.community.uploads.pop(_need(values, "file"), {})
        if "title" not in kept:
            raise VkError(105)
        number = 700100 + len(self.community.documents)
        title = values.get("title") or kept["title"]
        document = Document(int(kept["owner"]), number, f"d{number:x}", kept["content"], title)
        self.community.documents[document.name] = document
        doc = {
            "id": number, "owner_id": document.owner_id, "title": title, "size": len(document.content),
            "ext": title.rpartition(".")[2], "access_key": document.key, "url": f"{self.url}/doc{document.name}",
        }  # fmt: skip
        return {"type": "doc", "doc": doc}

    # --- the community

    def _group(self, values: Values) -> Json:
        known = self.community
        return {"groups": [{
            "id": known.group_id, "name": known.name, "screen_name": f"club{known.group_id}", "is_closed": 0,
            "type": "page",
        }], "profiles": []}  # fmt: skip

    def _rights(self, values: Values) -> Json:
        names = self.account.details.get("rights", list(RIGHTS))
        permissions = [{"name": name, "setting": RIGHTS[name]} for name in names]
        return {"mask": sum(RIGHTS[name] for name in names), "permissions": permissions}

    def _servers(self, values: Values) -> Json:
        self._own_group(values)
        items = [server.described for server in self.community.servers.values()]
        return {"count": len(items), "items": items}

    def _add_server(self, values: Values) -> Json:
        self._own_group(values)
        if len(self.community.servers) >= MAX_SERVERS:
            raise VkError(2000)
        number = max(self.community.servers, default=0) + 1
        server = Server(number, *_terms(values))
        self.community.servers[number] = server
        self.events.confirm(server, self.account, self.community)
        return {"server_id": number}

    def _edit_server(self, values: Values) -> int:
        server = self._server(values)
        server.url, server.title, server.secret = _terms(values)
        self.events.confirm(server, self.account, self.community)
        return 1

    def _delete_server(self, values: Values) -> int:
        del self.community.servers[self._server(values).id]
        return 1

    def _set_server(self, values: Values) -> int:
        self._server(values).settings |= dict(values)
        return 1

    def _server(self, values: Values) -> Server:
        self._own_group(values)
        number = values.get("server_id", "")
        server = self.community.servers.get(int(number)) if number.isdecimal() else None
        if server is None:
            raise bad("server_id is invalid")
        return server

    def _set_long_poll(self, values: Values) -> int:
        self._own_group(values)
        self.community.polled = values.get("enabled", "1") == "1"
        self.community.poll_settings |= dict(values)
        return 1

    def _long_poll_server(self, values: Values) -> Json:
        self._own_group(values)
        if not self.community.polled:
            raise bad("longpoll for this group is not enabled")
        known = self.community
        return {"key": known.poll_key, "server": f"{self.url}/lp/{known.group_id}", "ts": str(known.ts)}

    def _users(self, values: Values) -> list[Json]:
        users = [(user, self.client(user)) for user in values.get("user_ids", "").split(",") if self.state_of(user)]
        return [{"id": int(user), "first_name": client.name, "last_name": ""} for user, client in users]

    def _own_group(self, values: Values) -> None:
        if _need(values, "group_id") != str(self.community.group_id):
            raise VkError(15, "no access to this group")


def _need(values: Values, name: str) -> str:
    if not values.get(name):
        raise bad(f"{name} is undefined")
    return values[name]


def _terms(values: Values) -> tuple[str, str, str]:
    url, title, secret = _need(values, "url"), _need(values, "title"), values.get("secret_key", "")
    if len(title) > MAX_TITLE or len(secret) > MAX_SECRET:
        raise bad("title is too long")
    return url, title, secret
