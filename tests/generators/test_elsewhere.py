"""The second device finds what it is there to find."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.generators.elsewhere import ELSEWHERE, elsewhere


def test_numbers_are_real_and_come_home() -> None:
    with elsewhere() as watch:
        away = torch.from_numpy(np.arange(6, dtype=np.float32)).to(ELSEWHERE)
        assert away.device.type == ELSEWHERE
        picked = away[(away > 2).nonzero()[:, 0]]
        picked += torch.ones(3, device=ELSEWHERE)
        assert picked.cpu().numpy().tolist() == [4, 5, 6]
        assert float(away.sum()) == 15 and watch.calls > 3


def test_gradients_flow_through_it() -> None:
    with elsewhere():
        leaf = torch.tensor([1.0, 2.0, 3.0], device=ELSEWHERE, requires_grad=True)
        (leaf**2).sum().backward()  # type: ignore[no-untyped-call]
        assert leaf.grad is not None and leaf.grad.device.type == ELSEWHERE
        assert leaf.grad.cpu().tolist() == [2, 4, 6]


def test_in_place_changes_are_seen_through_views() -> None:
    with elsewhere():
        away = torch.zeros(4, device=ELSEWHERE)
        away[1:3] = torch.tensor([5.0, 6.0], device=ELSEWHERE)
        away.clamp_(max=5.5)
        assert away.cpu().tolist() == [0, 5, 5.5, 0]


def test_a_tensor_left_at_home_is_found() -> None:
    with elsewhere(), pytest.raises(AssertionError, match="from here"):
        torch.zeros(4, device=ELSEWHERE) + torch.zeros(4)


def test_numpy_of_what_is_elsewhere_is_found() -> None:
    with elsewhere(), pytest.raises((RuntimeError, TypeError)):
        torch.zeros(4, device=ELSEWHERE).numpy()


def test_dtypes_are_noted() -> None:
    with elsewhere() as watch:
        torch.zeros(4, device=ELSEWHERE).double()
    assert any("_to_copy" in name for name in watch.dtypes[torch.float64])
