# Sourced by scripts/run and scripts/test: sees to it that there is an adapter to run on.

# Mesa 22.3's disk cache mixes up vector widths; its absence costs compile time only.
export MESA_SHADER_CACHE_DISABLE=true
# Mesa warns where this is unset.
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/tmp}"

say() { printf '%s\n' "$*" >&2; }

# Lets Mesa keep what it compiles, in a folder of its own for each vector width and processor, since the cache of
# Mesa 22.3 tells neither apart. The tests meet most kernels several times; a benchmark must not.
keep_compiled_kernels() {
    processor="$(grep -m1 '^flags' /proc/cpuinfo 2>/dev/null | cksum | cut -d' ' -f1)"
    export MESA_SHADER_CACHE_DISABLE=false
    export MESA_SHADER_CACHE_DIR="$1/tmp/mesa-${LP_NATIVE_VECTOR_WIDTH:-default}-$processor"
    mkdir -p "$MESA_SHADER_CACHE_DIR"
}

need_rust() {
    if ! command -v cargo >/dev/null; then
        say "cargo not found: install Rust 1.95 or later from https://rustup.rs, then run this again"
        exit 1
    fi
}

# Installs Debian's software Vulkan driver, but only on Linux, with apt, where no adapter is found.
# $1: the command that lists the devices.
need_adapter() {
    if $1 >/dev/null 2>&1; then
        return
    fi
    if [ "$(uname -s)" != Linux ] || ! command -v apt-get >/dev/null; then
        $1
        exit 3
    fi
    say "no GPU adapter found: installing Debian's mesa-vulkan-drivers, a software Vulkan driver"
    sudo=""
    if [ "$(id -u)" -ne 0 ]; then
        sudo=sudo
    fi
    $sudo apt-get update -qq >&2
    $sudo apt-get install -y -qq --no-install-recommends mesa-vulkan-drivers libvulkan1 >&2
    if ! $1 >/dev/null; then
        exit 3
    fi
}

# Installs Debian's chromium, in which the report is tried, where that can be done without asking anybody.
want_chromium() {
    if command -v chromium >/dev/null || command -v google-chrome >/dev/null; then
        return
    fi
    if [ "$(uname -s)" = Linux ] && command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
        say "installing Debian's chromium, in which the report page is tested"
        if apt-get update -qq >&2 && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >&2; then
            return
        fi
    fi
    say "SKIPPED: the report page is not tested in a browser, since chromium could not be installed"
}
