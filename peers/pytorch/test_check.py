#!/usr/bin/env python3
"""check.py must notice what is wrong: each golden passes, and fails once any tensor is bent or removed."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from check import check
from snapshot import Snapshot, write

GOLDEN = Path(__file__).resolve().parents[2] / "assets" / "golden"


def main() -> int:
    goldens = sorted(GOLDEN.glob("*.safetensors"))
    assert goldens, f"no goldens in {GOLDEN}"
    with tempfile.TemporaryDirectory() as folder:
        bent = Path(folder) / "bent.safetensors"
        for path in goldens:
            assert check(path, 1e-5, quiet=True), path
            for group in ("output", "grad", "after", "param", "random"):
                for name in Snapshot(path).group(group):
                    for how in ("bent", "removed"):
                        snapshot = Snapshot(path)
                        tensors = snapshot.group(group)
                        if how == "removed":
                            del tensors[name]
                        elif group in ("param", "random") or not tensors[name].is_floating_point():
                            continue
                        else:
                            flat = tensors[name].reshape(-1)
                            flat[0] += 1e-3 * flat.abs().max()
                        write(bent, snapshot.groups, snapshot.config)
                        assert not check(bent, 1e-4, quiet=True), f"{group}/{name} {how}: not noticed"
    print(f"{len(goldens)} goldens pass, and every fault was noticed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
