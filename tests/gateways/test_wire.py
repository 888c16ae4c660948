"""What goes over the wire and what may come back, byte by byte, on both loops: the peer is a socket that a test speaks
through."""

import asyncio
import inspect
import socket
import ssl
import struct
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop
from yarl import URL

from gateways.base import OutcomeUnknown, Unavailable
from gateways.connection import HttpAnswer
from gateways.http import HttpClient, Target, target

FIXTURES = Path(__file__).parent / "fixtures"
CERTIFICATE = FIXTURES / "tls" / "localhost.pem"  # signed by itself, for a hundred years; `openssl req -x509`

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


def on_both_loops(case: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a case, which gets a peer and a client, on asyncio's loop and on the one that `carillon run` takes."""

    @pytest.mark.parametrize("loop", LOOPS, ids=["asyncio", "uvloop"])
    def test(loop: Callable[[], asyncio.AbstractEventLoop], **given: Any) -> None:
        async def main() -> None:
            async with asyncio.timeout(20):
                peer, http = Peer(), HttpClient()
                await http.open()
                try:
                    await case(peer, http, **given)
                finally:
                    await http.close()
                    peer.close()

        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(main())

    made: Any = test
    own = inspect.signature(made).parameters["loop"]
    _, _, *others = inspect.signature(case).parameters.values()
    made.__signature__ = inspect.Signature([own, *others])  # what pytest goes by
    made.__name__, made.__doc__ = case.__name__, case.__doc__
    done: Callable[..., None] = made
    return done


class Peer:
    """A listening socket on this machine; each connection to it is a `Seat`."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self._seats: list[Seat] = []
        self.port = self._socket.getsockname()[1]

    def close(self) -> None:
        for seat in self._seats:
            seat.hang_up()
        self._socket.close()

    def target(self, method: str = "POST", path: str = "/send", **headers: str) -> Target:
        return target(method, URL(f"http://127.0.0.1:{self.port}{path}"), headers)

    async def seat(self) -> "Seat":
        """The next connection that is made."""
        sock, _ = await asyncio.get_running_loop().sock_accept(self._socket)
        self._seats.append(Seat(sock))
        return self._seats[-1]

    def nobody_waits(self) -> bool:
        """Whether no connection was made beside those that were seated."""
        try:
            self._socket.accept()[0].close()
        except BlockingIOError:
            return True
        return False


class Seat:
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._read = b""

    async def request(self) -> tuple[bytes, bytes]:
        """The head and the body of the next request."""
        head = await self.head()
        length = int(next((line[16:] for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")), b"0"))
        while len(self._read) < length:
            self._read += await self._more()
        body, self._read = self._read[:length], self._read[length:]
        return head, body

    async def head(self) -> bytes:
        while b"\r\n\r\n" not in self._read:
            self._read += await self._more()
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        return head

    async def _more(self) -> bytes:
        more = await asyncio.get_running_loop().sock_recv(self._sock, 65536)
        assert more, "the client hung up"
        return more

    async def hears_the_end(self) -> None:
        """Wait until the client has hung up."""
        try:
            while await asyncio.get_running_loop().sock_recv(self._sock, 65536):
                pass
        except ConnectionResetError:
            return

    def says(self, data: bytes) -> None:
        """At once, without letting the loop run: a test may act before the client has read it."""
        self._sock.sendall(data)

    def hang_up(self) -> None:
        self._sock.close()

    def reset(self) -> None:
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()


def answer(body: bytes = b"{}", head: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s" % (len(body), head, body)


def calling(
    http: HttpClient, where: Target, body: bytes | list[bytes] | None = b"{}", total_s: float = 5.0
) -> "asyncio.Task[HttpAnswer]":
    return asyncio.create_task(http.call(where, body, total_s=total_s))


async def outcome(call: "asyncio.Task[HttpAnswer]") -> Any:
    """The answer, or the error."""
    (found,) = await asyncio.gather(call, return_exceptions=True)
    return found


async def served(peer: Peer, http: HttpClient) -> Seat:
    """A connection that has carried one call and is kept."""
    call = calling(http, peer.target())
    seat = await peer.seat()
    await seat.request()
    seat.says(answer())
    assert (await call).status == 200
    return seat


# --- what goes out


@on_both_loops
async def test_a_request_is_these_bytes(peer: Peer, http: HttpClient) -> None:
    call = calling(http, peer.target(path="/bot1/sendMessage?a=%20b", **{"X-Token": "se cret"}), '{"ї":1}'.encode())
    seat = await peer.seat()
    head, body = await seat.request()
    assert head.split(b"\r\n") == [
        b"POST /bot1/sendMessage?a=%20b HTTP/1.1",
        b"Host: 127.0.0.1:%d" % peer.port,
        b"User-Agent: Carillon",
        b"Accept: */*",
        b"Accept-Encoding: identity",
        b"X-Token: se cret",
        b"Content-Length: 8",
    ]
    assert body == '{"ї":1}'.encode()
    seat.says(answer(b"yes", b"X-App-Usage: 7\r\n"))
    assert await call == HttpAnswer(200, b"yes", {"content-length": "3", "x-app-usage": "7"})


@on_both_loops
async def test_what_is_only_asked_has_no_body_and_a_password_in_the_url_goes_along(
    peer: Peer, http: HttpClient
) -> None:
    call = calling(http, target("GET", URL(f"http://me:p%40ss@127.0.0.1:{peer.port}")), None)
    seat = await peer.seat()
    head, body = await seat.request()
    assert head.startswith(b"GET / HTTP/1.1\r\n")
    assert b"Authorization: Basic bWU6cEBzcw==" in head.split(b"\r\n")
    assert b"Content-Length" not in head
    assert body == b""
    seat.says(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert (await call)[:2] == (204, b"")


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        (URL("ftp://a.test/x"), {}),
        (URL("/x"), {}),
        (URL("http://a.test/x y", encoded=True), {}),
        (URL("http://a.test/x\r\nHost: b.test", encoded=True), {}),
        (URL("http://a.test/x"), {"X-Viber-Auth-Token": "one\r\nX-Other: two"}),
    ],
)
def test_what_no_request_can_carry_is_surely_not_sent(url: URL, headers: dict[str, str]) -> None:
    with pytest.raises(Unavailable):
        target("POST", url, headers)


@on_both_loops
async def test_a_large_body_goes_out_as_fast_as_a_slow_reader_takes_it(peer: Peer, http: HttpClient) -> None:
    pieces = [bytes([number]) * 700_000 for number in range(8)]
    call = calling(http, peer.target(), pieces)
    seat = await peer.seat()
    await asyncio.sleep(0.05)  # the buffers fill meanwhile
    _, body = await seat.request()
    assert body == b"".join(pieces)
    seat.says(answer())
    assert (await call).status == 200
    again = calling(http, peer.target(), b"small")
    assert (await seat.request())[1] == b"small"
    seat.says(answer())
    await again


@on_both_loops
async def test_a_large_body_that_nobody_takes_is_given_up_in_time(peer: Peer, http: HttpClient) -> None:
    call = calling(http, peer.target(), [b"x" * 20_000_000], total_s=1.0)
    await peer.seat()
    error = await outcome(call)
    assert isinstance(error, OutcomeUnknown)
    assert error.words == "no answer within 1 s"


@on_both_loops
async def test_an_answer_before_the_whole_request_is_taken_and_the_connection_is_not(
    peer: Peer, http: HttpClient
) -> None:
    call = calling(http, peer.target(), [b"x" * 20_000_000])
    seat = await peer.seat()
    await seat.head()
    seat.says(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    assert (await call).status == 413
    await seat.hears_the_end()


# --- which connection


@on_both_loops
async def test_a_connection_is_kept_and_calls_that_overlap_have_their_own(peer: Peer, http: HttpClient) -> None:
    seats = [await served(peer, http)]
    calls = [calling(http, peer.target(), b"%d" % number) for number in range(5)]
    seats += [await peer.seat() for _ in range(4)]
    bodies = [(await seat.request())[1] for seat in seats]
    for seat, body in reversed(list(zip(seats, bodies, strict=True))):
        seat.says(answer(b"to " + body))
    assert [(await call).body for call in calls] == [b"to %d" % number for number in range(5)]
    assert peer.nobody_waits()


@on_both_loops
async def test_a_connection_that_the_answer_closes_is_not_used_again(peer: Peer, http: HttpClient) -> None:
    for closing in (
        answer(head=b"Connection: close\r\n"),
        answer(head=b"Keep-Alive: timeout=1\r\n"),  # as good as over: the next request could cross its end
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    ):
        call = calling(http, peer.target())
        seat = await peer.seat()
        await seat.request()
        seat.says(closing)
        assert (await call).body == b"{}"


@on_both_loops
async def test_a_call_takes_a_fresh_connection_when_the_kept_one_was_just_closed(peer: Peer, http: HttpClient) -> None:
    """The end is in the socket and the loop has not come to read it: nothing may be written there."""
    for hang_up in (Seat.hang_up, Seat.reset):
        hang_up(await served(peer, http))
        seat = await served(peer, http)
        assert peer.nobody_waits()
        seat.hang_up()
        await asyncio.sleep(0.02)  # now it has


@on_both_loops
async def test_an_answer_to_another_request_is_nobodys(peer: Peer, http: HttpClient) -> None:
    call = calling(http, peer.target())
    seat = await peer.seat()
    await seat.request()
    seat.says(answer(b"mine") + answer(b"another's"))
    assert (await call).body == b"mine"
    seat = await served(peer, http)
    seat.says(answer(b"late"))  # unread when the next call looks for a connection
    seat = await served(peer, http)
    seat.says(answer(b"later"))
    await asyncio.sleep(0.02)  # read while nobody waits for anything
    await served(peer, http)
    assert peer.nobody_waits()


@on_both_loops
async def test_who_speaks_before_being_asked_is_not_asked(peer: Peer, http: HttpClient) -> None:
    """Another program's port, such as a mail server's."""
    called = calling(http, peer.target())
    seat = await peer.seat()
    seat.says(b"220 mail.acme.test ESMTP\r\n")
    error = await outcome(called)
    assert isinstance(error, Unavailable | OutcomeUnknown)  # as it comes before the request is written, or after
    await seat.hears_the_end()


@on_both_loops
async def test_a_cancelled_call_leaves_no_answer_to_the_next_one(peer: Peer, http: HttpClient) -> None:
    await served(peer, http)
    call = calling(http, peer.target(), b"first")
    await asyncio.sleep(0.02)
    call.cancel()
    assert isinstance(await outcome(call), asyncio.CancelledError)
    await served(peer, http)  # over a connection of its own
    assert peer.nobody_waits()


@on_both_loops
async def test_a_name_with_two_addresses_is_reached_by_the_one_that_answers(peer: Peer, http: HttpClient) -> None:
    call = calling(http, target("POST", URL(f"http://localhost:{peer.port}/")))
    seat = await peer.seat()
    assert b"Host: localhost:%d" % peer.port in await seat.head()
    seat.says(answer())
    assert (await call).status == 200


@on_both_loops
async def test_a_closed_client_gives_up_what_is_under_way_and_takes_nothing_more(peer: Peer, http: HttpClient) -> None:
    call = calling(http, peer.target())
    seat = await peer.seat()
    await seat.request()
    await http.close()
    assert isinstance(await outcome(call), OutcomeUnknown)
    await seat.hears_the_end()
    assert isinstance(await outcome(calling(http, peer.target())), Unavailable)


@on_both_loops
async def test_more_calls_than_there_is_room_for_wait_or_are_surely_not_sent(peer: Peer, http: HttpClient) -> None:
    narrow = HttpClient(max_calls=1)
    await narrow.open()
    first = calling(narrow, peer.target(), b"first")
    seat = await peer.seat()
    await seat.request()
    assert isinstance(await outcome(calling(narrow, peer.target(), b"second", total_s=0.15)), Unavailable)
    third = calling(narrow, peer.target(), b"third")
    await asyncio.sleep(0)
    seat.says(answer())
    await first
    assert (await seat.request())[1] == b"third"
    seat.says(answer())
    await third
    await narrow.close()


@on_both_loops
async def test_tls_is_spoken_with_whom_the_certificate_names_and_with_nobody_else(peer: Peer, http: HttpClient) -> None:
    """A large body goes out and comes back through it too."""
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_tls.load_cert_chain(CERTIFICATE)
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for length in (2, 2_000_000):
            await reader.readuntil(b"\r\n\r\n")
            got.append(await reader.readexactly(length))
            writer.write(answer(got[-1]))
        writer.close()

    client_tls = ssl.create_default_context(cafile=CERTIFICATE)
    trusting = HttpClient(tls=client_tls)
    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_tls) as server:
        port = server.sockets[0].getsockname()[1]
        await trusting.open()
        where = target("POST", URL(f"https://localhost:{port}/"))
        error = await outcome(calling(http, where))
        assert isinstance(error, Unavailable)
        assert error.words == "no connection: SSLCertVerificationError"
        error = await outcome(calling(trusting, target("POST", URL(f"https://127.0.0.1:{port}/"))))
        assert isinstance(error, Unavailable)
        assert (await calling(trusting, where)).body == b"{}"
        large = [b"1" * 1_000_000, b"2" * 1_000_000]
        assert (await calling(trusting, where, large)).body == b"".join(large)
        await trusting.close()
    assert got == [b"{}", b"".join(large)]


# --- what may come back


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=1\r\nfour\r\n1\r\n!\r\n0\r\nT: 1\r\n\r\n",
            b"four!",
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + answer(b"then"), b"then"),
        (b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 2\r\n\r\nno", b"no"),
        (answer(b"yes", b"X-Odd: \xff\xfe\r\n"), b"yes"),
    ],
)
@pytest.mark.parametrize("cut", [1, 1000])
@on_both_loops
async def test_an_answer_is_read_whole_however_it_is_cut(
    peer: Peer, http: HttpClient, said: bytes, expected: bytes, cut: int
) -> None:
    call = calling(http, peer.target())
    seat = await peer.seat()
    await seat.request()
    for place in range(0, len(said), cut):
        seat.says(said[place : place + cut])
        await asyncio.sleep(0.0002)
    if b"until" in said:
        seat.hang_up()
    found = await call
    assert found.body == expected
    assert "link" not in found.headers  # of an interim answer


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfo",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"\x16\x03\x01\x02\x00\x01",
    ],
)
@pytest.mark.parametrize("end", [Seat.hang_up, Seat.reset])
@on_both_loops
async def test_what_is_no_whole_answer_leaves_the_outcome_open_and_nothing_is_sent_again(
    peer: Peer, http: HttpClient, said: bytes, end: Callable[[Seat], None]
) -> None:
    seat = await served(peer, http)
    call = calling(http, peer.target())
    await seat.request()
    seat.says(said)
    await asyncio.sleep(0.005)
    end(seat)
    error = await outcome(call)
    assert isinstance(error, OutcomeUnknown)
    assert str(peer.port) not in error.words
    await asyncio.sleep(0.005)
    assert peer.nobody_waits()


@on_both_loops
async def test_an_end_by_reset_is_no_end_of_an_answer_without_a_length(peer: Peer, http: HttpClient) -> None:
    call = calling(http, peer.target())
    seat = await peer.seat()
    await seat.request()
    seat.says(b"HTTP/1.1 200 OK\r\n\r\nhalf")
    await asyncio.sleep(0.01)
    seat.reset()
    assert isinstance(await outcome(call), OutcomeUnknown)


@on_both_loops
async def test_an_answer_that_never_ends_is_given_up_in_time(peer: Peer, http: HttpClient) -> None:
    call = calling(http, peer.target(), total_s=1.0)
    seat = await peer.seat()
    await seat.request()
    seat.says(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    try:
        while not call.done():
            seat.says(b" ")
            await asyncio.sleep(0.01)
    except (ConnectionResetError, BrokenPipeError):
        await asyncio.wait([call])
    error = await outcome(call)
    assert isinstance(error, OutcomeUnknown)
    assert error.words == "no answer within 1 s"


@pytest.mark.parametrize(
    ("begins", "goes_on"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 100),
    ],
)
@on_both_loops
async def test_an_answer_larger_than_any_is_given_up_before_it_fills_the_memory(
    peer: Peer, http: HttpClient, begins: bytes, goes_on: bytes
) -> None:
    small = HttpClient(max_answer_bytes=100_000)
    await small.open()
    call = calling(small, peer.target())
    seat = await peer.seat()
    await seat.request()
    seat.says(begins)
    try:
        while not call.done():
            seat.says(goes_on * 100)
            await asyncio.sleep(0)
    except (ConnectionResetError, BrokenPipeError):
        await asyncio.wait([call])
    error = await outcome(call)
    assert isinstance(error, OutcomeUnknown)
    assert "larger" in error.words
    await small.close()
