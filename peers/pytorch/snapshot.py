"""Reading and writing snapshots: one step's numbers in a safetensors file.

Tensors are named group/NAME; the groups are param, input, random, output, grad, after and state. The
configuration is JSON under the metadata key `fathom`.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

Tensors = dict[str, torch.Tensor]


class Snapshot:
    """The tensors by group and name, floats in f64, and the configuration."""

    def __init__(self, path: Path):
        self.groups: dict[str, Tensors] = {}
        with safe_open(path, framework="pt") as file:
            self.config = json.loads((file.metadata() or {}).get("fathom", "{}"))
            for full in file.keys():
                group, _, name = full.partition("/")
                tensor = file.get_tensor(full)
                if tensor.is_floating_point():
                    tensor = tensor.double()
                self.groups.setdefault(group, {})[name] = tensor

    def group(self, name: str) -> Tensors:
        return self.groups.get(name, {})

    @property
    def step(self) -> int:
        """Updates that were made before this one."""
        step = self.group("state").get("step")
        return 0 if step is None else int(step.reshape(-1)[0])


def write(path: Path, groups: dict[str, Tensors], config: dict) -> None:
    """Floats are stored in f32, integers in I32."""
    flat = {}
    for group, tensors in groups.items():
        for name, tensor in tensors.items():
            kind = torch.float32 if tensor.is_floating_point() else torch.int32
            flat[f"{group}/{name}"] = tensor.to(kind).contiguous()
    save_file(flat, path, metadata={"fathom": json.dumps(config)})
