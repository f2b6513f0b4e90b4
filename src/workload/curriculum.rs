//! What changes in the course of training.

/// Training in stages, as some papers prescribe it.
pub trait Curriculum {
    /// How training starts, where that is not how it goes on.
    fn begin(&mut self) {}

    /// Lets the step follow what an epoch (from 1) came to: a lower rate, another stage. Says what changed; the
    /// programs are then made again.
    fn follow(&mut self, epoch: u64, judged: f64) -> Option<String>;
}
