//! A device that the tests of cooperative matrices plan for without having it.

use fathom::kernel::Caps;

/// A GPU with cooperative matrices.
pub(crate) fn with_matrices() -> Caps {
    Caps {
        f16: true,
        matrices: Some(16),
        subgroup: Some(32),
        max_shared: 48 << 10,
        ..Caps::portable()
    }
}
