"""How many requests a call is to hold, from what calls of each size were seen to cost.

With t = a*n + b a request costs a + b/n: more in a batch means less for each, until b/n is small
beside a. From there on a larger batch only makes everyone wait for its mates: an image model that
fills a core by itself (b near 0) is served best one by one. A target for the latency bounds a call
to half of it, for a request may come just when another call has begun.

Now and then a larger call is let through, and a smaller one asked for, else a change for the better
would never be seen: a crowd that fills every call shows one size only.
"""

from __future__ import annotations

from headrace.core.batching import BatchPolicy, Curve

WASTE = 0.1
"""How much of a request's time may be its share of the fixed cost."""
PROBE_EVERY = 64
SMALLER_AT = 8
SMALLER_EVERY = 1024
"""A smaller one is tried early, and then seldom: it breaks up a crowd."""
KNOWN = 2


def size_of_calls(curve: Curve, policy: BatchPolicy, calls: int) -> int:
    """Return the most requests of the next call, after so many calls."""
    most = policy.max_size
    if calls == SMALLER_AT or calls % SMALLER_EVERY == SMALLER_EVERY - PROBE_EVERY // 2:
        return _smaller(curve, most)
    if len(curve.known()) < KNOWN:
        return most
    a, b = curve.line()
    if a > 0:
        most = min(most, max(1, round(b / (WASTE * a))))
        if calls % PROBE_EVERY == 0:
            most = min(policy.max_size, 2 * most)
    if policy.latency_target_s is not None:
        most = min(most, fitting(a, b, policy.latency_target_s / 2, most))
    return most


def _smaller(curve: Curve, most: int) -> int:
    """Return the size, half of `most` or less, that was not seen for the longest time."""
    sizes = [most >> bits for bits in range(1, max(2, most.bit_length()))]
    return max(1, min(sizes, key=lambda n: (curve.seen_at(n), n)))


def fitting(a: float, b: float, longest_s: float, most: int) -> int:
    """Return how many requests a call of `longest_s` holds: one at least, `most` at most."""
    if a * most + b <= longest_s:
        return most
    return int(max(1, min(most, (longest_s - b) / a))) if a > 0 else 1
