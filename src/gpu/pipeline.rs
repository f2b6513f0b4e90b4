//! Compute pipelines, each created once.
//!
//! Shaders have their parameters in a group of their own, so that a file is valid by itself. In a pipeline they are the last
//! binding of group 0: wgpu goes through every group of each dispatch.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::num::NonZeroU64;
#[cfg(not(target_arch = "wasm32"))]
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::host::{self, Instant};
use crate::kernel::Dispatch;

use super::{Gpu, shader};
use crate::terms::Checks;

/// Bytes of one window into the parameter buffer: the largest alignment any device asks of offsets.
pub(crate) const PARAMS_WINDOW: u64 = 256;

/// The least bytes of a storage binding: a vec4. What a layout says of sizes wgpu does not check at each dispatch.
const LEAST_BINDING: u64 = 16;

/// Where shaders have their parameters.
const PARAMS: &str = "@group(1) @binding(0) var<uniform> params";

/// A pipeline with what is needed to bind to it.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) raw: wgpu::ComputePipeline,
    /// Its storage bindings, then its parameters.
    pub(crate) layout: wgpu::BindGroupLayout,
    /// SHA-256 of its WGSL without comments, which a page's shaders have none of.
    pub(crate) digest: [u8; 32],
}

/// Text, entry point, and which bindings are written: what tells pipelines apart.
type Key = (String, &'static str, Vec<bool>);

/// A pipeline that is to be made.
#[derive(Debug, Clone, Copy)]
struct Missing<'a> {
    key: &'a Key,
    shader: &'a str,
    label: &'a str,
}

/// Pipelines that are made between two looks at whether to go on: for each thread, and at least.
const EACH: usize = 4;
const TOGETHER: usize = 32;

/// The pipelines made so far.
#[derive(Debug, Default)]
pub(crate) struct Pipelines {
    made: HashMap<Key, Arc<Pipeline>>,
    spent: Duration,
    /// What the one that took longest took.
    longest: Duration,
}

impl Pipelines {
    /// How many there are, and the time it took to make them.
    pub(crate) fn made(&self) -> (usize, Duration) {
        (self.made.len(), self.spent)
    }
}

impl Gpu {
    /// The pipelines of labelled dispatches, found or made. `watch` is told the share that there is, between parts of them.
    ///
    /// # Errors
    /// [`Error::Internal`] where a shader is not valid, with its place; those of `watch`, which end it.
    pub(crate) fn pipelines(
        &self,
        dispatches: &[(&Dispatch, String)],
        watch: &dyn Fn(f64) -> Result<()>,
    ) -> Result<Vec<Arc<Pipeline>>> {
        let keys = side_by_side(dispatches, |(dispatch, _)| self.key(dispatch))?;
        let mut missing = self.missing(&keys, dispatches)?;
        // The long ones first, so that at the end no thread has one left while the others have none.
        missing.sort_by_key(|missing| Reverse(missing.key.0.len()));
        let together = TOGETHER.max(EACH * host::cores());
        for (i, part) in missing.chunks(together).enumerate() {
            self.make(part, &|_| true)?;
            watch((i * together + part.len()) as f64 / missing.len() as f64)?;
        }
        let pipelines = self.made()?;
        Ok(keys.iter().map(|key| Arc::clone(&pipelines.made[key])).collect())
    }

    /// Has the pipelines of labelled dispatches made in their order, as long as it `goes_on`, which is asked before each with
    /// what the longest so far took; and tells which there are then.
    ///
    /// # Errors
    /// As [`Gpu::pipelines`].
    pub(crate) fn pipelines_while(
        &self,
        dispatches: &[(&Dispatch, String)],
        goes_on: &(dyn Fn(Duration) -> bool + Sync),
    ) -> Result<Vec<bool>> {
        let keys = side_by_side(dispatches, |(dispatch, _)| self.key(dispatch))?;
        self.make(&self.missing(&keys, dispatches)?, goes_on)?;
        let pipelines = self.made()?;
        Ok(keys.iter().map(|key| pipelines.made.contains_key(key)).collect())
    }

