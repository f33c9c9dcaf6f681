from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

import headrace as hr
from headrace.demo import run

SHARE = 0.9  # how sure it is of the espresso; 0.95 measured


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Keep the user's own cache out of it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "headrace"


def classifier() -> Any:
    from headrace.demo.classify import Classify

    model = Classify()
    model.setup()
    return model


@pytest.mark.demo
def test_it_sees_the_espresso() -> None:
    model = classifier()
    image = model.decode_request(run.find_photo().read_bytes())
    alone, *_ = (model.encode_response(output) for output in model.predict_batch([image] * 3))
    assert alone[0]["label"] == "espresso"
    assert alone[0]["probability"] > SHARE
    assert [guess["probability"] for guess in alone] == sorted(
        (guess["probability"] for guess in alone), reverse=True
    )
    json.dumps(alone)


@pytest.mark.demo
def test_a_photo_in_a_batch_gets_the_answer_it_gets_alone() -> None:
    import numpy as np

    model = classifier()
    photo = model.decode_request(run.find_photo().read_bytes())
    dark, noise = np.zeros_like(photo), np.random.default_rng(0).normal(size=photo.shape)
    together = model.predict_batch([dark, photo, noise.astype(np.float32)])
    np.testing.assert_allclose(together[1], model.predict_batch([photo])[0], atol=1e-5)


@pytest.mark.demo
@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"", 415, "curl --data-binary"),
        (b'{"image": "..."}', 415, "curl --data-binary"),
        (run.find_photo().read_bytes()[:9000], 422, "damaged"),
    ],
    ids=["nothing", "json", "half a photo"],
)
def test_what_is_no_photo_is_refused_with_the_mend(body: bytes, status: int, says: str) -> None:
    with pytest.raises(hr.HTTPError, match=says) as refused:
        classifier().decode_request(body)
    assert refused.value.status == status


@pytest.mark.demo
def test_the_network_is_made_once_and_kept_whole(cache: Path) -> None:
    from headrace.demo import weights

    made = weights.network()
    assert [file.read_bytes() for file in cache.iterdir()] == [made]
    (cache / weights.CACHED_AS).write_bytes(b"kept")
    assert weights.network() == b"kept"


@pytest.mark.demo
def test_a_cache_that_cannot_be_written_is_done_without(cache: Path) -> None:
    from headrace.demo import weights

    cache.write_text("a file where the folder should be")
    assert len(weights.network()) > 1_000_000


@pytest.mark.demo
def test_other_weights_are_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    from headrace.demo import weights

    monkeypatch.setattr(weights, "SHA256", "0" * 64)
    with pytest.raises(weights.WrongWeights, match="pip install"):
        weights.network()


@pytest.mark.demo
def test_a_checkpoint_cannot_run_code(tmp_path: Path) -> None:
    from headrace.demo.checkpoint import read_checkpoint

    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return print, ("it ran",)

    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(pickle.UnpicklingError, match=r"builtins\.print"):
        read_checkpoint(tmp_path / "evil.pth")


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "find_spec", lambda name: None)
    assert run.main() == run.MISSING_EXTRA
    assert "pip install 'headrace[demo]'" in capsys.readouterr().err


@pytest.mark.demo
@pytest.mark.e2e
def test_the_whole_demo_without_a_terminal() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "headrace", "demo"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "espresso" in done.stdout
    assert "curl --data-binary" in done.stdout


@pytest.mark.demo
@pytest.mark.e2e
def test_served_it_refuses_what_is_no_photo() -> None:
    from headrace.demo.classify import Classify

    with hr.start(Classify, port=0) as running:
        assert run.classify(run.find_photo(), f"{running.url}/classify")[0]["label"] == "espresso"
        with pytest.raises(HTTPError) as refused:
            urlopen(Request(f"{running.url}/classify", b"hello"), timeout=10)  # noqa: S310
        with refused.value as answer:
            assert answer.status == 415
            assert "curl --data-binary" in json.load(answer)["detail"]
