//! What the tests plan for without having it.

use fathom::kernel::Caps;

/// A GPU that allows more than WebGPU promises: bindings as long as buffers are.
pub(crate) fn large() -> Caps {
    Caps {
        subgroup: Some(32),
        max_binding: 2 << 30,
        max_buffer: 4 << 30,
        max_bindings: 32,
        max_invocations: 1024,
        max_shared: 48 << 10,
        ..Caps::portable()
    }
}
