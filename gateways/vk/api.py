"""One community's methods over HTTP: forms out, JSON in, every failure as a GatewayError, and 20 requests a second."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from yarl import URL

from gateways.base import GatewayError, OutcomeUnknown, Unavailable
from gateways.connection import HttpAnswer
from gateways.forms import Upload, form_with_files
from gateways.http import HttpClient, Target, target
from gateways.jsons import read_json
from gateways.vk.errors import MediaRefused, error_of, error_of_call

API_VERSION = "5.199"
CALL_S = 30.0
UPLOAD_S = 300.0  # 200 MB over a slow line

MOST_PER_S = 18  # of a community key's 20, dev.vk.com/en/api/bots/development/messages; less a margin for jitter
MOST_ASKED_PER_S = 12  # calls that are no sends, so that sends find room

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Requests:
    """Keeps all requests of a key within a second's limit: sends are paced by their lane and only counted, whatever
    else is asked waits for room."""

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._monotonic = monotonic
        self._sleep = sleep
        self._all: deque[float] = deque(maxlen=MOST_PER_S)
        self._asked: deque[float] = deque(maxlen=MOST_ASKED_PER_S)
        self._turn = asyncio.Lock()

    def count(self) -> None:
        self._all.append(self._monotonic())

    async def wait(self) -> None:
        """Return when one more may go, which is counted; first come, first served."""
        async with self._turn:
            while (wait_s := self._until_room()) > 0:
                await self._sleep(wait_s)
            self.count()
            self._asked.append(self._monotonic())

    def _until_room(self) -> float:
        now = self._monotonic()
        full = [moments[0] for moments in (self._all, self._asked) if len(moments) == moments.maxlen]
        return max((first + 1.0 - now for first in full), default=0.0)


class VkApi:
    def __init__(
        self, http: HttpClient, api_base: str, token: str, *, call_s: float, upload_s: float, requests: Requests
    ) -> None:
        self._http = http
        self._prefix = api_base.rstrip("/") + "/"
        self._token = token
        self._targets: dict[str, Target] = {}
        self._call_s = call_s
        self._upload_s = upload_s
        self._requests = requests

    async def send(self, values: Mapping[str, Any], hidden: Sequence[str] = ()) -> Any:
        """messages.send. Raises GatewayError."""
        self._requests.count()
        return (await self._call("messages.send", values, hidden))["response"]

    async def execute(self, code: str, count: int, hidden: Sequence[str] = ()) -> Sequence[Any]:
        """Run a script of so many calls: what each answered, or its GatewayError. Raises GatewayError where the whole
        of it failed."""
        self._requests.count()
        answer = await self._call("execute", {"code": code}, hidden)
        returned, errors = answer["response"], answer.get("execute_errors")
        if not isinstance(returned, list) or len(returned) != count:
            return [OutcomeUnknown("the script returned something else")] * count
        # A failed call leaves `false` in its slot and its error in the list, in order and without a number.
        failed = sum(slot is False for slot in returned)
        told = errors if isinstance(errors, list) and len(errors) == failed else [None] * failed
        left = iter(told)
        return [self._slot_error(next(left), hidden) if slot is False else slot for slot in returned]

    def _slot_error(self, error: Any, hidden: Sequence[str]) -> GatewayError:
        if error is None:
            return OutcomeUnknown("a call of the script failed without a word")
        known = error if isinstance(error, Mapping) else {}
        return error_of(known.get("error_code"), known.get("error_msg"), self.hides(hidden))

    async def ask(self, method: str, values: Mapping[str, Any] | None = None, hidden: Sequence[str] = ()) -> Any:
        """The response of a method that may be repeated, so that its outcome is never unknown. Raises GatewayError."""
        await self._requests.wait()
        try:
            return (await self._call(method, values or {}, hidden))["response"]
        except OutcomeUnknown as error:
            raise Unavailable(error.words, code=error.code) from None

    async def upload(self, url: Any, field: str, file: Upload) -> Mapping[str, Any]:
        """Bring a file to the server that VK named; what it answers. Raises Unavailable, MediaRefused."""
        kind, body = form_with_files({}, {field: file})
        where = target("POST", _given(url), {"Content-Type": kind})
        try:
            answer = await self._http.call(where, body, total_s=self._upload_s)
        except OutcomeUnknown as error:
            raise Unavailable(error.words) from None
        read = _json(answer)
        if not isinstance(read, Mapping):
            raise Unavailable(f"the upload server answers HTTP {answer.status} without an answer of VK")
        if "error" in read:
            raise MediaRefused("VK's upload server refused the file", reason="media")
        return read

    async def poll(self, url: Any, query: Mapping[str, str], *, wait_s: float) -> Mapping[str, Any]:
        """Ask a Long Poll server. Raises Unavailable."""
        where = target("GET", _given(url).update_query(query))
        try:
            answer = await self._http.call(where, total_s=wait_s + self._call_s / 2)
        except OutcomeUnknown as error:
            raise Unavailable(error.words) from None
        read = _json(answer)
        if not isinstance(read, Mapping):
            raise Unavailable(f"the Long Poll server answers HTTP {answer.status} without an answer of VK")
        return read

    async def _call(self, method: str, values: Mapping[str, Any], hidden: Sequence[str]) -> Mapping[str, Any]:
        # A lone half of an emoji must not fail the rest.
        form = urlencode({**values, "access_token": self._token, "v": API_VERSION}, errors="replace")
        answer = await self._http.call(self._target(method), form.encode(), total_s=self._call_s)
        read = _json(answer)
        if isinstance(read, Mapping) and "response" in read:
            return read
        if read is None:
            raise OutcomeUnknown(f"HTTP {answer.status} without an answer of VK", code=str(answer.status))
        raise error_of_call(read, self.hides(hidden))

    def hides(self, addresses: Sequence[str]) -> tuple[str, ...]:
        """What no words may show."""
        return (self._token, *(each for each in addresses if len(each) > 3))

    def _target(self, method: str) -> Target:
        found = self._targets.get(method)
        if found is None:
            found = self._targets[method] = target("POST", URL(self._prefix + method), _FORM)
        return found


def _given(url: Any) -> URL:
    """An address that VK gave is followed as given. Raises Unavailable."""
    try:
        return URL(str(url), encoded=True)
    except ValueError:
        raise Unavailable("VK named no server") from None


def _json(answer: HttpAnswer) -> Any:
    """The answer's JSON; None where VK did not write it: it answers 200 whatever happened."""
    return read_json(answer.body) if answer.status == 200 else None
