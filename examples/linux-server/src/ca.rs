//! The certificate authority of a data folder: opened at every start, made at the first.
//!
//! The intermediate issues; the root's key is needed only to renew the intermediate and to sign the
//! root's revocation list, and may be moved to a safe place.

mod files;
mod health;

pub(crate) use files::{CHAIN, CaFiles, ISSUER_KEY, ROOT_KEY, ROOT_LIST, read, read_key};
pub(crate) use health::{date, warn, warn_of_dates};

use providore_pki::{LocalCa, SoftwareKey, ca::CaSettings};
use providore_wire::Timestamp;

use crate::{
    clock,
    failure::{Failure, OrFail as _, Outcome},
};

/// No clock is right that is earlier than this: 2026-11-01. A CA that is made in 1970 has ended
/// before it is used.
const EARLIEST_UNIX: i64 = 1_793_491_200;

/// Revocation lists in one file: a chain has four certificates at most.
const MAX_LISTS: usize = 4;

/// Opens the CA in a folder, or makes one where nothing was ever issued.
pub(crate) fn open_or_create(
    files: &CaFiles,
    password: Option<&str>,
    issued: impl FnOnce() -> usize,
) -> Outcome<LocalCa> {
    let missing = files.missing();
    if missing.is_empty() {
        return open(files, password);
    }
    if !files.is_empty()? {
        let folder = files.folder.display();
        return Err(Failure::new(format!(
            "the certificate authority in {folder} is incomplete: there is no {}",
            missing.join(" and no ")
        ))
        .hint(format!(
            "nothing was changed. Restore {folder} from a backup. Without one, move the folder away \
             and run `providore-server ca create`: devices and brokers then have to trust a new root"
        )));
    }
    match issued() {
        0 => create(files, password),
        count => Err(Failure::new(format!(
            "there is no certificate authority in {}, but {count} certificates were issued by one",
            files.folder.display()
        ))
        .hint(
            "restore the folder from a backup. If its keys are lost, run `providore-server ca \
             create`: devices and brokers then have to trust a new root",
        )),
    }
}

/// Opens the CA in a folder with the revocation lists of those above it.
pub(crate) fn open(files: &CaFiles, password: Option<&str>) -> Outcome<LocalCa> {
    let key = files.key(ISSUER_KEY, password)?;
    let ca = LocalCa::open(key, &files.chain()?, clock::now_unix());
    let ca = ca
        .or_fail(format!("use the CA in {}", files.folder.display()))
        .map_err(|failure| {
            failure.hint("an issuer that has expired: see `providore-server ca renew --help`")
        })?;
    let Some(lists) = files.lists()? else {
        return Ok(ca);
    };
    ca.with_issuers_lists(lists)
        .or_fail(format!("use {}", files.path(ROOT_LIST).display()))
        .map_err(|failure| failure.hint("`providore-server ca crl` makes another one"))
}

/// Makes root and intermediate, all of it or nothing.
pub(crate) fn create(files: &CaFiles, password: Option<&str>) -> Outcome<LocalCa> {
    require_plausible(clock::now())?;
    let settings = CaSettings::new("providore").or_fail("name the CA")?;
    let ca =
        LocalCa::create(&clock::entropy(), &settings, clock::now_unix()).or_fail("make a CA")?;
    let (root, issuer) = (
        encode(ca.root_key(), password)?,
        encode(ca.issuer_key(), password)?,
    );
    files.create(&[
        (ROOT_KEY, root.as_bytes()),
        (ISSUER_KEY, issuer.as_bytes()),
        (ROOT_LIST, ca.root_list().to_pem().as_bytes()),
        (CHAIN, ca.chain_pem().as_bytes()),
    ])?;
    tracing::info!(folder = %files.folder.display(), "made a certificate authority");
    Ok(ca.into_ca())
}

fn require_plausible(now: Timestamp) -> Outcome {
    if now.unix() >= EARLIEST_UNIX {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the clock of this machine says {now}, which is before this program was made"
    ))
    .hint("a CA that is made now would end too early: set the clock, then start again"))
}

/// A key as it is stored: under the password, if there is one.
pub(crate) fn encode(
    key: &SoftwareKey,
    password: Option<&str>,
) -> Outcome<zeroize::Zeroizing<String>> {
    use providore_pki::key::EncryptionEntropy;
    let pem = match password {
        Some(password) => {
            let entropy = EncryptionEntropy::new(clock::entropy(), clock::entropy());
            key.to_encrypted_pkcs8_pem(password.as_bytes(), &entropy)
                .map(zeroize::Zeroizing::new)
        }
        None => key.to_pkcs8_pem(),
    };
    pem.or_fail("encode a key of the CA")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_ca_is_made_by_a_clock_that_was_never_set() {
        for (unix, plausible) in [(0, false), (86_400 * 365 * 9, false), (EARLIEST_UNIX, true)] {
            let now = Timestamp::from_unix(unix).unwrap();
            let outcome = require_plausible(now);
            assert_eq!(outcome.is_ok(), plausible, "{now}");
            if let Err(failure) = outcome {
                assert!(failure.to_string().contains("set the clock"));
            }
        }
    }
}
