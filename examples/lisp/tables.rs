//! Hash tables: keys are compared as `equal?` does it where they are numbers or strings, and by identity else.
//!
//! Nothing moves in this heap, so the address of an object is its hash for as long as it lives.

use crate::heap::{Lisp, Result};
use crate::value::{FALSE, NIL, Type, UNBOUND, Value};

/// FNV-1a.
pub(crate) fn hash_bytes(bytes: &[u8]) -> usize {
    let hash = bytes.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    (hash ^ hash >> 15) as usize
}

fn hash(key: Value) -> usize {
    match key.kind() {
        Some(Type::String) => hash_bytes(key.bytes()),
        // The two zeroes are one key, and the sum is the positive one for both.
        Some(Type::Float) => hash_bytes(&(key.as_float() + 0.0).to_bits().to_le_bytes()),
        _ => hash_bytes(&key.0.to_le_bytes()),
    }
}

/// Whether two keys are one.
fn same(a: Value, b: Value) -> bool {
    a == b
        || match (a.kind(), b.kind()) {
            (Some(Type::String), Some(Type::String)) => a.bytes() == b.bytes(),
            (Some(Type::Float), Some(Type::Float)) => a.as_float() == b.as_float(),
            _ => false,
        }
}

/// Where a key is or would be. A key that was removed is `NIL` there and its value `UNBOUND`; an empty place has `UNBOUND`
/// as its key.
fn place(table: Value, key: Value) -> usize {
    let keys = table.word(2);
    let mut at = hash(key) & (keys.len() - 1);
    while keys.at(at) != UNBOUND && !(same(keys.at(at), key) && table.word(3).at(at) != UNBOUND) {
        at = (at + 1) & (keys.len() - 1);
    }
    at
}

impl Lisp {
    pub(crate) fn table(&mut self, room: usize) -> Result<Value> {
        let table = self.object(Type::Table, 0, 4)?;
        table.set(1, Value::int(0));
        // Places that are not empty.
        table.set(4, Value::int(0));
        let keys = self.vector(room, UNBOUND)?;
        table.set(2, keys);
        let values = self.vector(room, UNBOUND)?;
        table.set(3, values);
        Ok(table)
    }

    pub(crate) fn table_get(&self, table: Value, key: Value) -> Option<Value> {
        let at = place(table, key);
        (table.word(2).at(at) != UNBOUND).then(|| table.word(3).at(at))
    }

    pub(crate) fn table_set(&mut self, table: Value, key: Value, value: Value) -> Result<()> {
        let mut at = place(table, key);
        if table.word(2).at(at) == UNBOUND {
            let used = table.word(4).as_int() as usize + 1;
            if used * 4 > table.word(2).len() * 3 {
                let room = (table.word(1).as_int() as usize + 1).next_power_of_two() * 2;
                let larger = self.table(room.max(8))?;
                for (key, value) in entries(table) {
                    let at = place(larger, key);
                    larger.word(2).set(1 + at, key);
                    larger.word(3).set(1 + at, value);
                }
                table.set(4, table.word(1));
                table.set(2, larger.word(2));
                table.set(3, larger.word(3));
                at = place(table, key);
            }
            table.set(1, Value::int(table.word(1).as_int() + 1));
            table.set(4, Value::int(table.word(4).as_int() + 1));
            table.word(2).set(1 + at, key);
        }
        table.word(3).set(1 + at, value);
        Ok(())
    }

    pub(crate) fn table_remove(&mut self, table: Value, key: Value) -> Value {
        let at = place(table, key);
        if table.word(2).at(at) == UNBOUND {
            return FALSE;
        }
        table.word(2).set(1 + at, NIL);
        table.word(3).set(1 + at, UNBOUND);
        table.set(1, Value::int(table.word(1).as_int() - 1));
        Value::bool(true)
    }
}

/// The keys and values of a table, in no particular order.
pub(crate) fn entries(table: Value) -> impl Iterator<Item = (Value, Value)> {
    let (keys, values) = (table.word(2), table.word(3));
    (0..keys.len()).map(move |at| (keys.at(at), values.at(at))).filter(|(_, value)| *value != UNBOUND)
}

/// Whether two values look alike: `equal?`. Nothing where they are nested further than `nesting`, so that nobody knows.
pub(crate) fn equal(a: Value, b: Value, nesting: usize) -> Option<bool> {
    let (mut a, mut b) = (a, b);
    while !same(a, b) {
        if a.is_pair() && b.is_pair() {
            if !equal(a.car(), b.car(), nesting.checked_sub(1)?)? {
                return Some(false);
            }
            (a, b) = (a.cdr(), b.cdr());
            continue;
        }
        if !(a.is(Type::Vector) && b.is(Type::Vector) && a.len() == b.len()) {
            return Some(false);
        }
        for index in 0..a.len() {
            if !equal(a.at(index), b.at(index), nesting.checked_sub(1)?)? {
                return Some(false);
            }
        }
        return Some(true);
    }
    Some(true)
}
