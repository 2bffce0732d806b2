//! What time it is, for what depends on it.

use providore_sign::MacKey;
use providore_wire::Timestamp;

use super::{Agent, AgentError};
use crate::{Clock as _, Error, Parts, TimeCheck};

impl<K: MacKey, P: Parts> Agent<'_, K, P> {
    /// What time it is.
    pub(super) fn time(&mut self) -> Result<Timestamp, AgentError> {
        let clock = self.platform.parts().clock.now();
        let time = self.device.server_time().now(clock);
        time.ok_or(AgentError::Answer(Error::ClockNotSet))
    }

    /// What time it is, for a step that needs to know it: asked for, if no answer has told it.
    pub(super) async fn known_time(&mut self) -> Result<Timestamp, AgentError> {
        let known = self.device.server_time().now(None).is_some();
        if !known && self.device.session().is_some() {
            let server = self.approach().await?;
            let outcome = self.ask(&server, TimeCheck::new()).await;
            self.settle(outcome).await?;
        }
        self.time()
    }
}
