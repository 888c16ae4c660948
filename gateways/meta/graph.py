"""The Graph API over HTTP: JSON calls with the token in a header, forms where files go along, every failure as a
GatewayError that the kind's own table makes of it."""

import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from yarl import URL

from gateways.base import GatewayError, OutcomeUnknown, Throttled, Unavailable
from gateways.connection import HttpAnswer
from gateways.forms import Upload, form_with_files
from gateways.http import HttpClient, Target, target
from gateways.jsons import read_json, write_json
from gateways.meta.usage import Pauses, Usage, usage_of

CALL_S = 30.0
UPLOAD_S = 150.0  # 25 MB over a slow line; Meta itself waits 75 s for a video by URL
MAX_WORDS = 300  # characters kept of a message
MAX_PAGES = 100  # of a list, 100 entries each


@dataclass(frozen=True, slots=True)
class Problem:
    """The error envelope of an answer; `words` and `details` show no secret. `code` is None where an answer that is no
    success has no envelope: a proxy's page, a cut body."""

    status: int
    code: int | None = None
    subcode: int | None = None
    words: str = ""
    details: str = ""  # `error_data.details` of WhatsApp
    is_transient: bool = False
    elapsed_s: float = 0.0  # until the answer
    told: str = ""  # `error_user_msg`: what a person in Meta's own pages would read

    @property
    def label(self) -> str:
        """The code as statistics and people see it: "100/2018001"."""
        if self.code is None:
            return str(self.status)
        return f"{self.code}/{self.subcode}" if self.subcode else str(self.code)


Classify = Callable[[Problem], GatewayError | None]  # None: throttled, for as long as the headers say


class GraphAnswer(NamedTuple):
    values: Mapping[str, Any]
    usage: Usage


