//! From an operation to its outcome: find, wait, send, receive, and remember what it cost.

use providore_sign::MacKey;
use providore_wire::Method;

use super::{Agent, AgentError, Event};
use crate::{
    Body, BufferedOperation, Clock as _, Device, EntityTag, Error, Exchange, Locator as _, Moment,
    Operation, Parts, PlatformOf, Record, SignedAnswer, Storage as _, Transport as _,
    exchange::{Target, sealed::Question},
};

impl<K: MacKey, P: Parts> Agent<'_, K, P> {
    /// What every call to the server begins with: stored secrets are read, what is owed is waited
    /// out, and somebody to ask is found.
    pub(super) async fn approach(&mut self) -> Result<Approached, AgentError> {
        #[cfg(feature = "secret-rotation")]
        self.resume_secret().await?;
        let owed_ms = core::mem::take(&mut self.owed_ms);
        // Nobody can make a trial outlast its time by asking for patience.
        let milliseconds = owed_ms.min(self.trial_left_ms().unwrap_or(u64::MAX));
        if milliseconds > 0 {
            self.say(&Event::Waiting { milliseconds });
            self.platform.parts().clock.sleep_ms(milliseconds).await;
        }
        // An application may have put another platform in its place.
        let is_there = self.platform.parts().locator.current().is_some();
        if self.keeps_server && is_there {
            return Ok(Approached(()));
        }
        self.recall_server().await;
        let locator = &mut self.platform.parts().locator;
        // The end of a round is followed by the next one.
        if locator.next().await.is_none() && locator.next().await.is_none() {
            return Err(AgentError::NoServer);
        }
        self.keeps_server = true;
        if let (Some(report), Some(server)) = (&mut self.report, locator.current()) {
            report(&Event::Server(server));
        }
        Ok(Approached(()))
    }

    /// What every call ends with: a success forgives, a failure costs a wait, and one for which
    /// the server is to blame sends the next call to another candidate.
    pub(super) async fn settle<T>(
        &mut self,
        outcome: Result<T, AgentError>,
    ) -> Result<T, AgentError> {
        match &outcome {
            Ok(_) => {
                self.failures = 0;
                self.confirm_server().await;
            }
            Err(error) => self.owe(error),
        }
        #[cfg(feature = "secret-rotation")]
        self.keep_secret_or_say().await;
        outcome
    }

    /// What a failure costs.
    #[inline(never)] // There is a `settle` for each outcome.
    fn owe(&mut self, error: &AgentError) {
        self.failures = self.failures.saturating_add(1);
        let asked = error.answer().and_then(Error::retry_after_s);
        let entropy = &mut self.platform.parts().entropy;
        self.owed_ms = self.settings.retry.wait_ms(self.failures, asked, entropy);
        if error.blames_the_server() {
            self.keeps_server = false;
        }
    }

    /// Tells the locator, once, which server was good before the start. A record that cannot be read
    /// costs a search.
    async fn recall_server(&mut self) {
        if !P::Locator::REMEMBERS || core::mem::replace(&mut self.recalled, true) {
            return;
        }
        let parts = self.platform.parts();
        let stored = parts.storage.load(Record::Server, self.buffers.chunk).await;
        let text = stored.ok().flatten().map(core::str::from_utf8);
        if let Some(Ok(text)) = text
            && let Ok(address) = text.parse()
        {
            parts.locator.recall(&address);
        }
    }

    /// Tells the locator that its server has proved itself, and keeps the address if it is another
    /// one. One that cannot be kept costs a search after the next start.
    async fn confirm_server(&mut self) {
        let parts = self.platform.parts();
        if P::Locator::REMEMBERS
            && parts.locator.confirm()
            && let Some(server) = parts.locator.current()
        {
            let address = server.as_str().as_bytes();
            let _ = parts.storage.store(Record::Server, address).await;
        }
    }

    /// One exchange whose answer fits the document buffer.
    #[cfg(any(
        feature = "config-trial",
        feature = "certificates",
        feature = "secret-rotation",
        feature = "server-trusted-firmware",
        feature = "update"
    ))]
    pub(super) async fn ask<O: BufferedOperation>(
        &mut self,
        _: &Approached,
        operation: O,
    ) -> Result<O::Outcome<'_>, AgentError> {
        let mut pending = Pending::of(operation);
        let (chunk, document) = (&mut *self.buffers.chunk, &mut *self.buffers.document);
        let line = Line {
            device: &mut self.device,
            platform: &mut self.platform,
        };
        line.ask(&mut pending, chunk, document).await?;
        pending.into_outcome()
    }
}

/// That the locator's current candidate may be asked now; only [`Agent::approach`] makes one.
pub(super) struct Approached(());

