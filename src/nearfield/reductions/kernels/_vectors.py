"""The sum of a run of pixels, in vectors whatever its length.

A mask's runs are mostly short: a ring has some tens of pixels in a row. A compiler makes a loop of
vectors for the most of a long run and leaves the rest, up to 63 pixels, one by one, so that rings
are summed ten times as slowly as they could be. Here the rest is one more vector, in which what
lies outside of the run counts 0. Written as LLVM's vectors, which every processor has in one form
or another; what is loaded always lies within the frame.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic

LANES = 16
"""Pixels of a vector; a frame must not have fewer."""


@intrinsic
def _run_sum(typing_context: Any, frame: Any, begin: Any, end: Any) -> Any:
    """Sum of ``frame[begin:end]``, integers of up to 32 bits, as ``int64``.

    8- and 16-bit ones are added up in 32 bits: the run may have 2**15 pixels, no more.
    """
    whole, signed = types.int64, frame.dtype.signed
    width = 32 if frame.dtype.bitwidth <= 16 else 64

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        from llvmlite import ir

        array = context.make_array(signature.args[0])(context, builder, values[0])
        begin, end = values[1:]
        word, lane = ir.IntType(64), ir.IntType(width)
        stored = ir.VectorType(ir.IntType(frame.dtype.bitwidth), LANES)
        wide = ir.VectorType(lane, LANES)
        nothing, extend = ir.Constant(wide, [0] * LANES), builder.sext if signed else builder.zext

        def load(at: Any) -> Any:
            address = builder.bitcast(builder.gep(array.data, [at]), stored.as_pointer())
            return extend(builder.load(address, align=frame.dtype.bitwidth // 8), wide)

        def spread(value: Any) -> Any:
            value = value if width == 64 else builder.trunc(value, lane)
            first = builder.insert_element(nothing, value, ir.IntType(32)(0))
            zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
            return builder.shuffle_vector(first, nothing, zeros)

        before = builder.block
        head, body, rest = (builder.append_basic_block(name) for name in ("head", "body", "rest"))
        fits = builder.sub(end, word(LANES))
        builder.branch(head)
        builder.position_at_end(head)
        at, total = builder.phi(word), builder.phi(wide)
        builder.cbranch(builder.icmp_signed("<=", at, fits), body, rest)
        builder.position_at_end(body)
        after, more = builder.add(at, word(LANES)), builder.add(total, load(at))
        builder.branch(head)
        for phi, first, again in ((at, begin, after), (total, nothing, more)):
            phi.add_incoming(first, before)
            phi.add_incoming(again, body)
        builder.position_at_end(rest)
        # The last vector of the frame, where the one at ``at`` would reach beyond its end.
        last = builder.sub(builder.extract_value(array.shape, 0), word(LANES))
        start = builder.select(builder.icmp_signed("<", at, last), at, last)
        number = ir.Constant(wide, list(range(LANES)))
        inside = builder.and_(
            builder.icmp_signed(">=", number, spread(builder.sub(at, start))),
            builder.icmp_signed("<", number, spread(builder.sub(end, start))),
        )
        total = builder.add(total, builder.select(inside, load(start), nothing))
        kind = ir.FunctionType(lane, [wide])
        name = f"llvm.vector.reduce.add.v{LANES}i{width}"
        added = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        found = builder.call(added, [total])
        return found if width == 64 else extend(found, word)

    return whole(frame, whole, whole), generate


run_sum: Any = _run_sum  # Numba leaves out the first argument
