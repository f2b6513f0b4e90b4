"""Writes a peer's figures as a record of fathom's schema, so that `fathom compare --across` and `report` take them."""

from __future__ import annotations

import hashlib
import json
import math
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path

import figures

SCHEMA = "fathom.record/1"

# Steps that drift by more are doubted.
MOST_DRIFT = 0.02


def canonical(value: object) -> str:
    """The JSON of RFC 8785, except that whole numbers keep every digit."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{canonical(name)}:{canonical(value[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, float):
        return number(value)
    return json.dumps(value, ensure_ascii=False)


def number(figure: float) -> str:
    """As ECMAScript lays out the shortest digits that read back as the same figure."""
    if not math.isfinite(figure):
        raise ValueError("JSON has no form for what is no number")
    if figure == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(figure)).normalize().as_tuple()
    text, point = "".join(map(str, digits)), len(digits) + exponent
    if len(text) <= point <= 21:
        laid_out = text + "0" * (point - len(text))
    elif 0 < point <= 21:
        laid_out = f"{text[:point]}.{text[point:]}"
    elif -6 < point <= 0:
        laid_out = "0." + "0" * -point + text
    else:
        laid_out = f"{text[0]}{'.' if text[1:] else ''}{text[1:]}e{point - 1:+}"
    return "-" * sign + laid_out


def content_id(record: dict) -> str:
    """The id that a record must have: the hash of all else in it."""
    text = canonical({name: value for name, value in record.items() if name != "id"})
    return "jcs-sha256:" + hashlib.sha256(text.encode()).hexdigest()


def timing(turn: dict, clock: str) -> dict:
    """A turn of a peer: `step_ns`, `wall_ns` and `cpu_ns`."""
    steps, walls = [[float(ns) for ns in turn[name]] for name in ("step_ns", "wall_ns")]
    figure = {
        "source": clock, "steps_per_submit": turn["steps_per_submit"], "step_ns": steps, "wall_ns": walls, "step": figures.summary(steps),
        "wall_median_ns": figures.median(walls), "encode_ns": 0.0, "settled": False,
    }
    if turn.get("cpu_ns") is not None:
        figure["cpu_ns"] = float(turn["cpu_ns"])
    return figure


def doubts(timed: dict, wanted: float) -> list[tuple[dict, str]]:
    """The same reasons to doubt a run that fathom gives of its own, with their sentences."""
    found = []
    if timed["source"] == "wall":
        found.append(({"kind": "wall-clock", "faults": []}, "no usable timestamps: wall time is used"))
    low, high = timed["step"]["ci95_ns"]
    # Fewer have no interval, and a single one would seem to be exact.
    known = timed["step"]["n"] >= figures.LEAST
    noise = (high - low) / 2 / timed["step"]["median_ns"] if known else None
    timed["settled"] = noise is not None and noise <= wanted
    if not timed["settled"]:
        sentence = "the requested precision was not reached in the time allowed (--time, --max-noise)"
        found.append(({"kind": "unsettled", "interval": noise, "wanted": wanted}, sentence))
    drift = timed["step"]["drift"]
    if figures.drifts(timed["step_ns"]) and abs(drift) > MOST_DRIFT:
        found.append(({"kind": "drift", "relative": drift}, f"step times drifted by {100 * drift:+.1f} %"))
    return found


def record(ours: dict, peer: dict, turn: dict, argv: list[str]) -> dict:
    """A turn of a peer beside the record of ours for the same cell.

    The cell, its arithmetic and the machine are ours. What of the schema describes fathom's own kernels is 0 or
    missing: dispatches, bytes, ops, pipelines, ceilings, the outcome of the first steps.
    """
    cell, device = ours["runs"][0], peer["device"]
    timed = timing(turn, peer["clock"])
    doubted = doubts(timed, ours["config"]["max_noise"])
    checked = peer["checked"]
    # What it ran, in place of a hash of kernels.
    program = canonical([peer["framework"], peer["version"], peer["how"], cell["workload"], cell["mode"]])
    memory = int(turn.get("memory_bytes") or 0)
    run = {name: cell[name] for name in ("workload", "mode", "preset", "batch", "model", "data", "flops", "parameters")}
    run |= {
        "program": "sha256:" + hashlib.sha256(program.encode()).hexdigest(),
        "verified": {
            "status": "passed", "checked": checked["rows"], "passed": checked["rows"], "reduced": checked["reduced"],
            "worst": {"label": checked["worst"], "error": checked["error"]},
        },
        "validity": [sentence for _, sentence in doubted] or ["ok"], "doubts": [doubt for doubt, _ in doubted],
        "timing": timed, "bytes": 0, "dispatches": 0, "loss": None,
        "memory": {"planned_bytes": memory, "slots_bytes": 0, "slots_bound_bytes": 0},
        "build_ns": float(peer["build_ns"]), "pipelines": 0, "pipelines_ns": 0.0, "data_ns": 0.0, "upload_ns": 0.0,
        "profile": None, "ops": [],
    }
    limits = {"max_binding_bytes": 0, "max_buffer_bytes": 0, "max_shared_bytes": 0, "max_invocations": 0}
    host = {name: value for name, value in ours["host"].items() if name != "threads"}
    if peer.get("threads"):
        host["threads"] = peer["threads"]
    notes = [f"measured in turns with {ours['id']}"]
    if checked["reduced"]:
        notes.append("checked at preset tiny; timed on random values of the shapes of the data named")
    made = {
        "schema": SCHEMA, "id": "", "created": datetime.now(timezone.utc).isoformat().replace("+00:00", "Z"),
        "tool": ours["tool"] | {
            "argv": argv, "wgpu": "none",
            "peer": {"name": peer["framework"], "version": peer["version"], "how": peer["how"]},
        },
        "host": host,
        "device": {
            "name": f"{peer['framework']} on {device['name']}", "backend": device.get("backend", "own"),
            "driver": device["driver"], "type": device["type"], "software": device["type"] == "cpu", "vendor": 0,
            "device": 0,
            "limits": {"subgroup": None, **limits, "timestamps": peer["clock"] == "timestamps",
                       "timestamp_period_ns": 1.0},
        },
        "config": ours["config"] | {"time_s": float(turn["time_s"])},
        "peaks": dict.fromkeys(
            ("fma_f32_flop_per_s", "copy_bytes_per_s", "launch_ns", "submit_ns", "pipeline_ns"), 0.0),
        "runs": [run], "notes": notes,
    }
    made["id"] = content_id(made)
    return made


def save(path: Path, made: dict) -> None:
    """Whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(made, indent=2, ensure_ascii=False) + "\n")
    part.replace(path)
