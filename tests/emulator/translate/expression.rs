//! Expressions.

use naga::proc::TypeResolution;
use naga::{
    AddressSpace, BinaryOperator, Expression, Handle, Literal, MathFunction, RelationalFunction,
    Scalar, Span, TypeInner, UnaryOperator,
};

use super::{Body, Result, Types, types};

impl<'a> Body<'a> {
    fn inner(&self, expression: Handle<Expression>) -> &'a TypeInner {
        self.ty(expression).inner_with(&self.kernel.module.types)
    }

    /// The C++ type of an expression.
    pub(super) fn type_name(&self, expression: Handle<Expression>) -> Result<String> {
        types::of_value(self.kernel.module, self.ty(expression))
    }

    /// Whether an expression points into memory that invocations share.
    pub(super) fn is_shared(&self, pointer: Handle<Expression>) -> bool {
        self.inner(pointer).pointer_space().is_some_and(|space| !types::is_own(space))
    }

    fn is_pointer(&self, expression: Handle<Expression>) -> bool {
        self.inner(expression).pointer_space().is_some()
    }

    /// An expression: its variable where it has one, else its text.
    pub(super) fn value(&self, handle: Handle<Expression>) -> Result<String> {
        if self.named.contains(&handle) {
            return Ok(format!("e{}", handle.index()));
        }
        let module = self.kernel.module;
        Ok(match self.expressions[handle] {
            Expression::Literal(literal) => of_literal(literal)?,
            Expression::Constant(constant) => self.constant(module.constants[constant].init)?,
            Expression::ZeroValue(ty) => format!("{}{{}}", types::of(module, ty)?),
            Expression::Compose { ty, ref components } => self.compose(ty, components)?,
            Expression::Access { base, index } => self.access(handle, base, index)?,
            Expression::AccessIndex { base, index } => self.access_index(handle, base, index)?,
            Expression::Splat { value, .. } => {
                let ty = self.type_name(handle)?.replacen("vec", "splat", 1);
                format!("{ty}({})", self.value(value)?)
            }
            Expression::Swizzle { size, vector, pattern } => {
                let vector = self.value(vector)?;
                let lanes = pattern[..size as usize].iter();
                let lanes: Vec<_> =
                    lanes.map(|lane| format!("{vector}.e[{}]", *lane as u32)).collect();
                format!("{}{{{{{}}}}}", self.type_name(handle)?, lanes.join(", "))
            }
            Expression::FunctionArgument(at) => format!("a{at}"),
            Expression::GlobalVariable(global) => self.global(global)?,
            Expression::LocalVariable(local) => format!("(&v{})", local.index()),
            Expression::Load { pointer } if self.is_shared(pointer) => {
                let (ty, at) = (self.type_name(handle)?, self.value(pointer)?);
                format!("load<{ty}>({at}, {})", self.line(handle))
            }
            Expression::Load { pointer } => format!("(*{})", self.value(pointer)?),
            Expression::Unary { op, expr } => {
                let sign = match op {
                    UnaryOperator::Negate => '-',
                    UnaryOperator::LogicalNot => '!',
                    UnaryOperator::BitwiseNot => '~',
                };
                format!("({sign}{})", self.value(expr)?)
            }
            Expression::Binary { op, left, right } => self.binary(handle, op, left, right)?,
            Expression::Select { condition, accept, reject } => {
                self.call("choose", &[condition, accept, reject])?
            }
            Expression::Relational { fun: RelationalFunction::All, argument } => {
                self.call("f_All", &[argument])?
            }
            Expression::Relational { fun: RelationalFunction::Any, argument } => {
                self.call("f_Any", &[argument])?
            }
            Expression::Math { fun, arg, arg1, arg2, arg3 } => {
                let name = match fun {
                    MathFunction::Frexp => format!("f_Frexp<{}>", self.type_name(handle)?),
                    _ => format!("f_{fun:?}"),
                };
                let arguments = [Some(arg), arg1, arg2, arg3];
                self.call(&name, &arguments.into_iter().flatten().collect::<Vec<_>>())?
            }
            Expression::As { expr, convert, .. } => {
                let how = if convert.is_some() { "convert" } else { "bits" };
                format!("{how}<{}>({})", self.type_name(handle)?, self.value(expr)?)
            }
            Expression::ArrayLength(array) => {
                let (stride, _) = types::parts(self.pointee(array)?)?;
                format!("array_length({}, {stride})", self.value(array)?)
            }
            ref other => return Err(format!("the expression {other:?}")),
        })
    }

    /// Whether an expression becomes a variable where it is evaluated: what it reads may change, or it is
    /// needed more than once.
    pub(super) fn deserves_name(&self, handle: Handle<Expression>) -> bool {
        match self.expressions[handle] {
            Expression::Load { .. } => self.uses(handle) > 0,
            _ => self.uses(handle) > 1,
        }
    }

    fn call(&self, name: &str, arguments: &[Handle<Expression>]) -> Result<String> {
        let arguments: Result<Vec<_>> = arguments.iter().map(|&a| self.value(a)).collect();
        Ok(format!("{name}({})", arguments?.join(", ")))
    }

    fn constant(&self, init: Handle<Expression>) -> Result<String> {
        let info = self.kernel.info;
        let constants = Body {
            kernel: self.kernel,
            expressions: &self.kernel.module.global_expressions,
            types: Types::Constants(info),
            named: Default::default(),
            text: String::new(),
            sites: &mut 0,
            continues: Vec::new(),
        };
        constants.value(init)
    }

    fn global(&self, global: Handle<naga::GlobalVariable>) -> Result<String> {
        let variable = &self.kernel.module.global_variables[global];
        Ok(match (variable.space, &variable.binding) {
            (AddressSpace::WorkGroup, _) => format!("Place{{&g{}, 0}}", global.index()),
            (AddressSpace::Uniform, _) => "Place{&uniform, 0}".into(),
            (_, Some(at)) => format!("Place{{&bound[{}], 0}}", at.binding),
            (space, None) => return Err(format!("a variable in {space:?}")),
        })
    }

    fn compose(&self, ty: Handle<naga::Type>, components: &[Handle<Expression>]) -> Result<String> {
        let module = self.kernel.module;
        let name = types::of(module, ty)?;
        let mut parts = Vec::new();
        for &component in components {
            let value = self.value(component)?;
            match (&module.types[ty].inner, self.inner(component)) {
                (TypeInner::Vector { .. }, TypeInner::Vector { size, .. }) => {
                    parts.extend((0..*size as u32).map(|lane| format!("{value}.e[{lane}]")));
                }
                _ => parts.push(value),
            }
        }
        let parts = parts.join(", ");
        Ok(match module.types[ty].inner {
            TypeInner::Struct { .. } => format!("{name}{{{parts}}}"),
            _ => format!("{name}{{{{{parts}}}}}"),
        })
    }

    /// What a pointer points to.
    fn pointee(&self, pointer: Handle<Expression>) -> Result<&'a TypeInner> {
        let types = &self.kernel.module.types;
        match self.inner(pointer) {
            TypeInner::Pointer { base, .. } => Ok(&types[*base].inner),
            other => Err(format!("a part of what {other:?} points to")),
        }
    }

    /// Stride and number of the parts of what a pointer points to.
    fn parts(&self, pointer: Handle<Expression>) -> Result<(u32, u32)> {
        match *self.inner(pointer) {
            TypeInner::ValuePointer { size: Some(size), .. } => Ok((4, size as u32)),
            _ => types::parts(self.pointee(pointer)?),
        }
    }

    fn access(
        &self,
        handle: Handle<Expression>,
        base: Handle<Expression>,
        index: Handle<Expression>,
    ) -> Result<String> {
        let (line, index) = (self.line(handle), format!("(u32)({})", self.value(index)?));
        let of = self.value(base)?;
        if self.is_shared(base) {
            let (stride, count) = self.parts(base)?;
            return Ok(format!("element({of}, {index}, {stride}, {count}, {line})"));
        }
        let how = if self.is_pointer(base) { "at" } else { "pick" };
        Ok(format!("{how}({of}, {index}, {line})"))
    }

    fn access_index(
        &self,
        handle: Handle<Expression>,
        base: Handle<Expression>,
        index: u32,
    ) -> Result<String> {
        let of = self.value(base)?;
        let pointee = if self.is_pointer(base) { self.pointee(base).ok() } else { None };
        if self.is_shared(base) {
            if let Some(TypeInner::Struct { members, .. }) = pointee {
                return Ok(format!("member({of}, {})", members[index as usize].offset));
            }
            let (stride, count) = self.parts(base)?;
            return Ok(format!("element({of}, {index}, {stride}, {count}, {})", self.line(handle)));
        }
        let whole = pointee.unwrap_or_else(|| self.inner(base));
        let part = match whole {
            TypeInner::Struct { .. } => format!("m{index}"),
            _ => format!("e[{index}]"),
        };
        Ok(if self.is_pointer(base) {
            format!("(&({of})->{part})")
        } else {
            format!("{of}.{part}")
        })
    }

    fn binary(
        &self,
        handle: Handle<Expression>,
        op: BinaryOperator,
        left: Handle<Expression>,
        right: Handle<Expression>,
    ) -> Result<String> {
        use BinaryOperator as Op;
        let sign = match op {
            Op::Add => "+",
            Op::Subtract => "-",
            Op::Multiply => "*",
            Op::Equal => "==",
            Op::NotEqual => "!=",
            Op::Less => "<",
            Op::LessEqual => "<=",
            Op::Greater => ">",
            Op::GreaterEqual => ">=",
            Op::And => "&",
            Op::ExclusiveOr => "^",
            Op::InclusiveOr => "|",
            Op::LogicalAnd => "&&",
            Op::LogicalOr => "||",
            Op::Divide => return self.call("divide", &[left, right]),
            Op::Modulo => return self.call("modulo", &[left, right]),
            Op::ShiftLeft => return self.call("shift_left", &[left, right]),
            Op::ShiftRight => return self.call("shift_right", &[left, right]),
        };
        let text = format!("({} {sign} {})", self.value(left)?, self.value(right)?);
        // C++ makes an int of two bools.
        let logical = *self.inner(handle) == TypeInner::Scalar(Scalar::BOOL);
        Ok(if logical { format!("(bool){text}") } else { text })
    }

    /// Where a statement stands.
    pub(super) fn line_of(&self, span: &Span) -> usize {
        self.kernel.line(*span)
    }

    /// The type that a pointer's load has.
    pub(super) fn loaded(&self, result: Handle<Expression>) -> Result<String> {
        let ty: &TypeResolution = self.ty(result);
        types::of_value(self.kernel.module, ty)
    }
}

fn of_literal(literal: Literal) -> Result<String> {
    Ok(match literal {
        Literal::F32(x) => format!("({x:?}f)"),
        Literal::U32(x) => format!("{x}u"),
        Literal::I32(x) => format!("(i32){}u", x as u32),
        Literal::Bool(x) => x.to_string(),
        other => return Err(format!("the literal {other:?}")),
    })
}