    /// Those that there are not yet, each once.
    fn missing<'a>(
        &self,
        keys: &'a [Key],
        dispatches: &'a [(&Dispatch, String)],
    ) -> Result<Vec<Missing<'a>>> {
        let (pipelines, mut seen) = (self.made()?, HashSet::new());
        let keyed = keys.iter().zip(dispatches);
        let fresh = keyed.filter(|(key, _)| !pipelines.made.contains_key(key) && seen.insert(*key));
        let missing = fresh.map(|(key, (dispatch, label))| {
            let shader = &dispatch.kernel.shader;
            Missing { key, shader, label }
        });
        Ok(missing.collect())
    }

    /// Makes pipelines side by side, as long as it `goes_on`: a driver compiles each on the thread that asks for it.
    fn make(
        &self,
        missing: &[Missing<'_>],
        goes_on: &(dyn Fn(Duration) -> bool + Sync),
    ) -> Result<()> {
        let start = Instant::now();
        let longest = Mutex::new(self.made()?.longest);
        let longest_so_far = || longest.lock().map_or(Duration::ZERO, |longest| *longest);
        let begin = |missing: &Missing<'_>| {
            let begun = Instant::now();
            let pipeline = self.begin(missing);
            if let Ok(mut longest) = longest.lock() {
                *longest = begun.elapsed().max(*longest);
            }
            pipeline
        };
        let made = await_each(missing, begin, || goes_on(longest_so_far()))?;
        let mut pipelines = self.made()?;
        pipelines.spent += start.elapsed();
        pipelines.longest = longest_so_far();
        let made = made.into_iter().map(|(at, made)| (missing[at].key.clone(), Arc::new(made)));
        pipelines.made.extend(made);
        Ok(())
    }

    fn made(&self) -> Result<MutexGuard<'_, Pipelines>> {
        let panicked = |_| Error::Internal("creating a pipeline panicked".into());
        self.pipelines.lock().map_err(panicked)
    }

    /// Has a pipeline made; whether that went well is known later.
    fn begin(&self, missing: &Missing<'_>) -> impl Future<Output = Result<Pipeline>> + use<> {
        let Missing { key: (text, entry, access), shader, label } = missing;
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let module = self.module(text, label);
        let storage = access
            .iter()
            .map(|&write| (wgpu::BufferBindingType::Storage { read_only: !write }, LEAST_BINDING));
        let types = storage.chain([(wgpu::BufferBindingType::Uniform, PARAMS_WINDOW)]);
        let entries: Vec<_> = (0u32..)
            .zip(types)
            .map(|(binding, (ty, least))| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty,
                    has_dynamic_offset: false,
                    min_binding_size: NonZeroU64::new(least),
                },
                count: None,
            })
            .collect();
        let bindings = self.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(label),
            entries: &entries,
        });
        let layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(label),
            bind_group_layouts: &[Some(&bindings)],
            immediate_size: 0,
        });
        let raw = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(label),
            layout: Some(&layout),
            module: &module,
            entry_point: Some(entry),
            compilation_options: wgpu::PipelineCompilationOptions {
                // Every kernel writes its workgroup memory before it reads it.
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        });
        let (outcome, shader, label) = (scope.pop(), shader.to_string(), label.to_string());
        let digest = Sha256::digest(shader::without_comments(text)).into();
        let pipeline = Pipeline { raw, layout: bindings, digest };
        async move {
            match outcome.await {
                Some(error) => Err(shader::invalid(&shader, &label, error)),
                None => Ok(pipeline),
            }
        }
    }

    fn key(&self, dispatch: &Dispatch) -> Result<Key> {
        let last = format!("@group(0) @binding({}) var<uniform> params", dispatch.bindings.len());
        let text = shader::assemble_for(&dispatch.kernel, &self.caps)?.replace(PARAMS, &last);
        let access = dispatch.bindings.iter().map(|binding| binding.write).collect();
        Ok((text, dispatch.kernel.entry, access))
    }

    #[allow(unsafe_code, reason = "runtime checks can only be switched off in unsafe code")]
    fn module(&self, text: &str, label: &str) -> wgpu::ShaderModule {
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(label),
            source: wgpu::ShaderSource::Wgsl(text.into()),
        };
        match self.checks {
            Checks::On => self.device.create_shader_module(descriptor),
            // SAFETY: the text comes from this crate's own shaders, whose every variant runs with
            // guard words around its outputs in the tests and before each timed run.
            Checks::Off => unsafe {
                self.device.create_shader_module_trusted(
                    descriptor,
                    wgpu::ShaderRuntimeChecks::unchecked(),
                )
            },
        }
    }
}

