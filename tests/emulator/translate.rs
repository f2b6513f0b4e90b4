//! From WGSL to C++, by way of naga's IR: one namespace a kernel.
//!
//! Values, expressions and control flow become their like. What is not like C++ is memory that invocations
//! share: a pointer into it is a `Place`, every access of it a call that watches, and a barrier is a call
//! that changes fibres (`shim.hpp`, `machine.cpp`). WGSL that no kernel of ours has is an error here.

use std::collections::HashSet;
use std::fmt::Write;

use naga::proc::{Layouter, TypeResolution};
use naga::valid::{Capabilities, FunctionInfo, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, Arena, BuiltIn, Expression, Function, Handle, Span};

mod expression;
mod statement;
mod types;

pub(crate) type Result<T> = std::result::Result<T, String>;

/// A kernel's C++.
pub(crate) fn translate(wgsl: &str, entry: &str, namespace: &str) -> Result<String> {
    let module = naga::front::wgsl::parse_str(wgsl).map_err(|e| e.emit_to_string(wgsl))?;
    // Flow that is not uniform is ours to find.
    let flags = ValidationFlags::all() - ValidationFlags::CONTROL_FLOW_UNIFORMITY;
    let info = Validator::new(flags, Capabilities::SUBGROUP)
        .validate(&module)
        .map_err(|e| e.emit_to_string(wgsl))?;
    let starts = std::iter::once(0).chain(wgsl.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let kernel = Kernel { module: &module, info: &info, starts, waits: waiting(&module) };
    Ok(format!("namespace {namespace} {{\n{}}}\n", kernel.text(entry)?))
}

/// The functions that reach a barrier.
fn waiting(module: &naga::Module) -> HashSet<Handle<Function>> {
    let mut waits = HashSet::new();
    for (handle, function) in module.functions.iter() {
        if statement::reaches_barrier(&function.body, &waits) {
            waits.insert(handle);
        }
    }
    waits
}

struct Kernel<'a> {
    module: &'a naga::Module,
    info: &'a ModuleInfo,
    /// Where each line begins.
    starts: Vec<usize>,
    waits: HashSet<Handle<Function>>,
}

impl Kernel<'_> {
    fn line(&self, span: Span) -> usize {
        let at = span.to_range().map_or(0, |range| range.start);
        self.starts.partition_point(|&start| start <= at)
    }

    fn text(&self, entry: &str) -> Result<String> {
        let mut text = self.structs()? + &self.variables()?;
        let mut sites = 0;
        for (handle, function) in self.module.functions.iter() {
            let result = function.result.as_ref().map(|result| types::of(self.module, result.ty));
            let result = result.transpose()?.unwrap_or_else(|| "void".into());
            let arguments: Result<Vec<_>> = (0..)
                .zip(&function.arguments)
                .map(|(i, a)| Ok(format!("{} a{i}", types::of(self.module, a.ty)?)))
                .collect();
            let body = self.body(function, &self.info[handle], &mut sites)?;
            let (arguments, name) = (arguments?.join(", "), handle.index());
            let _ = writeln!(text, "static {result} function{name}({arguments}) {{\n{body}}}");
        }
        let at = self.module.entry_points.iter().position(|point| point.name == entry);
        let at = at.ok_or_else(|| format!("no entry point {entry}"))?;
        let point = &self.module.entry_points[at];
        let info = self.info.get_entry_point(at);
        text += "static void entry() {\n";
        for (i, argument) in point.function.arguments.iter().enumerate() {
            let Some(naga::Binding::BuiltIn(builtin)) = argument.binding else {
                return Err("an argument of an entry point that is no built-in value".into());
            };
            let (ty, value) =
                (types::of(self.module, argument.ty)?, built_in(builtin, point.workgroup_size)?);
            let _ = writeln!(text, "const {ty} a{i} = {value};");
        }
        text += &self.body(&point.function, info, &mut sites)?;
        let size: u32 = point.workgroup_size.iter().product();
        let _ = writeln!(text, "}}\nstatic const Kernel kernel{{entry, name_bindings, {size}}};");
        Ok(text)
    }

    fn structs(&self) -> Result<String> {
        let mut text = String::new();
        for (handle, ty) in self.module.types.iter() {
            if let naga::TypeInner::Struct { members, .. } = &ty.inner {
                let _ = write!(text, "struct S{} {{ ", handle.index());
                for (i, member) in members.iter().enumerate() {
                    let _ = write!(text, "{} m{i}; ", types::of(self.module, member.ty)?);
                }
                text += "};\n";
            }
        }
        Ok(text)
    }

    fn variables(&self) -> Result<String> {
        let (mut text, mut names) = (String::new(), String::new());
        let mut layouter = Layouter::default();
        layouter.update(self.module.to_ctx()).map_err(|e| e.to_string())?;
        for (handle, variable) in self.module.global_variables.iter() {
            let name = variable.name.as_deref().unwrap_or("");
            types::lies_in_memory(self.module, variable.ty)
                .map_err(|why| format!("{name}: {why}"))?;
            match (variable.space, &variable.binding) {
                (AddressSpace::WorkGroup, _) => {
                    let (at, bytes) = (handle.index(), layouter[variable.ty].size);
                    let _ = writeln!(text, "static Shared<{bytes}> g{at}(\"{name}\");");
                }
                (AddressSpace::Storage { .. }, Some(at)) => {
                    let _ = write!(names, " bound[{}].name = \"{name}\";", at.binding);
                }
                (AddressSpace::Uniform, _) => {}
                (space, _) => return Err(format!("{name} lies in {space:?}")),
            }
        }
        let _ = writeln!(text, "static void name_bindings() {{{names} }}");
        Ok(text)
    }

    fn body(&self, function: &Function, info: &FunctionInfo, sites: &mut usize) -> Result<String> {
        let mut body = Body {
            kernel: self,
            expressions: &function.expressions,
            types: Types::Function(info),
            named: HashSet::new(),
            text: String::new(),
            sites,
            continues: Vec::new(),
        };
        for (handle, variable) in function.local_variables.iter() {
            let ty = types::of(self.module, variable.ty)?;
            let init = variable.init.map(|init| body.value(init)).transpose()?;
            let init = init.unwrap_or_else(|| format!("{ty}{{}}"));
            let _ = writeln!(body.text, "{ty} v{} = {init};", handle.index());
        }
        body.block(&function.body)?;
        Ok(body.text)
    }
}

