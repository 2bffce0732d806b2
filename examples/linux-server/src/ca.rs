//! The CA's files: keys that only their owner can read, encrypted if there is a password.
//!
//! The intermediate issues; the root's key is needed only to make another intermediate and may be
//! moved to a safe place.

use std::{fs, path::Path};

use providore_pki::{
    LocalCa, SoftwareKey,
    ca::CaSettings,
    key::{EncryptionEntropy, KeyFileError},
};
use providore_server_core::json_files::write_private;

use zeroize::Zeroizing;

use crate::{
    clock,
    failure::{Failure, OrFail as _, Outcome},
};

const ISSUER_KEY: &str = "issuer.key.pem";
const ROOT_KEY: &str = "root.key.pem";
const CHAIN: &str = "chain.pem";

/// Opens the CA in a folder, or makes one where there is none.
pub(crate) fn open_or_create(folder: &Path, password: Option<&str>) -> Outcome<LocalCa> {
    if folder.join(CHAIN).exists() {
        open(folder, password)
    } else {
        create(folder, password)
    }
}

fn open(folder: &Path, password: Option<&str>) -> Outcome<LocalCa> {
    let path = folder.join(ISSUER_KEY);
    let pem = fs::read_to_string(&path)
        .or_fail(format!("read the CA's key {}", path.display()))
        .map_err(|f| f.hint("restore the folder from a backup; do not make a new CA over it"))?;
    let key = if pem.contains("ENCRYPTED") {
        let password = password.ok_or_else(|| {
            Failure::new(format!("{} is encrypted", path.display()))
                .hint("give its password in the environment: PROVIDORE_CA_PASSWORD")
        })?;
        SoftwareKey::from_encrypted_pkcs8_pem(&pem, password.as_bytes())
    } else {
        SoftwareKey::from_pkcs8_pem(&pem)
    };
    let key = key.or_fail(format!("use the CA's key {}", path.display()))?;
    let path = folder.join(CHAIN);
    let chain = fs::read_to_string(&path).or_fail(format!("read {}", path.display()))?;
    LocalCa::open(key, &chain, clock::now_unix())
        .or_fail(format!("use the CA in {}", path.display()))
}

/// Makes root and intermediate. The chain is written last: without it there is no CA, so a crash
/// half-way leaves nothing that would be taken for one.
fn create(folder: &Path, password: Option<&str>) -> Outcome<LocalCa> {
    if folder.join(ISSUER_KEY).exists() && password.is_none() {
        tracing::warn!(folder = %folder.display(), "a CA was begun here and not finished; beginning anew");
    }
    let settings = CaSettings::new("providore").or_fail("name the CA")?;
    let ca =
        LocalCa::create(&clock::entropy(), &settings, clock::now_unix()).or_fail("make a CA")?;
    for (name, key) in [(ROOT_KEY, ca.root_key()), (ISSUER_KEY, ca.issuer_key())] {
        let pem = encode(key, password).or_fail("encode a key of the CA")?;
        let path = folder.join(name);
        write_private(&path, pem.as_bytes()).or_fail(format!("write {}", path.display()))?;
    }
    let path = folder.join(CHAIN);
    write_private(&path, ca.chain_pem().as_bytes()).or_fail(format!("write {}", path.display()))?;
    tracing::info!(folder = %folder.display(), "made a certificate authority");
    Ok(ca.into_ca())
}

fn encode(key: &SoftwareKey, password: Option<&str>) -> Result<Zeroizing<String>, KeyFileError> {
    match password {
        Some(password) => {
            let entropy = EncryptionEntropy::new(clock::entropy(), clock::entropy());
            key.to_encrypted_pkcs8_pem(password.as_bytes(), &entropy)
                .map(Zeroizing::new)
        }
        None => key.to_pkcs8_pem(),
    }
}
