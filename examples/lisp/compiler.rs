//! The compiler: from a value that was read to instructions of the machine.
//!
//! Instructions and their operands are values in a vector, so that constants among them are seen by the collector. They are
//! collected on the language's stack while a procedure is compiled; a procedure inside it is compiled above.
//!
//! Variables of procedures are in environments: objects with the variables, and the environment around them. The compiler
//! knows where each is: how many environments outward, and at which place.

use crate::heap::{Lisp, Result};
use crate::reader::at_position;
use crate::value::{FALSE, List, NIL, NOTHING, Type, Value};

/// What the machine does; operands in parentheses.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Op {
    /// Puts (a value) on the stack.
    Constant,
    /// Puts the variable at (a place) of this environment on the stack.
    Local,
    /// Puts the variable (so many environments outward) at (a place) on the stack.
    Outer,
    /// Puts the variable of (a symbol) on the stack; its use was at (a position).
    Global,
    SetOuter,
    SetGlobal,
    DefineGlobal,
    /// Goes on at (an instruction).
    Jump,
    /// Takes a value off the stack and goes on at (an instruction) if it is false.
    JumpIfFalse,
    /// Goes on at (an instruction) if the value on the stack is false, or takes it off.
    JumpOrPop,
    /// The same if it is true.
    JumpIfTrueOrPop,
    /// Puts a procedure of (code) on the stack.
    Closure,
    /// Gets ready for a call that returns to (an instruction).
    Frame,
    /// Calls what lies below (so many) arguments; the call was at (a position).
    Call,
    /// The same, as the last thing that this procedure does.
    TailCall,
    Return,
    Pop,
    /// Makes an environment of (so many) values on the stack, with room for (so many).
    Enter,
    /// Goes back to the environment around this one.
    Leave,
    /// What is raised from here on goes to (an instruction).
    Guard,
    /// Ends the innermost guard; the value on the stack stays.
    Unguard,
}

const OPS: [Op; 21] = [
    Op::Constant,
    Op::Local,
    Op::Outer,
    Op::Global,
    Op::SetOuter,
    Op::SetGlobal,
    Op::DefineGlobal,
    Op::Jump,
    Op::JumpIfFalse,
    Op::JumpOrPop,
    Op::JumpIfTrueOrPop,
    Op::Closure,
    Op::Frame,
    Op::Call,
    Op::TailCall,
    Op::Return,
    Op::Pop,
    Op::Enter,
    Op::Leave,
    Op::Guard,
    Op::Unguard,
];

impl Op {
    #[inline(always)]
    pub(crate) fn of(value: Value) -> Op {
        OPS[value.as_int() as usize]
    }
}

/// Variables of one environment, a list of symbols, the first of which is at place 0; and the scope around it.
struct Scope<'a> {
    names: Value,
    outer: Option<&'a Scope<'a>>,
}

/// What a form is compiled for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    /// Its value is the procedure's.
    Result,
    /// Its value goes on the stack.
    Value,
}

/// Forms that are no calls. A symbol has the number of its form.
const FORMS: [&str; 18] = [
    "quote",
    "if",
    "define",
    "set!",
    "lambda",
    "begin",
    "let",
    "let*",
    "letrec",
    "and",
    "or",
    "cond",
    "when",
    "unless",
    "while",
    "guard",
    "quasiquote",
    "define-macro",
];

/// How deeply forms can be nested: the compiler calls itself.
const NESTING: usize = 200;

impl Lisp {
    pub(crate) fn name_forms(&mut self) -> Result<()> {
        for (index, name) in FORMS.iter().enumerate() {
            self.symbol(name.as_bytes())?.set(3, Value::int(index as isize));
        }
        Ok(())
    }

    /// A procedure without parameters that does what a value says.
    pub(crate) fn compile(&mut self, form: Value) -> Result<Value> {
        let from = self.depth();
        self.form(form, None, For::Result, FALSE)?;
        let code = self.finish(from, NIL, FALSE, 0)?;
        let closure = self.object(Type::Closure, 0, 2)?;
        closure.set(1, code);
        closure.set(2, NIL);
        Ok(closure)
    }

