"""The loops of the learnt score: convolutions, sums and exponentials with the same bits on every x86-64 CPU.

Every output is summed over its inputs in one fixed order; vectors run over output channels, which are independent of
one another, so the width of the CPU's vectors changes nothing. There is no fastmath, hence no fused multiply-add and
no reordering. Sums over the columns of a panorama are taken in integers (fixed point), because their order changes
when the panorama is rolled: so the score of a rolled panorama has exactly the same bits.
"""

from __future__ import annotations

import numpy as np

from harness.contracts import kernels

compiled = kernels.compiled(error_model="numpy")

POSITIONS = 4
"""Output positions computed together: each weight is loaded once for all of them. Their number has to divide by it."""

WRAP, EDGE, ZERO = 0, 1, 2
"""How a convolution sees beyond its input."""

HEADINGS = 16
WINDOW = 8
"""Columns and rows of features that a goal covers: 90 of the 360 degrees of 32 columns."""

FIXED_POINT = float(2**32)
_LEAST_EXPONENT = -700.0
_LOG2_E = 1.4426950408889634
_LN2_HIGH = 0.6931471803691238
_LN2_LOW = 1.9082149292705877e-10
_POWERS = np.array([2.0**-k for k in range(1025)])
_INVERSE_FACTORIALS = (
    1.0 / 6227020800.0, 1.0 / 479001600.0, 1.0 / 39916800.0, 1.0 / 3628800.0, 1.0 / 362880.0, 1.0 / 40320.0,
    1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0,
)  # fmt: skip


@compiled
def exponential(x):  # type: ignore[no-untyped-def]
    """Return e**x for x <= 0 (0 below -700) with a relative error below 1e-14.

    Taylor polynomial of degree 13 after a Cody-Waite reduction to [-ln2 / 2, ln2 / 2]; powers of two come from a table,
    so nothing depends on the CPU's libm.
    """
    if x < _LEAST_EXPONENT:
        return 0.0
    k = np.floor(x * _LOG2_E + 0.5)
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    p = 0.0
    for factor in _INVERSE_FACTORIALS:
        p = p * r + factor
    return p * _POWERS[int(-k)]


@compiled
def to_fixed(value):  # type: ignore[no-untyped-def]
    """Return a number as an integer multiple of 2**-32, to be summed in any order."""
    return np.int64(np.floor(value * FIXED_POINT + 0.5))


@compiled
def _add_four(source, starts, weights, first, run, out, row):  # type: ignore[no-untyped-def]
    """Add ``run`` inputs (an even number) times their weights to four rows of ``out``.

    Position i reads its inputs from ``source[starts[i]]`` on; input k has the weights ``weights[first + k]``.
    """
    at_a, at_b, at_c, at_d = starts
    a, b, c, d = out[row], out[row + 1], out[row + 2], out[row + 3]
    for k in range(first, first + run, 2):
        a0, a1 = source[at_a], source[at_a + 1]
        b0, b1 = source[at_b], source[at_b + 1]
        c0, c1 = source[at_c], source[at_c + 1]
        d0, d1 = source[at_d], source[at_d + 1]
        w0, w1 = weights[k], weights[k + 1]
        for channel in range(weights.shape[1]):
            u0 = w0[channel]
            u1 = w1[channel]
            a[channel] = (a[channel] + a0 * u0) + a1 * u1
            b[channel] = (b[channel] + b0 * u0) + b1 * u1
            c[channel] = (c[channel] + c0 * u0) + c1 * u1
            d[channel] = (d[channel] + d0 * u0) + d1 * u1
        at_a += 2
        at_b += 2
        at_c += 2
        at_d += 2


@compiled
def _start(position, width, stride, padded_width, inputs, kernel_row):  # type: ignore[no-untyped-def]
    """Return where the inputs of an output position begin, for one row of the kernel."""
    y, x = position // width, position % width
    return ((y * stride + kernel_row) * padded_width + x * stride) * inputs


@compiled
def convolve(source, size, stride, weights, out):  # type: ignore[no-untyped-def]
    """Add to ``out`` [h, w, O] the convolution of a padded ``source`` [H, W, I] with ``weights`` [size * size * I, O].

    All float32; the rows of ``weights`` follow (kernel row, kernel column, input). h * w divides by four, size * I by
    two.
    """
    height, width, outputs = out.shape
    padded_width, inputs = source.shape[1], source.shape[2]
    flat = source.ravel()
    rows = out.reshape(height * width, outputs)
    run = size * inputs
    for position in range(0, height * width, POSITIONS):
        for kernel_row in range(size):
            starts = (
                _start(position, width, stride, padded_width, inputs, kernel_row),
                _start(position + 1, width, stride, padded_width, inputs, kernel_row),
                _start(position + 2, width, stride, padded_width, inputs, kernel_row),
                _start(position + 3, width, stride, padded_width, inputs, kernel_row),
            )
            _add_four(flat, starts, weights, kernel_row * run, run, rows, position)


@compiled
def pad(source, border, mode):  # type: ignore[no-untyped-def]
    """Return ``source`` [H, W, C] with a border.

    EDGE repeats the outermost values, WRAP does so above and below but goes round sideways, ZERO surrounds with zeros.
    """
    height, width, channels = source.shape
    out = np.zeros((height + 2 * border, width + 2 * border, channels), np.float32)
    for y in range(height + 2 * border):
        row = min(max(y - border, 0), height - 1)
        for x in range(width + 2 * border):
            column = min(max(x - border, 0), width - 1)
            if mode == WRAP:
                column = (x - border + width) % width
            elif mode == ZERO and (row != y - border or column != x - border):
                continue
            for channel in range(channels):
                out[y, x, channel] = source[row, column, channel]
    return out


