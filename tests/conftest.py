"""Fixtures that every floor uses: a storage on each database, brought up by the tests themselves."""

import asyncio
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from hypothesis import settings

from storage.database import Database
from storage.migrate import upgrade
from storage.schema import metadata
from storage.store import Store, open_store
from tests.postgres import own_server

_MEMORY = Path("/dev/shm")  # noqa: S108 - what is made in it is named and guarded as in any other such folder
_ENOUGH = 2 * 1024**3  # bytes; a whole round has 0.3 GiB there at once


def _keep_in_memory() -> None:
    """Nothing that a test writes outlives it, so none waits for the disk; a TMPDIR that somebody named stays."""
    if "TMPDIR" not in os.environ and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ENOUGH:
        os.environ["TMPDIR"] = str(_MEMORY)
        tempfile.tempdir = None


_keep_in_memory()

# They assert for tests, and are to show what they compared.
pytest.register_assert_rewrite("tests.gateways.cases", "tests.bot.chat", "tests.flows.carillon")

# What takes long and another test covers nearly as well: with --thorough only, so that everybody runs the rest.
THOROUGH = (
    "test_aiogram_library.py::test_where_somebody_else_has_imported_it_nothing_changes",
    "test_app.py::test_it_gets_ready_and_ends_on_a_signal[2]",
    "test_app.py::test_a_mailing_launched_from_the_command_line_goes_out_beside_it",
    "test_app.py::test_a_second_engine_ends_with_2_and_names_the_first",
    "test_app.py::test_a_wrong_token_breaks_its_channel_and_no_other",
    "test_app.py::test_a_polled_channel_hears_its_clients",
    "test_demo.py::test_it_takes_the_next_port_and_serves_the_page_until_ctrl_c",
    "test_demo.py::test_it_sends_a_mailing_through_the_conversation_and_ends",  # make demo does it, and a flow by hand
    "test_rights.py::test_no_button_or_command_of_others_works[sqlite-every one",
    "test_running.py::test_check_and_the_test_alert_ask_slack",
    "test_sandbox.py::test_check_passes_on_the_configuration_that_it_prints",
    "test_app.py::test_a_taken_port_is_told_with_1",
    "test_app.py::test_the_console_prints_a_link_that_opens_once",
    "test_clicks.py::test_clicks_and_orders_stand_in_the_figures[postgresql]",
    "test_every_card.py::test_a_tour_visits_every_route",
    "test_clock_jumps.py::test_a_clock_that_jumps_holds_nothing_up[sqlite-running-on",
    "test_clock_jumps.py::test_a_clock_that_jumps_holds_nothing_up[sqlite-down-on",
    "test_five.py::test_a_storm_of_receipts_loses_nothing_and_takes_nothing_from_the_pace",
    "test_import_killed.py::test_an_import_killed_in_the_middle_leaves_whole_clients_and_goes_on[postgresql]",
    "test_interrupting.py::test_a_package_is_checked_before_the_start_and_topped_up[postgresql]",
    "test_interrupting.py::test_a_days_quota_interrupts_at_its_end_and_the_next_day_goes_on",
    "test_interrupting.py::test_a_template_that_fails_for_all_interrupts_by_its_share",
    "test_interrupting.py::test_what_is_not_what_was_launched_is_not_sent",
    "test_interrupting.py::test_with_on_unknown_repeat_a_power_cut_leaves_nobody_out",
    "test_sending.py::test_an_outage_loses_nobody_and_uses_no_tries_up[60",
    "test_starting.py::test_a_scheduled_mailing_changes_until_five_minutes_before_its_start",
    "test_long_down.py",
    "test_long_outage.py",
    "test_restored.py::test_a_restored_copy_sends_nothing_before_a_person_says_so[postgresql]",
    "test_operator.py::test_an_operator_composes_launches_and_steers_a_mailing_from_the_chat[postgresql]",
    "test_starting.py::test_a_scheduled_mailing_starts_by_itself_also_after_a_restart[postgresql]",
    "test_two_engines.py::test_a_frozen_engine_keeps_its_file_and_goes_on_where_it_was",
    "test_two_engines.py::test_a_second_engine_is_turned_away_and_begins_at_once_when_the_first_is_killed",
    "test_poison.py::test_whatever_is_poison_ends_alone_and_the_rest_go_on[sqlite]",
    "test_storage.py::test_a_server_that_is_stopped_in_mid_mailing_is_waited_for",
    "test_throttled.py",
    "test_webhooks.py::test_what_was_answered_200_survives_a_power_cut[postgresql]",
)


# What the engine does, and what people read, is decided above the database: these run on one, with --thorough on both.
# What they ask of storage is asked on both by the tests of storage and by those here.
ON_ONE_DATABASE = ("tests/bot/", "tests/engine/")
ON_BOTH = (
    "tests/bot/test_api.py",
    "tests/bot/test_orders.py::test_events_are_kept_once",
    "tests/engine/test_cascade.py::test_a_cancel_leaves_what_was_taken_as_sent",
    "tests/engine/test_cascade.py::test_a_failed_receipt_goes_on_at_once",
    "tests/engine/test_cascade.py::test_blocked_and_gone_go_on_at_once",
    "tests/engine/test_cascade.py::test_no_receipt_in_time_goes_on",
    "tests/engine/test_cascade.py::test_what_one_channel_took_stays_sent_where_no_later_one_does",
    "tests/engine/test_identities.py",
    "tests/engine/test_operations.py",
    "tests/engine/test_receipts.py",
)


