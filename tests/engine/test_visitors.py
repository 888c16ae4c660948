"""People from programs that look at links, by the headers of a request."""

import os
from pathlib import Path

import pytest

from engine.visitors import OWN_LIST, SHIPPED, Visitors
from storage.links import Visitor

SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"


def visitor(agent: str, **headers: str) -> Visitor:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Visitors([SHIPPED]).classify({"user-agent": agent, **given})


@pytest.mark.parametrize(
    "agent",
    [
        "TelegramBot (like TwitterBot)",
        "WhatsApp/2.24.9.78 A",
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/crawler)",
        "meta-externalfetcher/1.1",
        "Mozilla/5.0 (compatible; vkShare; +http://vk.com/dev/Share)",
        "ViberUrlDownloader",
        f"{SAFARI} Version/17.5 Safari/605.1.15 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "Slack-ImgProxy (+https://api.slack.com/robots)",
        "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
        "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
        "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
        "Twitterbot/1.0",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/534+ (KHTML, like Gecko) BingPreview/1.0b",
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; MicrosoftPreview/2.0)",
        "Mozilla/5.0 (compatible; Barracuda Sentinel (EE))",
        "python-requests/2.32.3",
        "curl/8.5.0",
        "Go-http-client/2.0",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/126.0.0.0 Safari/537.36",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    ],
)
def test_programs_that_preview_links_are_known(agent: str) -> None:
    assert visitor(agent) is Visitor.PREVIEW


@pytest.mark.parametrize(
    "agent",
    [
        "",
        f"{SAFARI} Version/17.5 Mobile/15E148 Safari/604.1",
        f"{SAFARI} Mobile/21F79 [FBAN/FBIOS;FBAV/465.0.0.37.107;FBBV/602064588]",
        f"{SAFARI} Mobile/21F79 Instagram 334.0.4.32.98",
        "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UQ1A; wv) AppleWebKit/537.36 Version/4.0 Chrome/126.0 Mobile",
        "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Telegram-Android/10.14.5 (Google Pixel 8)",
        "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 WhatsApp/2.24",
        "Mozilla/5.0 (Linux; Android 14) Facebook Viber/22.8.0.0 VKAndroidApp/8.70",
        "telegrambot (like nobody)",  # capitals are as they are
    ],
)
def test_look_alikes_are_people(agent: str) -> None:
    assert visitor(agent) is Visitor.HUMAN


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sec_purpose", "prefetch;prerender"),
        ("sec_purpose", "prefetch"),
        ("purpose", "prefetch"),
        ("x_moz", "prefetch"),
        ("purpose", "Prefetch"),
    ],
)
def test_a_browser_that_fetches_ahead_is_nobody_yet(name: str, value: str) -> None:
    assert visitor(SAFARI, **{name: value}) is Visitor.PREFETCH
    assert visitor("curl/8.5.0", **{name: value}) is Visitor.PREVIEW


def test_a_list_is_read_anew_when_it_changes(tmp_path: Path) -> None:
    now = [0.0]
    own = tmp_path / OWN_LIST
    visitors = Visitors([SHIPPED, own], monotonic=lambda: now[0])
    headers = {"user-agent": "AcmePreview/1.0"}
    assert visitors.classify(headers) is Visitor.HUMAN

    own.write_text("# ours\n\n^AcmePreview\n")
    assert visitors.classify(headers) is Visitor.HUMAN
    now[0] = 5.0
    assert visitors.classify(headers) is Visitor.PREVIEW
    assert visitors.classify({"user-agent": "Not AcmePreview"}) is Visitor.HUMAN
    assert visitors.classify({"user-agent": "curl/8"}) is Visitor.PREVIEW

    own.write_text("^\n")  # would be everybody
    os.utime(own, (1, 1))
    now[0] = 10.0
    assert visitors.classify(headers) is Visitor.HUMAN
    own.unlink()
    now[0] = 15.0
    assert visitors.classify(headers) is Visitor.HUMAN