/// Where the types of expressions are found.
#[derive(Clone, Copy)]
enum Types<'a> {
    Function(&'a FunctionInfo),
    Constants(&'a ModuleInfo),
}

/// A function as it is written.
struct Body<'a> {
    kernel: &'a Kernel<'a>,
    expressions: &'a Arena<Expression>,
    types: Types<'a>,
    /// The expressions that have become variables `e1`, `e2`.
    named: HashSet<Handle<Expression>>,
    text: String,
    /// Barriers and calls so far, in the whole kernel.
    sites: &'a mut usize,
    /// For each loop that is open, the number of its label.
    continues: Vec<usize>,
}

impl<'a> Body<'a> {
    fn ty(&self, expression: Handle<Expression>) -> &'a TypeResolution {
        match self.types {
            Types::Function(info) => &info[expression].ty,
            Types::Constants(info) => &info[expression],
        }
    }

    fn uses(&self, expression: Handle<Expression>) -> usize {
        match self.types {
            Types::Function(info) => info[expression].ref_count,
            Types::Constants(_) => 1,
        }
    }

    fn line(&self, expression: Handle<Expression>) -> usize {
        self.kernel.line(self.expressions.get_span(expression))
    }

    fn site(&mut self) -> usize {
        *self.sites += 1;
        *self.sites
    }
}

fn built_in(builtin: BuiltIn, [x, y, z]: [u32; 3]) -> Result<String> {
    let local = format!(
        "vec<u32, 3>{{{{local_index() % {x}, local_index() / {x} % {y}, local_index() / {} % {z}}}}}",
        x * y
    );
    Ok(match builtin {
        BuiltIn::WorkGroupId => "builtins.workgroup".into(),
        BuiltIn::NumWorkGroups => "builtins.workgroups".into(),
        BuiltIn::LocalInvocationIndex => "local_index()".into(),
        BuiltIn::LocalInvocationId => local,
        BuiltIn::GlobalInvocationId => {
            format!("builtins.workgroup * vec<u32, 3>{{{{{x}, {y}, {z}}}}} + {local}")
        }
        BuiltIn::SubgroupInvocationId => "local_index() % builtins.subgroup".into(),
        BuiltIn::SubgroupId => "local_index() / builtins.subgroup".into(),
        BuiltIn::SubgroupSize => "builtins.subgroup".into(),
        other => return Err(format!("the built-in value {other:?}")),
    })
}
