"""The little language of texts: `client.NAME`, filters, plain conditions. All else is refused when it is compiled.

Jinja reads it and compiles it, in its immutable sandbox; before that every node is checked here and comparisons, sums
and fields are exchanged for functions of `engine.values`, which take whatever a card holds.
"""

import difflib
import inspect
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

from jinja2 import TemplateError, TemplateSyntaxError, nodes
from jinja2.environment import Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine.errors import Invalid, _
from engine.values import FILTERS, INNER, MAX_VALUE, TemplateFailed, begin_work, measured, shown
from gateways.markup import CLOSE, OPEN, read_marked

MAX_SOURCE = 32_000  # characters of one template
_MAX_DEPTH = 40
_FAULTS = (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RecursionError)


def has_expressions(source: str) -> bool:
    return "{{" in source or "{%" in source or "{#" in source


@dataclass(slots=True)
class Fields:
    """The client fields that a message's texts use, and their values for the client in hand.

    `known` are the names that there are; None takes every name."""

    known: Collection[str] | None = None
    slots: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    def slot(self, name: str) -> str:
        if self.known is not None and name not in self.known:
            raise _unknown_field(name, self.known)
        return self.slots.setdefault(name, f"v{len(self.slots)}")

    def fill(self, client: Mapping[str, Any]) -> None:
        """Take this client's values; they stand until the next."""
        values = self.values
        for name, slot in self.slots.items():
            value = values[slot] = client.get(name)
            if type(value) is str and len(value) > MAX_VALUE:
                raise _too_long_value(name)


class Expression:
    """A compiled text; `render` gives it with the values that its Fields hold."""

    __slots__ = ("_context", "_root")

    def __init__(self, template: Template, fields: Fields) -> None:
        self._root = template.root_render_func
        # The values are exchanged in place, which spares a new context for each client.
        self._context = template.new_context(fields.values, shared=True)

    def render(self) -> str:
        """Raises TemplateFailed and nothing else, whatever the values are."""
        pieces: list[str] = []
        total = 0
        begin_work()
        try:
            for piece in self._root(self._context):
                total += len(piece)
                if total > MAX_VALUE:
                    raise _too_long_text()
                pieces.append(piece)
        except _FAULTS as error:
            raise TemplateFailed(
                _("A value of this client can't be used here ({kind})."), kind=type(error).__name__
            ) from error
        return "".join(pieces)


def _too_long_value(name: str) -> TemplateFailed:
    words = _("The client's “{field}” is longer than {limit} characters.")
    return TemplateFailed(words, reason="too_long", field=name, limit=MAX_VALUE)


def _too_long_text() -> TemplateFailed:
    return TemplateFailed(
        _("With this client's values the text gets longer than {limit} characters."), reason="too_long", limit=MAX_VALUE
    )


def compile_expression(source: str, fields: Fields, *, address: bool = False) -> Expression:
    """Compile a text; in an `address` every value but one at the very start is escaped for it.

    Raises Invalid that quotes what can't stand there."""
    environment = _environment()
    checked = _Checker(fields).template(parse_expressions(source))
    if address:
        _escape_for_address(checked.body, at_start=True)
    begin_work()  # Jinja works out what is the same for all here and now
    try:
        template = Template.from_code(environment, environment.compile(checked), {})
    except (TemplateError, SyntaxError, RecursionError, MemoryError) as error:
        raise Invalid(_("The text is too deeply nested.")) from error
    return Expression(template, fields)


def parse_expressions(source: str) -> nodes.Template:
    """The text as Jinja's tree, not checked yet. Raises Invalid for what Jinja can't read."""
    if len(source) > MAX_SOURCE:
        raise Invalid(
            _("The text has {length} characters; at most {limit} can be read."), length=len(source), limit=MAX_SOURCE
        )
    try:
        return _environment().parse(source)
    except TemplateSyntaxError as error:
        if any(quote in source for quote in "“”‘’«»") and "unexpected char" in str(error):
            raise Invalid(_("Inside {brackets} quotes must be straight: 'friend'."), brackets="{{ }}") from error
        raise Invalid(
            _("The expressions in the text can't be read: {problem} (line {line})."),
            problem=(error.message or "").rstrip("."),
            line=error.lineno,
        ) from error
    except (RecursionError, MemoryError) as error:
        raise Invalid(_("The text is too deeply nested.")) from error
    except ValueError as error:
        raise Invalid(_("The text holds a number that is too long.")) from error


