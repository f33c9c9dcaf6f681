from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from headrace.errors import AddressError
from headrace.host.sockets import adopt, bind_all, close, start_lines, url_of


def test_every_kind_of_address_is_bound(tmp_path: Path) -> None:
    with socket.socket() as given:
        given.bind(("127.0.0.1", 0))
        fd = os.dup(given.fileno())
        socks = bind_all(
            ["127.0.0.1:0", f"unix:{tmp_path}/a", f"unix://{tmp_path}/b", f"fd://{fd}"]
        )
        families = [sock.family for sock in socks]
        assert families == [socket.AF_INET, socket.AF_UNIX, socket.AF_UNIX, socket.AF_INET]
        assert url_of(socks[1]) == f"unix:{tmp_path}/a"
        assert socks[3].getsockname() == given.getsockname()
        lines = start_lines(socks, "https", ["  told"], "; news")
        assert lines[0].count("https://127.0.0.1:") == 2
        assert lines[0].endswith("; news")
        for sock in socks:
            close(sock)
    assert list(tmp_path.iterdir()) == []


def test_one_address_that_fails_leaves_none_of_the_others(tmp_path: Path) -> None:
    with pytest.raises(AddressError, match="mkdir -p /nowhere"):
        bind_all([f"unix:{tmp_path}/a", "unix:/nowhere/b"])
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_socket_is_not_removed(tmp_path: Path) -> None:
    file = tmp_path / "precious"
    file.write_text("keep me")
    with pytest.raises(AddressError, match="no socket"):
        bind_all([f"unix:{file}"])
    assert file.read_text() == "keep me"


def test_a_living_server_keeps_its_path_and_a_dead_ones_is_taken_over(tmp_path: Path) -> None:
    path = f"unix:{tmp_path}/a"
    (first,) = bind_all([path])
    first.listen()
    with pytest.raises(AddressError, match="another server listens"):
        bind_all([path])
    first.close()  # as a kill -9 does: the file stays
    (second,) = bind_all([path])
    close(second)


def test_a_descriptor_that_is_no_stream_socket_is_told(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file, pytest.raises(AddressError, match="is no socket"):
        adopt(file.fileno())
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        pytest.raises(AddressError, match="another kind"),
    ):
        adopt(os.dup(datagrams.fileno()))
