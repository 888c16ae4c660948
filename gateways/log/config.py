"""What `[[channels]]` with kind = "log" holds."""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from gateways.base import Capabilities, Gateway
from gateways.config import ChannelModel, Context
from gateways.log.capabilities import LOG


class LogSettings(ChannelModel):
    """A relative `path` starts at the `folder` of the validation context, which is the configuration's."""

    able: ClassVar[Capabilities] = LOG

    kind: Literal["log"] = "log"
    path: str = Field(min_length=1)

    @field_validator("path")
    @classmethod
    def _from_the_folder(cls, value: str, info: ValidationInfo) -> str:
        if "\0" in value:
            raise ValueError("it is no path")
        return str(Path((info.context or {}).get("folder", "")).joinpath(value).absolute())

    def open_gateway(self, context: Context) -> Gateway:
        from gateways.log.gateway import LogGateway

        return LogGateway(channel=self.id, path=Path(self.path), now=context.now)