    fn finish(&mut self, from: usize, parameters: Value, name: Value, slots: usize) -> Result<Value> {
        let len = self.depth() - from;
        let instructions = self.vector(len, NIL)?;
        (0..len).for_each(|index| instructions.set(1 + index, self.stack(from + index)));
        self.set_depth(from);
        let code = self.object(Type::Code, 0, 5)?;
        let (mut count, mut rest) = (0, parameters);
        while rest.is_pair() {
            (count, rest) = (count + 1, rest.cdr());
        }
        code.set(1, instructions);
        code.set(2, Value::int(count));
        code.set(3, Value::bool(rest != NIL));
        code.set(4, Value::int(slots as isize));
        code.set(5, name);
        Ok(code)
    }

    fn emit(&mut self, op: Op, operands: &[Value]) -> Result<()> {
        self.push(Value::int(op as isize))?;
        operands.iter().try_for_each(|operand| self.push(*operand))
    }

    /// An instruction whose operand is an instruction to come: where that operand is.
    fn emit_jump(&mut self, op: Op) -> Result<usize> {
        self.emit_jump_with(op, 0)
    }

    /// One of several that lead to the same instruction: until that is known, each has the place of the one before it as its
    /// operand, the first 0.
    fn emit_jump_with(&mut self, op: Op, others: usize) -> Result<usize> {
        self.emit(op, &[Value::int(others as isize)])?;
        Ok(self.depth() - 1)
    }

    /// Lets a jump lead to the next instruction, of the procedure whose first is at `from`.
    fn land(&mut self, jump: usize, from: usize) {
        let here = self.depth() - from;
        self.set_stack(jump, Value::int(here as isize));
    }

    /// The same for all that were made with one another: the value is on the stack where they lead.
    fn land_all(&mut self, last: usize, what: For, from: usize) -> Result<()> {
        let mut jump = last;
        while jump != 0 {
            let others = self.stack(jump).as_int() as usize;
            self.land(jump, from);
            jump = others;
        }
        if last == 0 { Ok(()) } else { self.done(what) }
    }

    fn bad<T>(&mut self, form: Value) -> Result<T> {
        self.fail("this form is not well made", &[form])
    }

    fn form(&mut self, form: Value, scope: Option<&Scope<'_>>, what: For, around: Value) -> Result<()> {
        self.form_in(form, scope, what, around, self.depth())
    }

    /// Compiles a form. `from` is where the instructions of this procedure begin.
    fn form_in(&mut self, form: Value, scope: Option<&Scope<'_>>, what: For, around: Value, from: usize) -> Result<()> {
        self.nesting += 1;
        let done = if self.nesting > NESTING {
            self.fail("nested too deeply", &[])
        } else if form.is_pair() {
            let here = match self.position_of(form) {
                FALSE => around,
                here => here,
            };
            self.pair(form, scope, what, here, from).map_err(|error| at_position(error, here))
        } else {
            self.simple(form, scope, what, around)
        };
        self.nesting -= 1;
        done
    }

    fn simple(&mut self, form: Value, scope: Option<&Scope<'_>>, what: For, around: Value) -> Result<()> {
        if form.is(Type::Symbol) {
            match find(form, scope) {
                Some((0, place)) => self.emit(Op::Local, &[Value::int(place)])?,
                Some((outward, place)) => self.emit(Op::Outer, &[Value::int(outward), Value::int(place)])?,
                None => self.emit(Op::Global, &[form, around])?,
            }
        } else {
            self.emit(Op::Constant, &[form])?;
        }
        self.done(what)
    }

    /// The value is on the stack.
    fn done(&mut self, what: For) -> Result<()> {
        if what == For::Result { self.emit(Op::Return, &[]) } else { Ok(()) }
    }

    fn pair(&mut self, form: Value, scope: Option<&Scope<'_>>, what: For, here: Value, from: usize) -> Result<()> {
        let head = form.car();
        if head.is(Type::Symbol) && find(head, scope).is_none() {
            let special = head.word(3);
            if special.is_int() {
                return self.special(special.as_int() as usize, form, scope, what, here, from);
            }
            if special != FALSE {
                let expansion = self.apply(special, form.cdr())?;
                return self.form_in(expansion, scope, what, here, from);
            }
        }
        let frame = if what == For::Value { Some(self.emit_jump(Op::Frame)?) } else { None };
        let (mut parts, mut count) = (List(form), -1);
        for part in &mut parts {
            self.form_in(part, scope, For::Value, here, from)?;
            count += 1;
        }
        if parts.0 != NIL {
            return self.bad(form);
        }
        self.emit(if what == For::Value { Op::Call } else { Op::TailCall }, &[Value::int(count), here])?;
        if let Some(frame) = frame {
            self.land(frame, from);
        }
        Ok(())
    }

