//! `devices.json`: every generation in, the newest out, unknown members kept.
//!
//! | since | an entry is |
//! |---|---|
//! | February 2021 | `"secret"` |
//! | | `{secretKey, firmware: {type, version}}` |
//! | | `{secretKey, firmware: [{type, version, config, next?, file?}]}` |
//! | 0.1.0 | `certificate: {extensions?: "server_cert" / "user_cert" / "usr_cert", days?}` beside it |
//! | last | `{secretKey, certificate?}` |
//! | ours | `dialect`, `nextSecretKey`, `disabled` and `names` (subject alternative names) beside those; `sequence` and `minimumSequence` in a release that its author signed |
//!
//! An entry without `dialect` was written by a first Providore and means `original`.

use alloc::{
    format,
    string::{String, ToString as _},
    sync::Arc,
    vec::Vec,
};
use core::fmt;
use std::{collections::HashMap, io};

use providore_pki::profile::AltName;
use providore_wire::{DeviceId, Dialect, FirmwareVersion, written};
use serde::{
    Deserialize, Deserializer as _,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};

use super::{spelling, strict};
use crate::{CertificatePolicy, Device, FileName, Order, Release};

/// Releases of one device. A device passes through them one after the other; more than this is a
/// mistake in the file.
const MAX_RELEASES: usize = 256;

/// Alternative names of one certificate.
const MAX_NAMES: usize = 32;

/// Slips of one file that are told; a file with more has a system to them.
const MAX_DOUBTS: usize = 16;

pub(super) type Devices = HashMap<DeviceId, Arc<Device>>;

/// Why a devices file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// It cannot be read.
    #[error("devices file cannot be read")]
    Read(#[source] io::Error),
    /// It cannot be written.
    #[error("devices file cannot be written")]
    Write(#[source] io::Error),
    /// The certificate log cannot be read, or is damaged.
    #[error("certificate log cannot be used")]
    Log(#[source] io::Error),
    /// A thread of the store has ended, so that nothing can be changed any more: start again.
    #[error("the thread that writes the {0} has ended")]
    Ended(&'static str),
    /// It is no JSON.
    #[error("devices file is not JSON")]
    Json(#[source] serde_json::Error),
    /// It is JSON, and no object.
    #[error("devices file is not a JSON object")]
    NoObject,
    /// One entry is wrong.
    #[error("device {id:?}: {what}")]
    Device {
        /// The key of the entry.
        id: String,
        /// What is wrong with it.
        what: String,
    },
}

/// A devices file that is being changed: device id → entry, in the order of the file.
pub type DeviceEdit = Map<String, Value>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    secret_key: String,
    #[serde(default)]
    firmware: Firmware,
    certificate: Option<Certificate>,
    #[serde(default)]
    disabled: bool,
    dialect: Option<String>,
    next_secret_key: Option<String>,
    #[serde(default)]
    names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Firmware {
    Many(Vec<Entry>),
    One(Entry),
}

impl Default for Firmware {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    r#type: String,
    version: String,
    file: Option<String>,
    config: Option<String>,
    next: Option<String>,
    sequence: Option<u64>,
    minimum_sequence: Option<u64>,
}

#[derive(Deserialize)]
struct Certificate {
    extensions: Option<String>,
    days: Option<u16>,
}

/// Parses a whole file, one entry after the other: a fleet's file as one tree of values would take
/// many times the memory of its records. Fuzzed as `devices_json`.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, LoadError> {
    let (mut devices, mut doubts) = (Devices::new(), Vec::new());
    read(bytes, |id, raw| {
        let entry = strict::value(raw.get()).and_then(|entry| {
            if doubts.len() < MAX_DOUBTS {
                doubts.extend(spelling::doubts(&id, &entry));
            }
            device(&id, &entry)
        });
        match entry {
            Err(what) => Err(LoadError::Device { id, what }),
            Ok(device) => match devices.insert(device.id.clone(), Arc::new(device)) {
                Some(_) => Err(twice(id)),
                None => Ok(()),
            },
        }
    })?;
    Ok(Parsed { devices, doubts })
}

/// A devices file.
pub(super) struct Parsed {
    pub(super) devices: Devices,
    /// Members that look like a slip, in words.
    pub(super) doubts: Vec<String>,
}

/// The entries of a devices file as they stand, usable or not.
///
/// # Errors
/// [`LoadError::Json`], [`LoadError::NoObject`]; [`LoadError::Device`] where an entry, or a member of
/// one, is there twice.
pub fn entries(bytes: &[u8]) -> Result<DeviceEdit, LoadError> {
    let mut entries = DeviceEdit::new();
    read(bytes, |id, raw| {
        if entries.contains_key(&id) {
            return Err(twice(id));
        }
        match strict::value(raw.get()) {
            Ok(entry) => entries.insert(id, entry),
            Err(what) => return Err(LoadError::Device { id, what }),
        };
        Ok(())
    })?;
    Ok(entries)
}

/// Two entries of one name: nobody can tell which of them was meant.
fn twice(id: String) -> LoadError {
    let what = "it is in the file twice".into();
    LoadError::Device { id, what }
}

/// Hands over one entry after the other, until one is not taken.
pub(super) fn read<'a>(
    bytes: &'a [u8],
    take: impl FnMut(String, &'a RawValue) -> Result<(), LoadError>,
) -> Result<(), LoadError> {
    let bytes = written::without_bom(bytes);
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        serde_json::from_slice::<IgnoredAny>(bytes).map_err(LoadError::Json)?;
        return Err(LoadError::NoObject);
    }
    let mut entries = Entries(take, None);
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let outcome = json.deserialize_map(&mut entries).and_then(|()| json.end());
    match (entries.1, outcome) {
        (Some(wrong), _) => Err(wrong),
        (None, outcome) => outcome.map_err(LoadError::Json),
    }
}

/// Who takes the entries, and what was wrong with the first that was not taken.
struct Entries<F>(F, Option<LoadError>);

impl<'de, F: FnMut(String, &'de RawValue) -> Result<(), LoadError>> Visitor<'de>
    for &mut Entries<F>
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("devices by their names")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some((id, entry)) = map.next_entry::<String, &'de RawValue>()? {
            if let Err(wrong) = (self.0)(id, entry) {
                self.1 = Some(wrong);
                return Err(M::Error::custom("an entry is wrong"));
            }
        }
        Ok(())
    }
}

