"""Kinds of channels: what there is, how each is configured, and what is said of the rest."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from gateways import registry
from gateways.base import BadSignature, Hook
from gateways.config import Context
from gateways.signatures import derive_secret, require_same
from gateways.telegram.gateway import TelegramGateway
from tests.gateways.cases import MemoryMedia

GOOD: dict[str, Any] = {"id": "tg-shop", "kind": "telegram", "token": "555000111:AAH-secret_part"}


def read(**changes: Any) -> Any:
    return registry.config_model("telegram")(**(GOOD | changes))


def test_telegram_is_built() -> None:
    assert registry.config_model("telegram").able.kind == "telegram"


@pytest.mark.parametrize("kind", ["email", "webpush"])
def test_a_kind_that_is_described_and_not_built_is_refused_in_a_sentence(kind: str) -> None:
    with pytest.raises(registry.UnusableKind, match=f"“{kind}” is planned and not built yet"):
        registry.config_model(kind)


def test_skype_is_refused_with_what_to_use_instead() -> None:
    with pytest.raises(registry.UnusableKind, match=r"closed Skype in May 2025; .*Telegram, Viber or WhatsApp"):
        registry.config_model("skype")


def test_an_unknown_kind_is_told_what_there_is() -> None:
    with pytest.raises(registry.UnusableKind, match="no channel of the kind “telegrm”; there is telegram"):
        registry.config_model("telegrm")


def test_the_defaults_are_telegrams_own() -> None:
    settings = read()
    assert settings.api_base == "https://api.telegram.org"
    assert (settings.rate, settings.mode, settings.quota, settings.webhook_secret) == (None, None, None, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"token": "no colon"}, {"token": "abc:def"}, {"token": "12:"}, {"token": "12:a b"}, {"token": "12:a/getMe"},
        {"token": "12:a?b"}, {"token": ":abc"}, {"token": " 12:abc"}, {"token": "12:abc\n"}, {"rate": 0}, {"rate": -1},
        {"rate": "fast"}, {"rate": float("inf")}, {"rate": 25.1}, {"quota": {"messages": 0, "per": "day"}},
        {"quota": {"messages": 5, "per": "week"}}, {"quota": 5}, {"webhook_secret": "with space"},
        {"webhook_secret": "x" * 257}, {"webhook_secret": ""}, {"mode": "pigeon"}, {"api_base": "a.b"},
        {"api_base": "ftp://a.b"}, {"api_base": "https://a.b/?c"}, {"tokn": "1:a"}, {"id": ""}, {"id": None},
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_setting_is_refused_without_showing_a_secret(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as raised:
        read(**changes)
    assert "secret_part" not in str(raised.value)
    for value in changes.values():
        assert not (isinstance(value, str) and len(value) > 3 and "token" in changes and value in str(raised.value))


@pytest.mark.parametrize(
    "changes",
    [
        {"id": 7}, {"rate": 25}, {"rate": 30, "allow_faster": True}, {"mode": "polling"}, {"webhook_secret": "a-B_9"},
        {"quota": {"messages": 5000, "per": "package"}}, {"api_base": "http://127.0.0.1:8081/"}, {"token": "1:test"},
    ],
    ids=str,
)  # fmt: skip
def test_a_right_setting_is_taken(changes: dict[str, Any]) -> None:
    settings = read(**changes)
    assert isinstance(settings.id, str)
    assert "secret_part" not in repr(settings)


@pytest.mark.parametrize(
    ("mode", "public_url", "polls"),
    [
        (None, None, True),
        (None, "https://m.acme.test", False),
        ("polling", "https://m.acme.test", True),
        ("webhook", None, False),
    ],
)
def test_a_channel_polls_where_messengers_can_not_reach_us(
    mode: str | None, public_url: str | None, polls: bool
) -> None:
    opened = read(mode=mode).open_gateway(Context(MemoryMedia(), b"s", public_url))
    assert isinstance(opened, TelegramGateway)
    assert opened.polls is polls


def test_each_channel_has_a_webhook_secret_of_its_own_that_stays() -> None:
    def passes(channel: str, header: str) -> None:
        opened = read(id=channel).open_gateway(Context(MemoryMedia(), b"app secret"))
        opened.verify(Hook("POST", {"x-telegram-bot-api-secret-token": header}, {}, b""))

    one, two = (derive_secret(b"app secret", "telegram webhook", channel) for channel in ("one", "two"))
    assert one != two
    passes("one", one)
    passes("two", two)
    with pytest.raises(BadSignature):
        passes("one", two)


def test_a_named_secret_goes_before_a_derived_one() -> None:
    opened = read(webhook_secret="named-secret").open_gateway(Context(MemoryMedia(), b"app secret"))
    opened.verify(Hook("POST", {"x-telegram-bot-api-secret-token": "named-secret"}, {}, b""))


def test_bytes_and_text_compare_as_bytes() -> None:
    require_same("ключ", "ключ".encode())
    require_same(b"\xff", "\udcff")


def test_the_registry_itself_costs_nothing_heavy() -> None:
    script = "import sys; from gateways import registry; \
        registry.config_model('telegram'); print([n for n in ('aiohttp', 'aiogram', 'yarl') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
