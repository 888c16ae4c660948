"""Methods that set, remove and describe a webhook."""

import re
import time
from urllib.parse import urlsplit

from gateways.simulator.telegram.answers import Json, Said, bad, throttled
from gateways.simulator.telegram.bots import SimulatedBot
from gateways.simulator.telegram.forms import Call
from gateways.simulator.telegram.webhook import Webhook

MAX_CONNECTIONS = 100  # 40 unless told; core.telegram.org/bots/api#setwebhook
_PORTS = frozenset({443, 80, 88, 8443})
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


async def set_webhook(bot: SimulatedBot, call: Call) -> Said:
    url = call.text("url")
    if not url:
        return await delete_webhook(bot, call)
    _check_url(bot, url)
    secret = call.text("secret_token")
    if secret and not _SECRET.fullmatch(secret):
        raise bad("secret token contains unallowed characters")
    _check_pace(bot)
    if call.flag("drop_pending_updates"):
        bot.updates.pending.clear()
    bot.updates.allow(call.nested("allowed_updates"))
    connections = min(max(1, call.number("max_connections", 40)), MAX_CONNECTIONS)
    old = bot.webhook
    if old is not None and (old.url, old.secret, old.max_connections) == (url, secret, connections):
        return Said(result=True, description="Webhook is already set")
    if old is not None:
        await old.close()
    bot.updates.interrupt_poll("terminated by setWebhook request")
    bot.webhook = Webhook(bot, url, secret, connections)
    bot.webhook.start()
    return Said(result=True, description="Webhook was set")


def _check_url(bot: SimulatedBot, url: str) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise bad("bad webhook: invalid URL specified") from None
    if bot.world.allows_insecure_webhooks and parts.hostname in _LOOPBACK:
        return
    if parts.scheme != "https":
        raise bad("bad webhook: An HTTPS URL must be provided for webhook")
    if (port or 443) not in _PORTS:
        raise bad("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")
    if not parts.hostname or "." not in parts.hostname:
        raise bad("bad webhook: Failed to resolve host: Name or service not known")


def _check_pace(bot: SimulatedBot) -> None:
    now = time.monotonic()
    if now - bot.webhook_set_at < 1.0 * bot.world.webhook_time_scale:
        raise throttled(1)
    bot.webhook_set_at = now


async def delete_webhook(bot: SimulatedBot, call: Call) -> Said:
    if call.flag("drop_pending_updates"):
        bot.updates.pending.clear()
    if bot.webhook is None:
        return Said(result=True, description="Webhook is already deleted")
    await bot.webhook.close()
    bot.webhook = None
    return Said(result=True, description="Webhook was deleted")


def get_webhook_info(bot: SimulatedBot, _: Call) -> Json:
    info: Json = {
        "url": "",
        "has_custom_certificate": False,
        "pending_update_count": len(bot.updates.pending),
    }
    if bot.webhook is not None:
        info |= bot.webhook.info()
    return info
