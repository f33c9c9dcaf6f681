"""The label of a request, X-Request-Id: the client's if it is sane, else one of ours."""

from __future__ import annotations

import itertools
import os
import re

LONGEST = 128
_sane = re.compile(rb"[\x21-\x7e]{1,128}").fullmatch
_prefix = os.urandom(6).hex().encode()
_count = itertools.count(1).__next__


def label_of(given: bytes | None) -> bytes:
    """Return the label of one request: at most 128 printable ASCII characters.

    It names the request to people, in logs and answers; it identifies nothing inside the server,
    where two clients may send the same.
    """
    if given is not None and _sane(given):
        return given
    return b"%s%08x" % (_prefix, _count())
