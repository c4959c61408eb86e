"""An attack by absence, of the uncharted kinds: nodes that ask elsewhere. Whoever wrote it had read no detector and no rule, nor
what had been found before.
"""

from __future__ import annotations

from collections import Counter

from regsight.traffic.population import DAY, HOUR
from regsight.traffic.requests import Request
from regsight.traffic.scenes import Scene
from regsight.traffic.truth import Planted

# Starts of pods that would have asked by now on an average day; in the quietest hours it is a quarter of that.
MISSED = 40


def ask_elsewhere(scene: Scene) -> Planted:
    """A cluster's machines have been told to take images from somebody else's registry: all, those of one project, or one.

    No line tells of it. Pods start all day, and each start asks; it is known when so many would have asked that no quiet hour
    explains it, while everything else goes on.
    """
    rng, world = scene.rng, scene.world
    index = rng.randrange(len(world.clusters))
    cluster = world.clusters[index]
    machines = [node for node in world.nodes if node.cluster == index]
    addresses = {node.address for node in machines}
    weights = {one: one.weight**0.75 for one in cluster.repositories}  # as pods are started
    projects: Counter[str] = Counter()
    for one, weight in weights.items():
        projects[one.project] += weight
    first, most = max(weights, key=lambda one: weights[one]), max(projects, key=lambda one: projects[one])
    asked = scene.pick(list(weights), [one for one in weights if one.project == most], [first])
    starts = sum(node.rate for node in machines) * sum(weights[one] for one in asked) / sum(weights.values())
    since, names = scene.at, {one.name for one in asked}
    until = min(since + scene.pick(1, 2, 3) * DAY, scene.end)
    begin = since + max(int(MISSED / starts * DAY) - HOUR, 0)  # an hour before it is known
    if begin + HOUR >= until:
        return Planted(note="It ended before it could be missed.")

    def alter(request: Request) -> Request | None:
        if request.address not in addresses or not since <= request.start < until:
            return request
        return None if scene.difficulty == "blatant" or request.name in names else request

    return Planted(
        span=(begin, until),
        alter=alter,
        actors=(cluster.name,),
        addresses=tuple(sorted(addresses)),
        repositories=() if scene.difficulty == "blatant" else tuple(sorted(names)),
        note=scene.pick(
            "A cluster is silent.", "It asks for nothing of one project.", "It asks for one image no more."
        ),
    )