    /// The parts of a form behind its name, of which there have to be so many.
    fn parts<const N: usize>(&mut self, form: Value) -> Result<[Value; N]> {
        let mut parts = [NIL; N];
        let mut list = List(form.cdr());
        for part in &mut parts {
            match list.next() {
                Some(value) => *part = value,
                None => return self.bad(form),
            }
        }
        if list.0 == NIL { Ok(parts) } else { self.bad(form) }
    }

    fn special(
        &mut self,
        which: usize,
        form: Value,
        scope: Option<&Scope<'_>>,
        what: For,
        here: Value,
        from: usize,
    ) -> Result<()> {
        let rest = form.cdr();
        if rest != NIL && !rest.is_pair() {
            return self.bad(form);
        }
        match FORMS[which] {
            "quote" => {
                let [value] = self.parts(form)?;
                self.emit(Op::Constant, &[value])?;
                self.done(what)
            }
            "if" => {
                let mut list = List(rest);
                let (Some(test), Some(then)) = (list.next(), list.next()) else { return self.bad(form) };
                let other = list.next();
                if list.0 != NIL {
                    return self.bad(form);
                }
                self.if_(test, then, other, scope, what, here, from)
            }
            "when" | "unless" if rest.is_pair() => {
                let body = self.cons_symbol("begin", rest.cdr())?;
                let (then, other) = if FORMS[which] == "when" { (body, None) } else { (NOTHING, Some(body)) };
                self.if_(rest.car(), then, other, scope, what, here, from)
            }
            "define" => self.define(form, scope, what, here, from),
            "set!" => {
                let [name, value] = self.parts(form)?;
                self.form_in(value, scope, For::Value, here, from)?;
                self.assign(name, scope, here)?;
                self.done(what)
            }
            "lambda" if rest.is_pair() => {
                self.lambda(rest.car(), rest.cdr(), FALSE, scope, here)?;
                self.done(what)
            }
            "begin" => self.sequence(rest, scope, what, here, from),
            "let" | "let*" | "letrec" if rest.is_pair() => self.let_(which, rest, scope, what, here, from),
            "and" | "or" => {
                let (op, empty) =
                    if FORMS[which] == "and" { (Op::JumpOrPop, true) } else { (Op::JumpIfTrueOrPop, false) };
                self.connect(rest, op, empty, scope, what, here, from)
            }
            "cond" => self.cond(rest, scope, what, here, from),
            "while" if rest.is_pair() => {
                let again = Value::int((self.depth() - from) as isize);
                self.form_in(rest.car(), scope, For::Value, here, from)?;
                let end = self.emit_jump(Op::JumpIfFalse)?;
                self.sequence(rest.cdr(), scope, For::Value, here, from)?;
                self.emit(Op::Pop, &[])?;
                self.emit(Op::Jump, &[again])?;
                self.land(end, from);
                self.emit(Op::Constant, &[NOTHING])?;
                self.done(what)
            }
            "guard" if rest.is_pair() && rest.car().is_pair() => {
                // (guard (name what to do with it ...) what may raise something ...)
                let handler = self.emit_jump(Op::Guard)?;
                self.sequence(rest.cdr(), scope, For::Value, here, from)?;
                self.emit(Op::Unguard, &[])?;
                self.done(what)?;
                let end = if what == For::Value { self.emit_jump(Op::Jump)? } else { 0 };
                self.land(handler, from);
                let names = self.cons(rest.car().car(), NIL)?;
                self.emit(Op::Enter, &[Value::int(1), Value::int(1)])?;
                let inner = Scope { names, outer: scope };
                self.sequence(rest.car().cdr(), Some(&inner), what, here, from)?;
                if what == For::Value {
                    self.emit(Op::Leave, &[])?;
                }
                self.land_all(end, what, from)
            }
            "quasiquote" => {
                let [template] = self.parts(form)?;
                let built = self.quasi(template, 0, 0)?;
                self.form_in(built, scope, what, here, from)
            }
            "define-macro" if rest.is_pair() && rest.car().is_pair() && scope.is_none() => {
                let name = rest.car().car();
                if !name.is(Type::Symbol) {
                    return self.bad(form);
                }
                let lambda = self.cons(rest.car().cdr(), rest.cdr())?;
                let lambda = self.cons_symbol("lambda", lambda)?;
                let thunk = self.compile(lambda)?;
                let expander = self.apply(thunk, NIL)?;
                name.set(3, expander);
                self.emit(Op::Constant, &[name])?;
                self.done(what)
            }
            _ => self.bad(form),
        }
    }

