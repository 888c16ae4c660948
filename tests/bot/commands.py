"""The command line as a test calls it: in this process, or in one of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from unittest.mock import patch

CARILLON = Path(sys.executable).parent / "carillon"
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("CARILLON")}
OLHA = {"name": "Olha", "role": "owner", "telegram": "1001", "slack": None, "by": "config", "until": None}
PEOPLE = '[[people]]\nname = "Olha"\nrole = "owner"\ntelegram = 1001\n'
CHANNEL = '[[channels]]\nid = "tg-shop"\nkind = "telegram"\ntoken = "2:SHOP"\napi_base = "http://127.0.0.1:9"\n'


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def process(*arguments: str, folder: Path) -> Done:
    """The command in a process of its own."""
    done = subprocess.run(
        [CARILLON, *arguments], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False
    )
    return Done(done.returncode, done.stdout, done.stderr)


def carillon(*arguments: str, folder: Path, environment: Mapping[str, str] | None = None, answers: str = "") -> Done:
    """The command in this process, which spares the imports."""
    from bot.cli.main import run

    out, err = StringIO(), StringIO()
    with (
        patch.dict(os.environ, {**ENVIRONMENT, **(environment or {})}, clear=True),
        patch.object(sys, "stdin", StringIO(answers)),
        chdir(folder),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        code = run(arguments)
    return Done(code, out.getvalue(), err.getvalue())


def refusal(done: Done, code: int) -> str:
    """What was said on stderr: one or two plain lines, and nothing on stdout."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert 1 <= len(done.stderr.splitlines()) <= 2
    return done.stderr
