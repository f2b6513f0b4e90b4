#!/usr/bin/env python3
"""ONNX Runtime as a peer, for inference: `../run.py` starts it for a cell.

The model is the PyTorch one, exported with the snapshot's parameters, decoding included.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import onnxruntime
import torch
from safetensors.torch import save_file

sys.path[1:1] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "pytorch")]
import serve
from export import Step, of_preset, of_snapshot
from snapshot import grouped, stored

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "webgpu": "WebGpuExecutionProvider"}

# Products of f32 in f32: CUDA's provider would round their factors to TF32, which neither PyTorch's peer nor fathom does.
OPTIONS = {"cuda": {"use_tf32": "0"}}


class Session:
    """A step in ONNX Runtime, its inputs on the device."""

    def __init__(self, step: Step, provider: str, threads: int | None) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # A thread that spins while it waits for work would be counted as computing.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if threads:
            options.intra_op_num_threads = threads
        if PROVIDERS[provider] not in onnxruntime.get_available_providers():
            raise ValueError(f"this ONNX Runtime is built without {PROVIDERS[provider]}")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            step.export(path)
            chosen = (PROVIDERS[provider], OPTIONS.get(provider, {}))
            self.session = onnxruntime.InferenceSession(path, options, providers=[chosen])
        if self.session.get_providers()[0] != PROVIDERS[provider]:
            raise ValueError(f"{PROVIDERS[provider]} finds no device that it can use")
        device = "cuda" if provider == "cuda" else "cpu"
        self.binding = self.session.io_binding()
        read = {value.name for value in self.session.get_inputs()}
        # What an inference step does not read is no input of the graph. The binding does not own what it is given.
        given = {name: value.numpy() for name, value in step.fed.items() if name in read}
        self.inputs = {n: onnxruntime.OrtValue.ortvalue_from_numpy(value, device) for n, value in given.items()}
        for name, value in self.inputs.items():
            self.binding.bind_ortvalue_input(name, value)
        for value in self.session.get_outputs():
            self.binding.bind_output(value.name, device)

    def step(self) -> None:
        self.session.run_with_iobinding(self.binding)
        self.binding.synchronize_outputs()

    def outputs(self) -> dict[str, torch.Tensor]:
        self.step()
        values = zip(self.session.get_outputs(), self.binding.get_outputs())
        return {known.name: torch.from_numpy(value.numpy()) for known, value in values}


def prepare(arguments) -> tuple[dict, Callable[[float], dict]]:
    step = of_snapshot(arguments.snapshot)
    session = Session(step, arguments.provider, arguments.threads)
    computed = grouped("output", session.outputs())
    save_file({name: stored(value) for name, value in computed.items()}, arguments.computed)
    if arguments.preset:
        step = of_preset(step.model, arguments.preset)
        session = Session(step, arguments.provider, arguments.threads)
    cpu = arguments.provider == "cpu"
    count = arguments.threads or torch.get_num_threads()
    return {
        "framework": "ONNX Runtime", "version": onnxruntime.__version__,
        "how": f"{arguments.provider}, {serve.threads(count)}" if cpu else arguments.provider,
        "device": {"name": serve.processor() if cpu else arguments.on, "type": "cpu" if cpu else "other",
                   "driver": PROVIDERS[arguments.provider]},
        "clock": "wall", "threads": count if cpu else None, "parameters": step.parameters, "batch": step.batch,
    }, lambda seconds: serve.turn(session.step, seconds)


if __name__ == "__main__":
    chosen = serve.arguments(
        __doc__,
        provider=dict(choices=list(PROVIDERS), default="cpu"),
        on=dict(default="its default adapter", help="name of the adapter of webgpu or cuda, which it does not tell"),
    )
    serve.serve(lambda: prepare(chosen))
