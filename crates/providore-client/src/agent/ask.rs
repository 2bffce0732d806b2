//! From an operation to its outcome: find, wait, send, receive, and remember what it cost.

use providore_sign::MacKey;
use providore_wire::Timestamp;

use super::{Agent, AgentError, Event};
use crate::{
    Body as _, BufferedOperation, Clock, Device, Error, Exchange, Locator as _, Parts,
    ServerAddress, Transport as _,
};

impl<K: MacKey, P: Parts> Agent<'_, K, P> {
    /// What every call to the server begins with: what is owed is waited out, and somebody to ask
    /// is found.
    pub(super) async fn approach(&mut self) -> Result<ServerAddress, AgentError> {
        let milliseconds = core::mem::take(&mut self.owed_ms);
        if milliseconds > 0 {
            self.say(&Event::Waiting { milliseconds });
            self.platform.parts().clock.sleep_ms(milliseconds).await;
        }
        if let Some(server) = &self.server {
            return Ok(server.clone());
        }
        let locator = &mut self.platform.parts().locator;
        let mut candidate = locator.next().await;
        if candidate.is_none() {
            // The end of a round: begin the next.
            candidate = locator.next().await;
        }
        let server = candidate.ok_or(AgentError::NoServer)?;
        self.say(&Event::Server(&server));
        self.server = Some(server.clone());
        Ok(server)
    }

    /// What every call ends with: a success forgives, a failure costs a wait, and one for which
    /// the server is to blame sends the next call to another candidate.
    pub(super) fn settle<T>(&mut self, outcome: Result<T, AgentError>) -> Result<T, AgentError> {
        match &outcome {
            Ok(_) => self.failures = 0,
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                let asked = error.answer().and_then(Error::retry_after_s);
                let entropy = &mut self.platform.parts().entropy;
                self.owed_ms = self.settings.retry.wait_ms(self.failures, asked, entropy);
                if error.blames_the_server() {
                    self.server = None;
                }
            }
        }
        outcome
    }
}

/// Who asks whom, by what.
pub(super) struct Line<'l, K, P> {
    pub(super) device: &'l mut Device<K>,
    pub(super) platform: &'l mut P,
    pub(super) server: &'l ServerAddress,
}

impl<K: MacKey, P: Parts> Line<'_, K, P> {
    /// One exchange whose answer fits `document`; it comes in parts of `chunk`.
    pub(super) async fn ask<'b, O: BufferedOperation>(
        self,
        operation: O,
        chunk: &mut [u8],
        document: &'b mut [u8],
    ) -> Result<O::Outcome<'b>, AgentError> {
        let Self {
            device,
            platform,
            server,
        } = self;
        let parts = platform.parts();
        let asked = now(&mut parts.clock)?;
        let exchange = Exchange::ask(operation, device, asked).map_err(Error::Key)?;
        let mut answer = parts.transport.send(server, &exchange.request()).await?;
        let arrived = now(&mut parts.clock)?;
        let mut receiving = exchange.receive(device, &answer.head, document, arrived)?;
        loop {
            let length = answer.body.read(chunk).await?;
            match chunk.get(..length) {
                Some(part) if length > 0 => receiving.chunk(part)?,
                _ => break,
            }
        }
        Ok(receiving.finish()?)
    }
}

pub(super) fn now(clock: &mut impl Clock) -> Result<Timestamp, AgentError> {
    clock.now().ok_or(AgentError::ClockNotSet)
}