/// Makes something of each on all of the machine's threads.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn side_by_side<T: Sync, U: Send>(
    items: &[T],
    make: impl Fn(&T) -> Result<U> + Sync + Send,
) -> Result<Vec<U>> {
    use crate::host::parallel::*;

    items.par_iter().map(make).collect()
}

/// Begins something with each in their order on all of the machine's threads, as long as it `goes_on`, and waits for it
/// there. What was made has its place with it.
#[cfg(not(target_arch = "wasm32"))]
fn await_each<T: Sync, U: Send, F: Future<Output = Result<U>>>(
    items: &[T],
    begin: impl Fn(&T) -> F + Sync + Send,
    goes_on: impl Fn() -> bool + Sync + Send,
) -> Result<Vec<(usize, U)>> {
    let next = AtomicUsize::new(0);
    let threads: Vec<usize> = (0..host::cores().min(items.len())).collect();
    let made = side_by_side(&threads, |_| {
        let mut made = Vec::new();
        while goes_on() {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { break };
            made.push((at, host::block_on(begin(item))?));
        }
        Ok(made)
    })?;
    Ok(made.into_iter().flatten().collect())
}

/// Begins something with each as long as it `goes_on`, and then waits for all: the browser does what it can of it side by
/// side.
#[cfg(target_arch = "wasm32")]
fn await_each<T, U, F: Future<Output = Result<U>>>(
    items: &[T],
    begin: impl Fn(&T) -> F,
    goes_on: impl Fn() -> bool,
) -> Result<Vec<(usize, U)>> {
    let begun: Vec<F> = items.iter().take_while(|_| goes_on()).map(begin).collect();
    begun.into_iter().map(host::block_on).enumerate().map(|(at, made)| Ok((at, made?))).collect()
}

/// Makes something of each: a page's device belongs to the one thread that opened it.
#[cfg(target_arch = "wasm32")]
pub(crate) fn side_by_side<T, U>(items: &[T], make: impl Fn(&T) -> Result<U>) -> Result<Vec<U>> {
    items.iter().map(make).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn all_is_begun_once_and_in_order_until_the_time_is_up() {
        let items: Vec<usize> = (0..100).collect();
        for most in [0, 1, 7, 100, 200] {
            let begun = Mutex::new(Vec::new());
            let begin = |item: &usize| {
                begun.lock().unwrap().push(*item);
                std::future::ready(Ok(10 * item))
            };
            let made = await_each(&items, begin, || begun.lock().unwrap().len() < most).unwrap();
            assert!(made.iter().all(|(at, made)| *made == 10 * at));
            let mut places: Vec<usize> = made.iter().map(|(at, _)| *at).collect();
            places.sort_unstable();
            // Threads that had asked before the last began still begin one.
            let most = most.min(items.len());
            assert!((most..most + host::cores()).contains(&places.len()), "{places:?}");
            assert_eq!(places, items[..places.len()], "the first ones, each once");
        }
    }

    #[test]
    fn a_fault_ends_it() {
        let begin = |item: &usize| {
            let fault = || Error::Internal("not valid".into());
            std::future::ready(if *item == 2 { Err(fault()) } else { Ok(()) })
        };
        assert!(await_each(&[1, 2, 3], begin, || true).is_err());
    }
}
