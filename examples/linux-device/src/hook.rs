//! The command that is run after a change.

use core::time::Duration;
use std::path::Path;

use tokio::process::Command;
use tracing::warn;

use crate::settings::SECRET_VARIABLE;

/// Something that changed.
pub(crate) struct Change<'a> {
    pub(crate) event: &'static str,
    pub(crate) path: &'a Path,
    pub(crate) version: Option<&'a str>,
}

/// Runs the hook and says whether it ended well. Nothing that a server sent becomes a word of the
/// command: it is split at blanks and goes to no shell; the rest is in the environment.
pub(crate) async fn run(hook: &str, change: &Change<'_>) -> bool {
    let mut words = hook.split_whitespace();
    let Some(program) = words.next() else {
        return true;
    };
    let mut command = Command::new(program);
    command
        .args(words)
        .env_remove(SECRET_VARIABLE)
        .env("PROVIDORE_EVENT", change.event)
        .env("PROVIDORE_PATH", change.path)
        // Standard output is for results.
        .stdout(std::io::stderr())
        .kill_on_drop(true);
    if let Some(version) = change.version {
        command.env("PROVIDORE_VERSION", version);
    }
    match tokio::time::timeout(LIMIT, command.status()).await {
        Ok(Ok(status)) if status.success() => true,
        Ok(Ok(status)) => {
            warn!("hook for {}: {status}", change.event);
            false
        }
        Ok(Err(error)) => {
            warn!("hook for {} does not start: {error}", change.event);
            false
        }
        Err(_) => {
            warn!("hook for {} took longer than {LIMIT:?}", change.event);
            false
        }
    }
}

// Restarting a service takes seconds; a hook that hangs must not keep the device from renewing.
const LIMIT: Duration = Duration::from_secs(300);