    fn cons_symbol(&mut self, name: &str, rest: Value) -> Result<Value> {
        let symbol = self.symbol(name.as_bytes())?;
        self.cons(symbol, rest)
    }

    #[expect(clippy::too_many_arguments, reason = "the form's parts, and where it is")]
    fn if_(
        &mut self,
        test: Value,
        then: Value,
        other: Option<Value>,
        scope: Option<&Scope<'_>>,
        what: For,
        here: Value,
        from: usize,
    ) -> Result<()> {
        self.form_in(test, scope, For::Value, here, from)?;
        let skip = self.emit_jump(Op::JumpIfFalse)?;
        self.form_in(then, scope, what, here, from)?;
        let end = if what == For::Value { Some(self.emit_jump(Op::Jump)?) } else { None };
        self.land(skip, from);
        self.form_in(other.unwrap_or(NOTHING), scope, what, here, from)?;
        if let Some(end) = end {
            self.land(end, from);
        }
        Ok(())
    }

    fn sequence(&mut self, forms: Value, scope: Option<&Scope<'_>>, what: For, here: Value, from: usize) -> Result<()> {
        let mut rest = forms;
        if rest == NIL {
            return self.simple(NOTHING, scope, what, here);
        }
        loop {
            if !rest.is_pair() {
                return self.bad(forms);
            }
            let (form, next) = (rest.car(), rest.cdr());
            if next == NIL {
                return self.form_in(form, scope, what, here, from);
            }
            self.form_in(form, scope, For::Value, here, from)?;
            self.emit(Op::Pop, &[])?;
            rest = next;
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the form's parts, and where it is")]
    fn connect(
        &mut self,
        forms: Value,
        op: Op,
        empty: bool,
        scope: Option<&Scope<'_>>,
        what: For,
        here: Value,
        from: usize,
    ) -> Result<()> {
        let (mut rest, mut ends) = (forms, 0);
        if !rest.is_pair() {
            return self.simple(Value::bool(empty), scope, what, here);
        }
        while rest.cdr().is_pair() {
            self.form_in(rest.car(), scope, For::Value, here, from)?;
            ends = self.emit_jump_with(op, ends)?;
            rest = rest.cdr();
        }
        self.form_in(rest.car(), scope, what, here, from)?;
        self.land_all(ends, what, from)
    }

    fn cond(&mut self, clauses: Value, scope: Option<&Scope<'_>>, what: For, here: Value, from: usize) -> Result<()> {
        let mut ends = 0;
        let mut clauses = List(clauses);
        let last = loop {
            let Some(clause) = clauses.next() else { break NIL };
            if !clause.is_pair() {
                return self.bad(clause);
            }
            let (head, body) = (clause.car(), clause.cdr());
            if head.is(Type::Symbol) && head.name() == b"else" {
                break body;
            }
            self.form_in(head, scope, For::Value, here, from)?;
            if body == NIL {
                ends = self.emit_jump_with(Op::JumpIfTrueOrPop, ends)?;
                continue;
            }
            let skip = self.emit_jump(Op::JumpIfFalse)?;
            self.sequence(body, scope, what, here, from)?;
            if what == For::Value {
                ends = self.emit_jump_with(Op::Jump, ends)?;
            }
            self.land(skip, from);
        };
        self.sequence(last, scope, what, here, from)?;
        self.land_all(ends, what, from)
    }

    /// Gives the variable the value that is on the stack, and leaves nothing to say there.
    fn assign(&mut self, name: Value, scope: Option<&Scope<'_>>, here: Value) -> Result<()> {
        if !name.is(Type::Symbol) {
            return self.bad(name);
        }
        match find(name, scope) {
            Some((outward, place)) => self.emit(Op::SetOuter, &[Value::int(outward), Value::int(place)]),
            None => self.emit(Op::SetGlobal, &[name, here]),
        }
    }

    fn define(&mut self, form: Value, scope: Option<&Scope<'_>>, what: For, here: Value, from: usize) -> Result<()> {
        let target = defined(form);
        if !target.is(Type::Symbol) {
            return self.bad(form);
        }
        if form.cdr().car().is_pair() {
            self.lambda(form.cdr().car().cdr(), form.cdr().cdr(), target, scope, here)?;
        } else {
            let mut values = List(form.cdr().cdr());
            let value = values.next().unwrap_or(NOTHING);
            if values.0 != NIL {
                return self.bad(form);
            }
            self.form_in(value, scope, For::Value, here, from)?;
        }
        match scope {
            None => self.emit(Op::DefineGlobal, &[target])?,
            Some(_) => {
                let Some((0, place)) = find(target, scope) else {
                    return self.fail("a definition comes at the start of a body or at the top", &[target]);
                };
                self.emit(Op::SetOuter, &[Value::int(0), Value::int(place)])?;
            }
        }
        self.done(what)
    }

    /// A procedure: puts it on the stack.
    fn lambda(
        &mut self,
        parameters: Value,
        body: Value,
        name: Value,
        scope: Option<&Scope<'_>>,
        here: Value,
    ) -> Result<()> {
        let names = self.names(parameters, body)?;
        let slots = List(names).count();
        let inner = Scope { names, outer: scope };
        let from = self.depth();
        self.sequence(body, Some(&inner), For::Result, here, from)?;
        let code = self.finish(from, parameters, name, slots)?;
        self.emit(Op::Closure, &[code])
    }

    /// The variables of a body: its parameters, and what is defined at its start.
    fn names(&mut self, parameters: Value, body: Value) -> Result<Value> {
        let from = self.depth();
        let mut rest = parameters;
        while rest.is_pair() {
            self.push(rest.car())?;
            rest = rest.cdr();
        }
        if rest != NIL {
            self.push(rest)?;
        }
        for form in List(body) {
            let head = if form.is_pair() { form.car() } else { NIL };
            if head.is(Type::Symbol) && head.name() == b"define" {
                let name = defined(form);
                self.push(name)?;
            }
        }
        for index in from..self.depth() {
            let name = self.stack(index);
            if !name.is(Type::Symbol) {
                return self.fail("a variable is a symbol", &[name]);
            }
        }
        self.list_from(from, NIL)
    }

    /// The variables of bindings, each of which is a variable and a value.
    fn variables(&mut self, bindings: Value) -> Result<Value> {
        let (from, mut list) = (self.depth(), List(bindings));
        for binding in &mut list {
            if !binding.is_pair() || !binding.cdr().is_pair() || binding.cdr().cdr() != NIL {
                return self.bad(binding);
            }
            self.push(binding.car())?;
        }
        if list.0 == NIL { self.list_from(from, NIL) } else { self.bad(bindings) }
    }

    fn let_(
        &mut self,
        which: usize,
        rest: Value,
        scope: Option<&Scope<'_>>,
        what: For,
        here: Value,
        from: usize,
    ) -> Result<()> {
        let (first, body) = (rest.car(), rest.cdr());
        if first.is(Type::Symbol) && FORMS[which] == "let" && body.is_pair() {
            return self.named_let(first, body.car(), body.cdr(), scope, what, here, from);
        }
        if FORMS[which] == "let*" && first.is_pair() && first.cdr().is_pair() {
            // One inside the other.
            let inner = self.cons(first.cdr(), body)?;
            let inner = self.cons_symbol("let*", inner)?;
            let inner = self.cons(inner, NIL)?;
            let outer = self.cons(first.car(), NIL)?;
            let outer = self.cons(outer, inner)?;
            let outer = self.cons_symbol("let", outer)?;
            return self.form_in(outer, scope, what, here, from);
        }
        let recursive = FORMS[which] == "letrec";
        let variables = self.variables(first)?;
        let names = self.names(variables, body)?;
        let slots = Value::int(List(names).count() as isize);
        let inner = Scope { names, outer: scope };
        if recursive {
            self.emit(Op::Enter, &[Value::int(0), slots])?;
        }
        let mut count = 0;
        for binding in List(first) {
            let value = binding.cdr().car();
            if recursive {
                self.form_in(value, Some(&inner), For::Value, here, from)?;
                self.emit(Op::SetOuter, &[Value::int(0), Value::int(count)])?;
                self.emit(Op::Pop, &[])?;
            } else {
                self.form_in(value, scope, For::Value, here, from)?;
            }
            count += 1;
        }
        if !recursive {
            self.emit(Op::Enter, &[Value::int(count), slots])?;
        }
        self.sequence(body, Some(&inner), what, here, from)?;
        if what == For::Value { self.emit(Op::Leave, &[]) } else { Ok(()) }
    }

    /// A loop: a procedure that is known in its own body alone, and called at once.
    #[expect(clippy::too_many_arguments, reason = "the form's parts, and where it is")]
    fn named_let(
        &mut self,
        name: Value,
        bindings: Value,
        body: Value,
        scope: Option<&Scope<'_>>,
        what: For,
        here: Value,
        from: usize,
    ) -> Result<()> {
        let parameters = self.variables(bindings)?;
        let names = self.cons(name, NIL)?;
        let inner = Scope { names, outer: scope };
        let frame = if what == For::Value { Some(self.emit_jump(Op::Frame)?) } else { None };
        // The values, which do not see the name, come behind the procedure: it is put into an environment of its own.
        self.emit(Op::Enter, &[Value::int(0), Value::int(1)])?;
        self.lambda(parameters, body, name, Some(&inner), here)?;
        self.emit(Op::SetOuter, &[Value::int(0), Value::int(0)])?;
        self.emit(Op::Pop, &[])?;
        self.emit(Op::Local, &[Value::int(0)])?;
        self.emit(Op::Leave, &[])?;
        let mut count = 0;
        for binding in List(bindings) {
            self.form_in(binding.cdr().car(), scope, For::Value, here, from)?;
            count += 1;
        }
        self.emit(if what == For::Value { Op::Call } else { Op::TailCall }, &[Value::int(count), here])?;
        if let Some(frame) = frame {
            self.land(frame, from);
        }
        Ok(())
    }

    /// A form that builds what a template says. `level` counts the templates around this one inside the outermost: what is
    /// unquoted there is theirs.
    fn quasi(&mut self, template: Value, level: usize, nesting: usize) -> Result<Value> {
        if nesting > NESTING {
            return self.fail("nested too deeply", &[]);
        }
        if !template.is_pair() {
            let quoted = self.cons(template, NIL)?;
            return self.cons_symbol("quote", quoted);
        }
        let head = template.car();
        let level_behind = match quasi_name(template) {
            Some(b"unquote") if level == 0 => return Ok(template.cdr().car()),
            Some(b"unquote-splicing") if level == 0 => return self.bad(template),
            Some(b"quasiquote") => level + 1,
            Some(_) => level - 1,
            None => level,
        };
        let rest = self.quasi(template.cdr(), level_behind, nesting + 1)?;
        let rest = self.cons(rest, NIL)?;
        if level == 0 && quasi_name(head) == Some(b"unquote-splicing") {
            let call = self.cons(head.cdr().car(), rest)?;
            return self.cons_procedure("append", call);
        }
        let first = self.quasi(head, level, nesting + 1)?;
        let call = self.cons(first, rest)?;
        self.cons_procedure("cons", call)
    }

    /// A call of what is a variable at the top, whatever its name is in the scope where the call is.
    fn cons_procedure(&mut self, name: &str, rest: Value) -> Result<Value> {
        let symbol = self.symbol(name.as_bytes())?;
        self.cons(symbol.word(2), rest)
    }
}

/// The name of a form of templates, if this is one.
fn quasi_name<'a>(template: Value) -> Option<&'a [u8]> {
    let form = template.is_pair() && template.car().is(Type::Symbol);
    let name = (form && template.cdr().is_pair() && template.cdr().cdr() == NIL).then(|| template.car().name())?;
    matches!(name, b"quasiquote" | b"unquote" | b"unquote-splicing").then_some(name)
}

/// What a definition defines: its second part, or what that begins with.
fn defined(form: Value) -> Value {
    let target = if form.cdr().is_pair() { form.cdr().car() } else { NIL };
    if target.is_pair() { target.car() } else { target }
}

/// Where a variable is: environments outward, and its place there.
fn find(name: Value, scope: Option<&Scope<'_>>) -> Option<(isize, isize)> {
    let (mut outward, mut at) = (0, scope);
    while let Some(scope) = at {
        if let Some(place) = List(scope.names).position(|other| other == name) {
            return Some((outward, place as isize));
        }
        (outward, at) = (outward + 1, scope.outer);
    }
    None
}
