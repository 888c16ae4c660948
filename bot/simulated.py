"""One account on each simulated messenger, and the channel that sends through it: what demo and sandbox are made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateways.simulator.platform import Platform
    from gateways.simulator.telegram.server import TelegramSimulator

SHOP = "Acme"
VERIFY = "simulated-verify"
# Of accounts that exist nowhere else.
TELEGRAM_TOKEN = "1:simulated"  # noqa: S105  # of accounts that exist nowhere else
VIBER_TOKEN = "viber-simulated"  # noqa: S105  # the same
VK_TOKEN = "vk-simulated"  # noqa: S105  # the same
META_TOKEN = "meta-simulated"  # noqa: S105  # the same
PAGE, NUMBER, GROUP = "1001", "3001", "190000017"
SMS_SENDER = "+447700900001"

RECEIPTS: Mapping[str, Mapping[str, float]] = {  # after so many seconds, and up to so many times that
    "viber": {"delivered": 0.2, "read": 0.9},
    "facebook": {"delivered": 0.2, "read": 1.1},
    "vk": {"read": 1.0},
    "whatsapp": {"sent": 0.05, "delivered": 0.3, "read": 1.0},
    "sms": {"sent": 0.05, "delivered": 0.4},
}
RECEIPTS_VARY = 4.0
READ_SHARE = 0.7  # of messages
_APPROVED_AFTER_S = 15.0  # a template that was submitted; Meta takes up to a day


@dataclass(frozen=True, slots=True)
class Simulated:
    """`account` is the account's key there, `path` what an API's address has after the server's, `keys` what the
    channel's table holds beside them."""

    channel: str
    kind: str
    server: "Platform | TelegramSimulator"
    account: str
    path: str
    keys: Mapping[str, str]

    @property
    def table(self) -> str:
        """The channel as [[channels]] of a configuration; it names the address, so start the server first."""
        values = {"id": self.channel, "kind": self.kind, **self.keys, "api_base": self.server.url + self.path}
        return "[[channels]]\n" + "".join(f'{name} = "{value}"\n' for name, value in values.items())

    def report(self) -> None:
        """Let phones tell us of delivery and reading, as far as this messenger does."""
        if self.kind in RECEIPTS:
            account = self.platform.accounts[self.account]
            account.receipts = dict(RECEIPTS[self.kind])
            account.receipts_vary, account.read_share = RECEIPTS_VARY, READ_SHARE

    @property
    def platform(self) -> "Platform":
        """The server, which is not Telegram's."""
        from gateways.simulator.platform import Platform

        assert isinstance(self.server, Platform)  # noqa: S101  # Telegram's server, which is none, is asked otherwise
        return self.server


def telegram(seed: int = 0) -> Simulated:
    from gateways.simulator.telegram.server import TelegramSimulator

    server = TelegramSimulator(seed=seed)
    server.add_bot(TELEGRAM_TOKEN, username="acme_demo_bot", first_name=SHOP)
    return Simulated("tg-shop", "telegram", server, TELEGRAM_TOKEN, "", {"token": TELEGRAM_TOKEN})


def viber(seed: int = 0) -> Simulated:
    from gateways.simulator.viber.server import ViberSimulator

    server = ViberSimulator(seed=seed)
    server.add_account(VIBER_TOKEN, name=SHOP)
    return Simulated("viber-shop", "viber", server, VIBER_TOKEN, "/pa", {"token": VIBER_TOKEN, "sender_name": SHOP})


def facebook(seed: int = 0) -> Simulated:
    from gateways.simulator.facebook.server import FacebookSimulator

    server = FacebookSimulator(seed=seed)
    server.add_account(PAGE, name=SHOP, details={"token": META_TOKEN})
    keys = {"page_id": PAGE, "app_id": server.app_id, **_meta(server.app_secret)}
    return Simulated("fb-shop", "facebook", server, PAGE, "/v26.0", keys)


def vk(seed: int = 0) -> Simulated:
    from gateways.simulator.vk.server import VkSimulator

    server = VkSimulator(seed=seed)
    server.add_account(VK_TOKEN, name=SHOP, details={"group_id": GROUP})
    return Simulated("vk-shop", "vk", server, VK_TOKEN, "/method", {"group_id": GROUP, "token": VK_TOKEN})


def whatsapp(seed: int = 0) -> Simulated:
    """With one approved template: spring_sale (en), one value and a reply."""
    from gateways.simulator.whatsapp.server import WABA, WhatsAppSimulator

    server = WhatsAppSimulator(seed=seed)
    server.approves_after_s = _APPROVED_AFTER_S
    server.add_account(NUMBER, name=SHOP, details={"token": META_TOKEN})
    reply = {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "Tell me more"}]}
    body = "Hello {{1}}! The spring sale is on until Sunday: everything for the balcony at half the price."
    server.templates.add(WABA, "spring_sale", "en", body=body, components=[reply])
    keys = {"provider": "meta", "phone_number_id": NUMBER, "business_account_id": WABA, **_meta(server.app_secret)}
    return Simulated("wa-shop", "whatsapp", server, NUMBER, "/v26.0", keys)


def twilio(seed: int = 0) -> Simulated:
    from gateways.simulator.twilio.server import DEFAULT_SID, TwilioSimulator

    server = TwilioSimulator(seed=seed)
    server.add_account(SMS_SENDER, name=SHOP)
    keys = {"provider": "twilio", "account_sid": DEFAULT_SID, "auth_token": "twilio-simulated", "sender": SMS_SENDER}
    return Simulated("sms-shop", "sms", server, SMS_SENDER, "", keys)


def _meta(app_secret: str) -> Mapping[str, str]:
    return {"token": META_TOKEN, "app_secret": app_secret, "verify_token": VERIFY}


EVERY: tuple[Callable[[int], Simulated], ...] = (telegram, viber, facebook, vk, whatsapp, twilio)
