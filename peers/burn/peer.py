#!/usr/bin/env python3
"""burn as a peer: `../run.py` starts it for a cell.

The models are written in burn (`src/models/`) and compiled by cargo, once. Its backend is wgpu, so it computes on the same
adapter as fathom, through the same API; kernels are fused and autotuned, as burn does by default. Autotuning compiles
dozens of kernels for a product, which a software driver takes minutes for: `--autotune minimal` is for those.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

HERE = Path(__file__).resolve().parent
sys.path[1:1] = [str(HERE.parent), str(HERE.parent / "pytorch")]
import serve
from bench import start, trained_values
from compiled import Program, Values, built, laid_out, version
from step import opened


def prepare(arguments) -> tuple[dict, Callable[[float], dict]]:
    snapshot, model, inputs = opened(arguments.snapshot)
    mode = snapshot.mode
    values = Values(snapshot.workload, mode, snapshot.group("param"), inputs, snapshot.group("random"))
    path = built(HERE)
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
        "framework": "burn", "version": version(HERE), "how": f"wgpu, fusion, {arguments.autotune} autotune",
        "device": {"name": arguments.on, "driver": "wgpu", "backend": "wgpu",
                   "type": "cpu" if arguments.device == "cpu" else "other"},
        "clock": "wall", "parameters": trained_values(model, mode, values.params),
        "batch": values.batch,
    }, program.turn


if __name__ == "__main__":
    chosen = serve.arguments(
        __doc__,
        device=dict(choices=("best", "cpu"), default="best", help="the adapter; cpu: one that computes on the processor"),
        autotune=dict(choices=("minimal", "balanced", "extensive", "full"), default="balanced", help="burn's own levels [%(default)s]"),
        on=dict(default="its adapter", help="name of the adapter, which it does not tell"),
    )
    serve.serve(lambda: prepare(chosen))
