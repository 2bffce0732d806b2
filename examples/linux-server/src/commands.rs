//! The commands that look after the data folder. Each works while a server runs on it: the devices
//! file is changed under its lock, every file is replaced as a whole, the log only grows.

pub(crate) mod arguments;
pub(crate) mod ca;
pub(crate) mod cert;
pub(crate) mod device;
pub(crate) mod firmware;
pub(crate) mod import;

mod configs;
pub(crate) mod files;
pub(crate) mod print;
mod records;
