"""What exploring the interface found once, each by itself."""

import pytest

from tests.fakes.api_site import ApiSite
from videoannotator.api.app import routed

ROUTES = routed().openapi()["paths"]


async def test_allow_names_the_methods_of_every_route_of_an_address(site: ApiSite) -> None:
    for path, item in ROUTES.items():
        answer = await site.admin.request("PATCH", path.replace("{", "").replace("}", ""))

        assert answer.status_code == 405
        assert answer.headers["allow"].lower().split(", ") == sorted(item)


@pytest.mark.parametrize(
    "given",
    ["0", "0.5", "1e9", "yesterday", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"],
)
async def test_a_time_that_is_no_date_is_refused(site: ApiSite, given: str) -> None:
    listed = await site.admin.get("/api/v1/jobs", params={"created_after": given})
    made = await site.admin.post("/api/v1/tokens", json={"name": "a", "expires_at": given})

    assert (listed.status_code, made.status_code) == (422, 422)
    assert "field" in listed.json()["error"]


async def test_a_number_is_no_time_and_no_switch(site: ApiSite) -> None:
    made = await site.admin.post("/api/v1/tokens", json={"name": "a", "expires_at": 0})
    drained = await site.admin.post("/api/v1/scheduler/drain", json={"on": 0})

    assert (made.status_code, drained.status_code) == (422, 422)


async def test_a_time_without_a_zone_is_in_utc(site: ApiSite) -> None:
    given = {"name": "a", "expires_at": "2999-01-31T12:00:00"}

    made = await site.admin.post("/api/v1/tokens", json=given)

    assert made.json()["expires_at"] == "2999-01-31T12:00:00Z"
