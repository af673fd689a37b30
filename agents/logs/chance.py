"""How probable a difference of two counts is if nothing changed."""

import math
from bisect import bisect_right
from collections.abc import Sequence

MOST_TERMS = 400
TINY = 1e-300


def chance_of(here: float, there: float, share: float) -> float:
    """How probable counts as uneven as `here` and `there` are by chance, two-sided; `share` of all is expected here.

    The conditional test of two Poisson means (Przyborowski and Wilenski, Biometrika 31, 1940): given their sum, the
    first is binomial. Counts need not be whole, so that a dispersion can be taken out of them; the binomial's tail is
    then the incomplete beta function that continues it. The smaller tail is doubled, at most 1.
    """
    if here + there <= 0 or not 0 < share < 1:
        return 1.0
    at_least = beta(here, there + 1, share) if here > 0 else 1.0
    at_most = 1 - beta(here + 1, there, share) if there > 0 else 1.0
    return min(1.0, 2 * max(0.0, min(at_least, at_most)))


def dispersion(count: int, squares: int, blocks: int) -> float:
    """By how much the variance of a kind's counts in blocks exceeds that of a Poisson process; 1 at least.

    A burst of forty lines is one thing that happened, not forty. This is the factor of quasi-likelihood (McCullagh and
    Nelder, Generalized Linear Models, section 6.2), by the moments: mean of the squares over the mean, less the mean.
    """
    if count == 0 or blocks < 2:
        return 1.0
    return max(1.0, squares / count - count / blocks)


def least_chance(here: float, there: float, share: float) -> float:
    """What `chance_of` is at the very least for counts with this sum."""
    return min(1.0, 2 * math.pow(min(share, 1 - share), here + there))


def surprising(chances: Sequence[float], least: Sequence[float], risk: float) -> list[bool]:
    """Which of many tests hold together with at most `risk` of one being wrong (Holm, Scand. J. Statist. 6, 1979).

    Tests whose `least` possible chance is too large to hold at all are not counted among the many (Tarone, Biometrics
    46, 1990): a thousand messages that were logged once must not hide one that was logged a hundred times.
    """
    possible = sorted(least)
    many = 1
    while bisect_right(possible, risk / many) > many:
        many += 1
    tested = sorted((at for at in range(len(chances)) if least[at] <= risk / many), key=chances.__getitem__)
    holds = [False] * len(chances)
    for rank, at in enumerate(tested):
        if chances[at] > risk / (len(tested) - rank):
            break
        holds[at] = True
    return holds


def beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function, by its continued fraction (Lentz's method)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - beta(b, a, 1 - x)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    c, d = 1.0, 1 / _far(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _far(1 + term * d)
            c = _far(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < 1e-12:
            break
    return min(1.0, math.exp(front) * value / a)


def _far(value: float) -> float:
    """Not so near to zero that it cannot be divided by."""
    return value if abs(value) > TINY else TINY
