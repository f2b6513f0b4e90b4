#!/usr/bin/env python3
"""tinygrad as a peer, for inference: `../run.py` starts it for a cell.

It runs the PyTorch model's ONNX file, its kernels compiled once (TinyJit). On WEBGPU, through Dawn, it computes on the
same adapter as fathom: the first that the Vulkan loader finds.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path[1:1] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "pytorch")]
import serve

DEVICES = ("WEBGPU", "CPU", "CUDA")


def choose(device: str) -> None:
    """Before tinygrad is imported. Dawn's library may come with the package `dawn-python`."""
    os.environ["DEV"] = device
    found = importlib.util.find_spec("pydawn")
    if device == "WEBGPU" and found and "WEBGPU_PATH" not in os.environ:
        libraries = [path for place in found.submodule_search_locations for path in Path(place).glob("lib/*x86_64.so")]
        if libraries:
            os.environ["WEBGPU_PATH"] = str(libraries[0])


class Compiled:
    """A step in tinygrad, its inputs on the device."""

    def __init__(self, step) -> None:
        from tinygrad import Device, Tensor, TinyJit
        from tinygrad.nn.onnx import OnnxRunner

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            step.export(path)
            runner = OnnxRunner(path)
            self.inputs = {n: Tensor(v.numpy()).realize() for n, v in step.fed.items() if n in runner.graph_inputs}
            self.device = Device[Device.DEFAULT]
            self.run = TinyJit(lambda **inputs: {n: v.realize() for n, v in runner(inputs).items()})
            for _ in range(3):  # the first runs, the second is recorded, the third replays
                self.results = self.run(**self.inputs)
            self.device.synchronize()

    def step(self) -> None:
        self.run(**self.inputs)

    def outputs(self) -> dict:
        import torch

        return {name: torch.from_numpy(value.numpy().copy()) for name, value in self.results.items()}

    def span(self, work: Callable[[], None]) -> tuple[float, float]:
        def whole() -> None:
            work()
            self.device.synchronize()

        return serve.wall(whole)


def prepare(arguments) -> tuple[dict, Callable[[float], dict]]:
    choose(arguments.device)
    from export import of_preset, of_snapshot
    from safetensors.torch import save_file
    from snapshot import grouped, stored

    step = of_snapshot(arguments.snapshot)
    compiled = Compiled(step)
    computed = grouped("output", compiled.outputs())
    save_file({name: stored(value) for name, value in computed.items()}, arguments.computed)
    if arguments.preset:
        step = of_preset(step.model, arguments.preset)
        compiled = Compiled(step)
    webgpu = arguments.device == "WEBGPU"
    return {
        "framework": "tinygrad", "version": importlib.metadata.version("tinygrad"),
        "how": f"{arguments.device}, TinyJit",
        "device": {"name": serve.processor() if arguments.device == "CPU" else arguments.on, "driver": arguments.device,
                   "type": "cpu" if arguments.device == "CPU" else "other", "backend": "webgpu" if webgpu else "own"},
        "clock": "wall", "parameters": step.parameters, "batch": step.batch,
    }, lambda seconds: serve.turn(compiled.step, seconds, compiled.span)


if __name__ == "__main__":
    chosen = serve.arguments(
        __doc__,
        device=dict(choices=DEVICES, default="WEBGPU"),
        on=dict(default="the first adapter", help="name of the adapter, which it does not tell"),
    )
    serve.serve(lambda: prepare(chosen))
