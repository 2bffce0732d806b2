//! The commands that look after the data folder. Each works while a server runs on it.

pub(crate) mod cert;
pub(crate) mod device;
pub(crate) mod firmware;
pub(crate) mod import;
