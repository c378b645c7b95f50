//! Host side of rt0's proof: [`run`] is what runs a program under a limit, [`check`] is what must then hold.
//! `tests/README.md` is the map.

pub mod check;
pub mod port;
pub mod run;
