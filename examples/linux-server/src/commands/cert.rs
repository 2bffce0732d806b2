//! `cert`: list, issue and revoke.

mod issue;
mod revoke;

use std::{collections::HashSet, sync::Arc};

use clap::{Args, Subcommand};
use futures_lite::future::block_on;
use providore_pki::crl::Revocation;
use providore_server_core::{CertificateLog as _, Issued, json_files::JsonStore};
use providore_wire::{DeviceId, Timestamp};
use serde_json::{Value, json};

use crate::{
    Common, clock,
    commands::{
        arguments,
        print::{say, say_json, table},
    },
    failure::{OrFail as _, Outcome},
};

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum CertCommand {
    /// List the certificates that were issued.
    List(ListArgs),
    /// Issue a certificate for a request in a file, such as that of a broker.
    Issue(issue::IssueArgs),
    /// Revoke a certificate, or all that a device has.
    Revoke(revoke::RevokeArgs),
}

/// Which certificates to list.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  providore-server cert list --device kitchen-lamp
  providore-server cert list --expiring 30 --json    for a monitor: who has not renewed?")]
pub(crate) struct ListArgs {
    /// Only those of this device.
    #[arg(long, value_name = "ID", value_parser = arguments::device)]
    device: Option<DeviceId>,
    /// Only those in use that end within so many days or have ended.
    #[arg(long, value_name = "DAYS")]
    expiring: Option<u16>,
}

/// A certificate and what has become of it.
pub(crate) struct Listed {
    /// The certificate.
    pub(crate) issued: Arc<Issued>,
    /// What has become of it.
    pub(crate) state: State,
}

/// What has become of a certificate.
#[derive(Clone, Copy)]
pub(crate) enum State {
    /// It is the newest of its device, and good.
    Valid,
    /// It came from an original server, and this one's CA has issued none yet.
    Original,
    /// A newer one was issued to the device. It stays good until it ends, unless the server lists
    /// superseded certificates as revoked (`crl_superseded`).
    Superseded,
    /// It has ended.
    Expired,
    /// It was revoked by hand.
    Revoked(Revocation),
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Original => "original",
            Self::Superseded => "superseded",
            Self::Expired => "expired",
            Self::Revoked(_) => "revoked",
        }
    }
}

impl Listed {
    /// For programs.
    pub(crate) fn to_json(&self) -> Value {
        let mut line = json!({
            "serial": self.issued.serial.to_string(),
            "device": self.issued.device.as_str(),
            "issued": self.issued.at.to_string(),
            "not_after": self.issued.not_after.to_string(),
            "state": self.state.as_str(),
        });
        if let (State::Revoked(revocation), Some(line)) = (self.state, line.as_object_mut()) {
            let at = time(revocation.at_unix());
            line.insert("revoked_at".into(), at.to_string().into());
            line.insert("reason".into(), revocation.reason().as_str().into());
        }
        line
    }
}

pub(crate) fn run(common: &Common, command: CertCommand) -> Outcome {
    match command {
        CertCommand::List(args) => list(common, &args),
        CertCommand::Issue(args) => issue::run(common, &args),
        CertCommand::Revoke(args) => revoke::run(common, &args),
    }
}

fn list(common: &Common, args: &ListArgs) -> Outcome {
    let folder = common.folder();
    folder.require()?;
    let mut all = all(&folder.store()?)?;
    if let Some(device) = &args.device {
        all.retain(|listed| listed.issued.device == *device);
    }
    if let Some(days) = args.expiring {
        let until = clock::now().saturating_add(i64::from(days).saturating_mul(86_400));
        all.retain(|listed| {
            let in_use = !matches!(listed.state, State::Superseded | State::Revoked(_));
            in_use && listed.issued.not_after <= until
        });
    }
    if common.json {
        return say_json(&all.iter().map(Listed::to_json).collect());
    }
    if all.is_empty() {
        return say("no such certificates\n");
    }
    say(&as_table(&all))
}

/// For people.
pub(crate) fn as_table(all: &[Listed]) -> String {
    let heading = ["SERIAL", "DEVICE", "ISSUED", "UNTIL", "STATE"];
    let mut rows = vec![heading.map(String::from)];
    rows.extend(all.iter().map(|listed| {
        let state = match listed.state {
            State::Revoked(revocation) => format!("revoked ({})", revocation.reason().as_str()),
            state => state.as_str().into(),
        };
        [
            listed.issued.serial.to_string(),
            listed.issued.device.to_string(),
            listed.issued.at.to_string(),
            listed.issued.not_after.to_string(),
            state,
        ]
    }));
    table(&rows)
}

/// All certificates, oldest first, and those of an original server that are still handed out.
pub(crate) fn all(store: &JsonStore) -> Outcome<Vec<Listed>> {
    let now = clock::now();
    let mut listed = Vec::new();
    let mut followed = HashSet::new();
    // From the newest to the oldest: what comes later is known to have been followed.
    for (issued, revocation) in store.certificates().into_iter().rev() {
        let superseded = !followed.insert(issued.device.clone());
        let state = match revocation {
            Some(revocation) => State::Revoked(revocation),
            None if issued.not_after < now => State::Expired,
            None if superseded => State::Superseded,
            None => State::Valid,
        };
        listed.push(Listed { issued, state });
    }
    for device in store.devices() {
        if followed.contains(&device.id) {
            continue;
        }
        let legacy = block_on(store.issued(&device.id)).or_fail("read a certificate")?;
        listed.extend(legacy.into_iter().map(|issued| {
            let over = issued.not_after < now;
            let state = if over {
                State::Expired
            } else {
                State::Original
            };
            Listed { issued, state }
        }));
    }
    listed.reverse();
    Ok(listed)
}

fn time(unix: u64) -> Timestamp {
    let seconds = i64::try_from(unix).ok();
    seconds
        .and_then(Timestamp::from_unix)
        .unwrap_or(Timestamp::MAX)
}
