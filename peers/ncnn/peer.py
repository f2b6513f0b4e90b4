#!/usr/bin/env python3
"""ncnn as a peer, for inference: `../run.py` starts it for a cell.

pnnx makes ncnn's files of the traced PyTorch model. ncnn's Vulkan computes on the same adapter as fathom: the first that
the Vulkan loader finds. What is decided by comparing (deepq's action, speech's labels) is decided on the host: pnnx has
no argmax.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import ncnn
import pnnx
import torch
from safetensors.torch import save_file
from torch import Tensor

sys.path[1:1] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "pytorch")]
import serve
from export import Step, of_preset, of_snapshot
from rewrite import Rewrite
from snapshot import grouped, stored

DEVICES = ("vulkan", "cpu")
# pnnx leaves out the addition of zeros, which a first step's biases are, but a trained model's are not.
NEXT_TO_NOTHING = 1e-30
# Integers that an embedding reads; other inputs are handed over in floating point, which is all that ncnn computes with.
WORDS = {"story", "question"}


class Floats(torch.nn.Module):
    """A step's outputs in floating point, of those inputs that inference reads."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.step = step
        specs = step.model.names("infer")
        read = [name for name in step.inputs if not specs[f"input/{name}"].optional]
        self.fed = {n: step.fed[n] if n in WORDS else step.fed[n].float() for n in [*read, *step.draws]}
        self.names = [name for name in step.outputs if not specs[f"output/{name}"].integer]
        if not self.names:
            raise ValueError("every output is an argmax, which pnnx has not")
        for i, value in enumerate(step.params.values()):
            self.register_buffer(f"p{i}", torch.where(value == 0, NEXT_TO_NOTHING, value))

    def forward(self, *values: Tensor) -> list[Tensor]:
        params = {name: getattr(self, f"p{i}") for i, name in enumerate(self.step.params)}
        given = self.step.fed | dict(zip(self.fed, values))
        inputs, draws = ({name: given[name] for name in group} for group in (self.step.inputs, self.step.draws))
        with Rewrite():
            outputs = self.step.model.forward(params, inputs, draws, "infer")
        return [outputs[name] for name in self.names]

    def convert(self, folder: Path) -> dict[str, int]:
        """Writes ncnn's files; which axis of each blob is the batch, 233 for none."""
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(self, tuple(self.fed.values()), check_trace=False)
        traced.save(folder / "m.pt")
        done = subprocess.run([pnnx.EXEC_PATH, str(folder / "m.pt"), "fp16=0"], capture_output=True, text=True)
        print(done.stdout, done.stderr)
        unknown = [line.split()[0] for line in (folder / "m.ncnn.param").read_text().splitlines() if "." in line.split()[0]]
        if unknown:
            raise ValueError(f"pnnx has no {', '.join(sorted(set(unknown)))}")
        script = (folder / "m_ncnn.py").read_text()
        axes = {name: int(axis) for name, axis in re.findall(r'input\("(in\d+)".*batch_index=(\d+)', script)}
        for name, axis in re.findall(r'extract\("(out\d+)"\).*\n.*batch_index=(\d+)', script):
            axes[name] = int(axis)
        return axes


class Net:
    """A step in ncnn. Every step hands over its inputs anew, and gets its outputs back: ncnn's extractor has no other way."""

    def __init__(self, step: Step, device: str, threads: int | None) -> None:
        self.step_of = step
        floats = Floats(step)
        self.names = floats.names
        self.net = ncnn.Net()
        options = self.net.opt
        for name in dir(options):
            if name.startswith(("use_fp16", "use_bf16", "use_int8")):
                setattr(options, name, False)
        options.use_vulkan_compute = device == "vulkan"
        options.openmp_blocktime = 0  # a thread that spins while it waits for work would be counted as computing
        if threads:
            options.num_threads = threads
        with tempfile.TemporaryDirectory() as folder:
            self.axes = floats.convert(Path(folder))
            self.net.load_param(f"{folder}/m.ncnn.param")
            self.net.load_model(f"{folder}/m.ncnn.bin")
        self.fed = {}
        for i, value in enumerate(floats.fed.values()):
            mat = ncnn.Mat(value.contiguous().numpy(), batch_index=self.axes[f"in{i}"])
            self.fed[f"in{i}"] = mat.clone()

    def left_out(self) -> str:
        """How many layers have no Vulkan form, so that ncnn computes them on the host."""
        layers = self.net.layers()
        count = sum(not layer.support_vulkan for layer in layers)
        return f", {count} of {len(layers)} layers on the host" if count else ""

    def step(self) -> dict[str, Tensor]:
        outputs = {}
        with self.net.create_extractor() as extractor:
            for name, mat in self.fed.items():
                extractor.input(name, mat)
            for i, name in enumerate(self.names):
                code, mat = extractor.extract(f"out{i}")
                if code:
                    raise ValueError(f"ncnn's extract gave {code}")
                outputs[name] = torch.from_numpy(mat.numpy(batch_index=self.axes[f"out{i}"]))
            model = self.step_of.model
            if hasattr(model, "discrete"):
                outputs |= model.discrete(outputs, self.step_of.inputs)
        return outputs


def prepare(arguments) -> tuple[dict, Callable[[float], dict]]:
    vulkan = arguments.device == "vulkan"
    if vulkan and not ncnn.get_gpu_count():
        raise ValueError("ncnn finds no Vulkan adapter")
    step = of_snapshot(arguments.snapshot)
    net = Net(step, arguments.device, arguments.threads)
    computed = grouped("output", net.step())
    save_file({name: stored(value) for name, value in computed.items()}, arguments.computed)
    if arguments.preset:
        step = of_preset(step.model, arguments.preset)
        net = Net(step, arguments.device, arguments.threads)
    count = net.net.opt.num_threads
    adapter = ncnn.get_gpu_info(0) if vulkan else None
    return {
        "framework": "ncnn", "version": ncnn.__version__,
        "how": f"Vulkan{net.left_out()}" if vulkan else f"CPU, {serve.threads(count)}",
        "device": {"name": adapter.device_name() if vulkan else serve.processor(), "type": "other" if vulkan else "cpu",
                   "driver": "Vulkan" if vulkan else "own kernels", "backend": "vulkan" if vulkan else "own"},
        "clock": "wall", "threads": None if vulkan else count, "parameters": step.parameters, "batch": step.batch,
    }, lambda seconds: serve.turn(net.step, seconds)


if __name__ == "__main__":
    chosen = serve.arguments(__doc__, device=dict(choices=DEVICES, default="vulkan"))
    serve.serve(lambda: prepare(chosen))
