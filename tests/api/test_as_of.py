"""A definition as it was."""

import pytest
from tests.api.scene import Scene
from tests.api.story import telling

from taskservice.domain.commands import DeleteDefinition


async def test_a_definition_as_it_was_shows_the_version_and_what_was_next_then() -> None:
    async with telling() as (scene, teller):
        await teller.until("08:30")
        one = await teller.define("0 0 * * * ?", description="first")
        await teller.until("09:30")
        await teller.edit(one, "0 0/30 * * * ?", description="second")
        await teller.until("10:10")
        await teller.disable(one, actor="alice")

        seen = {}
        for clock in ("08:30", "09:29", "09:30", "10:05", "10:10"):
            answer = await scene.call("GET", f"/definitions/{one}", params={"asOf": teller.text(clock)})
            seen[clock] = answer.json()
        before = await scene.call("GET", f"/definitions/{one}", params={"asOf": teller.text("08:29")})

    shown = {
        clock: (was["version"], was["description"], was["status"], was["nextFireAt"], was["lastFireAt"])
        for clock, was in seen.items()
    }
    assert shown == {
        "08:30": (1, "first", "ENABLED", teller.text("09:00"), None),
        "09:29": (1, "first", "ENABLED", teller.text("10:00"), teller.text("09:00")),
        "09:30": (2, "second", "ENABLED", teller.text("10:00"), teller.text("09:00")),
        "10:05": (2, "second", "ENABLED", teller.text("10:30"), teller.text("10:00")),
        "10:10": (3, "second", "DISABLED", None, teller.text("10:00")),
    }
    assert seen["10:10"]["updatedBy"] == "alice"
    assert before.status_code == 404


async def test_a_deleted_definition_is_there_until_its_deletion() -> None:
    async with telling() as (scene, teller):
        await teller.until("08:30")
        one = await teller.define("0 0 * * * ?")
        await teller.until("09:30")
        await teller.ask(DeleteDefinition, definition_id=one)

        statuses = [
            (await scene.call("GET", f"/definitions/{one}", params={"asOf": teller.text(clock)})).status_code
            for clock in ("09:29", "09:30")
        ]
        foreign = await scene.call(
            "GET", f"/definitions/{one}", params={"asOf": teller.text("09:29")}, caller="foreign"
        )

    assert statuses == [200, 404]
    assert foreign.status_code == 404


@pytest.mark.parametrize("text", ["yesterday", "2026-11-23T00:00:00", ""])
async def test_a_time_that_is_none_is_refused(scene: Scene, text: str) -> None:
    one = await scene.create()

    answer = await scene.call("GET", f"/definitions/{one['id']}", params={"asOf": text})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameter"] == "asOf"
