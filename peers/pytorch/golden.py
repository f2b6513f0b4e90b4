#!/usr/bin/env python3
"""Makes a golden from a snapshot: its parameters, inputs, draws and state stay, but outputs, gradients and
updated parameters are those that PyTorch computes in f64. `cargo test` compares against goldens, so that
the agreement is checked where there is no Python."""

from __future__ import annotations

import argparse
from pathlib import Path

from snapshot import Snapshot, write
from step import repeat


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("snapshot", type=Path)
    parser.add_argument("golden", type=Path)
    arguments = parser.parse_args()
    snapshot = Snapshot(arguments.snapshot)
    kept = {group: tensors for group, tensors in snapshot.groups.items() if group not in ("output", "grad", "after")}
    write(arguments.golden, kept | repeat(snapshot), snapshot.config)


if __name__ == "__main__":
    main()
