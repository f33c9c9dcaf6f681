from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from headrace.errors import ConfigError
from headrace.host.pidfile import Known, PidFile, holder, known_of


def test_a_pidfile_names_its_holder_for_as_long_as_it_is_held(tmp_path: Path) -> None:
    path = tmp_path / "server.pid"
    held = PidFile(str(path))
    held.write(4711)
    assert (path.read_text(), holder(str(path))) == ("4711\n", 4711)
    held.close()
    assert holder(str(path)) == 0
    assert list(tmp_path.iterdir()) == []


def test_what_a_dead_server_left_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "server.pid"
    path.write_text("4711\n")
    assert holder(str(path)) == 0
    held = PidFile(str(path))
    held.write(os.getpid())
    assert holder(str(path)) == os.getpid()
    held.close()


def test_a_second_server_is_refused_by_name(tmp_path: Path) -> None:
    held = PidFile(str(tmp_path / "server.pid"))
    held.write(4711)
    with pytest.raises(ConfigError, match=r"process 4711.*headrace stop --pidfile"):
        PidFile(str(tmp_path / "server.pid"))
    held.close()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("keep me")
    (tmp_path / "server.pid").symlink_to(tmp_path / "precious")
    with pytest.raises(ConfigError, match="symbolic link"):
        PidFile(str(tmp_path / "server.pid"))
    assert (tmp_path / "precious").read_text() == "keep me"


def test_a_folder_that_is_missing_is_told_with_its_mend(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"mkdir -p {tmp_path}/run"):
        PidFile(str(tmp_path / "run" / "server.pid"))


def test_a_file_removed_between_two_steps_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, lock, rounds = tmp_path / "server.pid", fcntl.flock, [0]

    def lock_late(fd: int, how: int) -> None:
        rounds[0] += 1
        if rounds[0] == 1:
            path.unlink()  # its last owner does that on its way out
        lock(fd, how)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    held = PidFile(str(path))
    held.write(4711)
    assert path.read_text() == "4711\n"
    held.close()


def test_commands_are_told_the_last_word_also_where_it_is_shorter(tmp_path: Path) -> None:
    path = str(tmp_path / "server.pid")
    held = PidFile(path)
    assert known_of(path) == Known()
    for known in (Known("http://x", 1, "a long story"), Known("http://x", 2, "")):
        held.tell(known)
        assert known_of(path) == known
    held.close()
    assert known_of(path) == Known()
