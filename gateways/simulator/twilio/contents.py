"""Content templates of the simulated account, and how Meta judges them."""

from collections.abc import Mapping

from aiohttp import web

from gateways.simulator.platform import Call, json_response
from gateways.simulator.twilio.dialect import Json, TwilioError, sid

HOST = "https://content.twilio.com"
_MOST = 1000


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
                return json_response(_shown(self._create({**call.json, "account_sid": account_sid})), 201)
            case "GET", ["Content" | "ContentAndApprovals" as what]:
                return self._page(call, what, account_sid)
            case "GET", ["Content", content_sid]:
                return json_response(_shown(self._find(content_sid)))
            case "POST", ["Content", content_sid, "ApprovalRequests", "whatsapp"]:
                return json_response(self._ask(self._find(content_sid), call.json or {}, "received"), 201)
            case "GET", ["Content", content_sid, "ApprovalRequests"]:
                return json_response({"sid": content_sid, "whatsapp": self._find(content_sid)["approval"]})
        raise TwilioError(20404, 404)

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
