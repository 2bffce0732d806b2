//! `device list` and `device show`. Neither knows the secret.

use std::{collections::HashMap, fmt::Write as _};

use futures_lite::future::block_on;
use providore_server_core::{
    ConfigStore as _, Device, Failure, FileName, FirmwareStore as _, Image as _, Order, Release,
    json_files::JsonStore,
};
use providore_wire::DeviceId;
use serde_json::{Value, json};

use crate::{
    Common, clock,
    commands::{
        cert::{self, Listed, State},
        configs,
        print::{say, say_json, table},
        records,
    },
    failure::{OrFail as _, Outcome},
    presence::{self, Heard},
};

pub(super) fn list(common: &Common) -> Outcome {
    let folder = common.folder();
    folder.require()?;
    let store = folder.store()?;
    let certificates = current(cert::all(&store)?);
    let devices = store.devices();
    let heard = presence::read(&folder.presence);
    if common.json {
        let summary =
            |device: &Device| summary(device, &certificates, heard.get(device.id.as_str()));
        let list: Vec<Value> = devices.iter().map(|device| summary(device)).collect();
        return say_json(&Value::Array(list));
    }
    let heading = [
        "DEVICE",
        "STATE",
        "DIALECT",
        "NEXT SECRET",
        "TYPE",
        "VERSION",
        "RUNS",
        "HEARD",
        "CERTIFICATE UNTIL",
    ];
    let mut rows = vec![heading.map(String::from)];
    rows.extend(
        devices
            .iter()
            .map(|device| row(device, &certificates, heard.get(device.id.as_str()))),
    );
    say(&table(&rows))
}

/// The certificate that each device has: the newest one that is neither revoked nor over.
fn current(all: Vec<Listed>) -> HashMap<DeviceId, Listed> {
    let good = all
        .into_iter()
        .filter(|listed| matches!(listed.state, State::Valid | State::Original));
    good.map(|listed| (listed.issued.device.clone(), listed))
        .collect()
}

fn row(
    device: &Device,
    certificates: &HashMap<DeviceId, Listed>,
    heard: Option<&Heard>,
) -> [String; 9] {
    let release = device.releases.last();
    let dash = || String::from("-");
    [
        device.id.to_string(),
        state(device).into(),
        device.dialect.to_string(),
        if device.has_next_secret() {
            "waits"
        } else {
            "-"
        }
        .into(),
        release.map_or_else(dash, |release| release.hardware.to_string()),
        release.map_or_else(dash, |release| release.version.to_string()),
        heard.and_then(Heard::runs).map_or_else(dash, String::from),
        heard.map_or_else(|| "never".into(), |heard| heard.at().to_string()),
        certificates
            .get(&device.id)
            .map_or_else(dash, |listed| listed.issued.not_after.to_string()),
    ]
}

fn summary(
    device: &Device,
    certificates: &HashMap<DeviceId, Listed>,
    heard: Option<&Heard>,
) -> Value {
    let release = device.releases.last();
    let until = certificates.get(&device.id);
    json!({
        "id": device.id.as_str(),
        "enabled": device.enabled,
        "dialect": device.dialect.as_str(),
        "next_secret_waits": device.has_next_secret(),
        "type": release.map(|release| release.hardware.as_str()),
        "version": release.map(|release| release.version.as_str()),
        "runs": heard.and_then(Heard::runs),
        "heard": heard.map(|heard| heard.at().to_string()),
        "certificate_until": until.map(|listed| listed.issued.not_after.to_string()),
    })
}

fn state(device: &Device) -> &'static str {
    if device.enabled {
        "enabled"
    } else {
        "disabled"
    }
}

pub(super) fn show(common: &Common, id: &DeviceId) -> Outcome {
    let folder = common.folder();
    folder.require()?;
    let store = folder.store()?;
    let device = records::find(&store, id)?;
    let mut certificates = cert::all(&store)?;
    certificates.retain(|listed| listed.issued.device == *id);
    let releases = offers(&store, &device)?;
    let heard = presence::read(&folder.presence).remove(id.as_str());
    if common.json {
        let mut shown = as_json(&device, &releases, &certificates);
        if let Some(shown) = shown.as_object_mut() {
            shown.insert("runs".into(), heard.as_ref().and_then(Heard::runs).into());
            let at = heard.as_ref().map(|heard| heard.at().to_string());
            shown.insert("heard".into(), at.into());
        }
        return say_json(&shown);
    }
    let heard = match &heard {
        Some(heard) => format!(
            "heard        {}, running {}\n",
            heard.at(),
            heard.runs().unwrap_or("what it does not say")
        ),
        None => "heard        never\n".into(),
    };
    say(&format!(
        "{heard}{}",
        as_text(&device, &releases, &certificates)
    ))
}

/// What a device that runs one release gets.
struct Offer<'a> {
    release: Option<&'a Release>,
    config: String,
    has_config: bool,
    image_size: Option<u64>,
    failure: Option<Failure>,
}

