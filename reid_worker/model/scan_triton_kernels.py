"""The kernels of `scan_triton`, in Triton's language. Letters as in `scan`.

Sizes: x, delta, y and their gradients `(b, L, E)`; A2 = A·log2 e transposed, `(n, E)` float32; B and C `(b, L, n)`;
D `(E,)` float32; ends `(b, K, n, E)` and elapsed `(b, K, E)` float32, of K chunks; kept `(b, spans, n, E)` float32;
dAD `(b K, n + 1, E)`, dB and dC `(blocks, b, L, n)` float32. N is n rounded up to a power of two. A tile is (N, BLOCK):
with 16 channels and 16 states a thread of the one warp owns four channels that lie side by side, and two states of
each. So a sum over states takes three exchanges between threads, one over channels two, and Triton loads the rows of
inputs as each thread needs them. With 32 channels it would exchange them through shared memory at every position.
"""

import triton
import triton.language as tl


@triton.jit
def chunk_kernel(
    x, delta, A2, B, ends, elapsed, L, E, n, chunk,
    N: tl.constexpr, BLOCK: tl.constexpr, REVERSE: tl.constexpr, BACK: tl.constexpr,
):  # fmt: skip
    """Write what each chunk but the last adds to the state, and its Σ Δ; with BACK, all but the first to the flow.

    The flow is the gradient of the state: it goes from late to early, takes dy for x and C for B.
    """
    e = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    s = tl.arange(0, N)
    i = tl.program_id(1).to(tl.int64)  # offsets of a large batch do not fit 32 bits
    k = tl.program_id(2) + (1 if BACK else 0)
    inside, real = e < E, s < n
    both = real[:, None] & inside[None, :]
    own = s[:, None] * E + e[None, :]
    a = tl.load(A2 + own, mask=both, other=0.0)
    h = tl.zeros((N, BLOCK), tl.float32)
    total = tl.zeros((BLOCK,), tl.float32)
    first = k * chunk
    last = tl.minimum(first + chunk, L)
    for p in range(first, last):
        t = first + last - 1 - p if BACK else p
        row = i * L + (L - 1 - t if REVERSE else t)
        step = tl.load(delta + row * E + e, mask=inside, other=0.0).to(tl.float32)
        value = tl.load(x + row * E + e, mask=inside, other=0.0).to(tl.float32)
        b = tl.load(B + row * n + s, mask=real, other=0.0).to(tl.float32)
        decay = tl.exp2(step[None, :] * a)
        push = b[:, None] * (value if BACK else step * value)[None, :]
        h = (h + push) * decay if BACK else h * decay + push
        total += step
    slot = i * ((L + chunk - 1) // chunk) + k
    tl.store(ends + slot * E * n + own, h, mask=both)
    tl.store(elapsed + slot * E + e, total, mask=inside)


@triton.jit
def _carried(ends, elapsed, a, slot, count, stride, E, n, own, e, inside, both):
    """Return the state (or flow) after `count` chunks, the first of them in `slot`."""
    h = tl.zeros_like(a)
    for _ in range(count):
        decay = tl.exp2(tl.load(elapsed + slot * E + e, mask=inside, other=0.0)[None, :] * a)
        h = decay * h + tl.load(ends + slot * E * n + own, mask=both, other=0.0)
        slot += stride
    return h


@triton.jit
def forward_kernel(
    x, delta, A2, B, C, D, y, ends, elapsed, kept, L, E, n, chunk,
    N: tl.constexpr, BLOCK: tl.constexpr, SPAN: tl.constexpr, REVERSE: tl.constexpr, KEEP: tl.constexpr,
):  # fmt: skip
    """Write y of a chunk, and with KEEP the state before every SPAN-th position."""
    e = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    s = tl.arange(0, N)
    i = tl.program_id(1).to(tl.int64)
    k = tl.program_id(2)
    inside, real = e < E, s < n
    both = real[:, None] & inside[None, :]
    own = s[:, None] * E + e[None, :]
    a = tl.load(A2 + own, mask=both, other=0.0)
    skip = tl.load(D + e, mask=inside, other=0.0)
    h = _carried(ends, elapsed, a, i * tl.num_programs(2), k, 1, E, n, own, e, inside, both)
    first = k * chunk
    for t in range(first, tl.minimum(first + chunk, L)):
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


@triton.jit
def backward_kernel(
    x, delta, A2, B, C, D, kept, dy, ends, elapsed, dx, ddelta, dAD, dB, dC, L, E, n, chunk,
    N: tl.constexpr, BLOCK: tl.constexpr, SPAN: tl.constexpr, REVERSE: tl.constexpr,
):  # fmt: skip
    """Write the gradients; those of A and D a chunk, those of B and C a block of channels, to be added up."""
    block = tl.program_id(0)
    e = block * BLOCK + tl.arange(0, BLOCK)
    s = tl.arange(0, N)
    i = tl.program_id(1).to(tl.int64)
    k = tl.program_id(2)
    chunks = tl.num_programs(2)
    inside, real = e < E, s < n
    both = real[:, None] & inside[None, :]
    own = s[:, None] * E + e[None, :]
    a = tl.load(A2 + own, mask=both, other=0.0)
    skip = tl.load(D + e, mask=inside, other=0.0)
    flow = _carried(ends, elapsed, a, (i + 1) * chunks - 1, chunks - 1 - k, -1, E, n, own, e, inside, both)
    rate, through = tl.zeros_like(a), tl.zeros_like(skip)  # gradients of A and D
    spans = (L + SPAN - 1) // SPAN
    low = k * (chunk // SPAN)
    high = tl.minimum(low + chunk // SPAN, spans)
    for back in range(low, high):
        span = low + high - 1 - back
        before = ()  # the state before each position of the span
        h = tl.load(kept + (i * spans + span) * E * n + own, mask=both, other=0.0)
        for m in tl.static_range(SPAN):
            before = before + (h,)
            t = span * SPAN + m
            channels, states = inside & (tl.full((BLOCK,), t, tl.int32) < L), real & (tl.full((N,), t, tl.int32) < L)
            row = i * L + (L - 1 - t if REVERSE else t)
            step = tl.load(delta + row * E + e, mask=channels, other=0.0).to(tl.float32)
            value = tl.load(x + row * E + e, mask=channels, other=0.0).to(tl.float32)
            b = tl.load(B + row * n + s, mask=states, other=0.0).to(tl.float32)
            h = tl.exp2(step[None, :] * a) * h + (step * value)[None, :] * b[:, None]
        for m in tl.static_range(SPAN - 1, -1, -1):
            t = span * SPAN + m
            channels, states = inside & (tl.full((BLOCK,), t, tl.int32) < L), real & (tl.full((N,), t, tl.int32) < L)
            row = i * L + (L - 1 - t if REVERSE else t)
            step = tl.load(delta + row * E + e, mask=channels, other=0.0).to(tl.float32)
            value = tl.load(x + row * E + e, mask=channels, other=0.0).to(tl.float32)
            grad = tl.load(dy + row * E + e, mask=channels, other=0.0).to(tl.float32)
            b = tl.load(B + row * n + s, mask=states, other=0.0).to(tl.float32)
            c = tl.load(C + row * n + s, mask=states, other=0.0).to(tl.float32)
            decay = tl.exp2(step[None, :] * a)
            push = step * value
            after = decay * before[m] + push[None, :] * b[:, None]
            flow = flow + grad[None, :] * c[:, None]
            d_push = tl.sum(flow * b[:, None], axis=0)
            d_b = tl.sum(flow * push[None, :], axis=1)
            d_c = tl.sum(after * grad[None, :], axis=1)
            flow = flow * decay
            d_exponent = flow * before[m]
            rate = rate + d_exponent * step[None, :]
            through += grad * value
            # A2 is A·log2 e, and exponents of 2 are what was scaled: the gradient of Δ takes A itself.
            d_step = tl.sum(d_exponent * a, axis=0) * 0.6931471805599453
            tl.store(dx + row * E + e, d_push * step + grad * skip, mask=channels)
            tl.store(ddelta + row * E + e, d_step + d_push * value, mask=channels)
            part = (block * tl.num_programs(1) + i) * L * n + (L - 1 - t if REVERSE else t) * n + s
            tl.store(dB + part, d_b, mask=states)
            tl.store(dC + part, d_c, mask=states)
    slot = (i * chunks + k) * (n + 1) * E
    tl.store(dAD + slot + own, rate, mask=both)
    tl.store(dAD + slot + n * E + e, through, mask=inside)
