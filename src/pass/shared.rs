//! Lets a dispatch read a buffer that it also writes.

use crate::error::Result;

use super::Schedule;

/// The same schedule in which each dispatch binds a buffer for writing alone or for reading alone: what it reads from a
/// buffer that it writes elsewhere is declared writable, since devices refuse a buffer that is used both ways. The plan
/// of memory does without where it can ([`mod@super::plan`]).
///
/// # Errors
/// As [`Schedule::extent`].
pub fn shared(mut schedule: Schedule) -> Result<Schedule> {
    let mut both = Vec::new(); // op, dispatch, binding
    for (at, op) in schedule.ops.iter().enumerate() {
        for (i, dispatch) in op.lowered.dispatches.iter().enumerate() {
            let buffer = |binding| Ok(schedule.extent(op, binding)?.0.buffer);
            let buffers = dispatch.bindings.iter().map(buffer).collect::<Result<Vec<_>>>()?;
            let written = |buffer: usize| {
                let mut bound = dispatch.bindings.iter().zip(&buffers);
                bound.any(|(binding, of)| binding.write && *of == buffer)
            };
            let read = dispatch.bindings.iter().zip(&buffers).enumerate();
            let read = read.filter(|(_, (binding, buffer))| !binding.write && written(**buffer));
            both.extend(read.map(|(binding, _)| (at, i, binding)));
        }
    }
    for &(at, dispatch, binding) in &both {
        schedule.ops[at].lowered.dispatches[dispatch].make_writable(binding);
    }
    log::debug!("shared: {} bindings are writable though they are only read", both.len());
    Ok(schedule)
}
