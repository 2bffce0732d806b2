//! `ca crl` and `ca renew`: what needs the key of the CA above the issuing one.

use std::path::PathBuf;

use clap::Args;
use providore_pki::{Certificate, LocalCa, SoftwareKey, crl::RevocationList};

use super::lock;
use crate::{
    ca::{self, CHAIN, CaFiles, ROOT_KEY, ROOT_LIST},
    clock,
    commands::print::say,
    failure::{Failure, OrFail as _, Outcome},
};

const DAY_S: u64 = 86_400;

/// How the list is made.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  providore-server ca crl                                 with the root's key in the data folder
  providore-server ca crl --root-key /media/safe/root.key.pem

A verifier of whole chains (nginx ssl_crl, openssl verify -crl_check_all) needs a list of every CA. The
list of the root is empty, and good until the issuing certificate ends. Restart the server
afterwards.")]
pub(crate) struct CrlArgs {
    /// The key of the root, or of another CA above the issuing one. Default: root.key.pem of the data
    /// folder. If it is encrypted, its password is in `PROVIDORE_CA_PASSWORD`.
    #[arg(long, value_name = "FILE")]
    root_key: Option<PathBuf>,
    /// How long the list is good. Default: until the issuing certificate ends.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=36_500))]
    days: Option<u64>,
}

/// How the issuing certificate is renewed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  providore-server ca renew                               with the root's key in the data folder
  providore-server ca renew --root-key /media/safe/root.key.pem --days 3650

Key and name stay: certificates that were issued before remain good, devices and brokers notice
nothing. The old certificate is kept beside the new one. Restart the server afterwards.")]
pub(crate) struct RenewArgs {
    /// The key of the CA above the issuing one. Default: root.key.pem of the data folder. If it is
    /// encrypted, its password is in `PROVIDORE_CA_PASSWORD`.
    #[arg(long, value_name = "FILE")]
    root_key: Option<PathBuf>,
    /// How long the new certificate is good; not longer than the one above it.
    #[arg(long, value_name = "DAYS", default_value_t = 3650,
          value_parser = clap::value_parser!(u64).range(1..=36_500))]
    days: u64,
}

pub(super) fn crl(files: &CaFiles, args: &CrlArgs, password: Option<&str>) -> Outcome {
    let _lock = lock(files)?;
    let chain = files.chain()?;
    let key = signing_key(files, args.root_key.as_ref(), password)?;
    let (now, signer) = (clock::now_unix(), Signer::of(&chain, &key)?);
    let issuer = Certificate::first_of_pem(&chain).or_fail("read the chain of the CA")?;
    let end = match args.days {
        Some(days) => now.saturating_add(days.saturating_mul(DAY_S)),
        None => issuer.not_after_unix(),
    };
    let list = signer.ca.list_until(end, now);
    let list = list.or_fail("sign a revocation list")?;
    replace_list(files, &signer.certificate, &list)?;
    say(&format!(
        "{} has the list of {} until {}\nRestart the server: GET /certificates/crl.pem then has both \
         lists.\n",
        files.path(ROOT_LIST).display(),
        signer.certificate.common_name().unwrap_or("?"),
        ca::date(list.next_update_unix())
    ))
}

pub(super) fn renew(files: &CaFiles, args: &RenewArgs, password: Option<&str>) -> Outcome {
    let _lock = lock(files)?;
    let chain = files.chain()?;
    let key = signing_key(files, args.root_key.as_ref(), password)?;
    let signer = Signer::of(&chain, &key)?;
    let (lifetime_s, now) = (args.days.saturating_mul(DAY_S), clock::now_unix());
    let renewed = LocalCa::renew_issuer(&key, &chain, &clock::entropy(), lifetime_s, now);
    let renewed = renewed.or_fail("renew the issuing certificate")?;
    let old = Certificate::first_of_pem(&chain).or_fail("read the chain of the CA")?;
    files.replace(&format!("chain-{}.pem", old.serial()), chain.as_bytes())?;
    replace_list(files, &signer.certificate, renewed.signer_list())?;
    files.replace(CHAIN, renewed.chain_pem().as_bytes())?;
    let new = Certificate::first_of_pem(renewed.chain_pem()).or_fail("read the new chain")?;
    say(&format!(
        "{} is renewed until {}\nRestart the server. Devices and brokers have nothing to do.\n",
        new.common_name().unwrap_or("the issuing certificate"),
        ca::date(new.not_after_unix())
    ))
}

fn signing_key(
    files: &CaFiles,
    named: Option<&PathBuf>,
    password: Option<&str>,
) -> Outcome<SoftwareKey> {
    if let Some(path) = named {
        return ca::read_key(path, password);
    }
    if !files.has(ROOT_KEY) {
        return Err(Failure::new(format!(
            "the root's key is not in {}",
            files.folder.display()
        ))
        .hint("say where it is: --root-key FILE"));
    }
    files.key(ROOT_KEY, password)
}

/// A CA above the issuing one, opened with its key.
struct Signer {
    ca: LocalCa,
    certificate: Certificate,
}

impl Signer {
    /// Finds the certificate of `key` among those above the issuing one.
    fn of(chain: &str, key: &SoftwareKey) -> Outcome<Self> {
        const END: &str = "-----END CERTIFICATE-----";
        let mut rest = chain;
        while let Some((_, above)) = rest.split_once(END) {
            rest = above;
            let Ok(certificate) = Certificate::first_of_pem(above) else {
                break;
            };
            if certificate.public_key_spki_der() == key.public_key().to_spki_der() {
                let ca = LocalCa::open(key.clone(), above, clock::now_unix());
                let ca = ca.or_fail("use the CA above the issuing one")?;
                return Ok(Self { ca, certificate });
            }
        }
        Err(
            Failure::new("this is not the key of a CA above the issuing one")
                .hint("`providore-server ca show` names them"),
        )
    }
}

/// Puts a list in place of an earlier one of the same CA.
fn replace_list(files: &CaFiles, ca: &Certificate, list: &RevocationList) -> Outcome {
    let mut lists = files.lists()?.unwrap_or_default();
    lists.retain(|known| !known.is_signed_by(ca));
    lists.push(list.clone());
    let pem: String = lists.iter().map(RevocationList::to_pem).collect();
    files.replace(ROOT_LIST, pem.as_bytes())
}
