"""docs/security.md names a test for every threat; and what stands nowhere else is shown here."""

import os
import re
import stat
from pathlib import Path

from storage.database import Database
from storage.migrate import upgrade

HOUSE = Path(__file__).parents[2]
PAGE = (HOUSE / "docs" / "security.md").read_text("utf-8")


def _tests() -> set[str]:
    """The names of all tests that there are."""
    files = (HOUSE / "tests").rglob("test_*.py")
    sources = [file.read_text("utf-8") for file in files]
    return {name for source in sources for name in re.findall(r"^(?:async )?def (test_\w+)", source, re.MULTILINE)}


def test_every_test_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", PAGE))

    assert len(named) > 70
    assert named - _tests() == set()


def test_every_threat_names_a_test() -> None:
    rows = re.findall(r"^\| (?!---|somebody \||a secret could stand in \|).*$", PAGE, re.MULTILINE)

    assert len(rows) > 30
    assert [row for row in rows if "`test_" not in row] == []


async def test_a_new_storage_is_for_our_account_alone(tmp_path: Path) -> None:
    file = tmp_path / "carillon.db"
    database = Database(f"sqlite:///{file}")
    await upgrade(database)
    async with database.read(), database.writing():
        made = {one.name: stat.S_IMODE(one.stat().st_mode) for one in os.scandir(tmp_path)}
    await database.close()

    assert made == {"carillon.db": 0o600, "carillon.db-wal": 0o600, "carillon.db-shm": 0o600}
