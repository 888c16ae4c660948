"""The four floors, as DESIGN.md draws them: each imports only floors below it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_import_contracts_hold() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_init_is_empty() -> None:
    packages = ("bot", "engine", "gateways", "storage")
    written = [file for name in packages for file in (ROOT / name).rglob("__init__.py") if file.read_text().strip()]
    assert written == []
