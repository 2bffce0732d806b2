//! The protocol holds, and no rule of it is there for nothing.
//!
//! For each rule there is a test without it, in which the checker has to find the attack that the
//! rule prevents; the test shows the steps of that attack.

mod agreement;
mod check;
mod freshness;
mod rotation;
