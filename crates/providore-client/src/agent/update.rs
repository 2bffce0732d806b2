//! Firmware that its author has signed: installed, tried, kept or taken back, and told about.
//!
//! ```text
//! check ─▶ manifest ─▶ what is there, chunk by chunk ─▶ the rest, chunk by chunk ─▶ commit ─▶ restart
//!            │ refused: the server is told                                                      │
//!            ▼                                                                                  ▼
//!        nothing is written                      the server is told ◀─ confirm or roll back ◀─ trial
//! ```
//!
//! What is decided is in [`UpdateState`](crate::UpdateState), pure; here it is stored and done.

mod fault;
mod install;
mod trial;

pub use fault::FirmwareFault;

use providore_pki::manifest::AuthorKeys;
use providore_sign::MacKey;
use providore_wire::HardwareType;

use super::{Agent, AgentError, Event, FirmwareStep, ask::Approached, report::first_half};
use crate::{Outcome, Parts, Record, Report, Storage, StoreError, Subject, UpdateState};
pub use trial::Boot;

/// What the agent knows of authors and of the update.
#[derive(Default)]
pub(super) struct Update<'b> {
    authors: Option<Authors<'b>>,
    installed: u64,
    self_test: Option<SelfTest<'b>>,
    state: UpdateState,
    /// Whether that was read, and this start counted.
    is_known: bool,
    /// Whether it is not yet stored as it is now.
    is_changed: bool,
    /// When this agent saw the trial begin, by the uptime.
    trial_since_ms: Option<u64>,
    /// The slot went back: what runs is to be left.
    restart: bool,
}

type SelfTest<'b> = &'b mut dyn FnMut() -> Result<(), &'static str>;

/// Whom the device trusts, and what it is.
#[derive(Debug, Clone)]
pub(super) struct Authors<'b> {
    keys: AuthorKeys<'b>,
    hardware: HardwareType,
}

impl<'b, K: MacKey, P: Parts> Agent<'b, K, P> {
    /// Installs from now on only firmware that one of these authors has signed for this hardware,
    /// whoever the server is: a server that offers other firmware, or firmware without a manifest, is
    /// told that it is refused. Without authors the agent trusts its server with firmware.
    ///
    /// The chunk buffer must hold a whole chunk of the manifest, and the document buffer a manifest:
    /// 32 bytes for each chunk and about 250 more. Only in the `Signed` dialect.
    #[must_use]
    pub fn with_authors(mut self, keys: AuthorKeys<'b>, hardware: &HardwareType) -> Self {
        let hardware = hardware.clone();
        self.update.authors = Some(Authors { keys, hardware });
        self
    }

    /// The sequence number of the release that runs, as its build knows it: what is older is not
    /// installed, even where nothing is stored yet or the record was lost. Without it a device
    /// that leaves the factory counts as one of sequence 0, which a manifest may demand more of.
    #[must_use]
    pub const fn with_installed_sequence(mut self, sequence: u64) -> Self {
        self.update.installed = sequence;
        self
    }

    /// Tries firmware on trial with the application's own test, once the server has been reached; a
    /// reason that it gives is told to the server, and the firmware is rolled back.
    #[must_use]
    pub fn with_self_test(mut self, test: SelfTest<'b>) -> Self {
        self.update.self_test = Some(test);
        self
    }

    /// What is remembered of updates; `None` before [`start_firmware`](Self::start_firmware) or the
    /// first check.
    #[must_use]
    pub fn update_state(&self) -> Option<&UpdateState> {
        self.update.is_known.then_some(&self.update.state)
    }

    pub(super) const fn has_authors(&self) -> bool {
        self.update.authors.is_some()
    }

    /// A check with authors: what is owed first, then what is new.
    pub(super) async fn update_firmware(&mut self) -> Result<FirmwareStep, AgentError> {
        if self.go_through_trial().await? == Boot::Restart {
            return Ok(FirmwareStep::Restart);
        }
        let server = self.approach().await?;
        let outcome = self.follow_description(&server).await;
        self.settle(outcome).await
    }

    /// What a day with authors begins with: a trial that is under way ends, or the day does.
    pub(super) async fn go_through_trial(&mut self) -> Result<Boot, AgentError> {
        loop {
            match self.resume_firmware().await? {
                Boot::OnTrial => self.judge_trial().await?,
                boot => return Ok(boot),
            }
        }
    }

