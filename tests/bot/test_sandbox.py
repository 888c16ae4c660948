"""`carillon sandbox`: the simulated messengers alone, and a configuration that works with them."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CARILLON = Path(sys.executable).parent / "carillon"


@contextmanager
def sandbox(*arguments: str) -> Iterator[dict[str, Any]]:
    """What it says once it listens."""
    command = [str(CARILLON), "sandbox", "--json", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = ""
        while not said.endswith("}\n"):
            said += process.stdout.readline() or "}\n"
        yield json.loads(said)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_check_passes_on_the_configuration_that_it_prints(tmp_path: Path) -> None:
    with sandbox("--port", "0") as told:
        (tmp_path / "config.toml").write_text(told["config"])
        done = subprocess.run([CARILLON, "check", "--json"], cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stdout + done.stderr
    checks = {each["what"]: each["words"] for each in json.loads(done.stdout)["checks"]}
    assert {what.removeprefix("channel ") for what in checks if what.startswith("channel ")} == set(told["urls"])
    assert {channel.partition("-")[0] for channel in told["urls"]} == {"tg", "viber", "fb", "vk", "wa", "sms"}
    assert len(set(told["urls"].values())) == 6


def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [str(CARILLON), "sandbox", "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert done.returncode == 1
    assert done.stderr.startswith(f"127.0.0.1:{port} can't be listened on: the port is taken.")
    assert len(done.stderr.splitlines()) == 2
