"""What `[[channels]]` with kind = "vk" holds."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, SecretStr, StringConstraints, field_validator

from gateways.base import Capabilities, Gateway
from gateways.config import ApiBase, ChannelModel, Context, as_id
from gateways.vk.capabilities import VK

_TOKEN = re.compile(r"[!-~]{1,512}")
MAX_SECRET = 50  # characters; dev.vk.com/ru/method/groups.addCallbackServer


class VkSettings(ChannelModel):
    """`confirmation` and `secret` are needed for a server set by hand in the community's settings; one that Carillon
    sets has a code that VK tells, and a secret that is derived."""

    able: ClassVar[Capabilities] = VK

    kind: Literal["vk"] = "vk"
    group_id: Annotated[str, BeforeValidator(as_id), StringConstraints(pattern=r"^[1-9][0-9]{0,18}$")]
    token: SecretStr
    confirmation: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,64}$")] | None = None
    secret: SecretStr | None = None
    intent: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")] = "default"  # of messages.send
    mode: Literal["webhook", "polling"] | None = None  # None: a webhook where there is a public_url
    api_base: ApiBase = "https://api.vk.ru/method"

    @field_validator("token")
    @classmethod
    def _shaped(cls, value: SecretStr) -> SecretStr:
        if not _TOKEN.fullmatch(value.get_secret_value()):
            raise ValueError("a community's key is one word, as its settings show it under Working with API")
        return value

    @field_validator("secret")
    @classmethod
    def _short(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not 1 <= len(value.get_secret_value()) <= MAX_SECRET:
            raise ValueError(f"VK takes a secret of 1 to {MAX_SECRET} characters")
        return value

    def open_gateway(self, context: Context) -> Gateway:
        from gateways.vk.gateway import VkGateway

        return VkGateway.from_settings(self, context)
