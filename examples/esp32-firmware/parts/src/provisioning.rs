//! What a device is told in the factory: a small partition, written by the host's tool and read once
//! at each start.
//!
//! ```text
//! "PROVIDOR"  8 bytes
//! 1           the format, one byte, and three of zero
//! length      of what follows the digest, four bytes, little-endian
//! digest      SHA-256 of that, 32 bytes: it finds a partition that was not written to its end
//! fields      each a kind (one byte), a length (two bytes, little-endian) and so many bytes
//! ```
//!
//! A field that is not known is an error: a firmware that does not understand what it is told must
//! not go on without.

use core::fmt;

use providore_wire::{DeviceId, HardwareType};
use sha2::{Digest as _, Sha256};

/// What a device is told.
#[derive(Clone)]
pub struct Provisioning<'a> {
    /// Its name.
    pub id: DeviceId,
    /// Its secret.
    pub secret: Secret<'a>,
    /// The hardware type that manifests of firmware name.
    pub hardware: HardwareType,
    /// The network's name, at most 32 bytes.
    pub wifi_name: &'a str,
    /// The network's password, 8 to 64 bytes; empty for an open network.
    pub wifi_password: &'a str,
    /// Public keys of those whose firmware is installed, uncompressed points of P-256.
    pub authors: Authors<'a>,
    /// Where the server is if nobody announces one, such as `http://192.0.2.1:3000`.
    pub server: Option<&'a str>,
    /// The SHA-256 fingerprint of the CA whose server is tried first.
    pub authority: Option<[u8; 32]>,
}

/// Where the secret is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Secret<'a> {
    /// Here: whoever can read the flash has it.
    Stored(&'a [u8]),
    /// In a block of the chip's fuses, 0 to 5, which only the HMAC peripheral can read.
    Fuses(u8),
}

/// Public keys, at most [`Authors::MAX`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Authors<'a> {
    keys: [&'a [u8]; Authors::MAX],
    count: usize,
}

impl<'a> Authors<'a> {
    /// As many as a device checks.
    pub const MAX: usize = 4;
    /// The length of a key: `04 || x || y`.
    pub const KEY_LEN: usize = 65;

    /// Adds a key; false if it has another length, or there is no room.
    pub fn push(&mut self, key: &'a [u8]) -> bool {
        let Some(slot) = self.keys.get_mut(self.count) else {
            return false;
        };
        if key.len() != Self::KEY_LEN {
            return false;
        }
        *slot = key;
        self.count += 1;
        true
    }

    /// The keys.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.keys.iter().take(self.count).copied()
    }
}

/// Why a partition is not what a device is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is erased, or something else is there.
    Empty,
    /// It is of another format than this firmware knows.
    Format,
    /// It was not written to its end, or has changed since.
    Damaged,
    /// A field is missing, repeated, or not what it should be: its kind.
    Field(u8),
    /// It does not fit.
    TooLong,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("not provisioned"),
            Self::Format => f.write_str("provisioned in a format that is not known here"),
            Self::Damaged => f.write_str("the provisioning partition is damaged"),
            Self::Field(kind) => write!(f, "field {kind} of the provisioning is missing or wrong"),
            Self::TooLong => f.write_str("the provisioning is too long"),
        }
    }
}

impl core::error::Error for Fault {}

const MAGIC: &[u8; 8] = b"PROVIDOR";
const FORMAT: [u8; 4] = [1, 0, 0, 0];
const LENGTH_AT: usize = 12;
const DIGEST_AT: usize = 16;
const FIELDS_AT: usize = 48;

const ID: u8 = 1;
const STORED: u8 = 2;
const FUSES: u8 = 3;
const HARDWARE: u8 = 4;
const WIFI_NAME: u8 = 5;
const WIFI_PASSWORD: u8 = 6;
const AUTHOR: u8 = 7;
const SERVER: u8 = 8;
const AUTHORITY: u8 = 9;

impl<'a> Provisioning<'a> {
    /// More than everything takes: what a reader needs as a buffer.
    pub const MAX_LEN: usize = 1024;

    /// Reads what is in a partition, or in its beginning.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        let mut fields = Fields(content(bytes)?);
        let mut found = Found::default();
        while let Some((kind, value)) = fields.next()? {
            found.take(kind, value)?;
        }
        found.finish()
    }

    /// Writes it, and returns how many bytes.
    ///
    /// # Errors
    /// [`Fault::TooLong`]; [`Fault::Field`] for what [`parse`](Self::parse) would not take.
    pub fn write(&self, buffer: &mut [u8]) -> Result<usize, Fault> {
        let mut writer = Writer {
            buffer,
            at: FIELDS_AT,
        };
        writer.field(ID, self.id.as_str().as_bytes())?;
        match self.secret {
            Secret::Stored(secret) => writer.field(STORED, secret)?,
            Secret::Fuses(block) => writer.field(FUSES, &[block])?,
        }
        writer.field(HARDWARE, self.hardware.as_str().as_bytes())?;
        writer.field(WIFI_NAME, self.wifi_name.as_bytes())?;
        writer.field(WIFI_PASSWORD, self.wifi_password.as_bytes())?;
        for key in self.authors.iter() {
            writer.field(AUTHOR, key)?;
        }
        if let Some(server) = self.server {
            writer.field(SERVER, server.as_bytes())?;
        }
        if let Some(authority) = &self.authority {
            writer.field(AUTHORITY, authority)?;
        }
        let length = writer.finish()?;
        Provisioning::parse(buffer)?;
        Ok(length)
    }
}

