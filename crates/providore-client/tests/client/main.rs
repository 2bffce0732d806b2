//! The client against a server made with `providore-sign`, through the public API.

#[cfg(feature = "memory")]
mod agent;
mod attacks;
mod operations;
#[cfg(feature = "memory")]
mod power_cuts;
mod support;
