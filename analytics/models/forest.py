"""An isolation forest as plain arrays: what scikit-learn fitted, kept and scored without running anybody's code.

scikit-learn's own files are pickles, and a pickle runs what it holds. A forest is numbers: for each node the feature, the
threshold, the children and how many rows reached it. From these `scores` works out what `score_samples` gives (Liu, Ting,
Zhou 2008), whatever release of scikit-learn is there.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_EULER = 0.5772156649015329
_MIX = np.uint64(0x9E3779B97F4A7C15)  # odd: spreads rows over 64 bits


class WrongFile(ValueError):
    """Not a forest that was written here, or not whole."""


@dataclass(frozen=True, slots=True)
class Forest:
    """Trees laid one behind the other; `roots` are where they begin. A leaf has no children (-1)."""

    feature: npt.NDArray[np.int32]
    threshold: Floats
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    rows: npt.NDArray[np.int32]
    roots: npt.NDArray[np.int32]
    sample: int  # rows that each tree was grown on
    width: int  # features

    @staticmethod
    def of(fitted: Any) -> Forest:
        """The trees of a fitted `sklearn.ensemble.IsolationForest` that uses every feature in every tree."""
        trees = [tree.tree_ for tree in fitted.estimators_]
        sizes = np.array([tree.node_count for tree in trees])
        roots = np.concatenate(([0], np.cumsum(sizes)[:-1]))

        def children(name: str) -> npt.NDArray[np.int32]:
            found = [
                np.where(getattr(tree, name) < 0, -1, getattr(tree, name) + root)
                for tree, root in zip(trees, roots, strict=True)
            ]
            return np.concatenate(found).astype(np.int32)

        return Forest(
            feature=np.concatenate([tree.feature for tree in trees]).astype(np.int32),
            threshold=np.concatenate([tree.threshold for tree in trees]),
            left=children("children_left"),
            right=children("children_right"),
            rows=np.concatenate([tree.n_node_samples for tree in trees]).astype(np.int32),
            roots=roots.astype(np.int32),
            sample=int(fitted.max_samples_),
            width=int(fitted.n_features_in_),
        )

    def scores(self, values: Floats, grown: Any = None) -> Floats:
        """0 … 1 for each row, higher is stranger; the negative of scikit-learn's `score_samples`. `grown` is what it was made
        `of`, where that is at hand: its compiled trees are several times as fast."""
        if values.shape[1:] != (self.width,):
            raise ValueError(f"{values.shape[1:]} features, the forest has {self.width}")
        given, again = _distinct(values.astype(np.float32))  # as scikit-learn's trees see them
        ends = self._depths() + _usual_depth(self.rows)
        wide = given.astype(np.float64)
        total = np.zeros(len(given))
        for number, root in enumerate(self.roots):
            leaves = self._leaves(wide, root) if grown is None else grown.estimators_[number].tree_.apply(given) + root
            total += ends[leaves]
        usual = len(self.roots) * float(_usual_depth(np.array([self.sample]))[0])
        return np.asarray(2.0 ** (-total / usual))[again] if usual else np.ones(len(again))

    def _leaves(self, given: Floats, root: int) -> npt.NDArray[np.int64]:
        """In which leaf of a tree each row ends; rows that have arrived are not looked at again."""
        node = np.full(len(given), root, dtype=np.int64)
        lines = np.flatnonzero(self.left[node] >= 0)
        while len(lines):
            at = node[lines]
            goes_left = given[lines, self.feature[at]] <= self.threshold[at]
            node[lines] = np.where(goes_left, self.left[at], self.right[at])
            lines = lines[self.left[node[lines]] >= 0]
        return node

    def _depths(self) -> Floats:
        """Of each node."""
        depths = np.zeros(len(self.left))
        level = self.roots
        for depth in range(1, len(self.left) + 1):
            inner = level[self.left[level] >= 0]
            if not len(inner):
                break
            level = np.concatenate([self.left[inner], self.right[inner]])
            depths[level] = depth
        return depths

    def as_bytes(self) -> bytes:
        """A compressed npz file of numbers."""
        held = io.BytesIO()
        arrays: dict[str, Any] = {name: getattr(self, name) for name in _ARRAYS}
        np.savez_compressed(held, size=np.array([self.sample, self.width]), **arrays)
        return held.getvalue()

    @staticmethod
    def from_bytes(data: bytes) -> Forest:
        """The inverse; only numbers are read, and only where they make trees.

        Raises:
            WrongFile: they do not.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as held:
                arrays = {name: held[name] for name in _ARRAYS}
                sample, width = (int(value) for value in held["size"])
        except Exception as error:  # a damaged file fails anywhere within zip or numpy
            raise WrongFile(f"not a forest: {type(error).__name__}: {error}") from error
        found = Forest(**arrays, sample=sample, width=width)
        found._check()
        return found

    def _check(self) -> None:
        """Every child stands behind its parent and within the arrays: scoring ends."""
        count = len(self.feature)
        places = np.arange(count)
        inner = self.left >= 0
        whole = all(len(array) == count for array in (self.threshold, self.left, self.right, self.rows))
        if not whole or not count or not len(self.roots) or self.roots.min() < 0 or self.roots.max() >= count:
            raise WrongFile("not a forest: its arrays do not fit together")
        for child in (self.left, self.right):
            if (child[inner] <= places[inner]).any() or (child >= count).any():
                raise WrongFile("not a forest: a child stands before its parent")
        if (self.feature[inner] < 0).any() or (self.feature >= self.width).any():
            raise WrongFile("not a forest: a feature that there is not")


_ARRAYS = ("feature", "threshold", "left", "right", "rows", "roots")


def _distinct(rows: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """The rows without repetitions, and which of these each is: most hours of most actors are like others to the last bit."""
    keys = np.zeros(len(rows), dtype=np.uint64)
    for column in rows.view(np.uint32).T:
        keys = keys * _MIX + column
        keys ^= keys >> np.uint64(29)
    _, first, again = np.unique(keys, return_index=True, return_inverse=True)
    found = rows[first]
    if not np.array_equal(found[again], rows, equal_nan=True):  # two different rows with one key
        return rows, np.arange(len(rows))
    return found, again


def _usual_depth(rows: Any) -> Floats:
    """The mean depth at which a search in a tree of so many rows fails."""
    many = np.asarray(rows, dtype=np.float64)
    deep = np.maximum(many, 3.0)
    usual = 2.0 * (np.log(deep - 1.0) + _EULER) - 2.0 * (deep - 1.0) / deep
    return np.where(many <= 1, 0.0, np.where(many == 2, 1.0, usual))
