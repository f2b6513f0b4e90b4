//! Compute pipelines, each created once.
//!
//! Shaders have their parameters in a group of their own, so that a file is valid by itself. In a pipeline they are the last
//! binding of group 0: wgpu goes through every group of each dispatch.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU64;
use std::sync::{Arc, MutexGuard};
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

/// The pipelines made so far.
#[derive(Debug)]
pub(crate) struct Pipelines {
    checks: Checks,
    made: HashMap<Key, Arc<Pipeline>>,
    spent: Duration,
}

impl Pipelines {
    pub(crate) fn new(checks: Checks) -> Self {
        let (made, spent) = (HashMap::new(), Duration::ZERO);
        Self { checks, made, spent }
    }

    /// How many there are, and the time it took to make them.
    pub(crate) fn made(&self) -> (usize, Duration) {
        (self.made.len(), self.spent)
    }
}

impl Gpu {
    /// The pipelines of labelled dispatches, found or made. Those that are missing are made side by side: a driver
    /// compiles each on the thread that asks for it.
    ///
    /// # Errors
    /// [`Error::Internal`] where a shader is not valid, with its place.
    pub(crate) fn pipelines(
        &self,
        dispatches: &[(&Dispatch, String)],
    ) -> Result<Vec<Arc<Pipeline>>> {
        let keys = side_by_side(dispatches, |(dispatch, _)| key(dispatch))?;
        let mut missing = Vec::new();
        let checks = {
            let (pipelines, mut seen) = (self.made()?, HashSet::new());
            for (key, (dispatch, label)) in keys.iter().zip(dispatches) {
                if !pipelines.made.contains_key(key) && seen.insert(key) {
                    missing.push((key, &dispatch.kernel.shader, label));
                }
            }
            pipelines.checks
        };
        let start = Instant::now();
        let made =
            await_each(&missing, |(key, shader, label)| self.begin(key, shader, label, checks))?;
        let made = made.into_iter().map(Arc::new);
        let mut pipelines = self.made()?;
        pipelines.spent += start.elapsed();
        pipelines.made.extend(missing.into_iter().map(|(key, ..)| key.clone()).zip(made));
        Ok(keys.iter().map(|key| Arc::clone(&pipelines.made[key])).collect())
    }

    fn made(&self) -> Result<MutexGuard<'_, Pipelines>> {
        let panicked = |_| Error::Internal("creating a pipeline panicked".into());
        self.pipelines.lock().map_err(panicked)
    }

    /// Has a pipeline made; whether that went well is known later.
    fn begin(
        &self,
        (text, entry, access): &Key,
        shader: &str,
        label: &str,
        checks: Checks,
    ) -> impl Future<Output = Result<Pipeline>> + use<> {
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let begun = Instant::now();
        let module = self.module(text, label, checks);
        let read = begun.elapsed();
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
        let compiled = begun.elapsed() - read;
        log::debug!(
            "pipeline {label}: {} bytes read in {read:.1?}, compiled in {compiled:.1?}",
            text.len()
        );
        let (outcome, place) = (scope.pop(), format!("shaders/{shader}.wgsl as {label}"));
        let digest = Sha256::digest(shader::without_comments(text)).into();
        let pipeline = Pipeline { raw, layout: bindings, digest };
        async move {
            match outcome.await {
                Some(error) => Err(Error::Internal(format!("{place}: {error}"))),
                None => Ok(pipeline),
            }
        }
    }

    #[allow(unsafe_code, reason = "runtime checks can only be switched off in unsafe code")]
    fn module(&self, text: &str, label: &str, checks: Checks) -> wgpu::ShaderModule {
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(label),
            source: wgpu::ShaderSource::Wgsl(text.into()),
        };
        match checks {
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

fn key(dispatch: &Dispatch) -> Result<Key> {
    let last = format!("@group(0) @binding({}) var<uniform> params", dispatch.bindings.len());
    let text = shader::assemble(&dispatch.kernel)?.replace(PARAMS, &last);
    let access = dispatch.bindings.iter().map(|binding| binding.write).collect();
    Ok((text, dispatch.kernel.entry, access))
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

/// Begins something with each on all of the machine's threads, and waits for it there.
#[cfg(not(target_arch = "wasm32"))]
fn await_each<T: Sync, U: Send, F: Future<Output = Result<U>>>(
    items: &[T],
    begin: impl Fn(&T) -> F + Sync + Send,
) -> Result<Vec<U>> {
    side_by_side(items, |item| host::block_on(begin(item)))
}

/// Begins something with each, and then waits for all: the browser does what it can of it side by side.
#[cfg(target_arch = "wasm32")]
fn await_each<T, U, F: Future<Output = Result<U>>>(
    items: &[T],
    begin: impl Fn(&T) -> F,
) -> Result<Vec<U>> {
    let begun: Vec<F> = items.iter().map(begin).collect();
    begun.into_iter().map(host::block_on).collect()
}

/// Makes something of each: a page's device belongs to the one thread that opened it.
#[cfg(target_arch = "wasm32")]
pub(crate) fn side_by_side<T, U>(items: &[T], make: impl Fn(&T) -> Result<U>) -> Result<Vec<U>> {
    items.iter().map(make).collect()
}
