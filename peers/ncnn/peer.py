#!/usr/bin/env python3
"""ncnn as a peer, for inference: `../run.py` starts it for a cell.

pnnx makes ncnn's files of the traced PyTorch model. On Vulkan ncnn computes on the same adapter as fathom: the first
that the loader finds. pnnx has no argmax: what is decided by comparing (deepq's action, speech's labels) is decided on
the host, as a part of the step.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import ncnn
import pnnx
import torch
from safetensors.torch import save_file
from torch import Tensor

sys.path[1:1] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "pytorch")]
import converted
import serve
from export import Step, of_preset, of_snapshot
from rewrite import Rewrite
from snapshot import grouped, stored

DEVICES = ("vulkan", "cpu")
# Integers that an embedding reads. Other inputs are handed over in floating point, in which alone ncnn computes.
WORDS = {"story", "question"}
# pnnx leaves out the addition of zeros, which a first step's biases are, but a trained model's are not.
NEXT_TO_NOTHING = 1e-30


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
            raise ValueError("its outputs are decided one after the other by an argmax, which pnnx has not")
        for i, value in enumerate(step.params.values()):
            self.register_buffer(f"p{i}", torch.where(value == 0, NEXT_TO_NOTHING, value))

    def forward(self, *values: Tensor) -> list[Tensor]:
        model, given = self.step.model, self.step.fed | dict(zip(self.fed, values))
        params = {name: getattr(self, f"p{i}") for i, name in enumerate(self.step.params)}
        inputs, draws = ({name: given[name] for name in group} for group in (self.step.inputs, self.step.draws))
        with Rewrite(), patch.object(model, "discrete", lambda *_: {}, create=True):
            outputs = model.forward(params, inputs, draws, "infer")
        return [outputs[name] for name in self.names]

    def convert(self, folder: Path) -> None:
        """Writes m.ncnn.param, m.ncnn.bin and m_ncnn.py."""
        warnings.simplefilter("ignore")
        torch.jit.trace(self, tuple(self.fed.values()), check_trace=False).save(folder / "m.pt")
        subprocess.run([pnnx.EXEC_PATH, str(folder / "m.pt"), "fp16=0"], check=True)
        if kinds := converted.unknown((folder / "m.ncnn.param").read_text()):
            raise ValueError(f"pnnx has no {', '.join(kinds)}")


class Net:
    """A step in ncnn. Its extractor takes every input anew: copying them to the device is a part of the step."""

    def __init__(self, step: Step, device: str, threads: int | None) -> None:
        self.model, self.inputs = step.model, step.inputs
        self.net = ncnn.Net()
        options = self.net.opt
        for name in dir(options):
            if name.startswith(("use_fp16", "use_bf16", "use_int8")):
                setattr(options, name, False)
        options.use_vulkan_compute = device == "vulkan"
        options.openmp_blocktime = 0  # a thread that spins while it waits for work would be counted as computing
        if threads:
            options.num_threads = threads
        floats = Floats(step)
        with tempfile.TemporaryDirectory() as folder:
            floats.convert(Path(folder))
            if self.net.load_param(f"{folder}/m.ncnn.param") or self.net.load_model(f"{folder}/m.ncnn.bin"):
                raise ValueError("ncnn cannot load what pnnx wrote")
            axes = converted.axes((Path(folder) / "m_ncnn.py").read_text())
        given = {f"in{i}": value.contiguous().numpy() for i, value in enumerate(floats.fed.values())}
        self.fed = {name: ncnn.Mat(value, batch_index=axes[name]).clone() for name, value in given.items()}
        self.read = {name: (f"out{i}", axes[f"out{i}"]) for i, name in enumerate(floats.names)}

    def step(self) -> dict[str, Tensor]:
        outputs = {}
        with self.net.create_extractor() as extractor:
            for blob, mat in self.fed.items():
                extractor.input(blob, mat)
            for name, (blob, axis) in self.read.items():
                failed, mat = extractor.extract(blob)
                if failed:
                    raise ValueError(f"ncnn cannot compute {name}")
                outputs[name] = torch.from_numpy(mat.numpy(batch_index=axis))
        if hasattr(self.model, "discrete"):
            outputs |= self.model.discrete(outputs, self.inputs)
        return outputs

    def on_the_host(self) -> str:
        """How many layers have no Vulkan form, if any: ncnn fetches their inputs and computes them itself."""
        layers = self.net.layers()
        count = sum(not layer.support_vulkan for layer in layers)
        return f", {count} of {len(layers)} layers on the host" if count else ""


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
    return {
        "framework": "ncnn", "version": ncnn.__version__,
        "how": f"Vulkan{net.on_the_host()}" if vulkan else f"CPU, {serve.threads(count)}",
        "device": {
            "name": ncnn.get_gpu_info(0).device_name() if vulkan else serve.processor(),
            "type": "other" if vulkan else "cpu", "driver": "Vulkan" if vulkan else "ncnn",
            "backend": "vulkan" if vulkan else "own",
        },
        "clock": "wall", "threads": None if vulkan else count, "parameters": step.parameters, "batch": step.batch,
    }, lambda seconds: serve.turn(net.step, seconds)


if __name__ == "__main__":
    chosen = serve.arguments(__doc__, device=dict(choices=DEVICES, default="vulkan"))
    serve.serve(lambda: prepare(chosen))
