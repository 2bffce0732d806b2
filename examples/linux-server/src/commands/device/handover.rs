//! The handover of a secret: printed once, as text, as an NVS table for ESP-IDF, as a QR code.
//!
//! | form | what it holds |
//! |---|---|
//! | JSON | `{"id":"…","secret":"…"}` |
//! | QR code | `{"v":1,"id":"…","secret":"…"}`; `v` rises when the meaning changes |
//! | NVS table | namespace `providore`, strings `device_id` and `psk`: what the C component for ESP-IDF reads |
//!
//! The table is the input of ESP-IDF's `nvs_partition_gen.py generate nvs.csv nvs.bin 0x6000`.
//! The bootstrap firmware of the first Providore has room for 32 characters of each string: for it
//! add the device with `--dialect original` and name a shorter secret with `--secret`.

use std::{
    fmt::Write as _,
    io::{self, BufRead as _, IsTerminal as _, Read as _},
    path::PathBuf,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::Args;
use providore_server_core::{
    Device, Dialect,
    json_files::{make_folder, write_private},
};
use providore_sign::SoftwareKey;
use providore_wire::{DeviceId, written};
use qrcode::{EcLevel, QrCode, render::unicode::Dense1x2};
use serde_json::json;
use zeroize::Zeroizing;

use crate::{
    Common, clock,
    commands::print::{deliver, note},
    failure::{Failure, OrFail as _, Outcome},
};

/// Fewer characters than this are worth a warning: a typed word can be guessed from one message.
const SHORT_SECRET: usize = 16;

/// The longest secret takes a quarter of it; the rest is room for blanks and line ends.
const MAX_INPUT: usize = 1024;

/// Where the secret comes from and how it is handed over.
#[derive(Debug, Args)]
pub(crate) struct HandoverArgs {
    /// Take this secret over instead of making one: 16 to 64 bytes, for the original dialect 1 to
    /// 256; - reads it from standard input, so that no list of processes shows it.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    secret: Option<String>,
    /// Write the table for ESP-IDF's NVS partition generator to this file, not to the terminal.
    #[arg(long, value_name = "FILE")]
    nvs: Option<PathBuf>,
    /// Draw the QR code even if the output is no terminal.
    #[arg(long, conflicts_with = "no_qr")]
    qr: bool,
    /// Draw no QR code.
    #[arg(long)]
    no_qr: bool,
}

/// A device's secret. It has no `Debug` and is wiped when dropped.
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    /// 256 fresh random bits as 43 characters.
    pub(super) fn generate() -> Self {
        let bytes = Zeroizing::new(clock::entropy::<32>());
        Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
    }

    fn parse(text: &str, dialect: Dialect) -> Outcome<Self> {
        if text.is_empty() || text.len() > SoftwareKey::MAX_SECRET_LEN {
            let most = SoftwareKey::MAX_SECRET_LEN;
            return Err(Failure::new(format!(
                "the secret is not 1 to {most} bytes long"
            )));
        }
        let length = text.len();
        if dialect != Dialect::Original && !Device::SIGNED_SECRET_LEN.contains(&length) {
            return Err(Failure::new(format!(
                "the secret has {length} bytes, and the dialect {dialect} takes 16 to 64"
            ))
            .hint(
                "leave --secret out to have one made; a device of a first Providore may keep its \
                 own if its dialect is original",
            ));
        }
        written::exact_secret(text.as_bytes())
            .map_err(|error| Failure::new(format!("the secret cannot be used: {error}")))?;
        if text.chars().count() < SHORT_SECRET {
            note("warning: such a short secret can be guessed; rotate-secret makes a good one");
        }
        Ok(Self(Zeroizing::new(text.into())))
    }

    fn from_stdin(dialect: Dialect) -> Outcome<Self> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_INPUT));
        let is_typed = io::stdin().is_terminal();
        let mut input = io::stdin().lock().take(MAX_INPUT as u64);
        let read = if is_typed {
            input.read_until(b'\n', &mut bytes)
        } else {
            input.read_to_end(&mut bytes)
        };
        read.or_fail("read the secret from standard input")?;
        let text = written::secret(&bytes)
            .map_err(|error| Failure::new(format!("the secret cannot be used: {error}")))?;
        Self::parse(text, dialect)
    }

    /// The characters, for the record and the handover.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl HandoverArgs {
    /// Whether anything about a handover was asked for.
    pub(super) fn is_wanted(&self) -> bool {
        self.secret.is_some() || self.nvs.is_some() || self.qr
    }

    /// The secret that was given, or a fresh one.
    pub(super) fn secret(&self, dialect: Dialect) -> Outcome<Secret> {
        match self.secret.as_deref() {
            None => Ok(Secret::generate()),
            Some("-") => Secret::from_stdin(dialect),
            Some(text) => Secret::parse(text, dialect),
        }
    }

    /// Finds out what can go wrong with the handover while nothing has been changed yet.
    pub(super) fn prepare(&self) -> Outcome {
        let Some(path) = &self.nvs else { return Ok(()) };
        let shown = path.display();
        if path.exists() {
            return Err(Failure::new(format!("{shown} is there already"))
                .hint("it may hold another device's secret: name another file, or remove it"));
        }
        let folder = path.parent().unwrap_or(path);
        make_folder(folder).or_fail(format!("make the folder of {shown}"))
    }

    /// Hands the secret over. The device has it by now: what fails here can only be done again
    /// with a new one.
    pub(super) fn hand_over(&self, common: &Common, id: &DeviceId, secret: &Secret) -> Outcome {
        let again =
            format!("the device is set up; make a new secret with device rotate-secret {id} --now");
        if let Some(path) = &self.nvs {
            write_private(path, nvs_table(id, secret).as_bytes())
                .or_fail(format!("write {}", path.display()))
                .map_err(|failure| failure.hint(again.as_str()))?;
        }
        let text = if common.json {
            let answer = json!({"id": id.as_str(), "secret": secret.expose()});
            Zeroizing::new(format!("{answer}\n"))
        } else {
            self.text(id, secret)
        };
        deliver(&text)
            .or_fail("print the secret")
            .map_err(|failure| failure.hint(again))
    }

    fn text(&self, id: &DeviceId, secret: &Secret) -> Zeroizing<String> {
        let mut text = Zeroizing::new(format!(
            "device  {id}\nsecret  {}\n\nThis is the only time that the secret is shown.\n",
            secret.expose()
        ));
        // Writing to a string does not fail.
        let _ = match &self.nvs {
            Some(path) => writeln!(
                text,
                "The table for ESP-IDF's NVS is in {}.",
                path.display()
            ),
            None => write!(
                text,
                "\nFor ESP-IDF, as nvs.csv (nvs_partition_gen.py generate nvs.csv nvs.bin 0x6000):\n\n{}",
                *nvs_table(id, secret)
            ),
        };
        let terminal = io::stdout().is_terminal();
        if self.qr || (terminal && !self.no_qr) {
            text.push('\n');
            text.push_str(&qr_code(id, secret, terminal));
        }
        text
    }
}

