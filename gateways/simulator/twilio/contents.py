"""Content templates of the simulated account, and how Meta judges them."""

import re
from collections.abc import Iterator, Mapping

from aiohttp import web

from gateways.simulator.platform import Call, json_response
from gateways.simulator.twilio.dialect import Json, TwilioError, sid

HOST = "https://content.twilio.com"
_MOST = 1000
_PLACE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
# What each type must hold and may hold, as twilio.com/docs/content prints it; November 2026.
_TYPES: Mapping[str, tuple[set[str], set[str]]] = {
    "twilio/text": ({"body"}, set()),
    "twilio/media": ({"media"}, {"body"}),
    "twilio/quick-reply": ({"body", "actions"}, set()),
    "twilio/call-to-action": ({"body", "actions"}, set()),
    "whatsapp/card": ({"body"}, {"header_text", "footer", "media", "actions"}),
}


class Contents:
    """By sid; each has `approval`: {} until it is asked for."""

    def __init__(self) -> None:
        self.by_sid: dict[str, Json] = {}

    def add(self, name: str, types: Json, *, language: str = "en", status: str = "approved", **terms: object) -> str:
        """A content that Meta has judged already (status "": not asked). `variables`, `category`. Its sid."""
        content = self._create({"friendly_name": name, "language": language, "types": types, **terms})
        if status:
            self._ask(content, {"name": name, "category": terms.get("category", "MARKETING")}, status)
        return str(content["sid"])

    def status_of(self, content_sid: str | None) -> str:
        return str(self._approval(content_sid).get("status", "unsubmitted"))

    def category_of(self, content_sid: str | None) -> str:
        return str(self._approval(content_sid).get("category", ""))

    def judge(self, content_sid: str, status: str, reason: str = "") -> None:
        """approved, rejected, paused, disabled …"""
        self.by_sid[content_sid]["approval"] |= {"status": status, "rejection_reason": reason}

    def answer(self, call: Call, account_sid: str, rest: list[str]) -> web.Response:
        """`rest` is the path behind /v1. Raises TwilioError."""
        match call.method, rest:
            case "POST", ["Content"]:
                if not isinstance(call.json, dict) or not isinstance(call.json.get("types"), dict):
                    raise TwilioError(20001, words="Bad request: types are required")
                _require_types(call.json["types"])
                return json_response(_shown(self._create({**call.json, "account_sid": account_sid})), 201)
            case "GET", ["Content" | "ContentAndApprovals" as what]:
                return self._page(call, what, account_sid)
            case "GET", ["Content", content_sid]:
                return json_response(_shown(self._find(content_sid)))
            case "POST", ["Content", content_sid, "ApprovalRequests", "whatsapp"]:
                content = self._find(content_sid)
                self._require_judged(content, call.json or {})
                return json_response(self._ask(content, call.json or {}, "received"), 201)
            case "GET", ["Content", content_sid, "ApprovalRequests"]:
                return json_response({"sid": content_sid, "whatsapp": self._find(content_sid)["approval"]})
        raise TwilioError(20404, 404)

    def submitted(self, name: str) -> list[str]:
        """The sids of what was submitted under a name."""
        return [content_sid for content_sid, each in self.by_sid.items() if each["approval"].get("name") == name]

    def _require_judged(self, content: Json, wish: Mapping[str, object]) -> None:
        """Raises TwilioError for what Twilio does not hand to Meta."""
        if not re.fullmatch(r"[a-z0-9_]{1,512}", str(wish.get("name", ""))):
            raise TwilioError(20001, words="name: lower case letters, digits and underscores only")
        if wish.get("category") not in ("MARKETING", "UTILITY", "AUTHENTICATION"):
            raise TwilioError(20001, words="category: MARKETING, UTILITY or AUTHENTICATION")
        others = [self.by_sid[each] for each in self.submitted(str(wish["name"]))]
        if any(each["language"] == content["language"] for each in others):
            raise TwilioError(20001, words="a template of that name and language was submitted before")
        names = set(_PLACE.findall(" ".join(_texts(content["types"]))))
        if any(not content["variables"].get(name) for name in names):
            raise TwilioError(20001, words="variables: samples are required for every variable")

    def _create(self, given: Mapping[str, object]) -> Json:
        content: Json = {
            "sid": sid("HX"),
            "account_sid": given.get("account_sid"),
            "friendly_name": given.get("friendly_name", ""),
            "language": given.get("language", "en"),
            "variables": given.get("variables", {}),
            "types": given["types"],
            "approval": {},
        }
        self.by_sid[content["sid"]] = content
        return content

    def _ask(self, content: Json, wish: Mapping[str, object], status: str) -> Json:
        richest = next((name for name in content["types"] if name != "twilio/text"), "twilio/text")
        approval: Json = content["approval"]
        approval |= {
            "name": wish.get("name") or content["friendly_name"],
            "category": wish.get("category", "UTILITY"),
            "content_type": richest,
            "status": status,
            "rejection_reason": "",
            "allow_category_change": True,
        }
        return approval

    def _find(self, content_sid: str) -> Json:
        if content_sid not in self.by_sid:
            raise TwilioError(20404, 404)
        return self.by_sid[content_sid]

    def _approval(self, content_sid: str | None) -> Json:
        approval: Json = self.by_sid.get(content_sid or "", {}).get("approval", {})
        return approval

    def _page(self, call: Call, what: str, account_sid: str) -> web.Response:
        """Pages as meta.next_page_url says, on Twilio's own host."""
        size = min(int(call.query.get("PageSize", "50")), _MOST)
        number = int(call.query.get("Page", "0"))
        mine = [each for each in self.by_sid.values() if each["account_sid"] in (account_sid, None)]
        shown = [_shown(each) for each in mine[number * size : (number + 1) * size]]
        if what == "ContentAndApprovals":
            shown = [each | {"approval_requests": self.by_sid[each["sid"]]["approval"]} for each in shown]
        more = (number + 1) * size < len(mine)
        following = f"{HOST}/v1/{what}?PageSize={size}&Page={number + 1}" if more else None
        meta = {"page": number, "page_size": size, "next_page_url": following, "key": "contents"}
        return json_response({"contents": shown, "meta": meta})


def _shown(content: Json) -> Json:
    root = f"{HOST}/v1/Content/{content['sid']}"
    links = {"approval_create": f"{root}/ApprovalRequests/whatsapp", "approval_fetch": f"{root}/ApprovalRequests"}
    return {name: value for name, value in content.items() if name != "approval"} | {"url": root, "links": links}


def _require_types(types: Json) -> None:
    """Raises TwilioError for what no content may hold."""
    for name, given in types.items():
        must, may = _TYPES.get(name, (set(), set(given)))
        if must - set(given) or set(given) - must - may or (given.get("header_text") and given.get("media")):
            raise TwilioError(20001, words=f"Bad request: {name} is not as it should be")
        body = given.get("body", "")
        if len(body) > 1024 or re.search(r"^\s*\{\{|\}\}\s*$|\}\}\s*\{\{", body):
            raise TwilioError(20001, words="Bad request: the body is too long, or its variables stand where none may")
        kinds = [action["type"] for action in given.get("actions", ())]
        if len(kinds) > 10 or kinds.count("URL") > 2 or kinds.count("PHONE_NUMBER") > 1:
            raise TwilioError(20001, words="Bad request: too many actions")
        if any(len(action["title"]) > 25 for action in given.get("actions", ())):
            raise TwilioError(20001, words="Bad request: a title has 25 characters at most")


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(inner)
