"""The twins as a framework would have them that has convolutions and dense layers with biases, channels first.

They hold [B, H, W, C], call torch's convolution through views, and add biases afterwards. Converted like that, data
would really be moved before and after every convolution, and no bias or rectifier would be fused with it. Besides,
ncnn has no comparisons and no integers but words.
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
LESS = {torch.lt, Tensor.lt, Tensor.__lt__, operator.lt}
NOT = {torch.bitwise_not, Tensor.__invert__, operator.invert}


def response_norm(x: Tensor) -> Tensor:
    """alexnet's by torch's own function, whose alpha is of a mean."""
    return F.local_response_norm(x.permute(FIRST), 5, alpha=5e-4, beta=0.75, k=2.0).permute(LAST)


class Rewrite(TorchFunctionMode):
    """While a model is traced; what nothing reads any more is left out of the trace."""

    def __init__(self) -> None:
        super().__init__()
        # By id, with the tensor itself, so that no other gets that id.
        self.viewed: dict[int, tuple[Tensor, Tensor]] = {}
        self.products: dict[int, tuple[Tensor, tuple]] = {}

    def __enter__(self):
        self.own_norm, alexnet.lrn = alexnet.lrn, response_norm
        return super().__enter__()

    def __exit__(self, *error):
        alexnet.lrn = self.own_norm
        return super().__exit__(*error)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is Tensor.permute:
            dims = args[1] if isinstance(args[1], tuple) else args[1:]
            if dims == FIRST and self.is_view(args[0]):
                return self.first(args[0])
            if dims == LAST:
                return self.view(args[0])
        if func in ADD and all(isinstance(x, Tensor) for x in args) and args[1].dim() == 1:
            if (made := self.biased(*args)) is not None:
                return made
        if func in {torch.relu, *ADD} and all(map(self.is_view, args)):
            return self.view(func(*map(self.first, args)))
        if func is Tensor.long:
            return args[0]
        if func is F.embedding and args[0].dim() > 2:  # ncnn takes a row of words
            words, table = args
            return func(words.flatten(1), table).reshape(*words.shape, table.shape[1])
        # A mask is of ones and zeros.
        if func in LESS:
            return F.hardtanh(args[1] - args[0].float(), 0.0, 1.0)
        if func in NOT:
            return 1 - args[0]
        if func is Tensor.masked_fill:  # 0 times infinity would be no number
            return args[0] + args[1] * max(args[2], torch.finfo().min)
        if func in PRODUCT and args[1].dim() == 2:
            func, args = F.linear, (args[0], args[1].T)
        made = func(*args, **kwargs)
        if func in {F.conv2d, F.linear}:
            self.products[id(made)] = made, (func, args, kwargs)
        return made

    def is_view(self, x: object) -> bool:
        return id(x) in self.viewed

    def first(self, view: Tensor) -> Tensor:
        """What is viewed, channels first."""
        return self.viewed[id(view)][1]

    def view(self, x: Tensor) -> Tensor:
        view = x.permute(LAST)
        self.viewed[id(view)] = view, x
        return view

    def biased(self, x: Tensor, bias: Tensor) -> Tensor | None:
        """If x is a product, the same with this bias."""
        product = self.first(x) if self.is_view(x) else x
        if id(product) not in self.products:
            return None
        func, args, kwargs = self.products[id(product)][1]
        made = func(*args, bias=bias, **kwargs)
        return self.view(made) if self.is_view(x) else made
