"""The templates of simulated WhatsApp accounts: made, listed in pages, approved and paused."""

import re
import secrets
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from gateways.simulator.platform import Call, json_response
from gateways.simulator.whatsapp.submitted import SampleShelf, require_good

Json = dict[str, Any]

_PLACE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_NAMED = re.compile(r"\{\{\s*[a-z_]\w*\s*\}\}")
# What a template is after an event of that name, where it is not called the same.
_STATUS_AFTER = {"REINSTATED": "APPROVED", "UNARCHIVED": "APPROVED", "FLAGGED": "APPROVED"}


class TemplateBook:
    """Templates as message_templates lists them, by account; `held` on one makes its sends wait."""

    def __init__(self) -> None:
        self.samples = SampleShelf()
        self._by_account: dict[str, list[Json]] = {}

    def of(self, waba: str) -> list[Json]:
        return self._by_account.setdefault(waba, [])

    def add(
        self,
        waba: str,
        name: str,
        language: str = "en",
        *,
        body: str = "",
        status: str = "APPROVED",
        category: str = "MARKETING",
        components: Sequence[Json] = (),
        held: bool = False,
    ) -> Json:
        """`components` stand beside the body: HEADER, FOOTER, BUTTONS."""
        text = [{"type": "BODY", "text": body, **_examples_of(body)}] if body else []
        named = any(_NAMED.search(part.get("text", "")) for part in (*text, *components))
        template: Json = {
            "id": str(secrets.randbelow(9 * 10**15) + 10**15),
            "name": name,
            "language": language,
            "status": status,
            "category": category,
            "parameter_format": "NAMED" if named else "POSITIONAL",
            "rejected_reason": "NONE",
            "components": [*text, *components],
        }
        if held:
            template["held"] = True
        self.of(waba).append(template)
        return template

    def change(self, waba: str, name: str, event: str, reason: str = "NONE") -> list[Json]:
        """Every language of a template after an event; these templates."""
        found = [template for template in self.of(waba) if template["name"] == name]
        for template in found:
            template["status"] = _STATUS_AFTER.get(event, event)
            template["rejected_reason"] = reason
        return found

    def category_of(self, waba: str, sent: Any) -> str:
        """How a message is billed: by its template's category, else as service."""
        named = sent.get("template") if isinstance(sent, dict) else None
        name = named.get("name") if isinstance(named, dict) else None
        return next((str(each["category"]).lower() for each in self.of(waba) if each["name"] == name), "service")

    def answer(self, call: Call, waba: str) -> web.Response:
        """GET lists, POST makes one that waits for its approval."""
        if call.method == "POST":
            given = call.json
            require_good(given, self.of(waba), self.samples.handles)
            parts = [part for part in given["components"] if part["type"] != "BODY"]
            body = next((part["text"] for part in given["components"] if part["type"] == "BODY"), "")
            made = self.add(
                waba, given["name"], given["language"], body=body, status="PENDING", category=given["category"],
                components=parts,
            )  # fmt: skip
            return json_response({name: made[name] for name in ("id", "status", "category")})
        wanted = call.query.get("name")
        listed = [each for each in self.of(waba) if wanted is None or wanted in each["name"]]
        start, most = int(call.query.get("after") or 0), int(call.query.get("limit") or 25)
        end = start + most
        paging: Json = {"cursors": {"before": str(start), "after": str(end)}}
        if end < len(listed):
            paging["next"] = f"https://graph.facebook.com{call.path}?after={end}"
        fields = ["id", *call.query.get("fields", "name,language,status,category,components").split(",")]
        page = [{name: each[name] for name in fields if name in each} for each in listed[start:end]]
        answer = {"data": page, "paging": paging}
        if "summary" in call.query:
            count = len(self.of(waba))
            answer["summary"] = {
                "total_count": count,
                "message_template_count": count,
                "message_template_limit": 250,
                "are_translations_complete": True,
            }
        return json_response(answer)


def _examples_of(text: str) -> Json:
    """Samples, which Meta asks of everybody who makes a template."""
    names = list(dict.fromkeys(_PLACE.findall(text)))
    if not names:
        return {}
    if all(map(str.isdigit, names)):
        return {"example": {"body_text": [["sample"] * len(names)]}}
    return {"example": {"body_text_named_params": [{"param_name": name, "example": "sample"} for name in names]}}
