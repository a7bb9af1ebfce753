"""The loops of `mini` and `FTmini`: the same bits on every x86-64 CPU, so that a run's root is the same everywhere.

Images are planes [C, H, W] of float32. Every output is summed over its inputs in one fixed order; vectors run over
pixels, which are independent of one another. There is no fastmath, hence no fused multiply-add and no reordering.
"""

from __future__ import annotations

import math

import mini_shapes
import numpy as np

from harness.contracts import kernels, portable

compiled = kernels.compiled(error_model="numpy")
_sincos = compiled(portable.sincos)
_atan2 = compiled(portable.atan2)
_exp = compiled(portable.exp)

CHUNK = 512
"""Pixels that are summed together: their sums for four channels stay in the fastest cache."""

_LN2 = 0.6931471805599453
_HALF_ROOT = 0.7071067811865476
LEAK = np.float32(mini_shapes.LEAK)
ENOUGH = np.float32(mini_shapes.ENOUGH)


@compiled
def log2(x):  # type: ignore[no-untyped-def]
    """Return the logarithm to base 2 of ``x`` > 0, absolute error below 1e-12."""
    mantissa, exponent = math.frexp(x)
    if mantissa < _HALF_ROOT:
        mantissa *= 2.0
        exponent -= 1
    s = (mantissa - 1.0) / (mantissa + 1.0)
    s2 = s * s
    total = 0.0
    for k in range(10, -1, -1):
        total = total * s2 + 1.0 / (2 * k + 1)
    return exponent + 2.0 * s * total / _LN2


@compiled
def padded(x, round_sideways, rectify):  # type: ignore[no-untyped-def]
    """Return planes [C, H, W] as [C, (H + 2) * (W + 2) + 2]: a border of zeros, or of the other side's columns.

    With ``rectify`` a tenth is left of negative values. The two last places are never part of a sum that is kept.
    """
    channels, height, width = x.shape
    wide = width + 2
    out = np.zeros((channels, (height + 2) * wide + 2), np.float32)
    for c in range(channels):
        for y in range(height):
            row = (y + 1) * wide
            for column in range(width):
                value = x[c, y, column]
                out[c, row + 1 + column] = max(value, LEAK * value) if rectify else value
            if round_sideways:
                out[c, row] = out[c, row + width]
                out[c, row + width + 1] = out[c, row + 1]
    return out