/// The record in an entry, or what is wrong with it.
pub(super) fn device(id: &str, entry: &Value) -> Result<Device, String> {
    let name: DeviceId = id.parse().map_err(|error| format!("its name: {error}"))?;
    let record = match entry {
        Value::String(secret) => {
            return Device::new(name, secret.as_bytes(), Dialect::Original)
                .map_err(|error| error.to_string());
        }
        // What serde says of a wrong type repeats the value, which may be the secret.
        Value::Object(members) => {
            for key in ["secretKey", "nextSecretKey"] {
                if members.get(key).is_some_and(|key| !key.is_string()) {
                    return Err(format!("its {key} is not a text"));
                }
            }
            spelling::refuse_doubtful(members)?;
            Record::deserialize(entry).map_err(|error| error.to_string())?
        }
        _ => return Err("neither a secret nor an object".into()),
    };
    let dialect = record.dialect.as_deref().unwrap_or("original");
    let dialect = dialect
        .parse()
        .map_err(|_| format!("unknown dialect {dialect:?}"))?;
    let secret = record.secret_key.as_bytes();
    let signed = Device::SIGNED_SECRET_LEN;
    if dialect != Dialect::Original && !signed.contains(&secret.len()) {
        return Err(format!(
            "its secretKey has {} bytes and the dialect {dialect} takes 16 to 64: give it another \
             secret, or make its dialect \"original\"",
            secret.len()
        ));
    }
    let mut device = Device::new(name, secret, dialect).map_err(|error| error.to_string())?;
    if let Some(next) = &record.next_secret_key {
        device = device
            .with_next_secret(next.as_bytes())
            .map_err(|_| "its nextSecretKey does not have 16 to 64 bytes")?;
    }
    device.enabled = !record.disabled;
    device.releases = releases(record.firmware)?;
    device.certificate = certificate(record.certificate, &record.names)?;
    Ok(device)
}

fn releases(firmware: Firmware) -> Result<Vec<Release>, String> {
    let entries = match firmware {
        Firmware::Many(entries) => entries,
        Firmware::One(entry) => [entry].into(),
    };
    if entries.len() > MAX_RELEASES {
        return Err(format!("more than {MAX_RELEASES} firmware entries"));
    }
    entries.into_iter().map(release).collect()
}

fn release(entry: Entry) -> Result<Release, String> {
    let version = |text: &str, what: &str| -> Result<FirmwareVersion, String> {
        text.parse()
            .map_err(|error| format!("firmware {what} {text:?}: {error}"))
    };
    let file = |name: Option<String>, what: &str| -> Result<Option<FileName>, String> {
        let Some(name) = name else { return Ok(None) };
        name.parse()
            .map(Some)
            .map_err(|error| format!("firmware {what} {name:?}: {error}"))
    };
    Ok(Release {
        hardware: version(&entry.r#type, "type")?,
        version: version(&entry.version, "version")?,
        file: file(entry.file, "file")?,
        config: file(entry.config, "config")?,
        next: entry.next.map(|next| version(&next, "next")).transpose()?,
        order: order(entry.sequence, entry.minimum_sequence)?,
    })
}

fn order(sequence: Option<u64>, minimum: Option<u64>) -> Result<Option<Order>, String> {
    match (sequence, minimum.unwrap_or(0)) {
        (None, 0) => Ok(None),
        (None, minimum) => Err(format!("minimumSequence {minimum} without a sequence")),
        (Some(sequence), minimum) => Order::new(sequence, minimum).map(Some).ok_or_else(|| {
            format!("sequence {sequence} is not above its minimumSequence {minimum}")
        }),
    }
}

fn certificate(
    certificate: Option<Certificate>,
    names: &[String],
) -> Result<CertificatePolicy, String> {
    let mut policy = CertificatePolicy::default();
    if names.len() > MAX_NAMES {
        return Err(format!("more than {MAX_NAMES} names"));
    }
    policy.alt_names = names
        .iter()
        .map(|name| {
            name.parse::<AltName>()
                .map_err(|error| format!("name {name:?}: {error}"))
        })
        .collect::<Result<_, _>>()?;
    let Some(certificate) = certificate else {
        return Ok(policy);
    };
    if let Some(profile) = certificate.extensions {
        policy.profile = profile
            .parse()
            .map_err(|_| format!("certificate extensions {profile:?} are not known"))?;
    }
    if let Some(days) = certificate.days {
        if !(1..=CertificatePolicy::MAX_DAYS).contains(&days) {
            return Err(format!(
                "certificate days {days} are not between 1 and 3650"
            ));
        }
        policy.days = days;
    }
    Ok(policy)
}
