"""Content templates of an account: what Twilio tells of them, and the values that one is sent with.

All placeholders of a content, wherever they stand (body, file, link), share one set of names, so a message gives them
all in `parameters`. twilio.com/docs/content, read November 2026."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from gateways.base import MessageRejected, Rejected, Submitted, Template, _
from gateways.templates import UnreadableTemplate, find_template, read_template
from gateways.twilio.api import Host, TwilioApi
from gateways.twilio.submitting import is_same

KEPT_S = 600.0  # before the list is read anew
MISSED_S = 30.0  # the same, where a template is not in it
PAGE_SIZE = 100

_NAME = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_STATUSES = {"received": "pending"}
_BUTTONS = {"QUICK_REPLY": "reply", "URL": "url", "PHONE_NUMBER": "phone", "COPY_CODE": "code", "VOICE_CALL": "call"}
_BROKEN_LINE = re.compile(r"[\r\n\t\v\f\x85\u2028\u2029]+| {5,}")


class Contents:
    """The account's templates, read when they are first needed and kept for a while."""

    def __init__(self, api: TwilioApi, monotonic: Callable[[], float]) -> None:
        self._api = api
        self._monotonic = monotonic
        self._reading = asyncio.Lock()
        self._known: Sequence[Template] = ()
        self._read_at = -KEPT_S

    async def read(self) -> Sequence[Template]:
        """All of them, from Twilio. Raises GatewayError."""
        found = [template_of(each) for each in await self._list()]
        self._known, self._read_at = found, self._monotonic()
        return found

    async def _list(self) -> list[Mapping[str, Any]]:
        query = (("PageSize", str(PAGE_SIZE)),)
        found: list[Mapping[str, Any]] = []
        async for page in self._api.pages(Host.CONTENT, "/v1/ContentAndApprovals", query):
            contents = page.get("contents")
            found += [each for each in contents if isinstance(each, Mapping)] if contents else []
        return found

    async def submit(self, content: Mapping[str, Any], category: str) -> Submitted:
        """Make a content, unless an earlier try has made just this one, and ask for its approval. Raises Rejected where
        one of that name and language was submitted before, GatewayError."""
        sid = ""
        for each in await self._list():
            known = template_of(each)
            if (known.name, known.language) != (content["friendly_name"], content["language"]):
                continue
            if known.status != "unsubmitted":
                raise Rejected(_("there is a template of that name in that language already"), reason="template")
            sid = known.external_id if is_same(each, dict(content)) else sid
        if not sid:
            made = await self._api.set(Host.CONTENT, "/v1/Content", content)
            sid = str(made.get("sid") or "")
        if not sid.isalnum():
            raise Rejected(_("Twilio made a template and named no sid for it"))
        wish = {"name": content["friendly_name"], "category": category.upper()}
        asked = await self._api.set(Host.CONTENT, f"/v1/Content/{sid}/ApprovalRequests/whatsapp", wish)
        self._read_at = -KEPT_S
        status = str(asked.get("status") or "received").lower()
        return Submitted(sid, _STATUSES.get(status, status), str(asked.get("category") or category).lower())

    async def find(self, field: Mapping[str, Any]) -> Template:
        """The template that a message names. Raises MessageRejected where there is none, GatewayError."""
        for kept_s in (KEPT_S, MISSED_S):
            async with self._reading:
                if self._monotonic() - self._read_at >= kept_s:
                    await self.read()
            if (found := find_template(self._known, field)) is not None:
                return found
        raise MessageRejected("the account has no such Content template", reason="template")


def template_of(content: Mapping[str, Any]) -> Template:
    """One entry of ContentAndApprovals."""
    approval = _table(content.get("approval_requests"))
    approval = _table(approval.get("whatsapp")) or approval
    types = _table(content.get("types"))
    shown = _table(types.get(str(approval.get("content_type")))) or next(map(_table, types.values()), {})
    actions = shown.get("actions")
    status = str(approval.get("status") or "unsubmitted").lower()
    return Template(
        name=str(approval.get("name") or content.get("friendly_name") or ""),
        language=str(content.get("language") or ""),
        status=_STATUSES.get(status, status),
        category=str(approval.get("category") or "").lower(),
        external_id=str(content.get("sid") or ""),
        body=str(shown.get("body") or ""),
        parameters=_names(types),
        buttons=tuple(_button(each) for each in actions) if isinstance(actions, list) else (),
        reason=str(approval.get("rejection_reason") or ""),
    )


def content_variables(field: Mapping[str, Any], template: Template) -> str:
    """ContentVariables: a value for every placeholder, because Twilio fills one that is left out with its sample.

    Raises Rejected where this client's value is empty, MessageRejected where the message gives none."""
    try:
        wanted = read_template(field)
    except UnreadableTemplate as error:
        raise MessageRejected(str(error), reason="template") from None
    if wanted.header_values or wanted.header_source or wanted.place or any(each.kind for each in wanted.buttons):
        raise MessageRejected("a Content template takes all its values in parameters", reason="template")
    missing = [name for name in template.parameters if name not in wanted.parameters]
    if missing:
        words = f"the template takes {', '.join(template.parameters)}; the message gives no {', '.join(missing)}"
        raise MessageRejected(words, reason="template")
    values = {name: _line(wanted.parameters[name]) for name in template.parameters}
    if empty := [name for name, value in values.items() if not value]:
        raise Rejected(f"the template's value {', '.join(empty)} is empty", reason="template")
    return json.dumps(values, ensure_ascii=False)


def _line(value: object) -> str:
    """One line: a line break, a tab or more than four spaces in a row is refused; twilio.com/docs/api/errors/21656."""
    return _BROKEN_LINE.sub(" ", str(value)).strip()


def _names(types: Mapping[str, Any]) -> tuple[str, ...]:
    """The placeholders of all types; those that are numbers in their order."""
    names = list(dict.fromkeys(name for text in _texts(types) for name in _NAME.findall(text)))
    return tuple(sorted(names, key=int) if all(map(str.isdecimal, names)) else names)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _button(action: object) -> str:
    """The kind; its values are among the parameters or fixed, so none of it takes a value of its own."""
    kind = str(_table(action).get("type") or "QUICK_REPLY")
    return _BUTTONS.get(kind, kind.lower())


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
