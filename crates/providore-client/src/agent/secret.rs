//! The secret of the day: make before break.
//!
//! ```text
//! GET /secret ─▶ store NextSecret ─▶ sign with it ─▶ a good answer ─▶ store Secret ─▶ remove NextSecret
//! ```
//!
//! A server that sees the next secret in use stores it as the only one before it answers. Power that
//! fails between any two steps leaves device and server with one secret in common.

use providore_sign::MacKey;
use zeroize::Zeroizing;

use super::{Agent, AgentError, Event, Step, ask::Approached};
use crate::{
    Error, NextSecret, Parts, Record, Storage as _, StoreError, TimeCheck, VerifiedSecret,
    device::RECORD_LEN,
};

/// What became of the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretStep {
    /// It stays.
    Kept,
    /// Another one has been stored beside it, and the server has not been seen to have it.
    Waiting,
    /// Another one has been stored in its place.
    Replaced,
}

/// What the agent knows of the stored secrets.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    /// Whether they have been read.
    resumed: bool,
    /// Whether [`Record::NextSecret`] holds what the device has as its next secret, or had.
    next_is_stored: bool,
}

type RecordBuffer = Zeroizing<[u8; RECORD_LEN]>;

impl<K: MacKey, P: Parts> Agent<'_, K, P> {
    /// Asks whether another secret waits; stores it, and asks once more to see whether the server
    /// has it. Only in the `Signed` dialect.
    ///
    /// The secret that the application gave is no longer accepted by the server after that: from
    /// then on [`Record::Secret`] holds the one that is, and every agent with the same storage reads
    /// it before it asks anything. Given another secret than the one that was succeeded, an agent
    /// does not look at what is stored.
    ///
    /// # Errors
    /// [`AgentError`]; a secret that the server has is never lost.
    pub async fn check_secret(&mut self) -> Result<SecretStep, AgentError> {
        let server = self.approach().await?;
        let outcome = self.follow_secret(&server).await;
        self.settle(outcome).await
    }

    async fn follow_secret(&mut self, server: &Approached) -> Result<SecretStep, AgentError> {
        let waiting = self.ask(server, NextSecret::new()).await?;
        // Before anything else is stored as the next one.
        let replaced = self.keep_secret().await?;
        let Some(secret) = waiting else {
            self.forget_next().await?;
            return Ok(if replaced {
                SecretStep::Replaced
            } else {
                SecretStep::Kept
            });
        };
        self.store_next(&secret).await?;
        drop(secret);
        self.ask(server, TimeCheck::new()).await?;
        Ok(if self.keep_secret().await? {
            SecretStep::Replaced
        } else {
            SecretStep::Waiting
        })
    }

    async fn store_next(&mut self, secret: &VerifiedSecret) -> Result<(), AgentError> {
        let session = self.device.session().ok_or(Error::NotInDialect)?;
        let mut buffer = RecordBuffer::new([0; RECORD_LEN]);
        let record = session.rotation().record_of(secret.expose(), &mut buffer);
        let storage = &mut self.platform.parts().storage;
        let stored = storage.store(Record::NextSecret, record).await;
        stored.map_err(AgentError::Storage)?;
        self.secrets.next_is_stored = true;
        let set = self.device.set_next_secret(secret.expose());
        set.map_err(Error::Key)?;
        self.say(&Event::SecretReceived);
        Ok(())
    }

    /// The server has no other secret for this device: what was stored as that is of no use.
    async fn forget_next(&mut self) -> Result<(), AgentError> {
        if !self.device.has_next_secret() {
            return Ok(());
        }
        let storage = &mut self.platform.parts().storage;
        let removed = storage.remove(Record::NextSecret).await;
        removed.map_err(AgentError::Storage)?;
        self.secrets.next_is_stored = false;
        self.device.forget_next_secret();
        self.say(&Event::SecretForgotten);
        Ok(())
    }

    /// Stores the next secret as the only one, once an answer was signed with it.
    async fn keep_secret(&mut self) -> Result<bool, AgentError> {
        if !self.secrets.next_is_stored || self.device.has_next_secret() {
            return Ok(false);
        }
        let mut buffer = RecordBuffer::new([0; RECORD_LEN]);
        let storage = &mut self.platform.parts().storage;
        let record = storage.load(Record::NextSecret, &mut *buffer).await;
        if let Some(record) = record.map_err(AgentError::Storage)? {
            let stored = storage.store(Record::Secret, record).await;
            stored.map_err(AgentError::Storage)?;
            let removed = storage.remove(Record::NextSecret).await;
            removed.map_err(AgentError::Storage)?;
        } else {
            // Another agent on the same storage has come before.
            let stored = self.stored_secret(Record::Secret, &mut buffer).await?;
            stored.ok_or(AgentError::Storage(StoreError::mismatch()))?;
        }
        self.secrets.next_is_stored = false;
        self.say(&Event::SecretReplaced);
        Ok(true)
    }

    /// As [`Self::keep_secret`], where something else matters more. It is tried again after the next
    /// question; until then the secret is among what is stored all the same.
    pub(super) async fn keep_secret_or_say(&mut self) {
        if let Err(error) = self.keep_secret().await {
            self.say(&Event::Failed {
                step: Step::Secret,
                error: &error,
            });
        }
    }

    /// Reads the stored secrets, before the first question.
    pub(super) async fn resume_secret(&mut self) -> Result<(), AgentError> {
        if self.secrets.resumed || self.device.session().is_none() {
            return Ok(());
        }
        let mut present = RecordBuffer::new([0; RECORD_LEN]);
        let mut next = RecordBuffer::new([0; RECORD_LEN]);
        let present = self.stored_secret(Record::Secret, &mut present).await?;
        let next = self.stored_secret(Record::NextSecret, &mut next).await?;
        if let Some(present) = present {
            self.device.set_secret(present).map_err(Error::Key)?;
        }
        if let Some(next) = next {
            self.secrets.next_is_stored = true;
            // The power failed between storing it as the present one and removing it as the next.
            if present != Some(next) {
                self.device.set_next_secret(next).map_err(Error::Key)?;
            }
        }
        self.secrets.resumed = true;
        self.keep_secret_or_say().await;
        Ok(())
    }

    /// The secret in a record, if it belongs to the one that the application gave.
    async fn stored_secret<'s>(
        &mut self,
        record: Record,
        buffer: &'s mut RecordBuffer,
    ) -> Result<Option<&'s [u8]>, AgentError> {
        let storage = &mut self.platform.parts().storage;
        let content = match storage.load(record, &mut **buffer).await {
            Ok(content) => content,
            // Nothing that an agent stored.
            Err(error) if error.is_full() => None,
            Err(error) => return Err(AgentError::Storage(error)),
        };
        let session = self.device.session();
        Ok(session.and_then(|session| session.rotation().secret_in(content?)))
    }
}
