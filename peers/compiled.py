"""What the peers share that are written in Rust: cargo compiles them once, and they read a step from a file of their own."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

from answering import Answering
from safetensors.torch import save_file
from step import MODELS
from torch import Tensor

OF_IMAGES = ("alexnet", "deepq", "residual", "vgg")


def laid_out(model: str, name: str, tensor: Tensor, back: bool = False) -> Tensor:
    """Images and filters with channels first, as such peers have them, or back."""
    group, _, _ = name.partition("/")
    if model not in OF_IMAGES or tensor.dim() != 4:
        return tensor
    if group == "input":
        return tensor.permute(0, 3, 1, 2)
    return tensor.permute(*((2, 3, 1, 0) if back else (3, 2, 0, 1)))


class Values:
    """A step's parameters, inputs and draws."""

    def __init__(self, workload: str, mode: str, params: dict, inputs: dict, draws: dict) -> None:
        self.workload, self.mode, self.model = workload, mode, MODELS[workload]
        self.params, self.inputs, self.draws = params, inputs, draws

    @property
    def batch(self) -> int:
        return next(iter(self.inputs.values())).shape[0]

    def save(self, path: Path) -> None:
        specs = self.model.names(self.mode)
        stored = {}
        for group, tensors in (("param", self.params), ("input", self.inputs), ("random", self.draws)):
            for name, tensor in tensors.items():
                full = f"{group}/{name}"
                place = full if group != "param" or specs[full].trained else f"fixed/{name}"
                tensor = tensor.float() if tensor.is_floating_point() else tensor.int()
                stored[place] = laid_out(self.workload, full, tensor).contiguous()
        save_file(stored, path)


class Program(Answering):
    """The compiled step: it has run once, told what it is (`about`), and takes its turns."""

    def __init__(self, program: Path, values: Values, computed: Path, *more: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "step.safetensors"
            values.save(path)
            command = [program, values.workload, values.mode, path, computed, *more]
            self.start(command)
            self.about = self.answer()


def built(folder: Path) -> Path:
    """The program of a peer, compiled if it is not yet."""
    manifest = folder / "Cargo.toml"
    subprocess.run(["cargo", "build", "--release", "--quiet", "--manifest-path", manifest], check=True)
    found = subprocess.run(["cargo", "metadata", "--no-deps", "--format-version=1", "--manifest-path", manifest],
                           check=True, capture_output=True, text=True)
    return Path(json.loads(found.stdout)["target_directory"]) / f"release/fathom-peer-{folder.name}"


def version(folder: Path) -> str:
    """Of the framework that a peer is named after."""
    line = next(line for line in (folder / "Cargo.toml").read_text().splitlines() if line.startswith(f"{folder.name} ="))
    return line.split('"')[1].lstrip("=")
