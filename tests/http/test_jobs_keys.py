"""A key sees its own jobs and no other's, on every page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest

import headrace as hr
from headrace.core.jobs import EVERYBODY
from headrace.http.keys import Keys
from tests.http.asking import Typed
from tests.http.jobs_desk import LATER, Office, Reader, endpoint, office
from tests.support.loops import on_a_loop

ONE, TWO = "1" * 20, "2" * 20
KEYS = [ONE, TWO]


@hr.deployment(executor="inline", route="/locked", api_keys=KEYS)
class Locked(hr.Model):
    def predict(self, value: Any) -> Any:
        return value


def locked() -> Any:
    return endpoint("/locked", keys=Keys(KEYS, "test"), wants_head=True)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def submit(there: Office, key: str = "", **headers: str) -> httpx2.Response:
    brought = bearer(key) if key else {}
    return await there.client.post("/locked", json=1, headers={**LATER, **brought, **headers})


PAGES = (
    *[("GET", page) for page in ("", "/result", "/events")],
    *[("POST", page) for page in ("/cancel", "/retry")],
    ("DELETE", ""),
)


@on_a_loop
async def test_another_key_finds_no_such_job(tmp_path: Path) -> None:
    async with office(tmp_path, Locked, endpoints=[locked()]) as there:
        job = (await submit(there, ONE)).json()["urls"]["self"]
        for method, page in PAGES:
            url = f"{job}{page}"
            none = await there.client.request(method, url)
            assert none.status_code == 401
            assert none.headers["www-authenticate"] == "Bearer"
            other = await there.client.request(method, url, headers=bearer(TWO))
            assert (other.status_code, other.json()["code"]) == (404, "no_such_job")
        own = await there.client.get(job, headers={"X-API-Key": ONE})
        assert own.status_code == 200
        for key, count in ((ONE, 1), (TWO, 0)):
            listed = await there.client.get("/jobs", headers=bearer(key))
            assert len(listed.json()["jobs"]) == count


@on_a_loop
async def test_a_key_is_not_written_down(tmp_path: Path) -> None:
    async with office(tmp_path, Locked, endpoints=[locked()]) as there:
        told = (await submit(there, ONE, **{"X-Mine": "kept"})).json()
        claim = await there.desk.claim()
        order = await there.desk.order(claim)
        assert order.head is not None
        names = {name for name, _ in order.head.headers}
        assert b"x-mine" in names
        assert b"authorization" not in names
        tenant = claim.job.tenant
        assert tenant not in (EVERYBODY, ONE)
        assert told["id"]
    written = b"".join(each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())
    assert b"kept" in written
    assert ONE.encode() not in written


@on_a_loop
async def test_two_keys_may_use_the_same_names(tmp_path: Path) -> None:
    async with office(tmp_path, Locked, endpoints=[locked()]) as there:
        put = "/jobs/mine?endpoint=/locked"
        one = await there.client.put(put, json=1, headers=bearer(ONE))
        two = await there.client.put(put, json=2, headers=bearer(TWO))
        assert (one.status_code, two.status_code) == (202, 202)
        again = await there.client.put(put, json=2, headers=bearer(ONE))
        assert again.status_code == 422
        refused = await there.client.put(put, json=2)
        assert refused.status_code == 401


@on_a_loop
async def test_where_a_route_is_open_those_without_a_key_share_their_jobs(tmp_path: Path) -> None:
    both = [locked(), endpoint("/typed")]
    async with office(tmp_path, Locked, Typed, endpoints=both) as there:
        free = (await there.submit()).json()["urls"]["self"]
        assert (await there.client.get(free)).status_code == 200
        theirs = {"Authorization": "Bearer a-users-own-token"}
        assert (await there.client.get(free, headers=theirs)).status_code == 200
        kept = (await submit(there, ONE)).json()["urls"]["self"]
        assert (await there.client.get(kept)).status_code == 404
        owned = (await there.submit(headers=bearer(ONE))).json()["urls"]["self"]
        assert (await there.client.get(owned)).status_code == 404
        assert (await there.client.get(owned, headers=bearer(ONE))).status_code == 200
        assert (await submit(there)).status_code == 401


@pytest.mark.parametrize("path", ["", "/events"])
@on_a_loop
async def test_what_code_submitted_is_found_with_any_key(path: str, tmp_path: Path) -> None:
    functions = endpoint("job:tasks.core", kind="ingress")
    async with office(tmp_path, Locked, endpoints=[locked(), functions]) as there:
        order = await there.desk.order(await _claimed(there))
        receipt = await there.desk.submit(order, endpoint="job:tasks.core")
        await there.desk.store.cancel(None, receipt.job.id)
        url = f"/jobs/{receipt.job.id}{path}"
        for key in KEYS:
            reader = Reader(there.service, url, bearer(key))
            await reader.ended()
            assert reader.sent[0]["status"] == 200
        assert (await there.client.get(url)).status_code == 401
        listed = await there.client.get("/jobs", headers=bearer(TWO))
        assert listed.json()["jobs"] == []


async def _claimed(there: Office) -> Any:
    await submit(there, ONE)
    return await there.desk.claim()
