//! `GET /secret`.

use bytes::Bytes;

use super::{Authenticated, Proof, Secret, Server, text};
use crate::{Moment, Response, StoreError};

impl<S> Server<S> {
    /// The secret that is to replace the device's own, encrypted; nothing if none waits.
    pub(super) fn next_secret<I>(
        &self,
        asked: &Authenticated<'_>,
        moment: &Moment,
    ) -> Result<Response<I>, StoreError> {
        let waits = match (asked.proof(), asked.device().next_secret()) {
            // With the next one it has just become the only one.
            (Proof::Signed(_, Secret::Present), Some(secret)) => Bytes::copy_from_slice(secret),
            _ => return Ok(Response::empty(204)),
        };
        self.conceal(asked, text(200, "text/plain", waits), moment)
    }
}
