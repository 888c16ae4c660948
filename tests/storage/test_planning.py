"""Planning in packages: every client is looked at once, whatever ids there are, and rows and numbers agree."""

from collections import Counter
from collections.abc import Mapping, Sequence

from sqlalchemy import insert, select

from storage.filters import AudienceFilter, Comparison, Condition
from storage.planning import Package, Plan, Planned, make_plan, pass_by, plan_package
from storage.records import Routing
from storage.schema import addresses, clients, counters, deliveries, mailings, steps
from storage.store import Store
from tests.storage.people import NOW

EVERYBODY = AudienceFilter()
# With wide gaps, as erased and merged cards and PostgreSQL's sequences leave them.
STATUSES = {
    1: "enabled",
    2: "blocked",
    3: "enabled",
    50_000: "enabled",
    50_001: "none",
    50_002: "enabled",
    10**9: "gone",
}


async def fill(store: Store) -> None:
    async with store.database.writing() as connection:
        for number, status in STATUSES.items():
            stamps = {"created_at": NOW, "updated_at": NOW}
            main = {"main_channel": "tg-shop", "main_address_id": number, "main_status": status}
            await connection.execute(insert(clients).values(id=number, external_id=f"c{number}", **main, **stamps))
            place = {"id": number, "client_id": number, "scope": "tg-shop", "channel": "tg-shop", "details": {}}
            times = {"status_at": NOW, "created_at": NOW}
            await connection.execute(insert(addresses).values(**place, **times, external_id=f"{number}", status=status))
        mailing = {"name": "m", "routing": "main", "channels": [], "on_unknown": "skip", "created_by": "Ann"}
        await connection.execute(insert(mailings).values(id=1, **mailing, created_at=NOW))
        step = {"number": 1, "status": "sending", "start": "now", "audience": {}, "message": {}}
        await connection.execute(insert(steps).values(id=1, mailing_id=1, **step))


async def plan(store: Store, size: int, audience: AudienceFilter = EVERYBODY) -> Sequence[Planned]:
    """Package after package, up to the one that is the last."""
    made = await make_plan(store.database, Plan(1, audience, Routing.MAIN, (), ("tg-shop",), NOW, "UTC"))
    package = Package(made, size, NOW)
    packages = [await store.writer.write(plan_package, package)]
    while not packages[-1].all:
        packages.append(await store.writer.write(plan_package, package))
    return packages


async def planned_clients(store: Store) -> Sequence[int]:
    async with store.database.read() as connection:
        return list(await connection.scalars(select(deliveries.c.client_id).order_by(deliveries.c.id)))


async def numbers(store: Store) -> Mapping[str, int]:
    found: Counter[str] = Counter()
    async with store.database.read() as connection:
        for row in await connection.execute(select(counters.c.name, counters.c.amount)):
            found[row.name] += row.amount
    return found


async def test_packages_of_any_size_plan_the_same_and_pass_over_gaps(store: Store) -> None:
    await fill(store)
    packages = await plan(store, 2)
    assert [one.planned for one in packages] == [1, 1, 1, 1, 0]
    assert await planned_clients(store) == [1, 3, 50_000, 50_002]
    assert await numbers(store) == {
        "audience": 7, "planned": 4, "waiting": 4,
        "left_out:blocked": 1, "left_out:no_address": 1, "left_out:gone": 1,
    }  # fmt: skip


async def test_one_wide_package_takes_everybody_and_is_the_last(store: Store) -> None:
    await fill(store)
    (package,) = await plan(store, 2 * 10**9)
    assert (package.planned, package.all) == (4, True)
    assert package.held_s > 0
    assert (await numbers(store))["audience"] == 7


async def test_a_package_in_which_nobody_matches_moves_the_mark_alone(store: Store) -> None:
    await fill(store)
    only = AudienceFilter(where=(Condition("id", Comparison.IS, "c50002"),))
    packages = await plan(store, 3, only)
    assert [one.planned for one in packages] == [0, 1, 0]
    assert await planned_clients(store) == [50_002]
    assert await numbers(store) == {"audience": 1, "planned": 1, "waiting": 1}


async def test_those_who_do_not_match_are_passed_by(store: Store) -> None:
    await fill(store)
    only = AudienceFilter(where=(Condition("id", Comparison.IS, "c50002"),))
    made = await make_plan(store.database, Plan(1, only, Routing.MAIN, (), ("tg-shop",), NOW, "UTC"))
    assert await pass_by(store.database, made) == 50_001
    found = await store.writer.write(plan_package, Package(made, 1, NOW, after=50_001))
    assert (found.planned, found.all) == (1, False)
    assert await pass_by(store.database, made) == 10**9  # nobody is left who matches
    last = await store.writer.write(plan_package, Package(made, 1, NOW, after=10**9))
    assert (last.planned, last.all) == (0, True)
    assert await planned_clients(store) == [50_002]


async def test_without_clients_the_plan_is_done_at_once(store: Store) -> None:
    await fill(store)
    async with store.database.writing() as connection:
        for table in (addresses, clients):
            await connection.execute(table.delete())
    assert [(one.planned, one.all) for one in await plan(store, 10)] == [(0, True)]