def literal_text(body: Iterable[nodes.Node], *, longest: bool) -> str:
    """The literal text, with its marks, of the longest or the shortest way through the conditions."""
    pieces: list[str] = []
    for node in body:
        if isinstance(node, nodes.Output):
            pieces += [piece.data for piece in node.nodes if isinstance(piece, nodes.TemplateData)]
        elif isinstance(node, nodes.If):
            branches = [node.body, *(other.body for other in node.elif_), node.else_]
            ways = [literal_text(branch, longest=longest) for branch in branches]
            ways.sort(key=lambda way: len(read_marked(way).text), reverse=longest)
            pieces.append(ways[0])
    return "".join(pieces)


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        autoescape=False, keep_trailing_newline=True, finalize=measured(shown), cache_size=0, auto_reload=False
    )
    environment.globals.clear()
    environment.tests.clear()
    named = {**FILTERS, **{f"_{name}": function for name, function in INNER.items()}}
    environment.filters = {name: measured(function) for name, function in named.items()}
    return environment


# --- checking and rewriting ------------------------------------------------------------------------------------------

_STATEMENTS: Mapping[type[nodes.Node], str] = {
    nodes.For: "{% for %}",
    nodes.Macro: "{% macro %}",
    nodes.CallBlock: "{% call %}",
    nodes.FilterBlock: "{% filter %}",
    nodes.With: "{% with %}",
    nodes.Block: "{% block %}",
    nodes.Extends: "{% extends %}",
    nodes.Include: "{% include %}",
    nodes.Import: "{% import %}",
    nodes.FromImport: "{% from %}",
    nodes.Assign: "{% set %}",
    nodes.AssignBlock: "{% set %}",
    nodes.ExprStmt: "{% do %}",
    nodes.ScopedEvalContextModifier: "{% autoescape %}",
}
_BINARY: Mapping[type[nodes.Node], str] = {
    nodes.Add: "+",
    nodes.Sub: "-",
    nodes.Mul: "*",
    nodes.Div: "/",
    nodes.FloorDiv: "//",
    nodes.Mod: "%",
    nodes.Pow: "**",
    nodes.And: "and",
    nodes.Or: "or",
}
_COMPARISONS = {"eq": "==", "ne": "!=", "gt": ">", "gteq": ">=", "lt": "<", "lteq": "<=", "in": "in", "notin": "not in"}
_TESTS = {"defined": False, "undefined": True, "none": True}  # whether it holds of a missing value