/// Who asks the locator's current candidate, by what.
pub(super) struct Line<'l, K, P> {
    pub(super) device: &'l mut Device<K>,
    pub(super) platform: &'l mut P,
}

impl<K: MacKey, P: Parts> Line<'_, K, P> {
    /// One exchange whose answer fits `document`; it comes in parts of `chunk`. Refused with a
    /// challenge, it is repeated as [`Repetitions`] allow. There is one for all operations.
    pub(super) async fn ask<'b>(
        self,
        pending: &mut dyn Conversation<'b>,
        chunk: &mut [u8],
        document: &'b mut [u8],
    ) -> Result<(), AgentError> {
        let Self { device, platform } = self;
        let parts = platform.parts();
        let mut repetitions = Repetitions::of(device);
        loop {
            let question = Asking(pending.question()?);
            let exchange = Exchange::ask(question, device, moment::<P>(parts), chunk)?;
            let server = parts.locator.current().ok_or(AgentError::NoServer)?;
            let mut answer = parts.transport.send(server, &exchange.request()).await?;
            let clock = parts.clock.now();
            let opened = match exchange.open(device, &answer.head, clock) {
                Err(error) if repetitions.allow(&error) => continue,
                opened => opened?,
            };
            let mut receiving = opened.into_buffer((), document);
            loop {
                let room = receiving.room();
                // Only a body that is too long has anything to say in a full buffer.
                let room = if room.is_empty() { &mut *chunk } else { room };
                match answer.body.read(room).await? {
                    0 => break,
                    length => receiving.take(length)?,
                }
            }
            let ((), proven) = receiving.answer()?;
            pending.conclude(proven);
            return Ok(());
        }
    }
}

/// An operation that is asked, and what comes of it.
pub(super) struct Pending<'b, O: BufferedOperation> {
    operation: Option<O>,
    outcome: Option<Result<O::Outcome<'b>, Error>>,
}

impl<'b, O: BufferedOperation> Pending<'b, O> {
    pub(super) const fn of(operation: O) -> Self {
        Self {
            operation: Some(operation),
            outcome: None,
        }
    }

    /// What came of it, after [`Line::ask`] ended well.
    pub(super) fn outcome(&self) -> Result<&O::Outcome<'b>, AgentError> {
        match &self.outcome {
            Some(Ok(outcome)) => Ok(outcome),
            Some(Err(error)) => Err((*error).into()),
            None => Err(Error::NotInDialect.into()),
        }
    }

    /// The same, taken out.
    pub(super) fn into_outcome(self) -> Result<O::Outcome<'b>, AgentError> {
        Ok(self.outcome.ok_or(Error::NotInDialect)??)
    }
}

/// A [`Pending`] of any operation.
pub(super) trait Conversation<'b> {
    fn question(&self) -> Result<&dyn Question, Error>;

    fn conclude(&mut self, answer: SignedAnswer<'_, 'b>);
}

impl<'b, O: BufferedOperation> Conversation<'b> for Pending<'b, O> {
    fn question(&self) -> Result<&dyn Question, Error> {
        match &self.operation {
            Some(operation) => Ok(operation),
            None => Err(Error::NotInDialect),
        }
    }

    fn conclude(&mut self, answer: SignedAnswer<'_, 'b>) {
        let operation = self.operation.take();
        self.outcome = operation.map(|operation| operation.conclude(answer));
    }
}

/// The question of any operation.
pub(super) struct Asking<'q>(pub(super) &'q dyn Question);

impl Operation for Asking<'_> {}

impl Question for Asking<'_> {
    fn method(&self) -> Method {
        self.0.method()
    }

    fn target(&self) -> Target<'_> {
        self.0.target()
    }

    fn unless(&self) -> Option<&EntityTag> {
        self.0.unless()
    }

    fn part(&self) -> Option<(&str, &EntityTag)> {
        self.0.part()
    }

    fn content(&self) -> Option<(&'static str, &[u8])> {
        self.0.content()
    }

    fn is_signed_only(&self) -> bool {
        self.0.is_signed_only()
    }

    fn is_secret(&self) -> bool {
        self.0.is_secret()
    }
}

pub(super) fn moment<P: Parts>(parts: &mut PlatformOf<P>) -> Moment {
    Moment::draw(parts.clock.now(), &mut parts.entropy)
}

/// How often a question is asked again at once, over the challenge of the refusal before: once; and
/// once more by a device of two secrets, since the server may have the other one.
pub(super) struct Repetitions(u8);

impl Repetitions {
    pub(super) const fn of<K: MacKey>(device: &Device<K>) -> Self {
        Self(if device.has_next_secret() { 2 } else { 1 })
    }

    pub(super) const fn allow(&mut self, error: &Error) -> bool {
        let left = self.0;
        self.0 = left.saturating_sub(1);
        left > 0 && error.is_challenge()
    }
}
