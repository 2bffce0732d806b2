//! What is done every half second: seeing changes on disk, and forgetting what is over.

use std::{sync::Arc, time::Duration};

use providore_server_core::json_files::LoadError;
use tokio::sync::watch;

use super::{
    App,
    last_seen::{self, State},
    sweep::{sweep_folders, warn_of_folders_that_cannot_be_synced},
};
use crate::{ca, clock, failure::Failure};

/// Two a second, for as long as [`last_seen::INTERVAL_S`].
const TICKS_PER_NOTE: u32 = 2 * last_seen::INTERVAL_S;

/// Two a second, for an hour.
const TICKS_PER_SWEEP: u32 = 2 * 3600;

/// Two a second, for a day.
const TICKS_PER_DAY: u32 = 2 * 86_400;

/// Sees changes on disk, and forgets addresses that went away. Ends when it is told to, or when
/// changes can be seen no more.
pub(super) async fn keep_fresh(app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(Duration::from_millis(500));
    let mut count = 0_u32;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopped.changed() => {
                note_presence(&app).await;
                return note_the_time(&app, State::Ended).await;
            }
        }
        if !refresh(&app).await {
            return;
        }
        app.lines.settle();
        warn_of_folders_that_cannot_be_synced();
        if count.is_multiple_of(TICKS_PER_SWEEP) {
            let folder = app.folder.clone();
            let _ = tokio::task::spawn_blocking(move || sweep_folders(&folder)).await;
        }
        count = count.wrapping_add(1);
        if count.is_multiple_of(TICKS_PER_DAY) {
            ca::warn_of_dates(&app.ca_validity);
        }
        if count.is_multiple_of(app.presence.interval_s().saturating_mul(2)) {
            note_presence(&app).await;
        }
        if count.is_multiple_of(TICKS_PER_NOTE) {
            app.addresses.forget_idle();
            app.metrics.run_upkeep();
            note_the_time(&app, State::Running).await;
        }
    }
}

/// Reads what changed; whether the server can go on.
async fn refresh(app: &Arc<App>) -> bool {
    let refreshing = Arc::clone(app);
    super::warn_of_files(app.server.store());
    match tokio::task::spawn_blocking(move || refreshing.server.store().refresh()).await {
        Ok(Ok(true)) => tracing::info!("devices file changed; its records are in use"),
        Ok(Ok(false)) => {}
        Ok(Err(error @ LoadError::Ended(_))) => {
            tracing::error!(%error, "the server cannot go on");
            return false;
        }
        Ok(Err(error)) => {
            metrics::counter!("providore_reload_failures_total").increment(1);
            let error = Failure::from(error);
            tracing::error!(%error, "devices file changed; KEEPING THE LAST GOOD RECORDS");
        }
        Err(error) => {
            tracing::error!(%error, "reading the devices file again panicked");
            return false;
        }
    }
    true
}

async fn note_presence(app: &Arc<App>) {
    let app = Arc::clone(app);
    let note = move || {
        let devices = app.server.store();
        if let Err(error) = app.presence.store(|id| devices.knows(id)) {
            tracing::error!(%error, "when devices were heard cannot be written down");
        }
    };
    let _ = tokio::task::spawn_blocking(note).await;
}

async fn note_the_time(app: &App, state: State) {
    let last_seen = app.last_seen.clone();
    let note = move || last_seen.note_or_say(clock::now(), state);
    // What it has to say it has said.
    let _ = tokio::task::spawn_blocking(note).await;
}
