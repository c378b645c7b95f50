//! The machine: runs what the compiler has made.
//!
//! It calls itself only where a macro is expanded. A procedure that calls another one leaves on the language's stack where it
//! is to go on, three values; one that does so as its last act leaves nothing, so a loop may be a procedure that calls
//! itself. A guard leaves five. When the language's stack is full, that is an error of the language.

use crate::builtins::{self, BUILTINS};
use crate::compiler::Op;
use crate::heap::{Lisp, NO_DEPTH, NO_MEMORY, Result};
use crate::reader::at_position;
use crate::value::{FALSE, List, NIL, NOTHING, Type, UNBOUND, Value};

/// Overwrites what functions have left on the machine's stack below here: where memory has run out, a word of theirs that is
/// still there may be all that keeps it.
#[inline(never)]
fn forget() {
    core::hint::black_box(&mut [0_usize; 512]);
}

/// Where the machine is.
struct State {
    /// Instructions, `NIL` where the machine was started.
    code: Value,
    /// The next one.
    at: usize,
    environment: Value,
    /// The position of the last call that has one.
    here: Value,
}

impl State {
    #[inline(always)]
    fn next(&mut self) -> Value {
        let value = self.code.at(self.at);
        self.at += 1;
        value
    }

    /// A place in the environment so many outward.
    fn outer(&mut self) -> (Value, usize) {
        let outward = self.next().as_int();
        let place = self.next().as_int() as usize;
        let mut environment = self.environment;
        for _ in 0..outward {
            environment = environment.word(1);
        }
        (environment, 2 + place)
    }
}

impl Lisp {
    /// Calls a procedure with the values of a list.
    pub(crate) fn apply(&mut self, procedure: Value, arguments: Value) -> Result<Value> {
        self.nesting += 1;
        let result = if self.nesting > crate::reader::NESTING {
            Err(self.kept(NO_DEPTH))
        } else {
            self.start(procedure, arguments)
        };
        self.nesting -= 1;
        result
    }

    fn start(&mut self, procedure: Value, arguments: Value) -> Result<Value> {
        let depth = self.depth();
        let guard = self.guard;
        let mut state = State { code: NIL, at: 0, environment: NIL, here: FALSE };
        self.push_frame(&state, 0)?;
        self.push(procedure)?;
        let count = self.push_all(arguments)?;
        let mut raised = self.call(&mut state, count).err();
        loop {
            match raised.take() {
                None if state.code == NIL => return Ok(self.pop()),
                None => raised = self.run(&mut state).err(),
                Some(error) => {
                    let error = self.place(error, state.here);
                    if self.guard == guard {
                        self.set_depth(depth);
                        return Err(error);
                    }
                    self.unwind(&mut state);
                    if error == self.kept(NO_MEMORY) {
                        self.spend_reserve();
                    }
                    raised = self.push(error).err();
                }
            }
        }
    }

    /// Puts the values of a list on the stack; how many there are.
    fn push_all(&mut self, list: Value) -> Result<usize> {
        let (mut values, mut count) = (List(list), 0);
        for value in &mut values {
            self.push(value)?;
            count += 1;
        }
        if values.0 == NIL { Ok(count) } else { self.fail("this is not a list", &[list]) }
    }

    /// An error learns where it was. Those that are made beforehand learn it each time.
    fn place(&mut self, error: Value, here: Value) -> Value {
        if error == self.kept(NO_MEMORY) || error == self.kept(NO_DEPTH) {
            error.set(3, here);
        }
        at_position(error, here)
    }

    /// Goes to the innermost guard, which has ended then.
    fn unwind(&mut self, state: &mut State) {
        self.set_depth(self.guard);
        self.pop_guard(state);
        forget();
    }

    fn pop_guard(&mut self, state: &mut State) {
        state.environment = self.pop();
        state.at = self.pop().as_int() as usize;
        state.code = self.pop();
        self.nesting = self.pop().as_int() as usize;
        self.guard = self.pop().as_int() as usize;
    }

    fn push_frame(&mut self, state: &State, at: usize) -> Result<()> {
        self.push(state.code)?;
        self.push(Value::int(at as isize))?;
        self.push(state.environment)
    }

