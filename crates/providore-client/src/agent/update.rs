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

use super::{Agent, AgentError, Event, FirmwareStep, ask::Approached};
use crate::{
    FirmwareSlot as _, Outcome, Parts, Record, Report, Storage as _, StoreError, Subject,
    UpdatePhase, UpdateState, VerifiedImage, update::Release,
};
use install::{Found, Installation};
pub use trial::Boot;

/// What the agent knows of authors and of the update.
#[derive(Default)]
pub(super) struct Update<'b> {
    authors: Option<Authors<'b>>,
    installed: u64,
    self_test: Option<SelfTest<'b>>,
    /// As it is stored; nothing before it was read.
    state: Option<UpdateState>,
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
    pub const fn update_state(&self) -> Option<&UpdateState> {
        self.update.state.as_ref()
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
        match self.resume_firmware().await? {
            Boot::OnTrial => self.judge_trial().await,
            boot => Ok(boot),
        }
    }

    /// The application says that the firmware on trial works.
    pub(super) async fn confirm_update(&mut self) -> Result<(), AgentError> {
        let committed = self.on_trial.take();
        if self.resume_firmware().await? == Boot::OnTrial {
            self.confirm_trial().await?;
        }
        if let Some(version) = committed {
            self.device.set_version(version);
        }
        self.tell_verdict_if_free().await;
        Ok(())
    }

    /// The application says that the firmware on trial does not work.
    pub(super) async fn reject_update(&mut self, reason: &str) -> Result<(), AgentError> {
        self.on_trial = None;
        match self.resume_firmware().await? {
            Boot::OnTrial => self.end_trial(reason).await?,
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
        let state = self.state().clone();
        let Some(authors) = self.update.authors.clone() else {
            return Ok(FirmwareStep::UpToDate);
        };
        let installation = Installation {
            device: &mut self.device,
            platform: &mut self.platform,
            authors,
            state: &state,
            image: self.settings.image,
            chunk: self.buffers.chunk,
            report: &mut self.report,
            moved: &mut self.moved,
        };
        match installation.run(self.buffers.document).await? {
            Found::UpToDate => {
                self.say(&Event::FirmwareUpToDate);
                Ok(FirmwareStep::UpToDate)
            }
            Found::Skipped(version) => {
                self.say(&Event::FirmwareSkipped(&version));
                Ok(FirmwareStep::Skipped(version))
            }
            Found::Refused(version, fault) => {
                let (version, fault) = (&version, &fault);
                self.say(&Event::FirmwareRefused { version, fault });
                let (what, outcome) = (Subject::Firmware, Outcome::Failed);
                let report = Report::new(what, outcome, Some(version), fault.text().as_str());
                self.tell(server, report).await;
                Ok(FirmwareStep::Refused(version.clone()))
            }
            Found::Ready(release, image) => self.switch(server, release, image).await,
        }
    }

    /// The record, then the slot: a switch without the record would be a trial of nobody knows what.
    async fn switch(
        &mut self,
        server: &Approached,
        release: Release,
        image: VerifiedImage,
    ) -> Result<FirmwareStep, AgentError> {
        let version = release.version.clone();
        let trying = self.state().trying(release);
        self.keep_state(trying).await?;
        let slot = &mut self.platform.parts().slot;
        match slot.commit(image).await {
            Ok(()) => {
                self.on_trial = Some(version.clone());
                self.say(&Event::FirmwareCommitted(&version));
                Ok(FirmwareStep::OnTrial(version))
            }
            Err(error) if error.is_mismatch() => {
                // Each chunk is right and the whole is not: its author has signed two images.
                let _ = slot.abort().await;
                let reason = "the whole image differs from the manifest";
                let failed = self.state().ended(Outcome::Failed, reason);
                self.keep_state(failed).await?;
                self.tell_verdict(server).await?;
                Err(AgentError::Slot(error))
            }
            Err(error) => Err(AgentError::Slot(error)),
        }
    }

    /// Tells the server what became of a release, until it says that it knows. A failure that it does
    /// not know of keeps the device from trying anything else.
    async fn tell_verdict(&mut self, server: &Approached) -> Result<(), AgentError> {
        let (is_good, report) = match self.state().phase() {
            UpdatePhase::Ended {
                release,
                outcome,
                reason,
            } => {
                let version = Some(&release.version);
                let report = Report::new(Subject::Firmware, *outcome, version, reason.as_str());
                (*outcome == Outcome::Applied, report)
            }
            _ => return Ok(()),
        };
        if self.device.session().is_some() {
            match self.ask(server, report).await {
                Ok(()) => self.say(&Event::Reported),
                Err(error) if is_good => {
                    self.not_told(&error);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        let told = self.state().told();
        self.keep_state(told).await
    }

    /// What is stored, once it has been read.
    fn state(&self) -> &UpdateState {
        self.update.state.as_ref().unwrap_or(&UNKNOWN)
    }

    async fn keep_state(&mut self, state: UpdateState) -> Result<(), AgentError> {
        if self.update.state.as_ref() != Some(&state) {
            let storage = &mut self.platform.parts().storage;
            let stored = storage.store(Record::Update, &state.encode()).await;
            stored.map_err(AgentError::Storage)?;
        }
        self.update.state = Some(state);
        Ok(())
    }

    async fn read_state(&mut self) -> Result<UpdateState, AgentError> {
        if let Some(state) = &self.update.state {
            return Ok(state.clone());
        }
        let mut buffer = [0; UpdateState::LEN];
        let storage = &mut self.platform.parts().storage;
        let record = match storage.load(Record::Update, &mut buffer).await {
            Ok(record) => record,
            // Longer than any that was written.
            Err(error) if error.is_full() => Some(&b""[..]),
            Err(error) => return Err(AgentError::Storage(error)),
        };
        let state = match record.map(UpdateState::decode) {
            None => UpdateState::default(),
            Some(Ok(state)) => state,
            Some(Err(error)) => {
                self.say(&Event::UpdateStateLost(&error));
                UpdateState::default()
            }
        };
        Ok(state)
    }
}

/// Of an agent that has not read anything.
static UNKNOWN: UpdateState = UpdateState::new();