@compiled
def filled(height, width, bias):  # type: ignore[no-untyped-def]
    """Return float32 [height, width, C] with ``bias`` [C] everywhere: what a convolution is added to."""
    out = np.empty((height, width, bias.shape[0]), np.float32)
    for y in range(height):
        for x in range(width):
            for channel in range(bias.shape[0]):
                out[y, x, channel] = bias[channel]
    return out


@compiled
def rectify(values):  # type: ignore[no-untyped-def]
    """Replace negative values of a contiguous array by zero, in place."""
    flat = values.ravel()
    for index in range(flat.shape[0]):
        value = flat[index]
        flat[index] = value if value > np.float32(0.0) else np.float32(0.0)


@compiled
def layer(source, size, stride, weights, bias, mode):  # type: ignore[no-untyped-def]
    """Return a padded convolution with ReLU; where it keeps the shape, ``source`` is added to it."""
    height, width = source.shape[0] // stride, source.shape[1] // stride
    out = filled(height, width, bias)
    convolve(pad(source, size // 2, mode), size, stride, weights, out)
    rectify(out)
    if stride == 1 and source.shape[2] == out.shape[2]:
        for y in range(height):
            for x in range(width):
                for channel in range(out.shape[2]):
                    out[y, x, channel] += source[y, x, channel]
    return out


@compiled
def dense(source, weights, bias):  # type: ignore[no-untyped-def]
    """Return ``source`` [I] times ``weights`` [I, O] plus ``bias`` [O], float32."""
    out = bias.copy()
    for index in range(source.shape[0]):
        value = source[index]
        for channel in range(out.shape[0]):
            out[channel] += value * weights[index, channel]
    return out


@compiled
def mean_and_maximum(features):  # type: ignore[no-untyped-def]
    """Return the mean [C] and the maximum [C] of ``features`` [H, W, C] over all places, whatever their order."""
    height, width, channels = features.shape
    mean = np.empty(channels, np.float32)
    highest = np.empty(channels, np.float32)
    for channel in range(channels):
        total = np.int64(0)
        most = features[0, 0, channel]
        for y in range(height):
            for x in range(width):
                value = features[y, x, channel]
                total += to_fixed(np.float64(value))
                most = max(most, value)
        mean[channel] = np.float32(total / FIXED_POINT / (height * width))
        highest[channel] = most
    return mean, highest


@compiled
def compare_headings(  # type: ignore[no-untyped-def]
    features, mapped, goal, goal_window, product_weights, convolutions, weights, bias, attention, attention_bias
):
    """Return the attended sums [heads * D] and the maximum [D] of what is found at all headings."""
    seen = np.empty((HEADINGS, bias.shape[0]), np.float32)
    wanted = np.empty((HEADINGS, attention_bias.shape[0]), np.float32)
    step = features.shape[1] // HEADINGS
    for heading in range(HEADINGS):
        product = np.empty_like(goal)
        window = np.empty_like(goal_window)
        for y in range(WINDOW):
            for x in range(WINDOW):
                column = (heading * step + x - WINDOW // 2 + features.shape[1]) % features.shape[1]
                for channel in range(goal.shape[2]):
                    product[y, x, channel] = goal[y, x, channel] * features[y, column, channel]
                for channel in range(window.shape[2]):
                    window[y, x, channel] = goal_window[y, x, channel] + mapped[y, column, channel]
        convolve(product, 1, 1, product_weights, window)
        rectify(window)
        half = layer(window, 3, 2, convolutions[0][0], convolutions[0][1], ZERO)
        quarter = layer(half, 3, 2, convolutions[1][0], convolutions[1][1], ZERO)
        found = dense(quarter.ravel(), weights, bias)
        rectify(found)
        seen[heading] = found
        wanted[heading] = dense(found, attention, attention_bias)
    return _attend(seen, wanted)


@compiled
def _attend(seen, wanted):  # type: ignore[no-untyped-def]
    """Return, for each head, the mean of ``seen`` [16, D] weighted by the softmax of ``wanted`` [16, heads]; then max.

    Sums are integers, so that their order, which turns with the panorama, changes no bit.
    """
    headings, size = seen.shape
    heads = wanted.shape[1]
    out = np.empty((heads + 1) * size, np.float32)
    shares = np.empty(headings, np.int64)
    for head in range(heads):
        most = wanted[:, head].max()
        total = np.int64(0)
        for heading in range(headings):
            shares[heading] = to_fixed(exponential(np.float64(wanted[heading, head] - most)))
            total += shares[heading]
        for place in range(size):
            mean = np.int64(0)
            for heading in range(headings):
                mean += to_fixed(np.float64(shares[heading]) / total * seen[heading, place])
            out[head * size + place] = mean / FIXED_POINT
    for place in range(size):
        out[heads * size + place] = seen[:, place].max()
    return out


@compiled
def expected(logits, distances):  # type: ignore[no-untyped-def]
    """Return the mean of ``distances`` under the softmax of ``logits``."""
    most = logits.max()
    total = 0.0
    mean = 0.0
    for index in range(logits.shape[0]):
        share = exponential(np.float64(logits[index] - most))
        total += share
        mean += share * distances[index]
    return mean / total
