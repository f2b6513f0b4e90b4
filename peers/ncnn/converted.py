"""What the files that pnnx writes tell of a model."""

from __future__ import annotations

import re


def axes(script: str) -> dict[str, int]:
    """Which axis of each input and output is the batch, 233 for none, by the script that pnnx writes as well."""
    given = re.findall(r'input\("(\w+)", .*batch_index=(\d+)', script)
    got = re.findall(r'extract\("(\w+)"\)\n.*batch_index=(\d+)', script)
    return {name: int(axis) for name, axis in given + got}


def unknown(param: str) -> list[str]:
    """Operators of PyTorch that were left as they are, which ncnn cannot run."""
    kinds = {line.split()[0] for line in param.splitlines()[2:]}
    return sorted(kind for kind in kinds if "." in kind or ":" in kind)
