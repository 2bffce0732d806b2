//! What an operator should know about the CA while everything still works.

use providore_pki::{LocalCa, Validity};
use providore_server_core::json_files::file_mode_is_private;
use providore_wire::Timestamp;

use super::{CaFiles, ISSUER_KEY, ROOT_KEY};
use crate::clock;

/// How long before its end the issuing certificate is warned about, in seconds: a year.
const WARN_BEFORE_S: u64 = 365 * 86_400;

/// Logs what will break later, and keeps the metric of the issuing certificate's end.
pub(crate) fn warn(files: &CaFiles, ca: &LocalCa, password: Option<&str>) {
    warn_of_dates(ca.validity());
    warn_of_lists(ca);
    warn_of_keys(files, password);
}

/// To be repeated while the server runs, which may be for years.
pub(crate) fn warn_of_dates(validity: &Validity) {
    let (begin, end) = (validity.not_before_unix(), validity.not_after_unix());
    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds are exact in f64 for 10^8 years"
    )]
    metrics::gauge!("providore_ca_not_after_timestamp_seconds").set(end as f64);
    let now = clock::now_unix();
    if now < begin {
        tracing::warn!(
            begins = %date(begin),
            "the clock of this machine is before the beginning of the CA: set the clock"
        );
    }
    if now.saturating_add(WARN_BEFORE_S) > end {
        tracing::warn!(
            ends = %date(end),
            "the issuing certificate ends soon, and nothing it issues lasts longer: \
             `providore-server ca renew`"
        );
    }
}

fn warn_of_lists(ca: &LocalCa) {
    for name in ca.issuers_without_list(clock::now_unix()) {
        tracing::warn!(
            ca = name,
            "there is no revocation list of this CA, so that verifiers of whole chains refuse every \
             certificate: `providore-server ca crl --root-key FILE`"
        );
    }
}

fn warn_of_keys(files: &CaFiles, password: Option<&str>) {
    for name in [ISSUER_KEY, ROOT_KEY] {
        let path = files.path(name);
        if let Ok(false) = file_mode_is_private(&path) {
            tracing::warn!(
                file = %path.display(),
                "others can read this key and issue certificates with it: chmod 600 it"
            );
        }
        if password.is_some() && files.is_encrypted(name) == Some(false) {
            tracing::warn!(
                file = %path.display(),
                "PROVIDORE_CA_PASSWORD is set, but this key is not encrypted: \
                 `providore-server ca encrypt`"
            );
        }
    }
}

/// A time for people.
pub(crate) fn date(unix: u64) -> Timestamp {
    let seconds = i64::try_from(unix).ok();
    seconds
        .and_then(Timestamp::from_unix)
        .unwrap_or(Timestamp::MAX)
}
