"""An attack on the way back, of the fresh kinds: the copy elsewhere is left to grow old. Whoever wrote it had read no detector and
no rule, nor what had been found before.
"""

from __future__ import annotations

from regsight.traffic.images import Repository
from regsight.traffic.population import DAY, HOUR
from regsight.traffic.requests import Request
from regsight.traffic.scenes import MINUTE, Scene
from regsight.traffic.truth import Planted

ROUND = 2 * HOUR  # of the mirror
OVER = 5 * MINUTE  # after it has begun, what it asks for has come


def leave_mirror_behind(scene: Scene) -> Planted:
    """The mirror stops, or logs in and takes nothing, or leaves out one repository: what is destroyed next has no copy.

    No line tells of it. Whatever was pushed to a mirrored repository has been fetched in the next round, every two hours,
    without exception; it is known when the round after a push has passed and the new version was not.
    """
    mirror = scene.world.mirror
    since = scene.at
    new = _pushed_today(scene, mirror.repositories)
    left_out = new[:1] if scene.difficulty == "stealthy" else []
    names = {repository.name for _, repository in left_out}
    if scene.difficulty == "blatant":
        begin = _round_after(scene, since)
    elif new:
        begin = _round_after(scene, new[0][0])
    else:
        return Planted(note="Nothing was pushed that day of which a copy could be missed.")
    end = min(begin + scene.pick(1, 2, 3) * DAY, scene.end)
    if begin >= scene.end - HOUR:
        return Planted(note="It ended before a round was missed.")

    def alter(request: Request) -> Request | None:
        if request.address not in mirror.addresses or request.agent != mirror.agent:
            return request
        lost = scene.pick(True, "/manifests/" in request.uri or "/blobs/" in request.uri, request.name in names)
        return None if lost and since <= request.start < end else request

    return Planted(
        span=(begin, end),
        alter=alter,
        actors=(mirror.name,),
        addresses=tuple(mirror.addresses),
        repositories=tuple(sorted(names)),
        note=scene.pick("No request comes.", "It logs in and takes nothing.", "One repository is left out."),
    )


def _pushed_today(scene: Scene, repositories: list[Repository]) -> list[tuple[int, Repository]]:
    """What is pushed between now and the end of the day, which has been drawn already, by moment."""
    found = [(at, one) for one in repositories for at in one.pushed if at > scene.at]
    return sorted(found, key=lambda push: push[0])


def _round_after(scene: Scene, at: int) -> int:
    """When the next round has begun and is over."""
    start = scene.world.start
    return start + -(-(at - start) // ROUND) * ROUND + OVER
