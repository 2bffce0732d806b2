//! `ca import`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use providore_pki::{LocalCa, crl::RevocationList};

use super::{
    CaArgs,
    drill::{self, Verdicts},
    show::root_name,
};
use crate::{
    Common,
    ca::{self, CHAIN, CaFiles, ISSUER_KEY, ROOT_LIST},
    clock,
    commands::print::say,
    failure::{Failure, OrFail as _, Outcome},
};

/// Which CA to go on with.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  providore-server ca import --key issuer.key.pem --chain chain.pem
  providore-server ca import --key issuer.key.pem --chain chain.pem --crl root.crl.pem --replace

To issue below a root of your own, such as that of a first Providore (RSA will do for the root):
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out issuer.key.pem
  openssl req -new -key issuer.key.pem -subj '/CN=Our Issuing CA' -out issuer.csr
  printf 'basicConstraints=critical,CA:TRUE,pathlen:0\\nkeyUsage=critical,keyCertSign,cRLSign\\nsubjectKeyIdentifier=hash\\nauthorityKeyIdentifier=keyid\\n' > ca.ext
  openssl x509 -req -in issuer.csr -CA root.pem -CAkey root.key -CAcreateserial -days 3650 \\
    -extfile ca.ext -out issuer.pem
  cat issuer.pem root.pem > chain.pem

What brokers and devices trust is the root: if it is the same as before, they have nothing to do.")]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    ca: CaArgs,
    /// The revocation lists of the CAs above, in PEM, for verifiers of whole chains.
    #[arg(long, value_name = "FILE")]
    crl: Option<PathBuf>,
    /// Take the place of the CA that is there. Its folder is kept under another name.
    #[arg(long)]
    replace: bool,
    /// Replace it although devices will refuse the certificates of the new one; see `ca drill`.
    #[arg(long, requires = "replace")]
    force: bool,
}

pub(super) fn run(common: &Common, args: &ImportArgs, password: Option<&str>) -> Outcome {
    let folder = common.folder();
    let files = &folder.ca;
    let (key, chain) = args.ca.read(password)?;
    let ca = open(&key, &chain)?;
    let lists = args.crl.as_deref().map(read_lists).transpose()?;
    let ca = match &lists {
        Some(lists) => ca
            .with_issuers_lists(lists.clone())
            .or_fail("use the revocation lists")?,
        None => ca,
    };
    let before = if files.is_empty()? {
        None
    } else {
        if !args.replace {
            return Err(
                Failure::new(format!("there is a CA in {}", files.folder.display())).hint(
                    "--replace puts this one in its place and keeps the folder under another name",
                ),
            );
        }
        let verdicts = Verdicts::of(&folder, &ca, &folder.store()?)?;
        if verdicts.would_refuse() > 0 && !args.force {
            return Err(Failure::new(format!(
                "{} devices would refuse the certificates of this CA",
                verdicts.would_refuse()
            ))
            .hint("`providore-server ca drill` names them; --force replaces the CA all the same"));
        }
        Some(set_aside(files)?)
    };
    let pem = ca::encode(&key, password)?;
    let lists: String = lists.iter().flatten().map(RevocationList::to_pem).collect();
    let stored = [
        (ISSUER_KEY, pem.as_bytes()),
        (ROOT_LIST, lists.as_bytes()),
        (CHAIN, chain.as_bytes()),
    ];
    let stored: Vec<_> = stored
        .into_iter()
        .filter(|(_, bytes)| !bytes.is_empty())
        .collect();
    files.create(&stored)?;
    say(&report(files, &ca, before))
}

impl CaArgs {
    /// The key, and the chain as text.
    pub(super) fn read(
        &self,
        password: Option<&str>,
    ) -> Outcome<(providore_pki::SoftwareKey, String)> {
        let key = ca::read_key(&self.key, password)?;
        let chain = ca::read(&self.chain).or_fail(format!("read {}", self.chain.display()))?;
        Ok((key, String::clone(&chain)))
    }
}

/// Opens a CA that is not in its folder yet.
pub(super) fn open(key: &providore_pki::SoftwareKey, chain: &str) -> Outcome<LocalCa> {
    LocalCa::open(key.clone(), chain, clock::now_unix())
        .or_fail("use this CA")
        .map_err(|failure| {
            failure.hint(
                "--chain starts with the certificate of --key; each further one has signed the one \
                 before it",
            )
        })
}

fn read_lists(path: &Path) -> Outcome<Vec<RevocationList>> {
    let shown = path.display();
    let text = ca::read(path).or_fail(format!("read {shown}"))?;
    RevocationList::all_from_pem(&text, 4)
        .or_fail(format!("read {shown}"))
        .map_err(|failure| failure.hint("give up to four `X509 CRL` blocks in PEM"))
}

/// Gives the folder of the CA another name, so that nothing of it is lost.
fn set_aside(files: &CaFiles) -> Outcome<PathBuf> {
    let named = |count: u32| {
        files
            .folder
            .with_file_name(format!("{}{count}", drill::REPLACED))
    };
    let free = (1..1000).map(named).find(|path| !path.exists());
    let to = free.ok_or_else(|| Failure::new("there are a thousand replaced CAs"))?;
    fs::rename(&files.folder, &to).or_fail(format!("rename {}", files.folder.display()))?;
    Ok(to)
}

fn report(files: &CaFiles, ca: &LocalCa, before: Option<PathBuf>) -> String {
    let mut lines = vec![format!(
        "{} now holds a CA below {}",
        files.folder.display(),
        root_name(ca)
    )];
    lines.extend(before.map(|before| {
        format!(
            "The one before is in {}. Certificates that it issued are no longer on a revocation list.",
            before.display()
        )
    }));
    lines.extend(ca.issuers_without_list(clock::now_unix()).map(|name| {
        format!(
            "There is no revocation list of {name}: verifiers of whole chains need one (--crl FILE, or \
             `ca crl`)."
        )
    }));
    lines.push("Restart the server, if it runs.\n".into());
    lines.join("\n")
}
