//! Statements.

use std::collections::HashSet;
use std::fmt::Write;

use naga::{
    Barrier, Block, Expression, Function, GatherMode, Handle, Span, Statement, SwitchCase,
    SwitchValue,
};

use super::{Body, Result};

/// Whether a block has a barrier, or calls one of these functions.
pub(super) fn reaches_barrier(block: &Block, waits: &HashSet<Handle<Function>>) -> bool {
    block.iter().any(|statement| match statement {
        Statement::ControlBarrier(_)
        | Statement::WorkGroupUniformLoad { .. }
        | Statement::SubgroupGather { .. } => true,
        Statement::Call { function, .. } => waits.contains(function),
        Statement::Block(block) => reaches_barrier(block, waits),
        Statement::If { accept, reject, .. } => {
            reaches_barrier(accept, waits) || reaches_barrier(reject, waits)
        }
        Statement::Switch { cases, .. } => {
            cases.iter().any(|case| reaches_barrier(&case.body, waits))
        }
        Statement::Loop { body, continuing, .. } => {
            reaches_barrier(body, waits) || reaches_barrier(continuing, waits)
        }
        _ => false,
    })
}

impl Body<'_> {
    pub(super) fn block(&mut self, block: &Block) -> Result<()> {
        block.span_iter().try_for_each(|(statement, span)| self.statement(statement, span))
    }

    fn nested(&mut self, block: &Block) -> Result<()> {
        self.push("{");
        self.block(block)?;
        self.push("}");
        Ok(())
    }

    fn push(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Gives an expression a variable.
    fn name(&mut self, handle: Handle<Expression>, value: &str) -> Result<()> {
        let ty = self.type_name(handle)?;
        let _ = writeln!(self.text, "{ty} const e{} = {value};", handle.index());
        self.named.insert(handle);
        Ok(())
    }

    fn statement(&mut self, statement: &Statement, span: &Span) -> Result<()> {
        match statement {
            Statement::Emit(range) => {
                for handle in range.clone() {
                    if self.deserves_name(handle) {
                        let value = self.value(handle)?;
                        self.name(handle, &value)?;
                    }
                }
            }
            Statement::Block(block) => self.nested(block)?,
            Statement::If { condition, accept, reject } => {
                let condition = self.value(*condition)?;
                match condition.as_str() {
                    // What a kernel's constants rule out need not be compiled: a tenth of most texts.
                    "true" => self.nested(accept)?,
                    "false" => self.nested(reject)?,
                    _ => {
                        self.push(&format!("if ({condition})"));
                        self.nested(accept)?;
                        if !reject.is_empty() {
                            self.push("else");
                            self.nested(reject)?;
                        }
                    }
                }
            }
            Statement::Switch { selector, cases } => self.switch(*selector, cases)?,
            Statement::Loop { body, continuing, break_if } => {
                self.repeat(body, continuing, *break_if)?;
            }
            Statement::Break => self.push("break;"),
            Statement::Continue => {
                let label = self.continues.last().ok_or("continue outside of a loop")?;
                let _ = writeln!(self.text, "goto next{label};");
            }
            Statement::Return { value: Some(value) } => {
                let value = self.value(*value)?;
                self.push(&format!("return {value};"));
            }
            Statement::Return { value: None } => self.push("return;"),
            Statement::ControlBarrier(kinds) => self.barrier(*kinds, span)?,
            Statement::Store { pointer, value } => {
                let (at, value) = (self.value(*pointer)?, self.value(*value)?);
                if self.is_shared(*pointer) {
                    let line = self.line_of(span);
                    self.push(&format!("store({at}, {value}, {line});"));
                } else {
                    self.push(&format!("*{at} = {value};"));
                }
            }
            Statement::Call { function, arguments, result } => {
                self.call_function(*function, arguments, *result)?;
            }
            Statement::WorkGroupUniformLoad { pointer, result } => {
                self.barrier(Barrier::WORK_GROUP, span)?;
                let (ty, at) = (self.loaded(*result)?, self.value(*pointer)?);
                let load = format!("load<{ty}>({at}, {})", self.line_of(span));
                self.name(*result, &load)?;
                self.barrier(Barrier::WORK_GROUP, span)?;
            }
            Statement::SubgroupGather { mode, argument, result } => {
                let lane = match mode {
                    GatherMode::BroadcastFirst => "0u".to_string(),
                    GatherMode::Broadcast(lane) | GatherMode::Shuffle(lane) => self.value(*lane)?,
                    other => return Err(format!("the subgroup operation {other:?}")),
                };
                let (argument, line) = (self.value(*argument)?, self.line_of(span));
                let site = self.site();
                self.name(*result, &format!("gather({argument}, {lane}, {site}, {line})"))?;
            }
            other => return Err(format!("the statement {other:?}")),
        }
        Ok(())
    }

    fn barrier(&mut self, kinds: Barrier, span: &Span) -> Result<()> {
        if kinds.is_empty() || !(Barrier::STORAGE | Barrier::WORK_GROUP).contains(kinds) {
            return Err(format!("the barrier {kinds:?}"));
        }
        let (site, line) = (self.site(), self.line_of(span));
        self.push(&format!("barrier({}, {site}, {line});", kinds.bits()));
        Ok(())
    }

    fn call_function(
        &mut self,
        function: Handle<Function>,
        arguments: &[Handle<Expression>],
        result: Option<Handle<Expression>>,
    ) -> Result<()> {
        let arguments: Result<Vec<_>> = arguments.iter().map(|&a| self.value(a)).collect();
        // Spelt out: the 33rd would be the type f32.
        let call = format!("function{}({})", function.index(), arguments?.join(", "));
        let site = self.site();
        let waits = self.kernel.waits.contains(&function);
        if waits {
            self.push(&format!("const u32 path{site} = enter({site});"));
        }
        match result {
            Some(result) => self.name(result, &call)?,
            None => self.push(&format!("{call};")),
        }
        if waits {
            self.push(&format!("leave(path{site});"));
        }
        Ok(())
    }

    fn switch(&mut self, selector: Handle<Expression>, cases: &[SwitchCase]) -> Result<()> {
        let selector = self.value(selector)?;
        self.push(&format!("switch ({selector}) {{"));
        for case in cases {
            let label = match case.value {
                SwitchValue::I32(value) => format!("case {value}: {{"),
                SwitchValue::U32(value) => format!("case {value}u: {{"),
                SwitchValue::Default => "default: {".into(),
            };
            self.push(&label);
            self.block(&case.body)?;
            self.push(if case.fall_through { "}" } else { "} break;" });
        }
        self.push("}");
        Ok(())
    }

    /// A loop; `continue` leaves the block of the body, behind which the rest stands.
    fn repeat(
        &mut self,
        body: &Block,
        continuing: &Block,
        break_if: Option<Handle<Expression>>,
    ) -> Result<()> {
        let label = self.site();
        self.continues.push(label);
        self.push("for (;;) {\nturn();\n{");
        self.block(body)?;
        self.push(&format!("}}\nnext{label}:;"));
        self.continues.pop();
        self.block(continuing)?;
        if let Some(condition) = break_if {
            let condition = self.value(condition)?;
            self.push(&format!("if ({condition}) break;"));
        }
        self.push("}");
        Ok(())
    }
}