class _Checker:
    """Goes through a tree once: refuses, or gives the tree that is compiled."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self._depth = 0

    def template(self, tree: nodes.Template) -> nodes.Template:
        return nodes.Template(self._statements(tree.body), lineno=1)

    def _statements(self, body: Sequence[nodes.Node]) -> list[nodes.Node]:
        self._deeper()
        statements = [self._statement(node) for node in body]
        self._depth -= 1
        return statements

    def _statement(self, node: nodes.Node) -> nodes.Node:
        match node:
            case nodes.Output():
                return nodes.Output([self._piece(piece) for piece in node.nodes], lineno=node.lineno)
            case nodes.If():
                return self._condition(node)
        raise _refused(_STATEMENTS.get(type(node), type(node).__name__))

    def _condition(self, node: nodes.If) -> nodes.If:
        for branch in (node.body, node.else_):
            _check_balance(branch)
        return nodes.If(
            self._value(cast(nodes.Expr, node.test)),
            self._statements(node.body),
            [self._condition(other) for other in node.elif_],
            self._statements(node.else_),
            lineno=node.lineno,
        )

    def _piece(self, node: nodes.Expr) -> nodes.Expr:
        return node if isinstance(node, nodes.TemplateData) else self._value(node)

    def _value(self, node: nodes.Expr) -> nodes.Expr:
        self._deeper()
        checked = self._checked(node)
        self._depth -= 1
        return checked

    def _checked(self, node: nodes.Expr) -> nodes.Expr:
        match node:
            case nodes.Const(value=bool() | int() | float() | str() | None):
                return node
            case nodes.Getattr(node=nodes.Name(name="client"), attr=str(name)):
                return self._field(name)
            case nodes.Getitem(node=nodes.Name(name="client"), arg=nodes.Const(value=str(name))):
                return self._field(name)
            case nodes.Name(name="client"):
                raise Invalid(_("“client” needs a field: client.first_name, for example."))
            case nodes.Name(name=name):
                raise self._unknown_name(name)
            case nodes.Filter():
                return self._filter(node)
            case nodes.Compare():
                return self._comparison(node)
            case nodes.Test(name=name) if name in _TESTS and not node.args:
                missing = _inner("missing", self._value(node.node), node)
                return missing if _TESTS[name] else nodes.Not(missing, lineno=node.lineno)
            case nodes.Test(name=name):
                raise Invalid(_("“is {name}” can't stand in a text; “is defined” and “is none” can."), name=name)
            case nodes.And() | nodes.Or():
                return type(node)(self._value(node.left), self._value(node.right), lineno=node.lineno)
            case nodes.Not():
                return nodes.Not(self._value(node.node), lineno=node.lineno)
            case nodes.Add() | nodes.Sub():
                name = "add" if isinstance(node, nodes.Add) else "sub"
                return _inner(name, self._value(node.left), node, self._value(node.right))
            case nodes.Neg():
                return _inner("sub", nodes.Const(0, lineno=node.lineno), node, self._value(node.node))
            case nodes.Pos():
                return self._value(node.node)
            case nodes.CondExpr():
                other = nodes.Const("", lineno=node.lineno) if node.expr2 is None else self._value(node.expr2)
                return nodes.CondExpr(self._value(node.test), self._value(node.expr1), other, lineno=node.lineno)
            case nodes.List() | nodes.Tuple():
                return nodes.List([self._value(item) for item in node.items], lineno=node.lineno)
        raise _refused(written(node))

    def _field(self, name: str) -> nodes.Name:
        if name.startswith("__"):
            raise _refused(f"client.{name}")
        return nodes.Name(self._fields.slot(name), "load", lineno=1)

    def _unknown_name(self, name: str) -> Invalid:
        if self._fields.known and name in self._fields.known:
            return Invalid(_("There is no “{name}” by itself; write client.{name}."), name=name)
        return Invalid(
            _("There is no “{name}”; what a text knows is the client: client.first_name, for example."), name=name
        )

    def _filter(self, node: nodes.Filter) -> nodes.Filter:
        if node.name == "in_address" and node.node is not None:  # put there by gateways.markup
            return _inner("in_address", self._value(node.node), node)
        if node.name == "as_address" and node.node is not None:
            return _inner("as_address", self._value(node.node), node)
        if node.node is None or node.dyn_args is not None or node.dyn_kwargs is not None:
            raise _refused(written(node))
        function = FILTERS.get("default" if node.name == "d" else node.name)
        if function is None:
            near = difflib.get_close_matches(node.name, FILTERS, 1)
            if near:
                raise Invalid(_("There is no filter “{name}”; did you mean “{near}”?"), name=node.name, near=near[0])
            raise Invalid(
                _("There is no filter “{name}”; there are {known}."), name=node.name, known=", ".join(FILTERS)
            )
        try:
            inspect.signature(function).bind(None, *node.args, **{str(given.key): given.value for given in node.kwargs})
        except TypeError as error:
            raise Invalid(
                _("The filter in “{piece}” has too many, too few or unknown arguments."), piece=written(node)
            ) from error
        arguments = [self._value(argument) for argument in node.args]
        named = [nodes.Keyword(given.key, self._value(given.value), lineno=node.lineno) for given in node.kwargs]
        name = "default" if node.name == "d" else node.name
        return nodes.Filter(self._value(node.node), name, arguments, named, None, None, lineno=node.lineno)

    def _comparison(self, node: nodes.Compare) -> nodes.Expr:
        left, result = self._value(node.expr), None
        for operand in node.ops:
            right = self._value(operand.expr)
            holds: nodes.Expr = _inner(operand.op, left, node, right)
            result = holds if result is None else nodes.And(result, holds, lineno=node.lineno)
            left = right
        assert result is not None  # noqa: S101 - Jinja gives no Compare without an operand
        return result

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise Invalid(_("The text is too deeply nested."))


def _refused(piece: str) -> Invalid:
    return Invalid(_("“{piece}” can't stand in a text; fields, filters and plain conditions can."), piece=piece)


def _inner(name: str, value: nodes.Expr, at: nodes.Node, *arguments: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(value, f"_{name}", list(arguments), [], None, None, lineno=at.lineno)


def _check_balance(branch: Sequence[nodes.Node]) -> None:
    depth = 0
    outputs = (piece for node in branch if isinstance(node, nodes.Output) for piece in node.nodes)
    for mark in "".join(piece.data for piece in outputs if isinstance(piece, nodes.TemplateData)):
        depth += (mark == OPEN) - (mark == CLOSE)
        if depth < 0:
            break
    if depth:
        raise Invalid(
            _("A tag that opens inside a condition must close inside it, one that opens before it, after it.")
        )


def _escape_for_address(body: Sequence[nodes.Node], *, at_start: bool) -> None:
    for node in body:
        if isinstance(node, nodes.Output):
            for place, piece in enumerate(node.nodes):
                if not isinstance(piece, nodes.TemplateData):
                    node.nodes[place] = _inner("as_address" if at_start else "in_address", piece, piece)
                at_start = False
        elif isinstance(node, nodes.If):
            for branch in (node.body, *(other.body for other in node.elif_), node.else_):
                _escape_for_address(branch, at_start=at_start)
            at_start = False


def _unknown_field(name: str, known: Collection[str]) -> Invalid:
    nearest = difflib.get_close_matches(name.lower(), {one.lower(): one for one in known}, 1, 0.6)
    if nearest:
        near = next(one for one in known if one.lower() == nearest[0])
        return Invalid(_("Clients have no field “{name}”; did you mean “{near}”?"), name=name, near=near)
    listed = ", ".join(sorted(known)[:20])
    return Invalid(_("Clients have no field “{name}”; they have {known}."), name=name, known=listed)


def written(node: nodes.Node) -> str:
    """The piece of an expression roughly as a person wrote it, for quoting."""
    match node:
        case nodes.Const():
            return repr(node.value)
        case nodes.Name():
            return node.name
        case nodes.Getattr():
            return f"{written(node.node)}.{node.attr}"
        case nodes.Getitem():
            return f"{written(node.node)}[{'…' if isinstance(node.arg, nodes.Slice) else written(node.arg)}]"
        case nodes.Call():
            return f"{written(node.node)}({'…' if node.args or node.kwargs else ''})"
        case nodes.Filter() if node.node is not None:
            return f"{written(node.node)} | {node.name}{'(…)' if node.args or node.kwargs else ''}"
        case nodes.Concat():
            return " ~ ".join(written(one) for one in node.nodes)
        case nodes.BinExpr() if type(node) in _BINARY:
            return f"{written(node.left)} {_BINARY[type(node)]} {written(node.right)}"
        case nodes.Compare():
            return written(node.expr) + "".join(f" {_COMPARISONS[one.op]} {written(one.expr)}" for one in node.ops)
        case nodes.Dict():
            return "{…}"
    return "…"
