"""How a send or a call can fail. A class is a reaction (see `engine.lane`):

GatewayError
├── Throttled         the platform asked us to wait; costs no try
├── Unavailable       surely not taken; again later
├── OutcomeUnknown    may have been taken
├── Rejected          this message to this client can't be
│   └── MessageRejected  ... and the message itself is at fault, for every client
├── AddressGone       blocked, never subscribed, deleted
├── OutsideWindow     needs a template or a reply first
└── ChannelBroken     the token is revoked, the account unpaid, banned
"""

from gateways.abilities import AddressStatus


class GatewayError(Exception):
    """A send or a call that failed; `code` and `words` are the platform's own, free of secrets and addresses."""

    def __init__(self, words: str = "", *, code: str = "") -> None:
        super().__init__(words)
        self.words = words
        self.code = code


class Throttled(GatewayError):
    """With `only_this` the delivery waits by itself and the lane goes on at its pace: the platform takes nothing more
    for this client before then, or takes this message in another way, which the gateway knows from now on."""

    def __init__(self, retry_after_s: float, words: str = "", *, code: str = "", only_this: bool = False) -> None:
        super().__init__(words, code=code)
        self.retry_after_s = retry_after_s
        self.only_this = only_this


class Unavailable(GatewayError):
    pass


class OutcomeUnknown(GatewayError):
    pass


class Rejected(GatewayError):
    """`reason` is the short word under which statistics count it, such as "rejected" or "too_long"."""

    def __init__(self, words: str = "", *, code: str = "", reason: str = "rejected") -> None:
        super().__init__(words, code=code)
        self.reason = reason


class MessageRejected(Rejected):
    pass


class AddressGone(GatewayError):
    """`reason`: "blocked", "not_found" (no such address), "deactivated", "never_subscribed" …; `status` is what the
    address becomes. `no_such_address` says that a wrong token would look the same (see DESIGN.md section 3)."""

    def __init__(
        self,
        reason: str,
        words: str = "",
        *,
        code: str = "",
        status: AddressStatus = AddressStatus.GONE,
        no_such_address: bool = False,
    ) -> None:
        super().__init__(words, code=code)
        self.reason = reason
        self.status = status
        self.no_such_address = no_such_address


class OutsideWindow(GatewayError):
    pass


class ChannelBroken(GatewayError):
    pass


class BadSignature(Exception):
    """The request does not come from the platform: 403, and nothing changes."""


class Unreadable(Exception):
    """The body can't be read as what the platform sends: 400."""
