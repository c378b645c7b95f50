//! Scripts are compiled, and run by rhai's interpreter: calls, arithmetic, arrays, maps, strings and closures.

use rhai::{Engine, INT};

use crate::input::Sum;

const ROUNDS: usize = 6;

const SCRIPTS: [&str; 5] = [
    // Calls.
    "fn fib(n) { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } }
     fib(21)",
    // An array that is changed in place.
    "let prime = [];
     prime.pad(20000, true);
     let count = 0;
     for n in 2..20000 {
         if prime[n] {
             count += 1;
             let multiple = n * n;
             while multiple < 20000 { prime[multiple] = false; multiple += n; }
         }
     }
     count",
    // Maps in arrays, sorted and joined.
    "let people = [];
     let seed = 12345;
     for n in 0..3000 {
         seed = (seed * 1103515245 + 12345) % 2147483648;
         people.push(#{ number: n, name: `person ${seed % 1000}`, age: seed % 90, friends: [n, n + 1] });
     }
     people.sort(|a, b| if a.age != b.age { a.age - b.age } else { a.number - b.number });
     let names = people.filter(|p| p.age > 30).map(|p| p.name);
     let sum = 0;
     for (name, index) in names { sum += name.len() * index % 1000; }
     sum",
    // Strings.
    "let text = \"\";
     for n in 0..6000 { text += n.to_string() + \" \"; }
     let words = text.split(\" \");
     let counts = #{};
     for word in words {
         let key = word.len().to_string();
         counts[key] = (counts[key] ?? 0) + 1;
     }
     let sum = 0;
     for key in counts.keys() { sum = sum * 31 + counts[key]; }
     sum",
    // Trees.
    "fn tree(depth) { if depth == 0 { #{} } else { #{ left: tree(depth - 1), right: tree(depth - 1) } } }
     fn count(tree) { if tree.is_empty() { 1 } else { 1 + count(tree.left) + count(tree.right) } }
     count(tree(11))",
];

/// The number for what the scripts return.
pub fn work() -> u64 {
    // Else each build has seeds of its own, and other collisions.
    rhai::config::hashing::set_hashing_seed(Some([1, 2, 3, 4])).expect("no seed is set yet");
    let mut sum = Sum::new();
    for _ in 0..ROUNDS {
        let mut engine = Engine::new();
        engine.set_max_expr_depths(0, 0);
        for script in SCRIPTS {
            let result: INT = engine.eval(script).expect("the script runs");
            sum.number(result as u64);
        }
    }
    sum.finish()
}
