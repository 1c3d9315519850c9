"""The fused step against torch's Adam."""

from __future__ import annotations

import numpy as np
import torch

from generators.radiance.adam import Adam, Rates
from tests.generators.radiance.scenes import random_cloud, relative_error


def test_twenty_steps_are_torchs() -> None:
    cloud = random_cloud(50, sh_count=4)
    rates = Rates(positions=0.01, log_scales=0.02, quaternions=0.03, logits=0.04, sh=0.05, sh_rest=0.005)
    tensors = {name: torch.tensor(array, requires_grad=True) for name, array in cloud.arrays() if name != "sh"}
    tensors["dc"] = torch.tensor(cloud.sh[:, :1], requires_grad=True)
    tensors["rest"] = torch.tensor(cloud.sh[:, 1:], requires_grad=True)
    rate = {"dc": rates.sh, "rest": rates.sh_rest}
    oracle = torch.optim.Adam(
        [{"params": [t], "lr": rate.get(n) or getattr(rates, n)} for n, t in tensors.items()], eps=1e-15
    )
    adam, rng = Adam.fresh(cloud), np.random.default_rng(0)
    for _ in range(20):
        gradients = cloud.zeros()
        for name, array in gradients.arrays():
            array[:] = rng.normal(size=array.shape)
            if name != "sh":
                tensors[name].grad = torch.tensor(array)
        tensors["dc"].grad, tensors["rest"].grad = torch.tensor(gradients.sh[:, :1]), torch.tensor(gradients.sh[:, 1:])
        adam.step(cloud, gradients, rates)
        oracle.step()
    for name, array in cloud.arrays():
        if name != "sh":
            assert relative_error(array, tensors[name].detach().numpy()) < 1e-5, name
    assert relative_error(cloud.sh[:, :1], tensors["dc"].detach().numpy()) < 1e-5
    assert relative_error(cloud.sh[:, 1:], tensors["rest"].detach().numpy()) < 1e-5


def test_moments_follow_the_cloud() -> None:
    cloud = random_cloud(6)
    adam = Adam.fresh(cloud)
    adam.step(cloud, random_cloud(6, seed=1), Rates())
    before = adam.first.positions.copy()
    adam.forget(np.array([2]))
    assert not adam.first.positions[2].any() and not adam.second.sh[2].any()
    adam.extend(random_cloud(2))
    assert len(adam.first) == 8 and not adam.first.positions[6:].any()
    adam.keep(np.array([0, 5, 7]))
    assert np.array_equal(adam.first.positions[:2], before[[0, 5]])
