"""The models in tinygrad, for training: as `../pytorch/` has them, tensors by name and images with channels last.

A file has `forward(p, inputs, draws)`: the outputs by name, the `loss` among them, and as `after/NAME` what running
statistics become. With no draws it makes its own.
"""

from __future__ import annotations

from types import ModuleType

from . import alexnet, autoenc, deepq, memnet, residual, seq2seq, speech, vgg

MODELS: dict[str, ModuleType] = {
    "alexnet": alexnet, "autoenc": autoenc, "deepq": deepq, "memnet": memnet, "residual": residual,
    "seq2seq": seq2seq, "speech": speech, "vgg": vgg,
}
