//! From an op's type to the paper's class: the one table of it.

use serde::Serialize;

/// One of the paper's seven classes of operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Class {
    /// A to G.
    pub letter: char,
    /// What it is.
    pub name: &'static str,
    /// The op types in it, as records name them.
    pub types: &'static [&'static str],
}

/// The classes in the paper's order (Fathom, IISWC 2016, figure 3).
pub const CLASSES: [Class; 7] = [
    Class {
        letter: 'A',
        name: "matrix",
        types: &[
            "matmul",
            "recurrent",
            "recurrent_grad",
            "lstm",
            "lstm_grad",
            "decoder",
            "decoder_grad",
            "memory_hops",
            "memory_hops_grad",
            "answer_grad",
        ],
    },
    Class {
        letter: 'B',
        name: "convolution",
        types: &["conv2d", "conv2d_grad_input", "conv2d_grad_weight"],
    },
    Class {
        letter: 'C',
        name: "elementwise",
        types: &[
            // A fused chain, whatever is in it: a record made with --no-fuse has none.
            "map",
            "add",
            "sub",
            "mul",
            "div",
            "scale",
            "offset",
            "exp",
            "log",
            "square",
            "sqrt",
            "tanh",
            "sigmoid",
            "relu",
            "clipped_relu",
            "huber",
            "standardize",
            "tanh_grad",
            "sigmoid_grad",
            "relu_grad",
            "clipped_relu_grad",
            "huber_grad",
        ],
    },
    Class {
        letter: 'D',
        name: "reduction and expansion",
        types: &[
            "sum",
            "mean",
            "max",
            "max_grad",
            "argmax",
            "attention",
            "attention_grad",
            "attention_sums",
            "softmax",
            "softmax_grad",
            "log_softmax",
            "log_softmax_grad",
            "cross_entropy",
            "cross_entropy_grad",
            "bernoulli_cross_entropy",
            "bernoulli_cross_entropy_grad",
            "sampled_softmax",
            "sampled_softmax_grad",
            "ctc",
            "ctc_decode",
            "max_pool",
            "max_pool_grad",
            "lrn",
            "lrn_grad",
            "batch_norm",
            "batch_norm_grad",
        ],
    },
    Class {
        letter: 'E',
        name: "random",
        types: &["dropout", "log_uniform", "random_uniform", "random_normal", "random_mask"],
    },
    Class {
        letter: 'F',
        name: "optimisation",
        types: &[
            "sgd",
            "sparse_sgd",
            "momentum",
            "nesterov",
            "adam",
            "rmsprop",
            "clip",
            "ema",
            "advance_step",
        ],
    },
    Class {
        letter: 'G',
        name: "movement",
        types: &[
            "copy",
            "transpose",
            "concat",
            "slice",
            "pad",
            "shift",
            "gather",
            "scatter",
            "embedding_bag",
            "embedding_bag_grad",
            "embedding",
            "sort_ids",
            "sum_rows",
            "dense_rows",
            "ids_column",
            "ids_joined",
            "ids_next",
            "ids_reversed",
        ],
    },
];

/// The class of an op type; `None` for a type of another version of fathom.
pub fn of(op: &str) -> Option<char> {
    CLASSES.iter().find(|class| class.types.contains(&op)).map(|class| class.letter)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::graph::chain::{Chain, Function};
    use crate::graph::op::Op;
    use crate::op;
    use crate::terms::Class as OpClass;

    #[test]
    fn the_table_says_what_the_ops_say() {
        let functions = Function::EXAMPLES.iter().map(|f| Chain::one(*f));
        let maps = functions.map(|map| Arc::new(map) as Arc<dyn Op>);
        let cases = op::LIST.iter().flat_map(|family| family.cases());
        let mut wrong: Vec<_> = cases
            .map(|case| case.op)
            .chain(maps)
            .flat_map(|op| {
                let own = (op.kinds().len() == 1).then(|| op.kind());
                op.kinds().into_iter().chain(own)
            })
            .filter(|kind| of(kind.name) != Some(kind.class.letter()))
            .map(|kind| {
                let (name, letter) = (kind.name, kind.class.letter());
                format!("{name}: the op says {letter}, not {:?}", of(name))
            })
            .collect();
        wrong.sort_unstable();
        wrong.dedup();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn a_type_has_one_class_and_classes_are_a_to_g() {
        let mut types: Vec<_> = CLASSES.iter().flat_map(|class| class.types).collect();
        let count = types.len();
        types.sort_unstable();
        types.dedup();
        assert_eq!(types.len(), count);
        let letters: Vec<char> = CLASSES.iter().map(|class| class.letter).collect();
        let expected: Vec<char> = OpClass::ALL.iter().map(|class| class.letter()).collect();
        assert_eq!(letters, expected);
        assert_eq!((of("map"), of("no such op")), (Some('C'), None));
    }
}
