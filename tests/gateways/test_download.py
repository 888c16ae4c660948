"""Fetching by URL: open internet only, whatever the URL, the name or a redirect says."""

import socket
from ipaddress import ip_address

import pytest

from gateways.download import NotFetched, fetch, is_public
from tests.gateways.stub import Reply, Stub


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "192.0.2.7", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fc00::1",
        "fd12::7", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    ],
)  # fmt: skip
def test_an_address_of_no_open_network_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "149.154.167.220", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"]
)
async def test_this_machine_is_not_reached_however_it_is_written(host: str, stub: Stub) -> None:
    stub.pages["/a.jpg"] = Reply(200, b"secret")
    port = stub.url.rpartition(":")[2]
    with pytest.raises(NotFetched):
        await fetch(f"http://{host}:{port}/a.jpg", 1000)


async def test_a_name_that_leads_home_is_not_followed(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    stub.pages["/a.jpg"] = Reply(200, b"secret")
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(NotFetched, match="not a public one"):
        await fetch(f"http://pictures.example:{stub.url.rpartition(':')[2]}/a.jpg", 1000)


@pytest.mark.parametrize("to", ["http://127.0.0.2:{port}/a.jpg", "http://inside.example:{port}/a.jpg", "file:///a"])
async def test_a_redirect_is_judged_as_the_first_address_is(
    to: str, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """127.0.0.1 stands for the open internet here: what it sends us to is not it."""
    stub.pages["/go"] = Reply(302, b"", {"Location": to.format(port=stub.url.rpartition(":")[2])})
    stub.pages["/a.jpg"] = Reply(200, b"secret")
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.2", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(NotFetched, match=r"not a public one|no http or https URL"):
        await fetch(f"{stub.url}/go", 1000, allowed=lambda address: str(address) == "127.0.0.1")


async def test_redirects_have_an_end(stub: Stub) -> None:
    stub.pages["/go"] = Reply(302, b"", {"Location": "/go"})
    with pytest.raises(NotFetched, match="from place to place"):
        await fetch(f"{stub.url}/go", 1000, allowed=lambda _: True)


@pytest.mark.parametrize(
    "url", ["ftp://a.b/c", "file:///etc/passwd", "https://", "a.jpg", "", "http://[::1", "javascript:1"]
)
async def test_what_is_no_web_address_is_not_fetched(url: str) -> None:
    with pytest.raises(NotFetched):
        await fetch(url, 1000)


async def test_a_file_is_fetched_with_its_name_and_type(stub: Stub) -> None:
    stub.pages["/a/b.pdf"] = Reply(200, b"%PDF", {"Content-Type": "application/pdf; charset=x"})
    stub.pages["/go"] = Reply(307, b"", {"Location": "/a/b.pdf"})
    fetched = await fetch(f"{stub.url}/go", 1000, allowed=lambda _: True)
    assert fetched == (b"%PDF", "application/pdf", "b.pdf")


async def test_a_file_that_is_too_large_is_left_in_the_middle(stub: Stub) -> None:
    stub.pages["/a"] = Reply(200, b"x" * 3_000_000)
    with pytest.raises(NotFetched, match="larger than 2 MB"):
        await fetch(f"{stub.url}/a", 2 * 1024 * 1024, allowed=lambda _: True)


async def test_a_server_that_is_away_is_told_without_its_address() -> None:
    with pytest.raises(NotFetched) as raised:
        await fetch("http://127.0.0.1:1/secret-path", 1000, allowed=lambda _: True)
    assert "secret-path" not in str(raised.value)
    assert "can't be reached" in str(raised.value)
