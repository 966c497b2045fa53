"""The sum of a run of pixels, in vectors whatever its length.

A mask's runs are mostly short: a ring has some tens of pixels in a row. A compiler makes a loop of
vectors for the most of a long run and leaves the rest, up to 63 pixels, one by one, so that rings
are summed ten times as slowly as they could be. Here the rest is one more vector, in which what
lies outside of the run counts 0. Written as LLVM's vectors, which every processor has in one form
or another; what is loaded always lies within the frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
from numba.extending import intrinsic

LANES = 16
"""Pixels of a vector; a frame must not have fewer."""


Make = Callable[[Any], list[Any]]
"""Of an index into the frame: the vectors that the pixels from there on add to the totals."""


def _totals(builder: Any, frame: Any, begin: Any, end: Any, width: int, make: Make) -> list[Any]:
    """The loop over a run: sums of what ``make`` gives, lane by lane, of ``width`` bits."""
    from llvmlite import ir

    word, lane = ir.IntType(64), ir.IntType(width)
    wide = ir.VectorType(lane, LANES)

    def add(totals: list[Any], more: list[Any]) -> list[Any]:
        return [
            (builder.fadd if isinstance(one.type.element, ir.DoubleType) else builder.add)(one, two)
            for one, two in zip(totals, more, strict=True)
        ]

    def spread(value: Any) -> Any:
        value = value if width == 64 else builder.trunc(value, lane)
        first = builder.insert_element(ir.Constant(wide, [0] * LANES), value, ir.IntType(32)(0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return builder.shuffle_vector(first, first, zeros)

    # The last vector of the frame, for where the run's last one would reach beyond its end.
    last = builder.sub(builder.extract_value(frame.shape, 0), word(LANES))
    fits, kinds = builder.sub(end, word(LANES)), [vector.type for vector in make(word(0))]
    before = builder.block
    head, body, rest = (builder.append_basic_block(name) for name in ("head", "body", "rest"))
    builder.branch(head)
    builder.position_at_end(head)
    at, totals = builder.phi(word), [builder.phi(kind) for kind in kinds]
    builder.cbranch(builder.icmp_signed("<=", at, fits), body, rest)
    builder.position_at_end(body)
    after, sums = builder.add(at, word(LANES)), add(totals, make(at))
    builder.branch(head)
    nothing = [ir.Constant(kind, [kind.element(0)] * LANES) for kind in kinds]
    for phi, first, again in zip([at, *totals], [begin, *nothing], [after, *sums], strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(again, body)
    builder.position_at_end(rest)
    start = builder.select(builder.icmp_signed("<", at, last), at, last)
    number = ir.Constant(wide, list(range(LANES)))
    inside = builder.and_(
        builder.icmp_signed(">=", number, spread(builder.sub(at, start))),
        builder.icmp_signed("<", number, spread(builder.sub(end, start))),
    )
    left = [builder.select(inside, v, z) for v, z in zip(make(start), nothing, strict=True)]
    return add(totals, left)


def _loaded(builder: Any, frame: Any, at: Any, kind: Any, size: int) -> Any:
    from llvmlite import ir

    address = builder.gep(frame.data, [at])
    address = builder.bitcast(address, ir.VectorType(kind, LANES).as_pointer())
    return builder.load(address, align=size)


def _reduced(builder: Any, vector: Any) -> Any:
    """The sum over the lanes, of floating-point numbers from the first on: always the same."""
    from llvmlite import ir

    kind = vector.type.element
    if isinstance(kind, ir.DoubleType):
        name, arguments = f"fadd.v{LANES}f64", [kind(0.0), vector]
    else:
        name, arguments = f"add.v{LANES}i{kind.width}", [vector]
    name = f"llvm.vector.reduce.{name}"
    declared = ir.FunctionType(kind, [argument.type for argument in arguments])
    function = builder.module.globals.get(name) or ir.Function(builder.module, declared, name)
    return builder.call(function, arguments)


@intrinsic
def _run_sum(typing_context: Any, frame: Any, begin: Any, end: Any) -> Any:
    """Sum of ``frame[begin:end]``, integers of up to 32 bits, as ``int64``.

    8- and 16-bit ones are added up in 32 bits: the run may have 2**15 pixels, no more.
    """
    bits, signed = frame.dtype.bitwidth, frame.dtype.signed
    width = 32 if bits <= 16 else 64

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        from llvmlite import ir

        array = context.make_array(signature.args[0])(context, builder, values[0])
        extend = builder.sext if signed else builder.zext
        wide = ir.VectorType(ir.IntType(width), LANES)

        def make(at: Any) -> list[Any]:
            return [extend(_loaded(builder, array, at, ir.IntType(bits), bits // 8), wide)]

        [total] = _totals(builder, array, values[1], values[2], width, make)
        found = _reduced(builder, total)
        return found if width == 64 else extend(found, ir.IntType(64))

    return types.int64(frame, types.int64, types.int64), generate


@intrinsic
def _run_valid(typing_context: Any, frame: Any, begin: Any, end: Any) -> Any:
    """Sum of the values in ``frame[begin:end]``, floating point, and how many are not NaN."""
    bits = frame.dtype.bitwidth
    both: Any = types.Tuple((types.float64, types.int64))  # type: ignore[no-untyped-call]

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        from llvmlite import ir

        array = context.make_array(signature.args[0])(context, builder, values[0])
        counts, wide = (ir.VectorType(kind, LANES) for kind in (ir.IntType(64), ir.DoubleType()))

        def make(at: Any) -> list[Any]:
            stored = ir.DoubleType() if bits == 64 else ir.FloatType()
            value = _loaded(builder, array, at, stored, bits // 8)
            value = value if bits == 64 else builder.fpext(value, wide)
            there = builder.fcmp_ordered("ord", value, value)
            nothing = ir.Constant(wide, [ir.DoubleType()(0.0)] * LANES)
            return [builder.select(there, value, nothing), builder.zext(there, counts)]

        totals = _totals(builder, array, values[1], values[2], 64, make)
        found = [_reduced(builder, total) for total in totals]
        return context.make_tuple(builder, signature.return_type, found)

    return both(frame, types.int64, types.int64), generate


run_sum: Any = _run_sum  # Numba leaves out the first argument
run_valid: Any = _run_valid
