"""How far accounts have reached in the weeks before a day: in which repositories and images each was, and when first."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from analytics.acts import Acts, by_word, changes, tops
from analytics.firsts import MIX, LastSeen, pair
from analytics.windows import Floats, Ints

AT_HOME = 0.5  # what a new repository counts in a project of one's own


@dataclass(frozen=True, slots=True)
class DayOfReach:
    """What accounts pulled on one day; `…_before` is the day on which the same was seen last."""

    day: int  # since the epoch, as all days here
    accounts: Ints
    people: Ints  # accounts, too
    actors: Ints  # of each pair of account and repository
    repositories: Ints
    weights: Floats  # of a pair in a project that is new to the account
    pair_before: Ints
    project_before: Ints
    repository_before: Ints
    image_actors: Ints
    image_before: Ints

    def new(self, begin: int) -> tuple[Ints, Floats, Ints]:
        """Account, weight and repository of the pairs that are new since the day `begin` in repositories that are not."""
        chosen = (self.pair_before < begin) & (self.repository_before >= begin)
        weights = np.where(self.project_before < begin, self.weights, AT_HOME)
        return self.actors[chosen], weights[chosen], self.repositories[chosen]

    def new_images(self, begin: int) -> tuple[Ints, Ints]:
        """Accounts that pulled images which they had not pulled since the day `begin`, and how many."""
        return np.unique(self.image_actors[self.image_before < begin], return_counts=True)


@dataclass(frozen=True, slots=True)
class Reach:
    """What is known at the beginning of a day of the days before."""

    span: int  # days
    days: tuple[DayOfReach, ...] = ()
    pairs: LastSeen = field(default_factory=LastSeen)
    projects: LastSeen = field(default_factory=LastSeen)
    repositories: LastSeen = field(default_factory=LastSeen)
    images: LastSeen = field(default_factory=LastSeen)
    pushed_pairs: LastSeen = field(default_factory=LastSeen)
    pushed_projects: LastSeen = field(default_factory=LastSeen)
    places: LastSeen = field(default_factory=LastSeen)  # accounts and the addresses from which they pulled
    pushes: Acts | None = None  # of the last day

    def after(self, acts: Acts, day: int) -> Reach:
        """The same at the end of the day."""
        oldest = day + 1 - self.span
        pulls, pushes = acts.where(~acts.pushed), acts.where(acts.pushed)
        of_day, keys = _day(self, pulls, day)
        mine = pair(pushes.codes["actor"], pushes.codes["repository"])
        home = pair(pushes.codes["actor"], tops(pushes.codes["repository"]))
        placed = pulls.where(pulls.codes["client"] >= 0)
        return replace(
            self,
            days=(*(one for one in self.days if one.day >= oldest), of_day),
            pairs=self.pairs.seen(keys.pairs, day, oldest),
            projects=self.projects.seen(keys.projects, day, oldest),
            repositories=self.repositories.seen(of_day.repositories, day, oldest),
            images=self.images.seen(keys.images, day, oldest),
            pushed_pairs=self.pushed_pairs.seen(mine, day, oldest),
            pushed_projects=self.pushed_projects.seen(home, day, oldest),
            places=self.places.seen(pair(placed.codes["actor"], placed.codes["client"]), day, oldest),
            pushes=pushes,
        )


@dataclass(frozen=True, slots=True)
class _Keys:
    pairs: Ints
    projects: Ints
    images: Ints


def images_of(pulls: Acts) -> tuple[Acts, Ints]:
    """The pulls whose image is known, and a key for account, repository and image."""
    known = pulls.where(pulls.digests != 0)
    return known, pair(known.codes["actor"], known.codes["repository"]) * MIX ^ known.digests


def _day(before: Reach, pulls: Acts, day: int) -> tuple[DayOfReach, _Keys]:
    actors, repositories, weights = _pairs(pulls)
    pairs, projects = pair(actors, repositories), pair(actors, tops(repositories))
    imaged, keys = images_of(pulls)
    images, place = np.unique(keys, return_index=True)
    of_day = DayOfReach(
        day=day,
        accounts=np.unique(actors),
        people=np.unique(pulls.codes["actor"][pulls.human]),
        actors=actors,
        repositories=repositories,
        weights=weights,
        pair_before=before.pairs.of(pairs),
        project_before=before.projects.of(projects),
        repository_before=before.repositories.of(repositories),
        image_actors=imaged.codes["actor"][place],
        image_before=before.images.of(images),
    )
    return of_day, _Keys(pairs, projects, images)


def _pairs(pulls: Acts) -> tuple[Ints, Ints, Floats]:
    """Accounts and repositories, each pair once, and what it counts in a project that is new to the account: the first of
    the day counts in full, where first is the one with the most pulls of one image.
    """
    actors, repositories = pulls.codes["actor"], pulls.codes["repository"]
    # One row per account, repository, kind of account and image, with the number of its pulls.
    order = np.lexsort((pulls.digests, pulls.actor_kinds, repositories, actors))
    columns = [values[order] for values in (actors, repositories, pulls.actor_kinds, pulls.digests)]
    begins = changes(columns)
    actors, repositories, kinds, _ = (values[begins] for values in columns)
    many = np.diff(np.append(np.flatnonzero(begins), len(begins)))
    projects = tops(repositories)
    order = np.lexsort((by_word("repository", repositories), kinds, -many, projects, actors))
    actors, repositories, projects = actors[order], repositories[order], projects[order]
    leads = changes([actors, projects])
    _, first = np.unique(pair(actors, repositories), return_index=True)
    return actors[first], repositories[first], np.where(leads[first], 1.0, AT_HOME)
