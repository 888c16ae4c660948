"""What every `[[channels]]` table holds, whatever its kind."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from gateways.base import Capabilities, Gateway, MediaStore


def as_id(value: object) -> object:
    """An id may be written as a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


ApiBase = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#]+[^\s?#]*$")]
Id = Annotated[str, BeforeValidator(as_id), Field(min_length=1, max_length=64)]


@dataclass(frozen=True, slots=True)
class Context:
    """What a gateway is given beside its settings.

    `secret` is the app's: what proves a webhook is derived from it where the channel names none. Without `public_url`
    nobody can reach us. `start_after` is the last polled update that is committed."""

    media: MediaStore
    secret: bytes
    public_url: str | None = None
    start_after: int | None = None
    now: Callable[[], datetime] | None = None

    def hook_url(self, channel: str) -> str | None:
        """Where this channel's platform reaches us."""
        return f"{self.public_url.rstrip('/')}/hooks/{channel}" if self.public_url else None


class Quota(BaseModel):
    """So many messages, by the day or until the package is topped up."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    messages: int = Field(gt=0)
    per: Literal["day", "package"]


class ChannelModel(BaseModel):
    """A kind's own model adds `kind`, its keys, and `api_base` with the platform's address as its default."""

    able: ClassVar[Capabilities]  # what a channel of this model can carry

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    id: Id
    kind: str
    rate: float | None = Field(default=None, gt=0, allow_inf_nan=False)  # messages/second; None: what [sending] says
    allow_faster: bool = False
    quota: Quota | None = None

    @property
    def usual_rate(self) -> float:
        """Messages/second at most where the channel names no rate."""
        return self.able.max_rate

    def open_gateway(self, context: "Context") -> Gateway:
        """The gateway of this channel, its module imported only now; await its `open` before use."""
        raise TypeError(f"{type(self).__name__} has no gateway")

    @model_validator(mode="after")
    def _within_the_rate(self) -> Self:
        able = self.able
        if self.rate is not None and self.rate > able.max_rate and not self.allow_faster:
            raise ValueError(
                f"rate is above {able.max_rate:g}; add allow_faster = true if {able.title} lets this channel"
            )
        return self
