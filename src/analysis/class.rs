//! The paper's class of an op, as the record has it.

use crate::record::Op;
use crate::terms::Class;

/// A to G. A fused chain is elementwise, whatever is in it; older records give it its first function's class.
pub fn of(op: &Op) -> Class {
    if op.op == "map" { Class::Elementwise } else { op.class }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::synthetic;
    use crate::terms::Mode;

    #[test]
    fn a_fused_chain_is_elementwise_and_any_other_op_what_its_record_says() {
        let record = synthetic::record(&[("w", Mode::Train, &[("map", 1.0), ("conv2d", 1.0)])]);
        let mut ops = record.runs[0].ops.clone();
        ops[0].class = Class::Random;
        ops[1].op = "of another version".into();
        assert_eq!((of(&ops[0]), of(&ops[1])), (Class::Elementwise, Class::Convolution));
    }
}
