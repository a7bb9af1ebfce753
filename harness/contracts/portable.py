"""Trigonometry whose bits are the same on every x86-64 CPU.

Outcomes are hashed, and libm picks fused-multiply-add variants of sin, cos and atan2 by CPU, so their
last bits differ between machines. These versions use only IEEE operations that are exactly rounded
everywhere (+ - * / sqrt floor) in one fixed order. They are plain Python, call nothing but ``math`` and
compile unchanged under numba (``numba.njit(portable.sincos)``) as long as fastmath stays off.

Absolute error below 1e-14 for |x| <= 1e4: Taylor polynomials after a Cody-Waite reduction to
[-pi/4, pi/4] (sincos), and after two half-angle reductions (atan2). Relative error of exp below 1e-14.
"""

from __future__ import annotations

import math
from typing import Tuple

PI = math.pi
HALF_PI = math.pi / 2.0
TWO_PI = math.pi * 2.0

# pi/2 split in two, so that the reduction x - k * pi/2 loses nothing for moderate k.
_HALF_PI_HIGH = 1.5707963267341256
_HALF_PI_LOW = 6.077100506506192e-11

_LN2 = 0.6931471805599453
_LN2_HIGH = 0.6931471803691238
_LN2_LOW = 1.9082149292705877e-10
_EXP_TERMS = 15


def sincos(x: float) -> Tuple[float, float]:
    """Return (sine, cosine) of ``x`` radians."""
    k = math.floor(x / HALF_PI + 0.5)
    r = (x - k * _HALF_PI_HIGH) - k * _HALF_PI_LOW
    r2 = r * r
    p = 2.8114572543455206e-15
    p = p * r2 - 7.647163731819816e-13
    p = p * r2 + 1.6059043836821613e-10
    p = p * r2 - 2.505210838544172e-08
    p = p * r2 + 2.7557319223985893e-06
    p = p * r2 - 1.984126984126984e-04
    p = p * r2 + 8.333333333333333e-03
    p = p * r2 - 1.6666666666666666e-01
    s = r + r * r2 * p
    p = 4.779477332387385e-14
    p = p * r2 - 1.1470745597729725e-11
    p = p * r2 + 2.08767569878681e-09
    p = p * r2 - 2.755731922398589e-07
    p = p * r2 + 2.48015873015873e-05
    p = p * r2 - 1.388888888888889e-03
    p = p * r2 + 4.1666666666666664e-02
    p = p * r2 - 0.5
    c = 1.0 + r2 * p
    quadrant = int(k) & 3
    if quadrant == 0:
        return s, c
    if quadrant == 1:
        return c, -s
    if quadrant == 2:
        return -s, -c
    return -c, s


def atan2(y: float, x: float) -> float:
    """Return the angle of the point (x, y) in radians, in [-pi, pi]; 0 for the origin."""
    ay = -y if y < 0.0 else y
    ax = -x if x < 0.0 else x
    if ax == 0.0 and ay == 0.0:
        return 0.0
    inverted = ay > ax
    a = ax / ay if inverted else ay / ax
    # atan(a) = 2 atan(a / (1 + sqrt(1 + a^2))), twice: a <= 1 becomes <= tan(pi/16) = 0.199.
    a = a / (1.0 + math.sqrt(1.0 + a * a))
    a = a / (1.0 + math.sqrt(1.0 + a * a))
    a2 = a * a
    p = 1.0 / 19.0
    p = 1.0 / 17.0 - a2 * p
    p = 1.0 / 15.0 - a2 * p
    p = 1.0 / 13.0 - a2 * p
    p = 1.0 / 11.0 - a2 * p
    p = 1.0 / 9.0 - a2 * p
    p = 1.0 / 7.0 - a2 * p
    p = 1.0 / 5.0 - a2 * p
    p = 1.0 / 3.0 - a2 * p
    angle = 4.0 * (a - a * a2 * p)
    if inverted:
        angle = HALF_PI - angle
    if x < 0.0:
        angle = PI - angle
    return -angle if y < 0.0 else angle


def exp(x: float) -> float:
    """Return e to the power ``x``, for x in -700..700.

    e^x = 2^k e^r with |r| <= ln(2) / 2: a Taylor polynomial in r, and a power of two, which is exact.
    """
    k = math.floor(x / _LN2 + 0.5)
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    total = 1.0
    for n in range(_EXP_TERMS, 0, -1):
        total = 1.0 + r * total / n
    return math.ldexp(total, int(k))
