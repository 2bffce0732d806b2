//! `cert revoke`.

use clap::{ArgGroup, Args, ValueEnum};
use futures_lite::future::block_on;
use providore_pki::{
    SerialNumber,
    crl::{Revocation, RevocationReason},
};
use providore_server_core::{CertificateLog as _, json_files::JsonStore};
use providore_wire::DeviceId;
use serde_json::json;

use super::{Listed, State, all};
use crate::{
    Common, clock,
    commands::{
        arguments,
        print::{say, say_json},
    },
    failure::{Failure, OrFail as _, Outcome},
};

/// What to revoke.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  providore-server cert revoke --device kitchen-lamp --reason key-compromise
  providore-server cert revoke 80e1d2a9c3b4f5061728394a5b6c7d8e

A running server knows at the next request and puts it on its revocation list within seconds. After
--reason key-compromise, and with --forbid-key, no certificate is issued for its key again: the
device has to make a new key. The device may ask for a new certificate as long as its secret is
good; `device disable ID` prevents that.")]
#[command(group = ArgGroup::new("what").required(true).args(["serial", "device"]))]
pub(crate) struct RevokeArgs {
    /// The serial number in hex, as cert list shows it.
    #[arg(value_parser = parse_serial)]
    serial: Option<SerialNumber>,
    /// All certificates of this device that have not ended.
    #[arg(long, value_name = "ID", value_parser = arguments::device)]
    device: Option<DeviceId>,
    /// Why.
    #[arg(long, value_enum, default_value = "unspecified")]
    reason: Reason,
    /// Never certify its key again. --reason key-compromise does so as well.
    #[arg(long)]
    forbid_key: bool,
}

/// The reasons of RFC 5280 that a CA for devices needs.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Reason {
    /// No reason is given.
    Unspecified,
    /// Somebody else may have the key.
    KeyCompromise,
    /// The device belongs to somebody else now.
    AffiliationChanged,
    /// A newer certificate has taken its place.
    Superseded,
    /// The device is out of service.
    CessationOfOperation,
    /// The device may no longer do what the certificate was for.
    PrivilegeWithdrawn,
}

impl From<Reason> for RevocationReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Unspecified => Self::Unspecified,
            Reason::KeyCompromise => Self::KeyCompromise,
            Reason::AffiliationChanged => Self::AffiliationChanged,
            Reason::Superseded => Self::Superseded,
            Reason::CessationOfOperation => Self::CessationOfOperation,
            Reason::PrivilegeWithdrawn => Self::PrivilegeWithdrawn,
        }
    }
}

/// Hex as OpenSSL and browsers write it too: with colons, in capitals, with zeros in front.
fn parse_serial(text: &str) -> Result<SerialNumber, String> {
    let digits: String = text.chars().filter(|digit| *digit != ':').collect();
    let digits = format!("{}{digits}", if digits.len() % 2 == 1 { "0" } else { "" });
    let bytes = base16ct::mixed::decode_vec(&digits).map_err(|_| "not a number in hex")?;
    SerialNumber::from_be_bytes(&bytes).ok_or_else(|| "not the serial number of anything".into())
}

impl RevokeArgs {
    fn forbids_keys(&self) -> bool {
        self.forbid_key || matches!(self.reason, Reason::KeyCompromise)
    }
}

pub(super) fn run(common: &Common, args: &RevokeArgs) -> Outcome {
    let folder = common.folder();
    folder.require()?;
    let store = folder.store()?;
    let chosen = choose(all(&store)?, args)?;
    for listed in &chosen {
        revoke(&store, listed, args)?;
    }
    let serials: Vec<String> = chosen
        .iter()
        .map(|listed| listed.issued.serial.to_string())
        .collect();
    if common.json {
        return say_json(&json!({"revoked": serials, "key_forbidden": args.forbids_keys()}));
    }
    let line = |listed: &Listed| {
        let (serial, device) = (listed.issued.serial, &listed.issued.device);
        format!("revoked {serial} of {device}")
    };
    let lines: Vec<String> = chosen.iter().map(line).collect();
    say(&format!(
        "{}\n{}A running server puts this on its revocation list within seconds.\n",
        lines.join("\n"),
        if args.forbids_keys() {
            "The key gets no certificate again: the device has to make a new one.\n"
        } else {
            ""
        }
    ))
}

fn choose(all: Vec<Listed>, args: &RevokeArgs) -> Outcome<Vec<Listed>> {
    let wanted = |listed: &Listed| match (&args.serial, &args.device) {
        (Some(serial), _) => listed.issued.serial == *serial,
        (None, Some(device)) => {
            listed.issued.device == *device && !matches!(listed.state, State::Expired)
        }
        (None, None) => false,
    };
    let chosen: Vec<Listed> = all.into_iter().filter(wanted).collect();
    if let Some(foreign) = chosen
        .iter()
        .find(|listed| matches!(listed.state, State::Original))
    {
        let device = &foreign.issued.device;
        return Err(Failure::new(format!(
            "the certificate of {device} was issued by another CA, that of an original server"
        ))
        .hint(format!(
            "revoke it there; remove certificateStore/{device}.cert.pem so that it is handed out \
             no more"
        )));
    }
    if chosen.is_empty() {
        return Err(Failure::new("there is no such certificate")
            .hint("see which there are: providore-server cert list"));
    }
    Ok(chosen)
}

/// Writes the revocation down; one that is there already stays as it is.
fn revoke(store: &JsonStore, listed: &Listed, args: &RevokeArgs) -> Outcome {
    let issued = &listed.issued;
    let end = u64::try_from(issued.not_after.unix()).unwrap_or(0);
    let revocation = Revocation::new(issued.serial, clock::now_unix(), end, args.reason.into());
    let revocation = if args.forbid_key {
        revocation.with_forbidden_key()
    } else {
        revocation
    };
    block_on(store.revoke(revocation)).or_fail(format!("revoke {}", issued.serial))
}
