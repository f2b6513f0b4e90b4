"""What the models share."""

from __future__ import annotations

from tinygrad import Tensor

Tensors = dict[str, Tensor]


def dense(p: Tensors, x: Tensor, name: str) -> Tensor:
    return x @ p[f"{name}.weight"] + p[f"{name}.bias"]


def conv(x: Tensor, weight: Tensor, stride: int = 1, pad: int = 0, groups: int = 1) -> Tensor:
    """x [B, H, W, C] with a filter [R, S, C/groups, N]."""
    filters = weight.permute(3, 2, 0, 1)
    return x.permute(0, 3, 1, 2).conv2d(filters, groups=groups, stride=stride, padding=pad).permute(0, 2, 3, 1)


def max_pool(x: Tensor, window: int, stride: int, pad: int = 0) -> Tensor:
    return x.permute(0, 3, 1, 2).max_pool2d((window, window), stride, padding=pad).permute(0, 2, 3, 1)


def dropout(x: Tensor, name: str, draws: Tensors, share: float) -> Tensor:
    """That share is dropped, the rest scaled up."""
    kept = draws[f"{name}.dropout"] if draws else (Tensor.rand(*x.shape) >= share).float()
    return x * kept / (1 - share)


def cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """-ln p(label) of each row."""
    return -logits.log_softmax(-1).gather(-1, label[:, None]).squeeze(-1)
