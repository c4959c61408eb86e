"""Who there is, and what the images are."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from regsight.traffic.images import rolled_out
from regsight.traffic.population import DAY, PRESETS, populate

START = int(datetime(2026, 11, 2, tzinfo=UTC).timestamp()) * 10**9


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_has_the_sizes_it_says(name: str) -> None:
    """Repositories, people, robots and nodes are as many as the preset says, each with a name of its own."""
    preset = PRESETS[name]
    world = populate(preset, 1, START)
    for found, wanted in (
        ({repository.name for repository in world.repositories}, preset.repositories),
        ({person.name for person in world.people}, preset.people),
        ({robot.name for robot in world.robots}, preset.robots),
        ({node.address for node in world.nodes}, preset.nodes),
    ):
        assert len(found) == wanted
    assert not {person.name for person in world.retired} & {person.name for person in world.people}
    assert all(robot.repositories and robot.addresses for robot in world.robots)


def test_a_push_changes_the_upper_layers_only() -> None:
    """From one version to the next the manifest is new, the lowest own layer and the base are not."""
    world = populate(PRESETS["small"], 1, START)
    repository = next(one for one in world.repositories if one.base is not None and one.layer_count >= 3)
    older, newer = repository.image(201), repository.image(202)
    assert older.digest != newer.digest
    assert older.config != newer.config
    assert older.layers[-1] != newer.layers[-1]
    assert older.layers[0] == newer.layers[0] == repository.base.image(repository.base.numbers[0]).layers[0]


def test_clusters_run_what_was_rolled_out() -> None:
    """What is deployed is the newest version that was rolled out, and never one of the future."""
    world = populate(PRESETS["small"], 1, START)
    for repository in world.repositories:
        assert repository.pushed == sorted(repository.pushed) and repository.pushed[-1] < START
        number = repository.deployed(START)
        assert rolled_out(number) or number == repository.numbers[0]
        assert number <= repository.number(START)
        assert repository.number(START - 10_000 * DAY) == repository.numbers[0]
