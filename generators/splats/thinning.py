"""A cloud made smaller by merging neighbours, a round of disjoint pairs after the other, cheapest first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engines.assets import FloatArray, Splats
from engines.splat_values import colour_from_dc
from generators.splats.clouds import covariances
from generators.splats.ellipsoids import decomposed
from generators.splats.neighbours import Check, Neighbours
from generators.splats.pairs import fill_costs, match, merge_rows

NEIGHBOURS = 8
MOST_A_ROUND = 0.3
"""Share of the splats that one round may merge away: the dearest pairs wait until they have cheaper partners."""
LAST_ROUND = 0.36
"""What is left to do is done in one round when it is less than this share."""
BATCH = 1 << 14


class Thinning:
    """A cloud on its way down. Its covariances stay as they are until a cloud is asked for."""

    def __init__(self, cloud: Splats) -> None:
        self.name = cloud.name
        self.positions: FloatArray = np.array(cloud.positions, np.float32)
        self.covariances = covariances(cloud)
        self.opacities: FloatArray = np.array(cloud.opacities, np.float32)
        self.sh: FloatArray = np.array(cloud.sh, np.float32)
        self._scales: FloatArray = np.array(cloud.scales, np.float32)
        self._rotations: FloatArray = np.array(cloud.rotations, np.float32)
        self._touched = np.zeros(len(self.positions), np.bool_)

    def __len__(self) -> int:
        return len(self.positions)

    def down_to(self, budget: int, check: Check) -> Iterator[int]:
        """Merge until at most `budget` splats are left; yields how many there are after each round."""
        while len(self) > budget:
            before = len(self)
            self._round(budget, check)
            yield len(self)
            if len(self) == before:  # a single splat, or neighbours that cannot be told apart from nothing
                return

    def cloud(self) -> Splats:
        """The splats that are there now."""
        rows = np.nonzero(self._touched)[0]
        if len(rows):
            self._scales[rows], self._rotations[rows] = decomposed(self.covariances[rows])
            self._touched[rows] = False
        return Splats(
            positions=self.positions.copy(),
            rotations=self._rotations.copy(),
            scales=self._scales.copy(),
            opacities=self.opacities.copy(),
            sh=self.sh.copy(),
            name=self.name,
        )

    def _round(self, budget: int, check: Check) -> None:
        check()
        count = len(self)
        _, near = Neighbours(self.positions, check).nearest(min(NEIGHBOURS, count - 1), check)
        costs = np.empty(near.shape, np.float32)
        colours = colour_from_dc(self.sh[:, 0])
        for first in range(0, count, BATCH):
            check()
            last = min(first + BATCH, count)
            fill_costs(*(self.positions, self.covariances, self.opacities, colours, near, first, last, costs))
        wanted = count - budget
        if wanted > LAST_ROUND * count:
            wanted = max(1, int(MOST_A_ROUND * count))
        flat = costs.ravel()
        finite = int(np.isfinite(flat).sum())
        # Only the cheapest places can be among so few pairs; sorting all of them would cost as much as the rest.
        most = min(finite, 6 * wanted + 16)
        if most < len(flat):
            places = np.argpartition(flat, most - 1)[:most]
            check()
            places = places[np.lexsort((places, flat[places]))]
        else:
            places = np.argsort(flat, kind="stable")
        check()
        partners = np.full(count, -1, np.int32)
        match(places.astype(np.int64), near, wanted, partners)
        check()
        self._merge(partners, check)

    def _merge(self, partners: np.ndarray, check: Check) -> None:
        rows = np.nonzero(partners > np.arange(len(partners)))[0].astype(np.int32)
        merge_rows(rows, partners[rows], self.positions, self.covariances, self.opacities, self.sh)
        self._touched[rows] = True
        check()
        stays = np.ones(len(partners), np.bool_)
        stays[partners[rows]] = False
        for name in ("positions", "covariances", "opacities", "sh", "_scales", "_rotations", "_touched"):
            check()
            setattr(self, name, np.ascontiguousarray(getattr(self, name)[stays]))
