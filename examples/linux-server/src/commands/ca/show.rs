//! `ca show`.

use providore_pki::{Certificate, LocalCa, crl::RevocationList};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    Common,
    ca::{self, CaFiles, ISSUER_KEY, ROOT_KEY},
    clock,
    commands::print::{say, say_json},
    failure::{Failure, OrFail as _, Outcome},
};

/// Works without a password: it reads no key.
pub(super) fn run(common: &Common, files: &CaFiles) -> Outcome {
    if files.is_empty()? {
        return Err(
            Failure::new(format!("there is no CA in {}", files.folder.display()))
                .hint("`serve` makes one at its first start; `ca import` takes one of your own"),
        );
    }
    let shown = Shown::of(files)?;
    if common.json {
        return say_json(&shown.to_json());
    }
    say(&shown.to_text())
}

/// What there is to see.
struct Shown {
    certificates: Vec<Certificate>,
    keys: [(&'static str, &'static str); 2],
    /// When the list of each CA above the issuing one ends; `None`: it has none.
    lists: Vec<Option<u64>>,
}

impl Shown {
    fn of(files: &CaFiles) -> Outcome<Self> {
        let chain = files.chain()?;
        let certificates = certificates(&chain)?;
        let lists = files.lists()?.unwrap_or_default();
        let end_of_list = |ca: &Certificate| {
            let own = lists.iter().filter(|list| list.is_signed_by(ca));
            own.map(RevocationList::next_update_unix).max()
        };
        let key = |name| match files.is_encrypted(name) {
            Some(true) => "encrypted",
            Some(false) => "not encrypted",
            None => "not here",
        };
        Ok(Self {
            lists: certificates.iter().skip(1).map(end_of_list).collect(),
            certificates,
            keys: [ISSUER_KEY, ROOT_KEY].map(|name| (name, key(name))),
        })
    }

    fn to_json(&self) -> Value {
        let certificate = |certificate: &Certificate| {
            json!({
                "name": certificate.common_name(),
                "serial": certificate.serial().to_string(),
                "not_before": ca::date(certificate.not_before_unix()).to_string(),
                "not_after": ca::date(certificate.not_after_unix()).to_string(),
                "sha256": fingerprint(certificate),
            })
        };
        let list = |end: &Option<u64>| end.map(|end| ca::date(end).to_string());
        json!({
            "certificates": self.certificates.iter().map(certificate).collect::<Vec<_>>(),
            "keys": self.keys.iter().map(|(name, state)| json!({"file": name, "state": state}))
                .collect::<Vec<_>>(),
            "lists_until": self.lists.iter().map(list).collect::<Vec<_>>(),
        })
    }

    fn to_text(&self) -> String {
        let certificates = self.certificates.iter().enumerate();
        let certificates = certificates.map(|(number, certificate)| {
            let role = if number == 0 { "issues" } else { "above" };
            let list = number
                .checked_sub(1)
                .and_then(|above| self.lists.get(above));
            describe(role, certificate, list)
        });
        let keys = self.keys.iter();
        let keys = keys.map(|(name, state)| format!("{name:16}{state}\n"));
        certificates.chain(keys).collect()
    }
}

fn describe(role: &str, certificate: &Certificate, list: Option<&Option<u64>>) -> String {
    let is_over = certificate.not_after_unix() < clock::now_unix();
    let list = list.map(|end| match end {
        Some(end) => format!("        list    until {}\n", ca::date(*end)),
        None => "        list    none: `providore-server ca crl` makes one\n".into(),
    });
    format!(
        "{role:7} {}\n        serial  {}\n        from    {}\n        until   {}{}\n        sha256  {}\n{}",
        certificate.common_name().unwrap_or("?"),
        certificate.serial(),
        ca::date(certificate.not_before_unix()),
        ca::date(certificate.not_after_unix()),
        if is_over { ", which is over" } else { "" },
        fingerprint(certificate),
        list.unwrap_or_default()
    )
}

/// The certificates of a chain.
fn certificates(chain: &str) -> Outcome<Vec<Certificate>> {
    const END: &str = "-----END CERTIFICATE-----";
    let blocks = chain
        .split_inclusive(END)
        .filter(|block| block.contains(END));
    blocks
        .map(|block| Certificate::from_pem(block).or_fail("read the chain of the CA"))
        .collect()
}

/// The SHA-256 of a certificate, as OpenSSL and browsers show it, without colons.
fn fingerprint(certificate: &Certificate) -> String {
    base16ct::lower::encode_string(&Sha256::digest(certificate.der()))
}

/// The root of a CA, or the topmost certificate that it knows.
pub(super) fn root_name(ca: &LocalCa) -> String {
    use providore_pki::CertificateAuthority as _;
    let root = ca
        .trust_anchor_pem()
        .and_then(|pem| Certificate::from_pem(pem).ok());
    let name = root.as_ref().and_then(Certificate::common_name);
    name.unwrap_or("a root that is not in the chain").into()
}
