#!/usr/bin/env python3
"""burn as a peer: `../run.py` starts it for a cell.

The models are written in burn (`src/models/`) and compiled by cargo, once. Its backend is wgpu, so it computes on the same
adapter as fathom, through the same API; kernels are fused and autotuned, as burn does by default. Autotuning compiles
dozens of kernels for a product, which a software driver takes minutes for: `--autotune minimal` is for those.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

HERE = Path(__file__).resolve().parent
sys.path[1:1] = [str(HERE.parent), str(HERE.parent / "pytorch")]
import serve
from bench import start, trained_values
from step import MODELS, opened

VERSION = next(line.split('"')[1].lstrip("=") for line in (HERE / "Cargo.toml").read_text().splitlines()
               if line.startswith("burn ="))
OF_IMAGES = ("alexnet", "deepq", "residual", "vgg")


def laid_out(model: str, name: str, tensor: Tensor, back: bool = False) -> Tensor:
    """Images and filters with channels first, as burn has them, or back."""
    group, _, rest = name.partition("/")
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


class Program:
    """The compiled step: it has run once, and takes its turns."""

    def __init__(self, program: Path, values: Values, computed: Path, device: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "step.safetensors"
            values.save(path)
            command = [program, values.workload, values.mode, path, computed, device]
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self.answer()

    def answer(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise ValueError(f"burn's program ended with {self.process.wait()}; burn.log has what it said")
        return json.loads(line)

    def turn(self, seconds: float) -> dict:
        print(seconds, file=self.process.stdin, flush=True)
        return self.answer()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def built() -> Path:
    """The program, compiled if it is not yet."""
    manifest = HERE / "Cargo.toml"
    subprocess.run(["cargo", "build", "--release", "--quiet", "--manifest-path", manifest], check=True)
    found = subprocess.run(["cargo", "metadata", "--no-deps", "--format-version=1", "--manifest-path", manifest],
                           check=True, capture_output=True, text=True)
    return Path(json.loads(found.stdout)["target_directory"]) / "release/fathom-peer-burn"


def prepare(arguments) -> tuple[dict, Callable[[float], dict]]:
    snapshot, model, inputs = opened(arguments.snapshot)
    mode = snapshot.mode
    values = Values(snapshot.workload, mode, snapshot.group("param"), inputs, snapshot.group("random"))
    path = built()
    os.environ["CUBECL_AUTOTUNE_LEVEL"] = arguments.autotune
    program = Program(path, values, arguments.computed, arguments.device)
    computed = load_file(arguments.computed)
    back = {name: laid_out(snapshot.workload, name, tensor, back=True).contiguous() for name, tensor in computed.items()}
    for name, tensor in back.items():
        if name == "output/action":  # burn keeps the dimension that it reduces
            back[name] = tensor.flatten()
    save_file(back, arguments.computed)
    if arguments.preset:
        program.close()
        params, inputs = start(model, dict(model.SIZES[arguments.preset]), mode, torch.device("cpu"))
        values = Values(snapshot.workload, mode, params, inputs, {})
        with tempfile.TemporaryDirectory() as folder:
            program = Program(path, values, Path(folder) / "computed", arguments.device)
    return {
        "framework": "burn", "version": VERSION, "how": f"wgpu, fusion, {arguments.autotune} autotune",
        "device": {"name": arguments.on, "driver": "wgpu", "backend": "wgpu",
                   "type": "cpu" if arguments.device == "cpu" else "other"},
        "clock": "wall", "parameters": trained_values(model, mode, values.params),
        "batch": next(iter(values.inputs.values())).shape[0],
    }, program.turn


if __name__ == "__main__":
    chosen = serve.arguments(
        __doc__,
        device=dict(choices=("best", "cpu"), default="best", help="the adapter; cpu: one that computes on the processor"),
        autotune=dict(choices=("minimal", "balanced", "extensive", "full"), default="balanced", help="burn's own levels [%(default)s]"),
        on=dict(default="its adapter", help="name of the adapter, which it does not tell"),
    )
    serve.serve(lambda: prepare(chosen))
