"""A second device without a card: tensors that say they are elsewhere, hold real numbers, and refuse to be mixed.

They call themselves `meta`, the one device besides the processor with which autograd works in every build of torch.
Whatever would fail on a graphics card fails here: a tensor made in the wrong place, or handed to numpy before it was
brought home. What differs from a card: operations are the processor's, so rounding and speed say nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

ELSEWHERE = "meta"
MOVES = {torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default}


class Away(Tensor):
    """A tensor that is elsewhere; `home` holds its numbers."""

    home: Tensor

    @staticmethod
    def __new__(cls, home: Tensor) -> Away:
        made: Away = Tensor._make_wrapper_subclass(
            cls, home.size(), strides=home.stride(), storage_offset=home.storage_offset(), dtype=home.dtype,
            device=torch.device(ELSEWHERE), requires_grad=False,
        )  # fmt: skip
        made.home = home
        return made

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return f"Away({self.home!r})"

    @classmethod
    def __torch_dispatch__(cls, function: Any, *_: Any, **__: Any) -> Any:  # type: ignore[override]
        raise AssertionError(f"{function}: a tensor that is elsewhere was used outside of `elsewhere`")


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dtypes: dict[torch.dtype, set[str]] = {}
        self.calls = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        away: dict[int, Away] = {}
        here: list[Tensor] = []

        def look(value: Any) -> Any:
            if isinstance(value, Away):
                away[id(value.home)] = value
                return value.home
            if isinstance(value, Tensor) and value.dim() > 0:
                here.append(value)
            return value

        args, kwargs = tree_map(look, args), tree_map(look, kwargs)
        asked = kwargs.get("device")
        goes_away = asked is not None and torch.device(asked).type == ELSEWHERE
        comes_home = asked is not None and not goes_away
        if goes_away:
            kwargs["device"] = torch.device("cpu")
        if away and here and function not in MOVES:
            raise AssertionError(f"{function} was given tensors from here, {[list(t.shape) for t in here]}, and away")
        result = function(*args, **kwargs)
        stays = (goes_away or bool(away)) and not comes_home
        return tree_map(lambda value: self._sent(value, away, function) if stays else value, result)

    def _sent(self, value: Any, away: dict[int, Away], function: Any) -> Any:
        if not isinstance(value, Tensor) or isinstance(value, Away):
            return value
        self.calls += 1
        self.dtypes.setdefault(value.dtype, set()).add(str(function))
        return away[id(value)] if id(value) in away else Away(value)


class _Literals(TorchFunctionMode):
    """Numbers written out are made here and sent, since torch would make them of nothing on `meta`."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if function is Tensor.new_tensor:
            like, *args = args
            function, kwargs = torch.tensor, {"dtype": like.dtype, "device": like.device, **kwargs}
        if function not in (torch.tensor, torch.as_tensor) or kwargs.get("device") is None:
            return function(*args, **kwargs)
        device, grad = kwargs.pop("device"), kwargs.pop("requires_grad", False)
        return function(*args, **kwargs).to(device).requires_grad_(grad)


@contextmanager
def elsewhere() -> Iterator[_Watch]:
    """Within it `device=ELSEWHERE` is a second device; what comes out tells how much and what was computed there."""
    with _Literals(), _Watch() as watch:
        yield watch
