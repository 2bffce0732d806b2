//! `ca drill`: would the devices accept certificates of another CA?
//!
//! A device trusts the root that it was given or has pinned, and refuses a certificate that does not
//! lead there. Which root that is shows its newest certificate: it accepted that one.

use std::fs;

use clap::Args;
use providore_pki::{
    CertificateAuthority as _, LocalCa, Profile, SerialNumber, Validity, VerifiedChain,
    VerifiedCsr, ca::CertificateTerms, csr,
};
use providore_server_core::{CertificateLog as _, Device, json_files::JsonStore};
use serde_json::json;

use super::{CaArgs, import, show::root_name};
use crate::{
    Common,
    ca::{CHAIN, CaFiles},
    clock,
    commands::print::{say, say_json, table},
    data::DataFolder,
    failure::{Failure, OrFail as _, Outcome},
    serve::fresh_key,
};

/// What the folders of CAs that were replaced are called, before their number.
pub(super) const REPLACED: &str = "ca-replaced-";

/// Which CA to try.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  providore-server ca drill --key new.key.pem --chain new-chain.pem

Issues a certificate for each device in memory and checks it as the device would. Nothing is stored or
sent. A new root is accepted by devices that trust the old one if the chain has a cross certificate: one
for the new root's key that the old root has signed, before the root of the old one.")]
pub(crate) struct DrillArgs {
    #[command(flatten)]
    ca: CaArgs,
}

pub(super) fn run(common: &Common, args: &DrillArgs, password: Option<&str>) -> Outcome {
    let folder = common.folder();
    folder.require()?;
    let (key, chain) = args.ca.read(password)?;
    let ca = import::open(&key, &chain)?;
    let verdicts = Verdicts::of(&folder, &ca, &folder.store()?)?;
    if common.json {
        let line = |(device, verdict): &(String, Verdict)| json!({"device": device, "verdict": verdict.as_str()});
        return say_json(&verdicts.0.iter().map(line).collect());
    }
    let mut rows = vec![["DEVICE", "VERDICT"].map(String::from)];
    rows.extend(
        verdicts
            .0
            .iter()
            .map(|(device, verdict)| [device.clone(), verdict.explained().into()]),
    );
    say(&format!(
        "{}\n{} of {} devices would refuse certificates below {}.\n",
        table(&rows),
        verdicts.would_refuse(),
        verdicts.0.len(),
        root_name(&ca)
    ))
}

/// What a device would do with a certificate of another CA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Accepts,
    Refuses,
    /// It has no certificate: which root it trusts is not known, or it pins the one it is given.
    NoCertificate,
    /// Its certificate is not of a CA that is or was in the data folder.
    UnknownRoot,
}

impl Verdict {
    fn as_str(self) -> &'static str {
        match self {
            Self::Accepts => "accepts",
            Self::Refuses => "refuses",
            Self::NoCertificate => "no-certificate",
            Self::UnknownRoot => "unknown-root",
        }
    }

    fn explained(self) -> &'static str {
        match self {
            Self::Accepts => "accepts it",
            Self::Refuses => "REFUSES it",
            Self::NoCertificate => {
                "has no certificate yet; accepts it unless another root is pinned"
            }
            Self::UnknownRoot => {
                "has a certificate of a CA that is not here; what it trusts is not known"
            }
        }
    }
}

/// What each device would do, in the order of their names.
pub(super) struct Verdicts(Vec<(String, Verdict)>);

impl Verdicts {
    /// Issues and checks a certificate for every device in memory.
    pub(super) fn of(folder: &DataFolder, ca: &LocalCa, store: &JsonStore) -> Outcome<Self> {
        let roots = known_roots(folder)?;
        let devices = store.devices();
        let verdict = |device: &Device| -> Outcome<Verdict> {
            let newest = futures_lite::future::block_on(store.issued(&device.id));
            let newest = newest.or_fail(format!("look up the certificates of {}", device.id))?;
            let Some(newest) = newest.last() else {
                return Ok(Verdict::NoCertificate);
            };
            let then = u64::try_from(newest.at.unix()).unwrap_or(0);
            let accepts = |chain: &str, roots: &str, now| {
                let usages = [Profile::Client, Profile::Server];
                usages
                    .iter()
                    .any(|usage| VerifiedChain::verify(chain, roots, *usage, now).is_ok())
            };
            let trusted = roots
                .iter()
                .find(|root| accepts(&newest.chain_pem, root, then));
            let Some(trusted) = trusted else {
                return Ok(Verdict::UnknownRoot);
            };
            let chain = certificate_for(device, ca)?;
            Ok(if accepts(&chain, trusted, clock::now_unix()) {
                Verdict::Accepts
            } else {
                Verdict::Refuses
            })
        };
        let verdicts = devices
            .iter()
            .map(|device| Ok((device.id.to_string(), verdict(device)?)));
        verdicts.collect::<Outcome<_>>().map(Self)
    }

    pub(super) fn would_refuse(&self) -> usize {
        let refuses = |(_, verdict): &&(String, Verdict)| *verdict == Verdict::Refuses;
        self.0.iter().filter(refuses).count()
    }
}

/// The roots of the CA in use and of those that it has replaced.
fn known_roots(folder: &DataFolder) -> Outcome<Vec<String>> {
    let mut folders = vec![folder.ca.folder.clone()];
    if let Some(Ok(entries)) = folder.ca.folder.parent().map(fs::read_dir) {
        let replaced = entries.flatten().filter(|entry| {
            entry
                .file_name()
                .to_str()
                .is_some_and(|name| name.starts_with(REPLACED))
        });
        folders.extend(replaced.map(|entry| entry.path()));
    }
    let chains = folders.into_iter().map(|folder| CaFiles { folder });
    let chains = chains.filter(|files| files.has(CHAIN));
    let root = |files: CaFiles| Ok(root_of(&files.chain()?));
    chains.map(root).collect()
}

/// The last certificate of a chain.
fn root_of(chain: &str) -> String {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    let last = chain.rfind(BEGIN).and_then(|start| chain.get(start..));
    last.unwrap_or(chain).into()
}

/// What the CA would issue to a device now.
fn certificate_for(device: &Device, ca: &LocalCa) -> Outcome<String> {
    let mut key = fresh_key()?;
    let mut buffer = [0; csr::MAX_DER_LEN];
    let request = csr::write_der(&mut key, &device.id, &mut buffer).or_fail("write a request")?;
    let request = VerifiedCsr::check(request, &device.id).or_fail("check our own request")?;
    let policy = &device.certificate;
    let serial = SerialNumber::from_entropy(&clock::entropy())
        .ok_or_else(|| Failure::new("the random number generator gave zeros"))?;
    let validity = Validity::starting_at(clock::now_unix(), policy.lifetime_s());
    let validity = validity.or_fail("date a certificate")?;
    let terms = CertificateTerms::new(policy.profile, serial, validity)
        .with_alt_names(policy.alt_names.clone());
    let issued = ca.issue(&request, &terms).or_fail("issue a certificate")?;
    Ok(issued.chain_pem().into())
}
