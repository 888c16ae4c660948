"""One channel of `carillon check`: whose the token is, which webhook is set and which should be, what else is wrong."""

import asyncio
from collections.abc import Mapping
from typing import Any

from bot.desk import Desk, open_gateway
from bot.findings import Finding, refused
from gateways.base import Account, Gateway, GatewayError, PollsUpdates, SetsWebhook, SyncsTemplates, Throttled
from storage.channel_states import told_of

ASK_WITHIN_S = 30.0
MOST_PATIENCE_S = 10.0
NOT_HEARD = "without public_url neither receipts nor clients' messages come"


async def check_channel(desk: Desk, channel: str, *, fix: bool) -> Finding:
    """Ask the platform, and keep what it told; with `fix` its webhook is pointed at us where it is not."""
    what = f"channel {channel}"
    async with open_gateway(desk, channel) as gateway:
        try:
            async with asyncio.timeout(ASK_WITHIN_S):
                account = await _ask(gateway)
                should_be = wanted_webhook(gateway, desk.config.app.public_url, channel)
                done = await _fix(gateway, account, should_be) if fix else ""
                if done:
                    account = await _ask(gateway)
                templates, unread = await _templates(desk, channel, gateway)
        except GatewayError as error:
            return Finding(what, ok=False, words=refused(error))
        except TimeoutError:
            return Finding(what, ok=False, words=f"no answer within {ASK_WITHIN_S:g} s")
    await desk.store.channel_states.set(channel, told_of(account, desk.clock.now()))
    warnings = [*account.warnings, *_of_webhook(gateway, account, should_be, desk.config.app.public_url), *unread]
    return Finding(
        what,
        ok=True,
        words="; ".join(filter(None, (account_words(account), templates, done))),
        warnings=tuple(dict.fromkeys(warnings)),
        details=_details(account, should_be, is_fixed=bool(done)),
    )


async def _ask(gateway: Gateway) -> Account:
    """Once more where the platform wants us to wait a little. Raises GatewayError."""
    try:
        return await gateway.check()
    except Throttled as error:
        await asyncio.sleep(min(error.retry_after_s, MOST_PATIENCE_S))
        return await gateway.check()


def account_words(account: Account) -> str:
    webhook = f"webhook {account.webhook}" if account.webhook else "no webhook"
    limit = f"may begin {account.quota_left:,} conversations a day" if account.quota_left is not None else ""
    return "; ".join(filter(None, (f"{account.name} ({account.external_id})", webhook, account.link, limit)))


def wanted_webhook(gateway: Gateway, public_url: str | None, channel: str) -> str | None:
    """Where the platform should reach us; None where it can't, or need not."""
    polls = isinstance(gateway, PollsUpdates) and gateway.polls
    if public_url is None or polls or not isinstance(gateway, SetsWebhook):
        return None
    return f"{public_url.rstrip('/')}/hooks/{channel}"


async def _fix(gateway: Gateway, account: Account, should_be: str | None) -> str:
    """What was done, in words; "" for nothing. Raises GatewayError, with what it needs."""
    if should_be is None or account.webhook == should_be or not isinstance(gateway, SetsWebhook):
        return ""
    try:
        await gateway.set_webhook(should_be)
    except GatewayError as error:
        words = f"the webhook could not be set, which needs `carillon run` to answer at public_url: {refused(error)}"
        raise GatewayError(words) from error
    return f"the webhook was {account.webhook or 'none'} and is set anew"


def _of_webhook(gateway: Gateway, account: Account, should_be: str | None, public_url: str | None) -> list[str]:
    if should_be is not None and account.webhook != should_be:
        return [f"the webhook should be {should_be}: `carillon run` sets it, or `carillon check --fix` beside it"]
    polls = isinstance(gateway, PollsUpdates) and gateway.polls
    return [NOT_HEARD] if public_url is None and isinstance(gateway, SetsWebhook) and not polls else []


async def _templates(desk: Desk, channel: str, gateway: Gateway) -> tuple[str, list[str]]:
    """How many there are, as the platform tells now; and what can't be told."""
    if not isinstance(gateway, SyncsTemplates) or not gateway.capabilities.takes_templates:
        return "", []
    try:
        listed = await gateway.templates()
    except GatewayError as error:
        return "", [f"its templates can't be read: {refused(error)}"]
    await desk.store.templates.sync(channel, listed, desk.clock.now())
    approved = sum(one.status == "approved" for one in listed)
    return f"{len(listed)} templates, {approved} of them approved", []


def _details(account: Account, should_be: str | None, *, is_fixed: bool) -> Mapping[str, Any]:
    return {
        "account": account.name,
        "account_id": account.external_id,
        "link": account.link,
        "webhook": account.webhook,
        "webhook_should_be": should_be,
        "fixed": is_fixed,
        "may_begin": account.quota_left,
    }