    /// The application says that the firmware on trial works.
    pub(super) async fn confirm_update(&mut self) -> Result<(), AgentError> {
        let committed = core::mem::take(&mut self.on_trial);
        if self.resume_firmware().await? == Boot::OnTrial {
            self.update.change().confirming();
            let _ = self.resume_firmware().await?;
        }
        if committed && let Some(version) = self.offered.take() {
            self.device.set_version(version);
        }
        self.tell_verdict_if_free().await;
        Ok(())
    }

    /// The application says that the firmware on trial does not work.
    pub(super) async fn reject_update(&mut self, reason: &str) -> Result<(), AgentError> {
        self.on_trial = false;
        match self.resume_firmware().await? {
            Boot::OnTrial => {
                self.update.change().ended(Outcome::RolledBack, reason);
                let _ = self.resume_firmware().await?;
            }
            Boot::Settled => return Err(AgentError::Slot(StoreError::out_of_order())),
            Boot::Restart => {}
        }
        self.tell_verdict_if_free().await;
        Ok(())
    }

    async fn tell_verdict_if_free(&mut self) {
        if self.owed_ms > 0 {
            self.say(&Event::ReportDropped);
            return;
        }
        let told = match self.approach().await {
            Ok(server) => self.tell_verdict(&server).await,
            Err(error) => Err(error),
        };
        if let Err(error) = told {
            self.not_told(&error);
        }
    }

    async fn follow_description(
        &mut self,
        server: &Approached,
    ) -> Result<FirmwareStep, AgentError> {
        self.tell_verdict(server).await?;
        let step = self.install(server).await;
        match &step {
            Err(AgentError::Firmware(fault)) if fault.is_refusal() => {
                let version = self.offered.as_ref();
                if let (Some(report), Some(version)) = (&mut self.report, version) {
                    report(&Event::FirmwareRefused { version, fault });
                }
                let why = fault.text();
                let report = Report::new(
                    Subject::Firmware,
                    Outcome::Failed,
                    version,
                    AsRef::as_ref(&why),
                );
                let written = report.write_json(first_half(self.buffers.document));
                self.tell_written(server, written).await;
                Ok(FirmwareStep::Refused)
            }
            Err(AgentError::Slot(error)) if error.is_mismatch() => {
                self.tell_verdict(server).await?;
                step
            }
            Err(AgentError::Slot(error)) => {
                self.tell_no_place(server, error).await;
                step
            }
            _ => step,
        }
    }

    /// Tells the server what became of a release, until it says that it knows. A failure that it does
    /// not know of keeps the device from trying anything else.
    async fn tell_verdict(&mut self, server: &Approached) -> Result<(), AgentError> {
        let Some(report) = Report::of_update(&self.update.state) else {
            return Ok(());
        };
        if self.device.session().is_some() {
            let written = report.write_json(first_half(self.buffers.document));
            match self.post(server, written).await {
                Ok(()) => self.say(&Event::Reported),
                Err(error) if self.update.state.outcome() == Some(Outcome::Applied) => {
                    self.not_told(&error);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        self.update.change().told();
        self.keep_state().await
    }

    /// Stores what has changed.
    async fn keep_state(&mut self) -> Result<(), AgentError> {
        let storage = &mut self.platform.parts().storage;
        self.update.keep(storage).await
    }

    /// Reads what is stored, into the document buffer at first.
    async fn read_state(&mut self) -> Result<(), AgentError> {
        let storage = &mut self.platform.parts().storage;
        let record = match storage.load(Record::Update, self.buffers.document).await {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(()),
            // Longer than any that was written.
            Err(error) if error.is_full() => b"",
            Err(error) => return Err(AgentError::Storage(error)),
        };
        if let Err(error) = self.update.state.read(record) {
            self.say(&Event::UpdateStateLost(&error));
        }
        Ok(())
    }
}

impl Update<'_> {
    /// What follows has to be stored.
    const fn change(&mut self) -> &mut UpdateState {
        self.is_changed = true;
        &mut self.state
    }

    /// Stores what has changed. What could not be stored is stored the next time.
    async fn keep(&mut self, storage: &mut impl Storage) -> Result<(), AgentError> {
        if self.is_changed {
            let stored = storage.store(Record::Update, self.state.record()).await;
            stored.map_err(AgentError::Storage)?;
            self.is_changed = false;
        }
        Ok(())
    }
}
