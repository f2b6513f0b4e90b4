//! Types: their names in C++, and how far apart their parts lie in memory.

use naga::proc::TypeResolution;
use naga::{ArraySize, Handle, Module, Scalar, ScalarKind, Type, TypeInner, VectorSize};

use super::Result;

/// A declared type's name.
pub(super) fn of(module: &Module, ty: Handle<Type>) -> Result<String> {
    match &module.types[ty].inner {
        TypeInner::Struct { .. } => Ok(format!("S{}", ty.index())),
        inner => of_inner(module, inner),
    }
}

/// The name of an expression's type.
pub(super) fn of_value(module: &Module, ty: &TypeResolution) -> Result<String> {
    match ty {
        TypeResolution::Handle(ty) => of(module, *ty),
        TypeResolution::Value(inner) => of_inner(module, inner),
    }
}

fn of_inner(module: &Module, inner: &TypeInner) -> Result<String> {
    Ok(match *inner {
        TypeInner::Scalar(scalar) => of_scalar(scalar)?.into(),
        TypeInner::Vector { size, scalar } => {
            format!("vec<{}, {}>", of_scalar(scalar)?, size as u32)
        }
        TypeInner::Matrix { columns, rows, scalar: Scalar::F32 } => {
            format!("mat<{}, {}>", columns as u32, rows as u32)
        }
        TypeInner::Array { base, size: ArraySize::Constant(count), .. } => {
            format!("arr<{}, {count}>", of(module, base)?)
        }
        TypeInner::Pointer { base, space } if is_own(space) => format!("{}*", of(module, base)?),
        TypeInner::ValuePointer { size, scalar, space } if is_own(space) => match size {
            Some(size) => format!("vec<{}, {}>*", of_scalar(scalar)?, size as u32),
            None => format!("{}*", of_scalar(scalar)?),
        },
        TypeInner::Pointer { .. } | TypeInner::ValuePointer { .. } => "Place".into(),
        ref other => return Err(format!("the type {other:?}")),
    })
}

fn of_scalar(scalar: Scalar) -> Result<&'static str> {
    match (scalar.kind, scalar.width) {
        (ScalarKind::Float, 4) => Ok("f32"),
        (ScalarKind::Uint, 4) => Ok("u32"),
        (ScalarKind::Sint, 4) => Ok("i32"),
        (ScalarKind::Bool, _) => Ok("bool"),
        _ => Err(format!("the scalar {scalar:?}")),
    }
}

/// Whether memory is an invocation's own.
pub(super) fn is_own(space: naga::AddressSpace) -> bool {
    matches!(space, naga::AddressSpace::Function | naga::AddressSpace::Private)
}

/// That a type lies in memory as its C++ twin does: for all but bool and vectors of three.
pub(super) fn lies_in_memory(module: &Module, ty: Handle<Type>) -> Result<()> {
    match &module.types[ty].inner {
        TypeInner::Vector { size: VectorSize::Tri, .. }
        | TypeInner::Matrix { rows: VectorSize::Tri, .. } => {
            Err("vectors of three in memory".into())
        }
        TypeInner::Scalar(scalar) | TypeInner::Vector { scalar, .. }
            if scalar.kind == ScalarKind::Bool =>
        {
            Err("bool in memory".into())
        }
        TypeInner::Array { base, .. } => lies_in_memory(module, *base),
        TypeInner::Struct { members, .. } => {
            members.iter().try_for_each(|member| lies_in_memory(module, member.ty))
        }
        _ => Ok(()),
    }
}

/// Bytes between the parts of what a pointer points to, and their number, 0 where only the buffer knows.
pub(super) fn parts(inner: &TypeInner) -> Result<(u32, u32)> {
    match *inner {
        TypeInner::Array { size: ArraySize::Constant(count), stride, .. } => {
            Ok((stride, count.get()))
        }
        TypeInner::Array { size: ArraySize::Dynamic, stride, .. } => Ok((stride, 0)),
        TypeInner::Vector { size, .. } => Ok((4, size as u32)),
        TypeInner::Matrix { columns, rows: VectorSize::Bi, .. } => Ok((8, columns as u32)),
        TypeInner::Matrix { columns, .. } => Ok((16, columns as u32)),
        ref other => Err(format!("a part of {other:?}")),
    }
}
