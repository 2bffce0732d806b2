//! What may be wrong, beside what an error says of itself.

use std::time::{SystemTime, UNIX_EPOCH};

use providore_client::{AgentError, Error, Step};

use crate::{exit::story, settings::variable};

/// An error with what an operator may do about it.
pub(crate) fn explained(step: Option<Step>, error: &AgentError) -> String {
    let mut text = story(error);
    for advice in [clock(error, now_unix()), proxy(error), missing(step, error)] {
        text.extend(advice.map(|advice| format!(": {advice}")));
    }
    text
}

/// A certificate cannot be checked at a time at which nobody had one.
fn clock(error: &AgentError, now_unix: u64) -> Option<String> {
    let is_tls = matches!(error, AgentError::Transport(_)) && story(error).contains("certificate");
    (is_tls && now_unix < RELEASED_UNIX).then(|| {
        format!(
            "the clock of this device is wrong, it shows a time before this program was made \
             ({now_unix} s since 1970): HTTPS needs the right time"
        )
    })
}

/// By what the question went, if not straight.
fn proxy(error: &AgentError) -> Option<String> {
    let used = proxy_variable().filter(|_| matches!(error, AgentError::Transport(_)))?;
    Some(format!(
        "{used} is set: the request may have gone to that proxy (no_proxy names exceptions)"
    ))
}

/// The variable that names a proxy, without its value, which may hold a password.
pub(crate) fn proxy_variable() -> Option<&'static str> {
    let is_set = |name: &&str| variable(name).is_some();
    PROXIES.into_iter().find(is_set)
}

fn missing(step: Option<Step>, error: &AgentError) -> Option<String> {
    let is_not_found = matches!(error.answer(), Some(Error::Declined { status: 404, .. }));
    match step {
        Some(Step::Config) if is_not_found => Some(String::from(
            "the server has no configuration for this device (`providore-server device config ID \
             FILE` gives it one)",
        )),
        _ => None,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the clock itself is what is doubted"
)]
fn now_unix() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// The beginning of 2026, before this program was released.
const RELEASED_UNIX: u64 = 1_767_225_600;

const PROXIES: [&str; 6] = [
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "all_proxy",
    "ALL_PROXY",
];

#[cfg(test)]
mod tests {
    use providore_client::TransportError;

    use super::*;

    #[test]
    fn https_in_1970_blames_the_clock() {
        let refused =
            "invalid peer certificate: certificate not valid yet: verification time 20 (UNIX)";
        let error = AgentError::from(TransportError::unreachable().with_source(refused));
        let advice = clock(&error, 20).unwrap();
        assert!(
            advice.contains("the clock of this device is wrong"),
            "{advice}"
        );
        assert!(clock(&error, RELEASED_UNIX).is_none());
        let other = AgentError::from(TransportError::unreachable().with_source("refused"));
        assert!(clock(&other, 20).is_none());
    }
}