/// An offer for each release; one without a release for a device that has none.
fn offers<'a>(store: &JsonStore, device: &'a Device) -> Outcome<Vec<Offer<'a>>> {
    let mut releases: Vec<Option<&Release>> = device.releases.iter().map(Some).collect();
    if releases.is_empty() {
        releases.push(None);
    }
    let failures = block_on(store.failures(&device.id)).or_fail("read what failed")?;
    let offer = |release: Option<&'a Release>| {
        let config = block_on(store.config(device, release)).or_fail("read the configuration")?;
        let image = match release {
            Some(release) => block_on(store.image(release)).or_fail("read the image")?,
            None => None,
        };
        let file = release.and_then(|release| release.config.as_ref());
        Ok(Offer {
            release,
            config: file.map_or(configs::DEFAULT, |file| file.as_str()).into(),
            has_config: config.is_some(),
            image_size: image.map(|image| image.size()),
            failure: release.and_then(|release| {
                let is_its_own = |failure: &&Failure| failure.version == release.version;
                failures.iter().find(is_its_own).cloned()
            }),
        })
    };
    releases.into_iter().map(offer).collect()
}

fn as_json(device: &Device, offers: &[Offer<'_>], certificates: &[Listed]) -> Value {
    let text = |value: &dyn ToString| Value::String(value.to_string());
    let offer = |offer: &Offer<'_>| {
        let release = offer.release;
        json!({
            "type": release.map(|release| release.hardware.as_str()),
            "version": release.map(|release| release.version.as_str()),
            "next": release.and_then(|release| release.next.as_ref()).map(|next| text(next)),
            "file": release.and_then(|release| release.file.as_ref()).map(FileName::as_str),
            "image_size": offer.image_size,
            "config": offer.config,
            "has_config": offer.has_config,
            "sequence": release.and_then(|release| release.order).map(Order::sequence),
            "min_sequence": release.and_then(|release| release.order).map(Order::minimum),
            "failure": offer.failure.as_ref().map(failure_as_json),
        })
    };
    let policy = &device.certificate;
    json!({
        "id": device.id.as_str(),
        "enabled": device.enabled,
        "dialect": device.dialect.as_str(),
        "next_secret_waits": device.has_next_secret(),
        "profile": policy.profile.as_str(),
        "days": policy.days,
        "names": policy.alt_names.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "releases": offers.iter().map(offer).collect::<Vec<_>>(),
        "certificates": certificates.iter().map(Listed::to_json).collect::<Vec<_>>(),
    })
}

fn failure_as_json(failure: &Failure) -> Value {
    json!({
        "at": failure.at.to_string(),
        "outcome": if failure.rolled_back { "rolled-back" } else { "failed" },
        "reason": failure.reason(),
    })
}

fn as_text(device: &Device, offers: &[Offer<'_>], certificates: &[Listed]) -> String {
    let policy = &device.certificate;
    let names: Vec<String> = policy.alt_names.iter().map(ToString::to_string).collect();
    let next = if device.has_next_secret() {
        "waits until the device has used it"
    } else {
        "none"
    };
    let mut text = format!(
        "device       {}\nstate        {}\ndialect      {}\nnext secret  {next}\n\
         certificate  {}, {} days{}{}\n",
        device.id,
        state(device),
        device.dialect,
        policy.profile.as_str(),
        policy.days,
        if names.is_empty() { "" } else { ", for " },
        names.join(", "),
    );
    text.push('\n');
    text.push_str(&table(&offer_rows(offers)));
    text.push_str(&failures_as_text(&device.id, offers));
    if certificates.is_empty() {
        text.push_str("\nno certificate was issued to it\n");
        return text;
    }
    text.push('\n');
    text.push_str(&cert::as_table(certificates));
    // Writing to a string does not fail.
    let _ = writeln!(text, "\nas of {}", clock::now());
    text
}

/// What failed and is held back, and what to do about it.
fn failures_as_text(id: &DeviceId, offers: &[Offer<'_>]) -> String {
    let mut text = String::new();
    for failure in offers.iter().filter_map(|offer| offer.failure.as_ref()) {
        // Escaped: it is the device's word, and nothing of it is to command this terminal.
        let reason = match failure.reason() {
            "" => "no reason given".into(),
            reason => format!("{reason:?}"),
        };
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "\n{} {} at {}: {reason}",
            failure.version,
            if failure.rolled_back {
                "rolled back"
            } else {
                "failed"
            },
            failure.at
        );
    }
    if !text.is_empty() {
        let _ = writeln!(
            text,
            "\nnot offered again until: providore-server device retry {id} [VERSION]"
        );
    }
    text
}

fn offer_rows(offers: &[Offer<'_>]) -> Vec<[String; 6]> {
    let dash = || String::from("-");
    let place = |order: Order| match order.minimum() {
        0 => order.sequence().to_string(),
        minimum => format!("{}, from {minimum} on", order.sequence()),
    };
    let row = |offer: &Offer<'_>| {
        let release = offer.release;
        let missing = if offer.has_config { "" } else { " (missing)" };
        let image = match (release, offer.image_size) {
            (None, _) => dash(),
            (Some(_), Some(size)) => format!("{size} bytes"),
            (Some(_), None) => "missing".into(),
        };
        [
            release.map_or_else(dash, |release| release.hardware.to_string()),
            release.map_or_else(dash, |release| release.version.to_string()),
            release
                .and_then(|release| release.next.as_ref())
                .map_or_else(dash, ToString::to_string),
            release
                .and_then(|release| release.order)
                .map_or_else(dash, place),
            image,
            format!("{}{missing}", offer.config),
        ]
    };
    let heading = [
        "TYPE",
        "VERSION",
        "NEXT",
        "RELEASE",
        "IMAGE",
        "CONFIGURATION",
    ];
    let mut rows = vec![heading.map(String::from)];
    rows.extend(offers.iter().map(row));
    rows
}
