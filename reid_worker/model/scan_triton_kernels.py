"""The two kernels of `scan_triton`, in Triton's language. Letters as in `scan`.

Sizes: x, delta, y and their gradients `(b, L, E)`; A2 = A·log2 e transposed, `(n, E)` float32; B and C `(b, L, n)`;
D `(E,)` float32; kept `(b, spans, n, E)` float32; dA `(b, n, E)`, dB and dC `(blocks, b, L, n)` float32. N is n rounded
up to a power of two. A tile is (N, BLOCK): with 32 channels and one warp each thread owns a channel with all its
states, so that y needs no exchange between threads. Triton would give a thread several channels and part of the states
where it knows that channels lie side by side; `unit`, always 1 but not known to be, keeps that from it.
"""

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["unit"])
def forward_kernel(
    x, delta, A2, B, C, D, y, kept, L, E, n, unit,
    N: tl.constexpr, BLOCK: tl.constexpr, SPAN: tl.constexpr, REVERSE: tl.constexpr, KEEP: tl.constexpr,
):  # fmt: skip
    """Write y, and with KEEP the state before every SPAN-th position."""
    e = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    s = tl.arange(0, N)
    i = tl.program_id(1).to(tl.int64)  # offsets of a large batch do not fit 32 bits
    inside, real = e < E, s < n
    both = real[:, None] & inside[None, :]
    own = s[:, None] * E + e[None, :] * unit
    a = tl.load(A2 + own, mask=both, other=0.0)
    skip = tl.load(D + e, mask=inside, other=0.0)
    h = tl.zeros((N, BLOCK), tl.float32)
    for t in range(L):
        if KEEP and t % SPAN == 0:
            span = i * ((L + SPAN - 1) // SPAN) + t // SPAN
            tl.store(kept + span * E * n + own, h, mask=both)
        row = i * L + (L - 1 - t if REVERSE else t)
        step = tl.load(delta + row * E + e, mask=inside, other=0.0).to(tl.float32)
        value = tl.load(x + row * E + e, mask=inside, other=0.0).to(tl.float32)
        b = tl.load(B + row * n + s, mask=real, other=0.0).to(tl.float32)
        c = tl.load(C + row * n + s, mask=real, other=0.0).to(tl.float32)
        h = tl.exp2(step[None, :] * a) * h + (step * value)[None, :] * b[:, None]
        out = tl.sum(h * c[:, None], axis=0) + skip * value
        tl.store(y + row * E + e, out, mask=inside)


@triton.jit(do_not_specialize=["unit"])
def backward_kernel(
    x, delta, A2, B, C, D, kept, dy, dx, ddelta, dA, dB, dC, L, E, n, unit,
    N: tl.constexpr, BLOCK: tl.constexpr, SPAN: tl.constexpr, REVERSE: tl.constexpr,
):  # fmt: skip
    """Write the gradients; those of A a sequence, those of B and C a block of channels, to be added up."""
    block = tl.program_id(0)
    e = block * BLOCK + tl.arange(0, BLOCK)
    s = tl.arange(0, N)
    i = tl.program_id(1).to(tl.int64)
    inside, real = e < E, s < n
    both = real[:, None] & inside[None, :]
    own = s[:, None] * E + e[None, :] * unit
    a = tl.load(A2 + own, mask=both, other=0.0)
    skip = tl.load(D + e, mask=inside, other=0.0)
    flow = tl.zeros((N, BLOCK), tl.float32)  # gradient of the state, from later positions
    rate = tl.zeros((N, BLOCK), tl.float32)  # gradient of A
    spans = (L + SPAN - 1) // SPAN
    for back in range(spans):
        span = spans - 1 - back
        before = ()  # the state before each position of the span
        h = tl.load(kept + (i * spans + span) * E * n + own, mask=both, other=0.0)
        for k in tl.static_range(SPAN):
            before = before + (h,)
            t = span * SPAN + k
            channels, states = inside & (tl.full((BLOCK,), t, tl.int32) < L), real & (tl.full((N,), t, tl.int32) < L)
            row = i * L + (L - 1 - t if REVERSE else t)
            step = tl.load(delta + row * E + e, mask=channels, other=0.0).to(tl.float32)
            value = tl.load(x + row * E + e, mask=channels, other=0.0).to(tl.float32)
            b = tl.load(B + row * n + s, mask=states, other=0.0).to(tl.float32)
            h = tl.exp2(step[None, :] * a) * h + (step * value)[None, :] * b[:, None]
        for k in tl.static_range(SPAN - 1, -1, -1):
            t = span * SPAN + k
            channels, states = inside & (tl.full((BLOCK,), t, tl.int32) < L), real & (tl.full((N,), t, tl.int32) < L)
            row = i * L + (L - 1 - t if REVERSE else t)
            step = tl.load(delta + row * E + e, mask=channels, other=0.0).to(tl.float32)
            value = tl.load(x + row * E + e, mask=channels, other=0.0).to(tl.float32)
            grad = tl.load(dy + row * E + e, mask=channels, other=0.0).to(tl.float32)
            b = tl.load(B + row * n + s, mask=states, other=0.0).to(tl.float32)
            c = tl.load(C + row * n + s, mask=states, other=0.0).to(tl.float32)
            decay = tl.exp2(step[None, :] * a)
            push = step * value
            after = decay * before[k] + push[None, :] * b[:, None]
            flow = flow + grad[None, :] * c[:, None]
            d_push = tl.sum(flow * b[:, None], axis=0)
            d_b = tl.sum(flow * push[None, :], axis=1)
            d_c = tl.sum(after * grad[None, :], axis=1)
            flow = flow * decay
            d_exponent = flow * before[k]
            rate = rate + d_exponent * step[None, :]
            # A2 is A·log2 e, and exponents of 2 are what was scaled: the gradient of Δ takes A itself.
            d_step = tl.sum(d_exponent * a, axis=0) * 0.6931471805599453
            tl.store(dx + row * E + e, d_push * step + grad * skip, mask=channels)
            tl.store(ddelta + row * E + e, d_step + d_push * value, mask=channels)
            part = (block * tl.num_programs(1) + i) * L * n + (L - 1 - t if REVERSE else t) * n + s
            tl.store(dB + part, d_b, mask=states)
            tl.store(dC + part, d_c, mask=states)
    tl.store(dA + i * E * n + own, rate, mask=both)