@compiled
def convolve(x, weight, bias, round_sideways, rectify):  # type: ignore[no-untyped-def]
    """Return the 3 x 3 convolution of planes [I, H, W] with ``weight`` [O, I, 3, 3]; O divides by four."""
    inputs, height, width = x.shape
    outputs = weight.shape[0]
    wide = width + 2
    source = padded(x, round_sideways, rectify)
    sums = np.empty((outputs, height * wide), np.float32)
    rows = max(1, CHUNK // wide)
    for top in range(0, height, rows):
        begin = top * wide
        length = (min(top + rows, height) - top) * wide
        for o in range(0, outputs, 4):
            a = sums[o, begin : begin + length]
            b = sums[o + 1, begin : begin + length]
            c = sums[o + 2, begin : begin + length]
            d = sums[o + 3, begin : begin + length]
            a[:] = bias[o]
            b[:] = bias[o + 1]
            c[:] = bias[o + 2]
            d[:] = bias[o + 3]
            for i in range(inputs):
                for k in range(3):
                    place = begin + k * wide
                    line = source[i, place : place + length + 2]
                    a0, a1, a2 = weight[o, i, k, 0], weight[o, i, k, 1], weight[o, i, k, 2]
                    b0, b1, b2 = weight[o + 1, i, k, 0], weight[o + 1, i, k, 1], weight[o + 1, i, k, 2]
                    c0, c1, c2 = weight[o + 2, i, k, 0], weight[o + 2, i, k, 1], weight[o + 2, i, k, 2]
                    d0, d1, d2 = weight[o + 3, i, k, 0], weight[o + 3, i, k, 1], weight[o + 3, i, k, 2]
                    for p in range(length):
                        left, here, right = line[p], line[p + 1], line[p + 2]
                        a[p] = ((a[p] + left * a0) + here * a1) + right * a2
                        b[p] = ((b[p] + left * b0) + here * b1) + right * b2
                        c[p] = ((c[p] + left * c0) + here * c1) + right * c2
                        d[p] = ((d[p] + left * d0) + here * d1) + right * d2
    out = np.empty((outputs, height, width), np.float32)
    for o in range(outputs):
        for y in range(height):
            out[o, y, :] = sums[o, y * wide : y * wide + width]
    return out


@compiled
def mix(x, weight, bias):  # type: ignore[no-untyped-def]
    """Return the 1 x 1 convolution of planes [I, H, W] with ``weight`` [O, I]; I and O divide by four."""
    inputs, height, width = x.shape
    outputs = weight.shape[0]
    size = height * width
    source = x.reshape(inputs, size)
    out = np.empty((outputs, size), np.float32)
    for begin in range(0, size, CHUNK):
        length = min(CHUNK, size - begin)
        for o in range(outputs):
            sums = out[o, begin : begin + length]
            sums[:] = bias[o]
            for i in range(0, inputs, 4):
                w0, w1, w2, w3 = weight[o, i], weight[o, i + 1], weight[o, i + 2], weight[o, i + 3]
                x0 = source[i, begin : begin + length]
                x1 = source[i + 1, begin : begin + length]
                x2 = source[i + 2, begin : begin + length]
                x3 = source[i + 3, begin : begin + length]
                for p in range(length):
                    sums[p] = (((sums[p] + x0[p] * w0) + x1[p] * w1) + x2[p] * w2) + x3[p] * w3
    return out.reshape(outputs, height, width)


@compiled
def halved(x, rectify):  # type: ignore[no-untyped-def]
    """Return planes [C, H, W] as [4 C, H / 2, W / 2]: channel 4 c + 2 dy + dx holds pixel (2 y + dy, 2 x + dx)."""
    channels, height, width = x.shape
    out = np.empty((4 * channels, height // 2, width // 2), np.float32)
    for c in range(channels):
        for y in range(height):
            for column in range(width):
                value = x[c, y, column]
                if rectify:
                    value = max(value, LEAK * value)
                out[4 * c + 2 * (y % 2) + column % 2, y // 2, column // 2] = value
    return out


@compiled
def spread_out(x):  # type: ignore[no-untyped-def]
    """Return planes [4 C, H, W] as [C, 2 H, 2 W]: `halved` undone."""
    channels, height, width = x.shape
    out = np.empty((channels // 4, 2 * height, 2 * width), np.float32)
    for c in range(channels):
        for y in range(height):
            for column in range(width):
                out[c // 4, 2 * y + (c % 4) // 2, 2 * column + c % 2] = x[c, y, column]
    return out


@compiled
def add_doubled(x, small):  # type: ignore[no-untyped-def]
    """Add ``small`` [C, H / 2, W / 2], each value repeated in 2 x 2 pixels, to ``x`` [C, H, W] in place."""
    channels, height, width = x.shape
    for c in range(channels):
        for y in range(height):
            for column in range(width):
                x[c, y, column] += small[c, y // 2, column // 2]


@compiled
def dense(x, weight, bias, rectify):  # type: ignore[no-untyped-def]
    """Return ``weight`` [O, I] times ``x`` [I] plus ``bias`` [O]."""
    out = np.empty(bias.shape[0], np.float32)
    for o in range(bias.shape[0]):
        total = bias[o]
        for i in range(x.shape[0]):
            value = x[i]
            if rectify:
                value = max(value, LEAK * value)
            total += value * weight[o, i]
        out[o] = total
    return out


@compiled
def distances(logarithms, least, most, nearest, farthest):  # type: ignore[no-untyped-def]
    """Return metres [H, W]: two to the one, times e to the power of numbers cut to ``least``..``most``."""
    height, width = logarithms.shape
    out = np.empty((height, width), np.float32)
    for y in range(height):
        for x in range(width):
            value = min(max(np.float64(logarithms[y, x]), least), most)
            out[y, x] = min(max(2.0 * _exp(value), nearest), farthest)
    return out


@compiled
def sigmoid(x):  # type: ignore[no-untyped-def]
    """Return 1 / (1 + e^-x) of every value of [H, W]."""
    out = np.empty(x.shape, np.float32)
    for y in range(x.shape[0]):
        for column in range(x.shape[1]):
            out[y, column] = 1.0 / (1.0 + _exp(-min(max(np.float64(x[y, column]), -30.0), 30.0)))
    return out


@compiled
def points(metres):  # type: ignore[no-untyped-def]
    """Return (ahead, left, up) float32 [3, H * W] of every pixel of a panorama of distances [H, W]."""
    height, width = metres.shape
    out = np.empty((3, height * width), np.float32)
    sines, cosines = np.empty(width), np.empty(width)
    for x in range(width):
        sines[x], cosines[x] = _sincos(math.pi - (x + 0.5) / width * (2.0 * math.pi))
    for y in range(height):
        up, level = _sincos((0.5 - (y + 0.5) / height) * math.pi)
        for x in range(width):
            distance = np.float64(metres[y, x])
            place = y * width + x
            out[0, place] = distance * level * cosines[x]
            out[1, place] = distance * level * sines[x]
            out[2, place] = distance * up
    return out


@compiled
def placed(point, pose):  # type: ignore[no-untyped-def]
    """Return points [3, N] that a body at ``pose`` (ahead, left, yaw) sees, in the frame of the pose."""
    sine, cosine = _sincos(pose[2])
    out = np.empty_like(point)
    for n in range(point.shape[1]):
        x, y = np.float64(point[0, n]), np.float64(point[1, n])
        out[0, n] = pose[0] + cosine * x - sine * y
        out[1, n] = pose[1] + sine * x + cosine * y
        out[2, n] = point[2, n]
    return out


@compiled
def _pixels(point, pose, height, width, column, row, distance):  # type: ignore[no-untyped-def]
    """Write where points [3, N] fall on a panorama at ``pose``, and how far they are."""
    sine, cosine = _sincos(pose[2])
    for n in range(point.shape[1]):
        dx, dy, up = np.float64(point[0, n]) - pose[0], np.float64(point[1, n]) - pose[1], np.float64(point[2, n])
        ahead, left = cosine * dx + sine * dy, cosine * dy - sine * dx
        level = math.sqrt(ahead * ahead + left * left)
        distance[n] = max(math.sqrt(level * level + up * up), 0.05)
        column[n] = (math.pi - _atan2(left, ahead)) * (width / (2.0 * math.pi)) - 0.5
        row[n] = (0.5 - _atan2(up, level) / math.pi) * height - 0.5


@compiled
def splatted(point, weight, values, pose, height, width):  # type: ignore[no-untyped-def]
    """Return (sums [C + 1, H, W], cover [H, W]) of points [3, N] with ``values`` [N, C] as seen from ``pose``.

    The channel that is added is log2 of the distance. A point is shared out to four pixels; at a pixel nearer points
    outweigh farther ones by the eighth power of their distances.
    """
    count, channels = values.shape
    column, row, distance = np.empty(count), np.empty(count), np.empty(count)
    _pixels(point, pose, height, width, column, row, distance)
    nearest = np.full(height * width, 1e9)
    places = np.empty((count, 4), np.int32)
    shares = np.empty((count, 4))
    for n in range(count):
        r = min(max(math.floor(row[n] + 0.5), 0), height - 1)
        place = r * width + math.floor(column[n] + 0.5) % width
        nearest[place] = min(nearest[place], distance[n])
        first_column, first_row = math.floor(column[n]), math.floor(row[n])
        across, down = column[n] - first_column, row[n] - first_row
        for k in range(4):
            r = min(max(int(first_row) + k // 2, 0), height - 1)
            place = r * width + (int(first_column) + k % 2) % width
            share = (down if k >= 2 else 1.0 - down) * (across if k % 2 else 1.0 - across)
            places[n, k], shares[n, k] = place, share
    sums = np.zeros((height * width, channels + 2), np.float32)
    for n in range(count):
        deep = np.float32(log2(distance[n]))
        for k in range(4):
            place = places[n, k]
            front = min(nearest[place] / distance[n], 1.0)
            front *= front
            front *= front
            front *= front
            worth = np.float32(shares[n, k] * front * weight[n])
            target = sums[place]
            for c in range(channels):
                target[c] += values[n, c] * worth
            target[channels] += deep * worth
            target[channels + 1] += worth
    planes = np.empty((channels + 1, height, width), np.float32)
    cover = np.empty((height, width), np.float32)
    for y in range(height):
        for x in range(width):
            source = sums[y * width + x]
            for c in range(channels + 1):
                planes[c, y, x] = source[c]
            cover[y, x] = source[channels + 1]
    return planes, cover


@compiled
def _coarser(x):  # type: ignore[no-untyped-def]
    """Return the means of 2 x 2 pixels of [C, H, W]."""
    channels, height, width = x.shape
    out = np.empty((channels, height // 2, width // 2), np.float32)
    for c in range(channels):
        for y in range(height // 2):
            for column in range(width // 2):
                upper = x[c, 2 * y, 2 * column] + x[c, 2 * y, 2 * column + 1]
                lower = x[c, 2 * y + 1, 2 * column] + x[c, 2 * y + 1, 2 * column + 1]
                out[c, y, column] = (upper + lower) * np.float32(0.25)
    return out


@compiled
def filled(sums, cover):  # type: ignore[no-untyped-def]
    """Return ``sums`` [C, H, W] divided by ``cover`` [H, W], holes filled from ever coarser means."""
    channels, height, width = sums.shape
    if height == 1:
        out = np.empty_like(sums)
        for c in range(channels):
            for x in range(width):
                out[c, 0, x] = sums[c, 0, x] / max(cover[0, x], np.float32(1e-6))
        return out
    coarse = filled(_coarser(sums), _coarser(cover.reshape(1, height, width))[0])
    out = np.empty_like(sums)
    for c in range(channels):
        for y in range(height):
            for x in range(width):
                out[c, y, x] = (sums[c, y, x] + ENOUGH * coarse[c, y // 2, x // 2]) / (cover[y, x] + ENOUGH)
    return out


@compiled
def floor_map(point, camera_height, cell, cells):  # type: ignore[no-untyped-def]
    """Return what lies around a camera, seen from above: [3, cells, cells], rows ahead, columns left.

    Channels: things up to 0.4 m above the floor, things from there to 1.6 m, the floor itself; each
    min(1, points / 4).
    """
    out = np.zeros((3, cells, cells), np.float32)
    for n in range(point.shape[1]):
        height = np.float64(point[2, n]) + camera_height
        row = math.floor(np.float64(point[0, n]) / cell) + cells // 2
        column = math.floor(np.float64(point[1, n]) / cell) + cells // 2
        if row < 0 or row >= cells or column < 0 or column >= cells or height <= -0.15 or height > 1.6:
            continue
        channel = 2 if height <= 0.07 else 0 if height <= 0.4 else 1
        out[channel, row, column] = min(out[channel, row, column] + np.float32(0.25), np.float32(1.0))
    return out


@compiled
def crop(floor, pose, size, cell, behind):  # type: ignore[no-untyped-def]
    """Return ``floor`` [C, S, S] around a body at ``pose``: [C, size, size], bilinear, zeros outside."""
    channels, cells, _ = floor.shape
    sine, cosine = _sincos(pose[2])
    out = np.zeros((channels, size, size), np.float32)
    for i in range(size):
        ahead = (i + 0.5) * cell - behind
        for j in range(size):
            left = (j + 0.5) * cell - size * cell / 2.0
            row = (pose[0] + cosine * ahead - sine * left) / cell + cells // 2 - 0.5
            column = (pose[1] + sine * ahead + cosine * left) / cell + cells // 2 - 0.5
            first_row, first_column = math.floor(row), math.floor(column)
            down, across = row - first_row, column - first_column
            for k in range(4):
                r, c = int(first_row) + k // 2, int(first_column) + k % 2
                if r < 0 or r >= cells or c < 0 or c >= cells:
                    continue
                share = np.float32((down if k >= 2 else 1.0 - down) * (across if k % 2 else 1.0 - across))
                for channel in range(channels):
                    out[channel, i, j] += share * floor[channel, r, c]
    return out


@compiled
def exponentials(x):  # type: ignore[no-untyped-def]
    """Return the sum of e^x over every row of [H, W]."""
    out = np.zeros(x.shape[0])
    for y in range(x.shape[0]):
        for column in range(x.shape[1]):
            out[y] += _exp(x[y, column])
    return out