# What takes longest begins first, so that no worker is left alone with it at the end; in this order.
LONGEST = (
    "test_sending.py::test_an_outage_loses_nobody",
    "test_operator.py::test_an_operator_composes",
    "test_page.py::",
    "test_sending.py::test_kill_9_at_random_moments",
    "test_sending.py::test_a_storm_of_throttles",
    "test_sending.py::test_pause_resume_and_cancel",
    "test_sending.py::test_sigterm",
    "test_sending.py::test_a_token_revoked",
    "test_five_killed.py::",
    "test_five.py::",
    "faults/",
    "test_guide.py::",
    "test_app.py::test_it_gets_ready",
    "test_walk.py::",
    "test_after.py::test_words_are_corrected",
    "test_life_cycle_model.py::",
    "test_amending.py::test_words_are_corrected",
    "test_writer.py::test_while_it_is_read_only",
    "test_media.py::test_a_picture_of_too_many_pixels",
    "test_lane.py::test_an_outage",
)


def _begin_with_the_longest(items: list[pytest.Item], workers: int) -> None:
    """Each worker gets an equal share of the list, of which others take the end when they have done theirs."""
    ranks = {item: rank for rank, name in enumerate(LONGEST) for item in items if name in item.nodeid}
    longest = sorted(ranks, key=ranks.__getitem__)
    others = iter([item for item in items if item not in ranks])
    ends = [len(items) * (worker + 1) // workers for worker in range(workers)]
    made: list[pytest.Item] = []
    for worker, end in enumerate(ends):
        made += longest[worker::workers]
        made += islice(others, max(end - len(made), 0))
    items[:] = made


def _is_on_postgresql(name: str) -> bool:
    return re.search(r"[\[-]postgresql\b", name) is not None


def _is_left_out(name: str) -> bool:
    on_second = _is_on_postgresql(name) and name.startswith(ON_ONE_DATABASE) and not name.startswith(ON_BOTH)
    return on_second or any(one in name for one in THOROUGH)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="also what takes long and is covered elsewhere")
    parser.addoption("--part", choices=("traced", "rest"), help="what coverage is taken of, or all else; absent: both")


def _is_traced(name: str) -> bool:
    """Tracing doubles a test's time: it is done on the floors where a mistake loses or repeats a message, once."""
    return name.startswith(("tests/engine/", "tests/storage/")) and not _is_on_postgresql(name)


def _is_wanted(config: pytest.Config, name: str) -> bool:
    part = config.getoption("--part")
    if part and (part == "traced") != _is_traced(name):
        return False
    return bool(config.getoption("--thorough")) or not _is_left_out(name)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if not _is_wanted(config, item.nodeid)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    _begin_with_the_longest(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


# Fewer examples than hypothesis takes by itself, in each of many tests; HYPOTHESIS_EXAMPLES=1000 looks longer.
settings.register_profile("carillon", max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "15")), deadline=None)
settings.load_profile("carillon")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server: the one that CARILLON_TEST_POSTGRES names, or our own for this session."""
    named = os.environ.get("CARILLON_TEST_POSTGRES")
    if named:
        yield named
        return
    with own_server() as server:
        _finish(_hurry(server.url))
        yield server.url


def _finish(work: Coroutine[Any, Any, None]) -> None:
    """Run it on a loop of its own, also where a test's loop runs already."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


async def _hurry(url: str) -> None:
    """Nothing in this server outlives the session, so it need not wait for the disk."""
    admin = await asyncpg.connect(url)
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        await admin.execute(f"ALTER SYSTEM SET {setting} = off")
    await admin.execute("SELECT pg_reload_conf()")
    await admin.close()


@pytest.fixture(scope="session")
def made_postgres(postgres_url: str) -> str:
    """The URL of a database with all our tables, which tests use one after the other."""
    name = f"carillon_{uuid.uuid4().hex[:12]}"
    _finish(_make_database(postgres_url, name))
    return _with_database(postgres_url, name)


async def _make_database(url: str, name: str) -> None:
    admin = await asyncpg.connect(url)
    await admin.execute(f"CREATE DATABASE {name}")
    await admin.close()
    await _make_tables(_with_database(url, name))


async def _empty(url: str) -> None:
    """Empty every table; whoever still holds one is cut off."""
    admin = await asyncpg.connect(url)
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    # Truncating makes new files for each table and index; most are empty anyway.
    await admin.execute("; ".join(f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables)))
    sequences = await admin.fetch("SELECT sequencename FROM pg_sequences")
    await admin.execute("; ".join(f"ALTER SEQUENCE {row['sequencename']} RESTART" for row in sequences))
    await admin.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all our tables, which others are copied from."""
    file = tmp_path_factory.mktemp("sqlite") / "template.db"
    _finish(_make_tables(f"sqlite:///{file}"))
    return file


async def _make_tables(url: str) -> None:
    database = Database(url)
    await upgrade(database)
    await database.close()


@pytest.fixture
async def postgres_database(postgres_url: str) -> AsyncIterator[str]:
    """The URL of an empty database of this test's own."""
    name = f"carillon_{uuid.uuid4().hex[:12]}"
    admin = await asyncpg.connect(postgres_url)
    try:
        await admin.execute(f"CREATE DATABASE {name}")
        yield _with_database(postgres_url, name)
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def storage_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty storage of each kind: whatever uses this runs twice."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'carillon.db'}"
    url: str = request.getfixturevalue("postgres_database")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
async def made_storage_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The same with all our tables, empty; making them for each test takes ten times as long."""
    if request.param == "sqlite":
        file = shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "carillon.db")
        yield f"sqlite:///{file}"
        return
    url = request.getfixturevalue("made_postgres")
    yield url
    await _empty(url)


@pytest.fixture
async def store(made_storage_url: str, tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(made_storage_url, data_dir=tmp_path, secret=b"of the tests") as opened:
        yield opened


def _with_database(url: str, name: str) -> str:
    parts = urlsplit(url)
    return parts._replace(path=f"/{name}").geturl()
