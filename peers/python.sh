# Sourced, after scripts/driver.sh: finds or makes a Python with the frameworks that are compared.

# Prints the path of one that has PyTorch: PEERS_PYTHON, peers/venv, the machine's own, which may know CUDA; else sets one
# up in peers/venv.
peers_python() {
    peers="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
    for python in "${PEERS_PYTHON:-}" "$peers/venv/bin/python" "$(command -v python3 || true)"; do
        if [ -n "$python" ] && "$python" -c 'import torch, safetensors' 2>/dev/null; then
            printf '%s\n' "$python"
            return
        fi
    done
    say "setting up PyTorch in peers/venv, which takes minutes"
    if python3 -m venv "$peers/venv" >&2 && "$peers/venv/bin/pip" install -q -r "$peers/pytorch/requirements.txt" >&2; then
        printf '%s\n' "$peers/venv/bin/python"
        return
    fi
    say "SKIPPED: PyTorch could not be installed, without which no peer can be checked"
    return 1
}

# Compiles the peer in folder $1, which takes minutes the first time.
compiled() {
    say "compiling $(basename "$1"), which takes minutes the first time"
    cargo build --release --quiet --manifest-path "$1/Cargo.toml" >&2
}

# Prints those of the peers in $2 (PEER,PEER) that the Python $1 has or could be given, and says which are left out.
peers_installed() {
    peers="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
    there=
    for peer in $(printf '%s' "$2" | tr ',' ' '); do
        # The folder has the framework's own name; one that is written in Rust is compiled.
        if [ "$peer" = pytorch ] || { [ -e "$peers/$peer/Cargo.toml" ] && compiled "$peers/$peer"; } ||
            (cd / && "$1" -c "import $peer" 2>/dev/null) ||
            { [ -e "$peers/$peer/requirements.txt" ] && "$1" -m pip install -q -r "$peers/$peer/requirements.txt" >&2; }; then
            there="$there${there:+,}$peer"
        else
            say "SKIPPED: $peer could not be installed"
        fi
    done
    printf '%s\n' "$there"
}
