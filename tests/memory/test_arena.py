"""Memory is held by those who look at it, and by nobody else."""

from __future__ import annotations

import os
from collections.abc import Iterator

import msgspec
import numpy as np
import pytest

from headrace.memory import arena as arena_module
from headrace.memory.arena import Arena, Region, make_arena_fd
from headrace.memory.slots import LARGE_BYTES, Slot, arenas, length_of, view_of

BODY = bytes(range(256)) * 1000


class Notes:
    """A keeper that writes down what it is given."""

    def __init__(self) -> None:
        self.adopted: list[tuple[int, int]] = []

    def adopt(self, slot: Slot) -> None:
        self.adopted.append((slot.region, slot.offset))


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def arena(notes: Notes) -> Iterator[Arena]:
    made = Arena(make_arena_fd(), notes)
    yield made
    made.close()
    assert made.number not in arenas


@pytest.fixture
def region(arena: Arena) -> Region:
    return Region(arena, 0)


def resident_bytes(arena: Arena) -> int:
    return os.fstat(arena.fd).st_blocks * 512


def put(region: Region, body: bytes = BODY) -> Slot:
    slot = region.put(body)
    assert isinstance(slot, Slot)
    return slot


def test_a_slot_is_set_aside_while_it_lives(region: Region) -> None:
    slot = put(region)
    other = put(region, b"x" * (LARGE_BYTES + 1))
    assert bytes(slot.open()) == BODY
    assert bytes(other.open()) == b"x" * (LARGE_BYTES + 1)
    assert region.used_bytes >= len(BODY) + LARGE_BYTES
    del slot, other
    assert region.used_bytes == 0


def test_a_view_holds_it_however_deep_it_is(region: Region) -> None:
    array = np.frombuffer(put(region).open(), np.uint8).reshape(1000, 256)[10:20, 3:]
    assert region.used_bytes > 0
    assert array[0, 0] == 3
    other = put(region, b"y" * len(BODY))
    assert array[9, 0] == 3, "nobody was given what is looked at"
    del other, array
    assert region.used_bytes == 0


def test_a_reader_cannot_write(region: Region) -> None:
    view = put(region).open()
    with pytest.raises(TypeError, match="read-only"):
        view[0] = 1
    assert not np.frombuffer(view, np.uint8).flags.writeable


def test_a_small_body_stays_where_it_is(region: Region) -> None:
    small = b"x" * LARGE_BYTES
    assert region.put(small) is small
    assert view_of(small) is small
    assert length_of(small) == LARGE_BYTES
    assert length_of(put(region)) == len(BODY)


def test_where_there_is_no_room_the_body_itself_is_given_back(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arena_module, "REGION_BYTES", 1 << 20)
    region = Region(arena, 0)
    slots = [put(region, b"x" * (300 << 10)) for _ in range(3)]
    body = b"y" * (300 << 10)
    assert region.put(body) is body
    assert region.take(2 << 20) is None
    slots.clear()
    assert isinstance(region.put(body), Slot)


def test_what_was_used_is_given_back_to_the_system_when_it_is_trimmed(
    arena: Arena, region: Region
) -> None:
    first, second = put(region, b"x" * (4 << 20)), put(region, b"y" * (4 << 20))
    assert resident_bytes(arena) >= 8 << 20
    del first
    region.trim()
    assert 4 << 20 <= resident_bytes(arena) < 6 << 20
    assert bytes(second.open()) == b"y" * (4 << 20), "what is in use stays"
    del second
    region.trim()
    assert resident_bytes(arena) == 0


def test_a_slot_that_was_read_off_a_wire_is_lent(
    arena: Arena, region: Region, notes: Notes
) -> None:
    mine = put(region)
    other = Slot(arena.number, 7, 4096, 100)
    assert notes.adopted == [(7, 4096)], "what this region gave out is its own"
    read = msgspec.msgpack.decode(msgspec.msgpack.encode([mine, other]), type=list[Slot])
    assert read == [mine, other]
    assert notes.adopted == [(7, 4096), (0, mine.offset), (7, 4096)]


def test_a_slot_that_came_back_to_its_writer_frees_nothing(region: Region) -> None:
    mine = put(region)
    used = region.used_bytes
    back = msgspec.msgpack.decode(msgspec.msgpack.encode(mine), type=Slot)
    del back
    assert region.used_bytes == used
    assert bytes(mine.open()) == BODY
    del mine
    assert region.used_bytes == 0


def test_pieces_lie_one_behind_the_other(region: Region) -> None:
    slot = region.put_pieces([b"ab", memoryview(BODY), b"c"], len(BODY) + 3)
    assert slot is not None
    assert bytes(slot.open()) == b"ab" + BODY + b"c"


def test_a_region_that_is_dropped_gives_all_of_its_memory_back(arena: Arena) -> None:
    number = arena.new_region()
    assert number == 1
    body = put(Region(arena, number))
    assert bytes(body.open()) == BODY
    assert arena.new_region() == 2
    del body
    arena.drop_region(number)
    assert resident_bytes(arena) == 0
    assert arena.new_region() == 1, "its number is free"
