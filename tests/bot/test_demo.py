"""`carillon demo`: everything embedded, from nothing to the final statistics."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

CARILLON = Path(sys.executable).parent / "carillon"


def demo(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CARILLON")}
    return subprocess.Popen(
        [CARILLON, "demo", *arguments],
        cwd=folder,
        env=environment | {"TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_sends_a_mailing_through_the_conversation_and_ends(tmp_path: Path) -> None:
    process = demo(tmp_path, "--clients", "60", "--port", "0", "--exit")
    out, err = process.communicate(timeout=100)

    assert process.returncode == 0, err
    assert "60 sample clients" in out
    assert "🚀 Send to" in out
    assert "Spring sale: sent" in err
    figures = {name: int(amount) for name, amount in re.findall(r"^ (\w+) +([\d,]+) *$", out, flags=re.MULTILINE)}
    assert figures["audience"] == 60
    assert figures["sent"] + figures["failed"] + figures["skipped"] == figures["planned"] > 50
    assert figures["waiting"] == figures["unknown"] == 0
    told = {
        name: rest.split()
        for name, rest in re.findall(r"^ (tg|viber|fb|vk|wa)-shop +(.+?) *$", out, flags=re.MULTILINE)
    }
    assert {
        name: [amount == "–" for amount in (delivered, read)] for name, (_, _, delivered, read, *_) in told.items()
    } == {
        "tg": [True, True],
        "viber": [False, False],
        "fb": [False, False],
        "vk": [True, False],
        "wa": [False, False],
    }
    assert sum(int(sent) for _, sent, *_ in told.values()) == figures["sent"]
    assert int(told["fb"][5]) > 0  # outside the window
    assert int(told["wa"][5]) == 0  # there a template goes
    assert sum(int(read) for _, _, _, read, *_ in told.values() if read != "–") > 0
    chart = re.search(r"^Chart: (\S+)$", out, flags=re.MULTILINE)
    assert chart is not None
    assert Path(chart[1]).read_bytes().startswith(b"\x89PNG")


def test_it_takes_the_next_port_and_serves_the_page_until_ctrl_c(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = demo(tmp_path, "--clients", "9", "--port", str(port))
        assert process.stdout is not None
        said = ""
        began = time.monotonic()
        while "Ctrl-C ends." not in said and time.monotonic() - began < 100:
            said += process.stdout.readline()
        found = re.search(r"Go on at (http://127.0.0.1:(\d+)/)", said)
        assert found is not None, said
        assert int(found[2]) > port
        with urllib.request.urlopen(found[1]) as response:  # noqa: S310  # our own page
            assert response.status == 200
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=15)

    assert process.returncode == 0, err
