//! Events of the core, to the log and to the metrics.

use std::sync::Arc;

use metrics::{Counter, counter};
use providore_server_core::{Audit, Event};
use providore_wire::Route;
use tracing::field::display;

use super::capped::Capped;
use crate::{clock, presence::Presence};

/// Writes every event down.
#[derive(Debug)]
pub(super) struct Log {
    answers: Answers,
    lines: Arc<Lines>,
    presence: Arc<Presence>,
}

/// The lines that a peer can cause as often as it likes.
#[derive(Debug)]
pub(super) struct Lines {
    refused: Capped,
    limited: Capped,
    faults: Capped,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            refused: Capped::new("requests refused"),
            limited: Capped::new("requests of devices that ask too often"),
            faults: Capped::new("faults of ours"),
        }
    }
}

impl Lines {
    /// Writes a line about a request that was refused.
    pub(super) fn refuse(&self, line: impl FnOnce()) {
        self.refused.say(line);
    }

    /// Writes a line about a fault of ours.
    pub(super) fn fault(&self, line: impl FnOnce()) {
        self.faults.say(line);
    }

    /// Says how many were left out. Call it every second or so.
    pub(super) fn settle(&self) {
        for lines in [&self.refused, &self.limited, &self.faults] {
            lines.settle();
        }
    }
}

/// A counter for each route and status, made once: looking one up by its labels costs more than
/// verifying a request does.
#[derive(Debug)]
struct Answers(Vec<(Option<Route>, u16, Counter)>);

/// The codes that the core sends to authenticated devices.
const STATUSES: [(u16, &str); 13] = [
    (200, "200"),
    (204, "204"),
    (206, "206"),
    (302, "302"),
    (304, "304"),
    (404, "404"),
    (405, "405"),
    (413, "413"),
    (415, "415"),
    (416, "416"),
    (422, "422"),
    (429, "429"),
    (503, "503"),
];

impl Answers {
    fn new() -> Self {
        let routes = Route::ALL.map(Some).into_iter().chain([None]);
        let counters = routes.flat_map(|route| {
            STATUSES.map(|(status, label)| {
                let path = route.map_or("none", Route::path);
                let name = "providore_answers_total";
                (
                    route,
                    status,
                    counter!(name, "route" => path, "status" => label),
                )
            })
        });
        Self(counters.collect())
    }

    fn count(&self, route: Option<Route>, status: u16) {
        let known = self.0.iter().find(|(r, s, _)| (*r, *s) == (route, status));
        if let Some((.., counter)) = known {
            counter.increment(1);
        }
    }
}

impl Log {
    /// A log whose counters belong to the recorder that is installed by now.
    pub(super) fn new(lines: Arc<Lines>, presence: Arc<Presence>) -> Self {
        Self {
            answers: Answers::new(),
            lines,
            presence,
        }
    }
}

impl Audit for Log {
    #[expect(clippy::too_many_lines, reason = "an arm for each event")]
    fn record(&self, event: &Event<'_>) {
        match event {
            Event::ClockSetBack { by_s } => tracing::warn!(
                by_s,
                "the clock was set back: until it is where it was, devices are served over challenges"
            ),
            Event::Answered {
                device,
                route,
                status,
                version,
            } => {
                self.answers.count(*route, *status);
                self.presence.note(device, *version, clock::now());
                let route = route.map_or("none", Route::path);
                tracing::debug!(%device, route, status, "answered");
            }
            Event::Limited {
                device,
                retry_after_s,
            } => {
                counter!("providore_limited_total", "by" => "device").increment(1);
                self.lines
                    .limited
                    .say(|| tracing::warn!(%device, retry_after_s, "device asks too often"));
            }
            Event::Replayed { device } => {
                counter!("providore_replayed_total").increment(1);
                tracing::warn!(%device, "a certificate request came again; nothing was issued");
            }
            Event::Reported { device, report } => {
                counter!("providore_reports_total").increment(1);
                tracing::info!(%device, report, "device reports");
            }
            Event::FirmwareFailed { device, failure } => {
                counter!("providore_firmware_failed_total").increment(1);
                let (version, reason) = (&failure.version, failure.reason());
                let rolled_back = failure.rolled_back;
                tracing::warn!(%device, %version, rolled_back, reason, "firmware failed; it is not offered again");
            }
            Event::ImageMissing { device, release } => {
                counter!("providore_images_missing_total").increment(1);
                let (hardware, version) = (&release.hardware, &release.version);
                tracing::warn!(%device, %hardware, %version, "release not offered: its image is not there");
            }
            Event::SecretReplaced { device } => {
                tracing::info!(%device, "device uses its next secret; the old one counts no more");
            }
            Event::DialectRaised { device } => {
                tracing::info!(%device, "device speaks signed; original is refused from now on");
            }
            Event::CsrRefused { device, reason } => {
                counter!("providore_csr_refused_total").increment(1);
                let cause = std::error::Error::source(reason).map(display);
                tracing::warn!(%device, %reason, cause, "certificate request refused");
            }
            Event::KeyForbidden { device } => {
                counter!("providore_csr_refused_total").increment(1);
                tracing::warn!(%device, "certificate request refused: its key was revoked");
            }
            Event::Issued {
                device,
                serial,
                renewal,
            } => {
                counter!("providore_certificates_issued_total").increment(1);
                tracing::info!(%device, %serial, renewal, "certificate issued");
            }
            Event::Fault { error } => {
                counter!("providore_faults_total").increment(1);
                let cause = std::error::Error::source(error).map(display);
                self.lines.faults.say(|| {
                    tracing::error!(%error, cause, "a fault of ours; the device was told to come back");
                });
            }
            other => self.refused(other),
        }
    }
}

impl Log {
    /// Requests that are answered with nothing but a challenge.
    fn refused(&self, event: &Event<'_>) {
        match event {
            Event::Unauthenticated {
                peer,
                claimed,
                reason,
            } => {
                counter!("providore_unauthenticated_total").increment(1);
                let (peer, claimed) = (peer.map(display), claimed.map(display));
                self.lines
                    .refused
                    .say(|| tracing::warn!(peer, claimed, %reason, "request refused"));
            }
            Event::Challenged {
                peer,
                device,
                reason,
            } => {
                counter!("providore_challenged_total").increment(1);
                let peer = peer.map(display);
                tracing::debug!(peer, %device, %reason, "device was told a challenge");
            }
            Event::BadTarget { peer, error } => {
                counter!("providore_unauthenticated_total").increment(1);
                let peer = peer.map(display);
                self.lines
                    .refused
                    .say(|| tracing::warn!(peer, %error, "request target cannot be read"));
            }
            _ => {}
        }
    }
}