class GraphApi:
    """`app_secret`, where given, proves every call (appsecret_proof), which an app may demand. `classify` knows what
    the kind's codes mean and answers None for a throttle. Open and close `http` yourself."""

    def __init__(
        self,
        http: HttpClient,
        api_base: str,
        token: str,
        *,
        classify: Classify,
        app_secret: str = "",
        call_s: float = CALL_S,
        upload_s: float = UPLOAD_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self.token = token
        self._base = api_base.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._json_headers = {**self._headers, "Content-Type": "application/json"}
        self._proof = {"appsecret_proof": proof_of(token, app_secret)} if app_secret else {}
        self._hidden = tuple(filter(None, (token, app_secret, *self._proof.values(), token.partition("|")[2])))
        self._classify = classify
        self._call_s = call_s
        self._upload_s = upload_s
        self._monotonic = monotonic
        self._pauses = Pauses(monotonic)
        self._targets: dict[str, Target] = {}

    async def post(
        self, path: str, values: Mapping[str, Any], *, hidden: tuple[str, ...] = (), total_s: float = 0.0
    ) -> GraphAnswer:
        """What POST to base/path answers; `hidden` (an address) is shown in no words. Raises GatewayError."""
        began = self._monotonic()
        answer = await self._http.call(self._target(path), write_json(values), total_s=total_s or self._call_s)
        return self._result(answer, began, hidden)

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> GraphAnswer:
        """The same for what is only asked, so that its outcome is never unknown."""
        began = self._monotonic()
        url = self._url(path).update_query(query or {})
        return await _harmless(self._get(url, began))

    async def repeatable(self, path: str, values: Mapping[str, Any]) -> GraphAnswer:
        """A POST that does no harm when it is made twice, so that its outcome is never unknown either."""
        return await _harmless(self.post(path, values))

    async def upload(self, path: str, fields: Mapping[str, Any], name: str, file: Upload) -> GraphAnswer:
        """POST a form with a file in the field `name`; what is uploaded twice does no harm."""
        kind, body = form_with_files(fields, {name: file})
        where = target("POST", self._url(path), {**self._headers, "Content-Type": kind})
        began = self._monotonic()
        call = self._http.call(where, body, total_s=self._upload_s)
        return await _harmless(self._read(call, began))

    async def upload_sample(self, file: Upload) -> str:
        """The handle of a file that shows whoever approves something what will stand there; a second one does no harm.

        developers.facebook.com/docs/graph-api/guides/upload: a session, then the bytes, with a word of its own for the
        token; `app` is the app that the token belongs to."""
        asked = {"file_name": file.name, "file_length": len(file.content), "file_type": file.content_type}
        session = (await self.repeatable("app/uploads", asked)).values.get("id")
        if not isinstance(session, str) or not session.startswith("upload:"):
            raise Unavailable("Meta opened no upload for a file")
        headers = {"Authorization": f"OAuth {self.token}", "file_offset": "0"}
        began = self._monotonic()
        call = self._http.call(target("POST", self._url(session), headers), file.content, total_s=self._upload_s)
        handle = (await _harmless(self._read(call, began))).values.get("h")
        if not isinstance(handle, str) or not handle:
            raise Unavailable("Meta took a file and named no handle for it")
        return handle

    async def listed(self, path: str, query: Mapping[str, str]) -> AsyncIterator[Mapping[str, Any]]:
        """Every entry of a list that comes in pages."""
        after: dict[str, str] = {}
        for _ in range(MAX_PAGES):
            values = (await self.get(path, {**query, **after})).values
            entries = values.get("data")
            for entry in entries if isinstance(entries, list) else ():
                if isinstance(entry, dict):
                    yield entry
            paging = values.get("paging")
            cursors = paging.get("cursors") if isinstance(paging, dict) and paging.get("next") else None
            cursor = cursors.get("after") if isinstance(cursors, dict) else None
            if not isinstance(cursor, str) or not cursor or cursor == after.get("after"):
                return
            after = {"after": cursor}

    async def _get(self, url: URL, began: float) -> GraphAnswer:
        answer = await self._http.call(target("GET", url, self._headers), total_s=self._call_s)
        return self._result(answer, began, ())

    async def _read(self, call: Awaitable[HttpAnswer], began: float) -> GraphAnswer:
        return self._result(await call, began, ())

    def _result(self, answer: HttpAnswer, began: float, hidden: tuple[str, ...]) -> GraphAnswer:
        usage = usage_of(answer.headers)
        values = read_json(answer.body)
        if answer.status < 300 and isinstance(values, dict) and "error" not in values:
            self._pauses.end()
            return GraphAnswer(values, usage)
        problem = problem_of(answer.status, values, (*self._hidden, *hidden), self._monotonic() - began)
        error = self._classify(problem)
        if error is None:
            raise Throttled(self._pauses.next_s(usage), problem.words, code=problem.label)
        raise error

    def _target(self, path: str) -> Target:
        found = self._targets.get(path)
        if found is None:
            found = self._targets[path] = target("POST", self._url(path), self._json_headers)
        return found

    def _url(self, path: str) -> URL:
        return URL(f"{self._base}/{path}").update_query(self._proof)


def proof_of(token: str, app_secret: str) -> str:
    """The appsecret_proof of a call: hexadecimal HMAC-SHA256 of the token, keyed with the app's secret."""
    return hmac.new(app_secret.encode(), token.encode(), hashlib.sha256).hexdigest()


def problem_of(status: int, values: Any, hidden: tuple[str, ...] = (), elapsed_s: float = 0.0) -> Problem:
    """The envelope of an answer that is no success; `values` is its JSON, or None where it is none."""
    error = values.get("error") if isinstance(values, dict) else None
    code = whole(error.get("code")) if isinstance(error, dict) else None
    if not isinstance(error, dict) or code is None:
        return Problem(status, words=f"HTTP {status} without an answer of the Graph API", elapsed_s=elapsed_s)
    data = error.get("error_data")
    details = data.get("details") if isinstance(data, dict) else ""
    return Problem(
        status,
        code,
        whole(error.get("error_subcode")),
        _clean(error.get("message"), hidden) or f"code {code}",
        _clean(details, hidden),
        error.get("is_transient") is True,
        elapsed_s,
        _clean(error.get("error_user_msg"), hidden),
    )


def without_envelope(problem: Problem) -> GatewayError | None:
    """What an answer means that the Graph API did not write. Only a request that was refused as such surely did
    nothing; a success that can't be read, or a fault of a server, may have sent."""
    if problem.status == 429:
        return None
    if 300 <= problem.status < 500:
        return Unavailable(problem.words, code=problem.label)
    return OutcomeUnknown(problem.words, code=problem.label)


def whole(value: Any) -> int | None:
    try:
        return None if value is None or isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        return None


async def _harmless(call: Awaitable[GraphAnswer]) -> GraphAnswer:
    try:
        return await call
    except OutcomeUnknown as error:
        raise Unavailable(error.words, code=error.code) from None


def _clean(words: Any, hidden: tuple[str, ...]) -> str:
    shown = words if isinstance(words, str) else ""
    for secret in hidden:
        shown = shown.replace(secret, "…")
    return shown[:MAX_WORDS]
