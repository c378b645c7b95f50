use std::collections::HashMap;
#[derive(Debug, Clone, PartialEq)]
struct P { a: String, b: Vec<u32>, c: Option<Box<P>> }
fn main() { let mut m: HashMap<String, P> = HashMap::new(); for i in 0..100 { m.insert(format!("{i}"), P{a:i.to_string(), b: (0..i).collect(), c: None}); }
 let mut v: Vec<_> = m.iter().filter(|(k,_)| k.len()>1).map(|(k,p)| (k.clone(), p.clone())).collect(); v.sort_by(|a,b| a.0.cmp(&b.0)); println!("{:?}", v); }