impl fmt::Debug for Provisioning<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provisioning")
            .field("id", &self.id)
            .field("secret", &self.secret)
            .field("hardware", &self.hardware)
            .field("wifi_name", &self.wifi_name)
            .field("authors", &self.authors.count)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stored(_) => f.write_str("Stored(..)"),
            Self::Fuses(block) => write!(f, "Fuses({block})"),
        }
    }
}

/// The fields, whole and unchanged.
fn content(bytes: &[u8]) -> Result<&[u8], Fault> {
    if !bytes.starts_with(MAGIC) {
        return Err(Fault::Empty);
    }
    if bytes.get(MAGIC.len()..LENGTH_AT) != Some(&FORMAT) {
        return Err(Fault::Format);
    }
    let length = bytes
        .get(LENGTH_AT..DIGEST_AT)
        .and_then(|four| four.first_chunk());
    let length = u32::from_le_bytes(*length.ok_or(Fault::Damaged)?);
    let length = usize::try_from(length).map_err(|_| Fault::TooLong)?;
    let rest = bytes.get(FIELDS_AT..).ok_or(Fault::Damaged)?;
    let fields = rest.get(..length).ok_or(Fault::TooLong)?;
    let digest = Sha256::digest(fields);
    if bytes.get(DIGEST_AT..FIELDS_AT) != Some(&digest[..]) {
        return Err(Fault::Damaged);
    }
    Ok(fields)
}

struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn next(&mut self) -> Result<Option<(u8, &'a [u8])>, Fault> {
        let Some((kind, rest)) = self.0.split_first() else {
            return Ok(None);
        };
        let (length, rest) = rest.split_first_chunk().ok_or(Fault::Field(*kind))?;
        let length = usize::from(u16::from_le_bytes(*length));
        let (value, rest) = rest.split_at_checked(length).ok_or(Fault::Field(*kind))?;
        self.0 = rest;
        Ok(Some((*kind, value)))
    }
}

#[derive(Default)]
struct Found<'a> {
    id: Option<DeviceId>,
    secret: Option<Secret<'a>>,
    hardware: Option<HardwareType>,
    wifi_name: Option<&'a str>,
    wifi_password: Option<&'a str>,
    authors: Authors<'a>,
    server: Option<&'a str>,
    authority: Option<[u8; 32]>,
}

impl<'a> Found<'a> {
    fn take(&mut self, kind: u8, value: &'a [u8]) -> Result<(), Fault> {
        let wrong = Fault::Field(kind);
        let text = || core::str::from_utf8(value).map_err(|_| wrong);
        let fits = |holds: bool| if holds { Ok(()) } else { Err(wrong) };
        match kind {
            ID => once(&mut self.id, text()?.parse().map_err(|_| wrong)?, wrong),
            STORED => {
                // The shortest that the `Signed` dialect takes, the longest of any.
                fits((16..=256).contains(&value.len()))?;
                once(&mut self.secret, Secret::Stored(value), wrong)
            }
            FUSES => {
                let [block @ 0..=5] = value else {
                    return Err(wrong);
                };
                once(&mut self.secret, Secret::Fuses(*block), wrong)
            }
            HARDWARE => once(
                &mut self.hardware,
                text()?.parse().map_err(|_| wrong)?,
                wrong,
            ),
            WIFI_NAME => {
                fits((1..=32).contains(&value.len()))?;
                once(&mut self.wifi_name, text()?, wrong)
            }
            WIFI_PASSWORD => {
                fits(value.is_empty() || (8..=64).contains(&value.len()))?;
                once(&mut self.wifi_password, text()?, wrong)
            }
            AUTHOR => fits(self.authors.push(value)),
            SERVER => once(&mut self.server, text()?, wrong),
            AUTHORITY => once(
                &mut self.authority,
                value.try_into().map_err(|_| wrong)?,
                wrong,
            ),
            _ => Err(wrong),
        }
    }

    fn finish(self) -> Result<Provisioning<'a>, Fault> {
        Ok(Provisioning {
            id: self.id.ok_or(Fault::Field(ID))?,
            secret: self.secret.ok_or(Fault::Field(STORED))?,
            hardware: self.hardware.ok_or(Fault::Field(HARDWARE))?,
            wifi_name: self.wifi_name.ok_or(Fault::Field(WIFI_NAME))?,
            wifi_password: self.wifi_password.ok_or(Fault::Field(WIFI_PASSWORD))?,
            authors: self.authors,
            server: self.server,
            authority: self.authority,
        })
    }
}

fn once<T>(slot: &mut Option<T>, value: T, repeated: Fault) -> Result<(), Fault> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(repeated),
    }
}

struct Writer<'b> {
    buffer: &'b mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn field(&mut self, kind: u8, value: &[u8]) -> Result<(), Fault> {
        let length = u16::try_from(value.len()).map_err(|_| Fault::TooLong)?;
        self.put(&[kind])?;
        self.put(&length.to_le_bytes())?;
        self.put(value)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let end = self.at + bytes.len();
        let room = self.buffer.get_mut(self.at..end).ok_or(Fault::TooLong)?;
        room.copy_from_slice(bytes);
        self.at = end;
        Ok(())
    }

    fn finish(mut self) -> Result<usize, Fault> {
        let end = self.at;
        let fields = self.buffer.get(FIELDS_AT..end).ok_or(Fault::TooLong)?;
        let length = u32::try_from(fields.len()).map_err(|_| Fault::TooLong)?;
        let digest = Sha256::digest(fields);
        self.at = 0;
        self.put(MAGIC)?;
        self.put(&FORMAT)?;
        self.put(&length.to_le_bytes())?;
        self.put(&digest)?;
        Ok(end)
    }
}