    /// Runs until the machine is where it was started, or something is raised. Never inlined: what it leaves on the machine's
    /// stack is below the frame of who overwrites it.
    #[inline(never)]
    fn run(&mut self, state: &mut State) -> Result<()> {
        while state.code != NIL {
            match Op::of(state.next()) {
                Op::Constant => {
                    let value = state.next();
                    self.push(value)?;
                }
                Op::Local => {
                    let value = state.environment.word(2 + state.code.at(state.at).as_int() as usize);
                    state.at += 1;
                    self.push(value)?;
                }
                Op::Outer => {
                    let (environment, place) = state.outer();
                    self.push(environment.word(place))?;
                }
                Op::Global => {
                    let symbol = state.next();
                    let here = state.next();
                    let value = symbol.word(2);
                    if value == UNBOUND {
                        state.here = here;
                        return self.fail("this variable has no value", &[symbol]);
                    }
                    self.push(value)?;
                }
                Op::SetOuter => {
                    let (environment, place) = state.outer();
                    let value = self.pop();
                    environment.set(place, value);
                    self.push(NOTHING)?;
                }
                Op::SetGlobal => {
                    let symbol = state.next();
                    let here = state.next();
                    if symbol.word(2) == UNBOUND {
                        state.here = here;
                        return self.fail("this variable has no value", &[symbol]);
                    }
                    let value = self.pop();
                    symbol.set(2, value);
                    self.push(NOTHING)?;
                }
                Op::DefineGlobal => {
                    let symbol = state.next();
                    let value = self.pop();
                    symbol.set(2, value);
                    self.push(NOTHING)?;
                }
                Op::Jump => state.at = state.next().as_int() as usize,
                Op::JumpIfFalse => {
                    let target = state.next().as_int() as usize;
                    if !self.pop().is_true() {
                        state.at = target;
                    }
                }
                op @ (Op::JumpOrPop | Op::JumpIfTrueOrPop) => {
                    let target = state.next().as_int() as usize;
                    let value = self.pop();
                    if value.is_true() == (op == Op::JumpIfTrueOrPop) {
                        self.push(value)?;
                        state.at = target;
                    }
                }
                Op::Closure => {
                    let code = state.next();
                    let closure = self.object(Type::Closure, 0, 2)?;
                    closure.set(1, code);
                    closure.set(2, state.environment);
                    self.push(closure)?;
                }
                Op::Frame => {
                    let back = state.next().as_int() as usize;
                    self.push_frame(state, back)?;
                }
                Op::Call | Op::TailCall => {
                    let count = state.next().as_int() as usize;
                    // What has no position, the prelude, is where it was called from.
                    match state.next() {
                        FALSE => {}
                        here => state.here = here,
                    }
                    self.call(state, count)?;
                }
                Op::Return => {
                    let value = self.pop();
                    self.go_back(state, value)?;
                }
                Op::Pop => {
                    self.pop();
                }
                Op::Enter => {
                    let count = state.next().as_int() as usize;
                    let slots = state.next().as_int() as usize;
                    state.environment = self.enter(state.environment, count, slots)?;
                }
                Op::Leave => state.environment = state.environment.word(1),
                Op::Guard => {
                    let handler = state.next().as_int() as usize;
                    self.make_reserve();
                    let (guard, nesting) = (Value::int(self.guard as isize), Value::int(self.nesting as isize));
                    self.push(guard)?;
                    self.push(nesting)?;
                    self.push_frame(state, handler)?;
                    self.guard = self.depth();
                }
                Op::Unguard => {
                    let value = self.pop();
                    let at = state.at;
                    // The same procedure, and the same environment.
                    self.pop_guard(state);
                    state.at = at;
                    self.push(value)?;
                }
            }
        }
        Ok(())
    }

    /// An environment of the uppermost values of the stack, which are taken off, and of more places.
    fn enter(&mut self, outer: Value, count: usize, slots: usize) -> Result<Value> {
        let environment = self.object(Type::Environment, slots, 1 + slots)?;
        environment.set(1, outer);
        let from = self.depth() - count;
        for index in 0..count {
            environment.set(2 + index, self.stack(from + index));
        }
        for index in count..slots {
            environment.set(2 + index, NOTHING);
        }
        self.set_depth(from);
        Ok(environment)
    }

    /// Returns a value to where the machine is to go on.
    fn go_back(&mut self, state: &mut State, value: Value) -> Result<()> {
        state.environment = self.pop();
        state.at = self.pop().as_int() as usize;
        state.code = self.pop();
        self.push(value)
    }

    /// Calls what lies below `count` arguments on the stack.
    fn call(&mut self, state: &mut State, count: usize) -> Result<()> {
        let mut count = count;
        loop {
            let first = self.depth() - count;
            let procedure = self.stack(first - 1);
            match procedure.kind() {
                Some(Type::Closure) => {
                    let code = procedure.word(1);
                    let (wanted, more) = (code.word(2).as_int() as usize, code.word(3).is_true());
                    if count < wanted || (count > wanted && !more) {
                        return self.fail("the number of arguments is wrong", &[procedure, Value::int(count as isize)]);
                    }
                    if more {
                        let list = self.list_from(first + wanted, NIL)?;
                        self.push(list)?;
                    }
                    let count = wanted + usize::from(more);
                    state.environment = self.enter(procedure.word(2), count, code.word(4).as_int() as usize)?;
                    self.pop();
                    (state.code, state.at) = (code.word(1), 0);
                    return Ok(());
                }
                Some(Type::Builtin) => {
                    let (name, least, most, body) = BUILTINS[procedure.len()];
                    if count < least || count > most {
                        return self.fail("the number of arguments is wrong", &[procedure, Value::int(count as isize)]);
                    }
                    match name {
                        // The procedure takes the place of `apply`, and the list's values those of the list.
                        "apply" => {
                            let (procedure, list) = (self.stack(first), self.stack(first + 1));
                            self.set_stack(first - 1, procedure);
                            self.set_depth(first);
                            count = self.push_all(list)?;
                        }
                        "eval" => {
                            let form = self.stack(first);
                            let procedure = self.compile(form)?;
                            self.set_stack(first - 1, procedure);
                            self.set_depth(first);
                            count = 0;
                        }
                        _ => {
                            let value = body(self, builtins::Arguments { first, count })?;
                            self.set_depth(first - 1);
                            return self.go_back(state, value);
                        }
                    }
                }
                _ => return self.fail("this cannot be called", &[procedure]),
            }
        }
    }
}
