//! Telling the server that firmware finds no place on this device.

use providore_sign::MacKey;

use super::{Agent, ask::Approached};
use crate::{Outcome, Parts, Report, StoreError, Subject};

impl<K: MacKey, P: Parts> Agent<'_, K, P> {
    /// Tells it, if `error` says so. This is about the device and not about the release, which is
    /// installed when there is room again.
    pub(super) async fn tell_no_place(&mut self, server: &Approached, error: &StoreError) {
        if !error.is_full() && !error.is_unsuitable() {
            return;
        }
        let why = text(error);
        let why = AsRef::<str>::as_ref(&why);
        let report = Report::new(Subject::Device, Outcome::Failed, None, why);
        self.tell(server, report).await;
    }
}

/// This error and its cause.
#[cfg(feature = "alloc")]
fn text(error: &StoreError) -> alloc::string::String {
    match core::error::Error::source(error) {
        Some(source) => alloc::format!("firmware: {error}: {source}"),
        None => alloc::format!("firmware: {error}"),
    }
}

/// Only what kind of error this is: formatting text takes more room than all of the agent.
#[cfg(not(feature = "alloc"))]
const fn text(error: &StoreError) -> &'static str {
    error.what()
}
