#!/usr/bin/env bash
# From a fresh machine to the ratios: fathom and other frameworks in turns. PEERS=pytorch,onnxruntime,tinygrad (pytorch)
# peers/run.sh [OPTIONS of run.py: --help has them]. FATHOM names the binary, PEERS_PYTHON a Python that has PyTorch.
set -eu
here="$(cd "$(dirname "$0")" && pwd)"
. "$here/../scripts/driver.sh"
. "$here/python.sh"
if [ -z "${FATHOM:-}" ]; then
    need_rust
    (cd "$here/.." && cargo build --release --quiet)
    FATHOM="${CARGO_TARGET_DIR:-$here/../target}/release/fathom"
fi
need_adapter "$FATHOM list devices --quiet"
python="$(peers_python)"
peers="$(peers_installed "$python" "${PEERS:-pytorch}")"
[ -n "$peers" ]
exec "$python" "$here/run.py" --fathom "$FATHOM" --peer "$peers" "$@"
