"""Pieces of generated code: what a value needs to be computed, when it is null, and how far it may reach."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from treadle.define.graph import Node
from treadle.define.operators import ConstantValue

INT64 = (-(2**63), 2**63 - 1)

# Beyond this depth a fused expression is cut, well before the compiler's own limit on nesting.
_DEEPEST = 30

Bounds = tuple[int, int]


@dataclass(frozen=True)
class Piece:
    """Code for a node's value.

    Attributes:
        code: the Python expression; valid when none of the variables in `nulls` is None.
        nulls: the variables whose None makes the value null.
        may_be_none: the code itself can give None.
        bounds: for integers, the range of the exact result; beyond 64 bits it is still to be wrapped.
        depth: how deep the code nests.
        whole: a float that is still the integer it comes from.
        atom: a variable or constant, which may be written down many times.
    """

    code: ast.expr
    nulls: frozenset[str] = frozenset()
    may_be_none: bool = False
    bounds: Bounds | None = None
    depth: int = 0
    whole: bool = False
    atom: bool = False

    @property
    def nullable(self) -> bool:
        """Whether the value can be null at all."""
        return self.may_be_none or bool(self.nulls)


@dataclass
class Builder:
    """The function under construction."""

    lowerings: Mapping[str, Lowering]
    uses: Counter[int]
    body: list[ast.stmt] = field(default_factory=list)
    names: dict[str, object] = field(default_factory=dict)
    pieces: dict[int, Piece] = field(default_factory=dict)
    count: int = 0

    def fresh(self, prefix: str) -> str:
        """Return a name not used before."""
        self.count += 1
        return f"{prefix}{self.count}"

    def shared(self, value: object) -> ast.expr:
        """Return code for an object the program keeps: a table, a set, a zone's offsets."""
        name = self.fresh("k")
        self.names[name] = value
        return load(name)

    def of(self, node: Node) -> Piece:
        """Return a node's piece, made once; what is used more than once sits in a variable."""
        piece = self.pieces.get(id(node))
        if piece is None:
            piece = self.lowerings[node.operator](self, node)
            if self.uses[id(node)] > 1 or piece.depth > _DEEPEST or piece.may_be_none:
                piece = self.variable(piece)
            self.pieces[id(node)] = piece
        return piece

    def plain(self, node: Node) -> Piece:
        """Return a node's piece as the value itself: wrapped to 64 bits, a float if it is one."""
        return self.settled(self.of(node))

    def atom(self, node: Node) -> Piece:
        """Return a node's piece as something that may be written down several times."""
        return self.variable(self.plain(node))

    def settled(self, piece: Piece) -> Piece:
        """Finish what was put off: wrapping around, and making a float of an integer."""
        if piece.bounds is not None and not within(piece.bounds, INT64):
            held = self.fresh("t")
            test = ast.Compare(
                number(INT64[0]),
                [ast.LtE(), ast.LtE()],
                [ast.NamedExpr(ast.Name(held, ast.Store()), piece.code), number(INT64[1])],
            )
            wrapped = ast.IfExp(test, load(held), invoke("wrap", load(held)))
            piece = replace(piece, code=wrapped, bounds=INT64, depth=piece.depth + 2, atom=False)
        if piece.whole:
            code = invoke("float", piece.code)
            piece = replace(piece, code=code, bounds=None, depth=piece.depth + 1, whole=False, atom=False)
        return piece

    def variable(self, piece: Piece) -> Piece:
        """Put a piece into a variable of its own, None included, unless it is an atom already."""
        if piece.atom:
            return piece
        piece = self.settled(piece)
        name = self.fresh("v")
        self.body.append(ast.Assign([ast.Name(name, ast.Store())], guarded(piece)))
        nulls = frozenset({name}) if piece.nullable else frozenset()
        return Piece(load(name), nulls, bounds=piece.bounds, atom=True)


def within(inner: Bounds, outer: Bounds) -> bool:
    """Whether a range lies in another."""
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def load(name: str) -> ast.expr:
    """Code for a variable's value."""
    return ast.Name(name, ast.Load())


def number(value: ConstantValue) -> ast.expr:
    """Code for a constant."""
    return ast.Constant(value)


def invoke(name: str, *arguments: ast.expr) -> ast.expr:
    """Code for a call of a helper."""
    return ast.Call(load(name), list(arguments), [])


def is_none(name: str) -> ast.expr:
    """Code for `name is None`."""
    return ast.Compare(load(name), [ast.Is()], [ast.Constant(None)])


def any_none(names: Iterable[str]) -> ast.expr:
    """Code for "one of these is None"."""
    tests = [is_none(name) for name in sorted(names)]
    return tests[0] if len(tests) == 1 else ast.BoolOp(ast.Or(), tests)


def guarded(piece: Piece) -> ast.expr:
    """Code that gives None where the piece is null."""
    if not piece.nulls:
        return piece.code
    if isinstance(piece.code, ast.Name) and piece.nulls == {piece.code.id}:
        return piece.code
    return ast.IfExp(any_none(piece.nulls), ast.Constant(None), piece.code)


Lowering = Callable[[Builder, Node], Piece]
"""Gives a node's piece, having put what it needs into the function under construction."""


def strict(code: ast.expr, *operands: Piece, bounds: Bounds | None = None, none: bool = False) -> Piece:
    """Return a piece that is null when an operand is, or, with `none`, when the code says so."""
    nulls = frozenset().union(*(operand.nulls for operand in operands))
    depth = 1 + max(operand.depth for operand in operands)
    return Piece(code, nulls, may_be_none=none, bounds=bounds, depth=depth)


def known(piece: Piece) -> Bounds:
    """Return the range of an integer piece."""
    return piece.bounds or INT64


def helper(name: str, *, none: bool = False, bounds: Bounds | None = None) -> Lowering:
    """A call of a helper with the operands, then the constants."""

    def lowering(build: Builder, node: Node) -> Piece:
        operands = [build.plain(argument) for argument in node.arguments]
        code = invoke(name, *(operand.code for operand in operands), *map(number, node.constants))
        return strict(code, *operands, none=none, bounds=bounds)

    return lowering
