"""Runs the tests of a module: each function whose name begins with `test`."""

from __future__ import annotations

import time
from typing import Any


def run_tests(module: dict[str, Any]) -> int:
    """Runs those in a module's `globals()` and prints a line for each; the exit code."""
    tests = [(name, test) for name, test in module.items() if name.startswith("test_")]
    failed = 0
    for name, test in tests:
        begun = time.perf_counter()
        try:
            test()
            print(f"ok    {time.perf_counter() - begun:5.1f} s  {name}")
        except AssertionError as error:
            failed += 1
            line = error.__traceback__
            while line.tb_next:
                line = line.tb_next
            print(f"FAIL  {name}, line {line.tb_lineno}: {error}")
    print(f"{len(tests) - failed} passed, {failed} failed")
    return 1 if failed else 0
