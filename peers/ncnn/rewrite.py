"""The twins as a framework would have them that has convolutions and dense layers with biases, channels first.

They hold [B, H, W, C], call torch's convolution through views, and add biases afterwards. Exported like that, data would
really be moved before and after every convolution, and no bias or rectifier would be fused with it.
"""

from __future__ import annotations

import operator

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

import alexnet

FIRST, LAST = (0, 3, 1, 2), (0, 2, 3, 1)
ADD = {torch.add, Tensor.add, Tensor.__add__, operator.add}
PRODUCT = {torch.matmul, Tensor.matmul, Tensor.__matmul__, operator.matmul}


def response_norm(x: Tensor) -> Tensor:
    """alexnet's, by torch's own function, whose alpha is of a mean."""
    return F.local_response_norm(x.permute(FIRST), 5, alpha=5 * 1e-4, beta=0.75, k=2.0).permute(LAST)


alexnet.lrn = response_norm


class Rewrite(TorchFunctionMode):
    """While a model is traced; what nothing reads any more is left out of the trace."""

    def __init__(self) -> None:
        super().__init__()
        # By id, and with the key itself, so that no other tensor gets that id.
        self.viewed: dict[int, tuple[Tensor, Tensor]] = {}
        self.products: dict[int, tuple[Tensor, tuple]] = {}

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is Tensor.permute and args[1:] in (FIRST, (FIRST,)) and self.is_view(args[0]):
            return self.first(args[0])
        if func is Tensor.permute and args[1:] in (LAST, (LAST,)):
            return self.view(args[0])
        if func in ADD and all(isinstance(x, Tensor) for x in args) and args[1].dim() == 1:
            if (made := self.biased(*args)) is not None:
                return made
        if func in {torch.relu, *ADD} and all(map(self.is_view, args)):
            return self.view(func(*map(self.first, args)))
        if func is Tensor.long:
            return args[0]
        made = func(*args, **kwargs)
        if func is F.conv2d:
            self.products[id(made)] = made, (F.conv2d, args, kwargs)
        elif func in PRODUCT and args[1].dim() == 2 and args[0].dim() == 2:
            self.products[id(made)] = made, (F.linear, (args[0], args[1].T), {})
        return made

    def is_view(self, x: object) -> bool:
        return id(x) in self.viewed

    def first(self, x: Tensor) -> Tensor:
        return self.viewed[id(x)][1]

    def view(self, x: Tensor) -> Tensor:
        view = x.permute(LAST)
        self.viewed[id(view)] = view, x
        return view

    def biased(self, x: Tensor, bias: Tensor) -> Tensor | None:
        """The product x anew, now with its bias."""
        product = self.first(x) if self.is_view(x) else x
        if id(product) not in self.products:
            return None
        func, args, kwargs = self.products[id(product)][1]
        made = func(*args, bias=bias, **kwargs)
        return self.view(made) if self.is_view(x) else made
