//! `ca`: the certificate authority of the data folder.

mod drill;
mod import;
mod show;
mod sign;

use std::{fs::File, path::PathBuf};

use clap::{Args, Subcommand};

use crate::{
    Common,
    ca::{self, CaFiles, ISSUER_KEY, ROOT_KEY},
    commands::print::say,
    failure::{Failure, OrFail as _, Outcome},
    serve::ca_password,
};

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum CaCommand {
    /// Show the certificates of the CA, when they end, and what is missing.
    Show,
    /// Make a new CA where there is none. `serve` does it at the first start.
    Create,
    /// Go on with a CA of your own: a P-256 key, its certificate, and those above it.
    Import(import::ImportArgs),
    /// Encrypt the keys of the CA with the password in `PROVIDORE_CA_PASSWORD`.
    Encrypt,
    /// Sign a revocation list of the root, for verifiers of whole chains.
    Crl(sign::CrlArgs),
    /// Renew the issuing certificate: same key, same name, a later end.
    Renew(sign::RenewArgs),
    /// Say which devices would refuse the certificates of another CA.
    Drill(drill::DrillArgs),
}

/// Key and certificates of a CA in files.
#[derive(Debug, Args)]
struct CaArgs {
    /// The private key that issues: P-256, PKCS#8 in PEM. If it is encrypted, its password is in
    /// `PROVIDORE_CA_PASSWORD`.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The certificate of that key, then each one above it up to the root, in PEM.
    #[arg(long, value_name = "FILE")]
    chain: PathBuf,
}

pub(crate) fn run(common: &Common, command: CaCommand) -> Outcome {
    let folder = common.folder();
    let password = ca_password();
    let password = password.as_deref();
    match command {
        CaCommand::Show => show::run(common, &folder.ca),
        CaCommand::Create => create(&folder.ca, password),
        CaCommand::Import(args) => import::run(common, &args, password),
        CaCommand::Encrypt => encrypt(&folder.ca, password),
        CaCommand::Crl(args) => sign::crl(&folder.ca, &args, password),
        CaCommand::Renew(args) => sign::renew(&folder.ca, &args, password),
        CaCommand::Drill(args) => drill::run(common, &args, password),
    }
}

fn create(files: &CaFiles, password: Option<&str>) -> Outcome {
    if !files.is_empty()? {
        return Err(
            Failure::new(format!("there is a CA in {}", files.folder.display()))
                .hint("a key is never overwritten: move the folder away first"),
        );
    }
    ca::create(files, password)?;
    say(&format!(
        "made a certificate authority in {}\nDevices and brokers have to trust its root: GET \
         /certificates/ca.pem of the server\n",
        files.folder.display()
    ))
}

fn encrypt(files: &CaFiles, password: Option<&str>) -> Outcome {
    let password = password.ok_or_else(|| {
        Failure::new("there is no password")
            .hint("put it into the environment: PROVIDORE_CA_PASSWORD")
    })?;
    let _lock = lock(files)?;
    let mut lines = Vec::new();
    for name in [ISSUER_KEY, ROOT_KEY] {
        let path = files.path(name);
        let what = match files.is_encrypted(name) {
            None => "is not there",
            Some(true) => "is encrypted already",
            Some(false) => {
                let key = files.key(name, None)?;
                let pem = ca::encode(&key, Some(password))?;
                files.replace(name, pem.as_bytes())?;
                "is encrypted now"
            }
        };
        lines.push(format!("{} {what}", path.display()));
    }
    lines.push(
        "The server needs PROVIDORE_CA_PASSWORD at every start. Older copies, such as backups, are not \
         encrypted.\n"
            .into(),
    );
    say(&lines.join("\n"))
}

/// Holds off other commands that change the CA, until it is dropped.
fn lock(files: &CaFiles) -> Outcome<File> {
    let shown = files.folder.display();
    let folder = File::open(&files.folder)
        .or_fail(format!("open {shown}"))
        .map_err(|failure| failure.hint("there is no CA yet: `serve` makes one, or `ca import`"))?;
    let busy = |_| Failure::new(format!("another command works on {shown}"));
    folder.try_lock().map_err(busy)?;
    Ok(folder)
}
