"""Statements at the driver's own cost, for what every message passes through.

SQLAlchemy writes each statement, once; what it would do for every row and every execution (a dictionary, a check, a
conversion) costs more here than the database does (docs/decisions/path.md).
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    CompoundSelect,
    Dialect,
    Float,
    Insert,
    Select,
    Text,
    Update,
    bindparam,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.sqlite import Direct

Row = Sequence[Any]


Convert = Callable[[Any], Any]


class Rows:
    """An INSERT of rows, each a sequence in the order of `columns`: on PostgreSQL one statement over an array for each
    column.

    `build` makes the statement for a dialect's name; `columns` must be all that it takes."""

    def __init__(self, columns: Sequence[Column[Any]], build: Callable[[str], Insert]) -> None:
        self._columns = columns
        self._build = build
        self._made: dict[str, tuple[str, list[tuple[int, Convert | None]]]] = {}

    async def insert(self, connection: AsyncConnection, rows: Sequence[Row]) -> None:
        if not rows:
            return
        dialect = connection.dialect
        if dialect.name not in self._made:
            self._made[dialect.name] = self._make(dialect)
        statement, places = self._made[dialect.name]
        given = list(zip(*rows, strict=True))
        columns = [given[place] if convert is None else _converted(given[place], convert) for place, convert in places]
        if dialect.name == "sqlite":
            await _change(connection, statement, list(zip(*columns, strict=True)))
        else:
            await connection.exec_driver_sql(statement, tuple(columns))

    def _make(self, dialect: Dialect) -> tuple[str, list[tuple[int, Convert | None]]]:
        names = [column.name for column in self._columns]
        statement = self._build(dialect.name)
        if dialect.name != "sqlite":
            arrays = [bindparam(one.name, type_=ARRAY(one.type)) for one in self._columns]
            values = func.unnest(*arrays).table_valued(*names).render_derived()
            statement = statement.from_select(names, select(*values.c))
        compiled = statement.compile(dialect=dialect, column_keys=names)
        taken = list(compiled.positiontup or ())
        if sorted(taken) != sorted(names):
            raise ValueError(f"the statement takes {taken}, not {names}")
        places = [names.index(name) for name in taken]
        kinds = [self._columns[place].type.dialect_impl(dialect) for place in places]
        conversions = [kind.bind_processor(dialect) for kind in kinds]
        return str(compiled), list(zip(places, conversions, strict=True))


def _converted(values: Sequence[Any], convert: Convert) -> Sequence[Any]:
    """One after the other; many rows share a moment, and it is converted once."""
    last, made, out = object(), None, []
    for value in values:
        if value is not last:
            last, made = value, convert(value)
        out.append(made)
    return out


class Asked:
    """A statement with parameters by name; the rows that it gives, if any, are sequences in the order of its columns.

    `build` makes it for a dialect's name. Parameters that stand in it with a value keep that."""

    def __init__(self, build: Callable[[str], Select[Any] | CompoundSelect[Any] | Update]) -> None:
        self._build = build
        self._made: dict[str, _Made] = {}

    async def rows(self, connection: AsyncConnection, values: Mapping[str, Any]) -> Sequence[Row]:
        dialect = connection.dialect
        made = self._made.get(dialect.name)
        if made is None:
            made = self._made[dialect.name] = self._make(dialect)
        given = [
            fixed if name is None else values[name] if convert is None else convert(values[name])
            for name, convert, fixed in made.parameters
        ]
        rows: Sequence[Row]
        if isinstance(connection, Direct):
            rows = connection.fetch(made.text, given)
        else:
            result = await connection.exec_driver_sql(made.text, tuple(given))
            rows = result.all() if result.returns_rows else []
        if not made.columns:
            return rows
        converted = [list(row) for row in rows]
        for place, convert in made.columns:
            for row in converted:
                row[place] = convert(row[place])
        return converted

    def _make(self, dialect: Dialect) -> "_Made":
        statement = self._build(dialect.name)
        compiled = statement.compile(dialect=dialect)
        parameters: list[tuple[str | None, Convert | None, Any]] = []
        for name in compiled.positiontup or ():
            parameter = compiled.binds[name]
            convert = parameter.type.dialect_impl(dialect).bind_processor(dialect)
            if parameter.required:
                parameters.append((name, convert, None))
            else:
                fixed = parameter.effective_value
                parameters.append((None, None, fixed if convert is None else convert(fixed)))
        columns: list[tuple[int, Convert]] = []
        for place, column in enumerate(statement.exported_columns):
            if isinstance(column.type, Float):  # as the driver has it; SQLAlchemy would ask for the answer's own type
                continue
            read = column.type.dialect_impl(dialect).result_processor(dialect, None)
            if read is not None:
                columns.append((place, read))
        return _Made(str(compiled), parameters, columns)


@dataclass(frozen=True, slots=True)
class _Made:
    text: str
    parameters: Sequence[tuple[str | None, Convert | None, Any]]  # name, how it is converted; or a fixed value
    columns: Sequence[tuple[int, Convert]]  # those that have to be converted


async def _change(connection: AsyncConnection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    if isinstance(connection, Direct):
        connection.change(statement, rows)
    else:
        await connection.exec_driver_sql(statement, list(rows))


def is_among(dialect: str, column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Whether the column is one of the integers, or texts, in the parameter `name`: one statement for any number."""
    if dialect == "sqlite":
        values = func.json_each(bindparam(name, type_=Text)).table_valued("value")
        return column.in_(select(values.c.value))
    kind = Text() if isinstance(column.type, Text) else BigInteger()
    return column == func.any(bindparam(name, type_=ARRAY(kind)))


def among(dialect: str, values: Collection[int] | Collection[str]) -> Any:
    """Integers or texts as the parameter of `is_among`."""
    return json.dumps(list(values)) if dialect == "sqlite" else list(values)


class Changes:
    """An UPDATE for each of many rows, each a sequence in the order of `names`.

    `build` makes the statement, whose parameters have these names."""

    def __init__(self, names: Sequence[str], build: Callable[[], Update]) -> None:
        self._names = names
        self._build = build
        self._made: dict[str, tuple[str, list[tuple[int, Convert | None]]]] = {}

    async def execute(self, connection: AsyncConnection, rows: Sequence[Row]) -> None:
        if not rows:
            return
        dialect = connection.dialect
        if dialect.name not in self._made:
            self._made[dialect.name] = self._make(dialect)
        statement, places = self._made[dialect.name]
        converted = [
            tuple([row[place] if convert is None else convert(row[place]) for place, convert in places]) for row in rows
        ]
        await _change(connection, statement, converted)

    def _make(self, dialect: Dialect) -> tuple[str, list[tuple[int, Convert | None]]]:
        compiled = self._build().compile(dialect=dialect)
        places: list[tuple[int, Convert | None]] = []
        for name in compiled.positiontup or ():
            kind = compiled.binds[name].type.dialect_impl(dialect)
            places.append((self._names.index(name), kind.bind_processor(dialect)))
        return str(compiled), places