/// The input of ESP-IDF's NVS partition generator.
fn nvs_table(id: &DeviceId, secret: &Secret) -> Zeroizing<String> {
    let secret = Zeroizing::new(csv_field(secret.expose()));
    Zeroizing::new(format!(
        "key,type,encoding,value\n\
         providore,namespace,,\n\
         device_id,data,string,{id}\n\
         psk,data,string,{}\n",
        *secret
    ))
}

/// A value as the generator's CSV reader takes it back unchanged.
fn csv_field(value: &str) -> String {
    if value.contains([',', '"']) || value.starts_with(' ') || value.ends_with(' ') {
        return format!("\"{}\"", value.replace('"', "\"\""));
    }
    value.into()
}

fn qr_code(id: &DeviceId, secret: &Secret, terminal: bool) -> Zeroizing<String> {
    let content = json!({"v": 1, "id": id.as_str(), "secret": secret.expose()}).to_string();
    let content = Zeroizing::new(content);
    let Ok(code) = QrCode::with_error_correction_level(content.as_bytes(), EcLevel::L) else {
        return Zeroizing::new(String::from("(the secret is too long for a QR code)\n"));
    };
    let drawing = Zeroizing::new(code.render::<Dense1x2>().build());
    let mut text = Zeroizing::new(String::new());
    for line in drawing.lines() {
        // Black on white whatever the terminal's colours are: scanners do not read the negative.
        let _ = if terminal {
            writeln!(text, "\x1b[38;5;16;48;5;231m{line}\x1b[0m")
        } else {
            writeln!(text, "{line}")
        };
    }
    text
}
