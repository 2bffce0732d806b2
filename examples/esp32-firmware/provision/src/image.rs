//! `provision image` and `provision secret`.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
};

use esp32_parts::provisioning::{Authors, Provisioning, Secret};
use providore_pki::PublicKey;
use providore_wire::{DeviceId, HardwareType, dns_sd::Fingerprint};
use zeroize::Zeroizing;

use crate::{
    Board,
    tool::{Failure, Line, line_of},
};

/// Where partitions.csv has the partition.
const OFFSET: &str = "0x9000";

#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("key").required(true))]
pub(crate) struct Arguments {
    /// The name of the device, as the server knows it.
    #[arg(long)]
    id: DeviceId,
    /// The hardware type that manifests of its firmware name.
    #[arg(long)]
    hardware: HardwareType,
    /// A file with the secret: it will lie in the flash, where who has the board can read it.
    #[arg(long, group = "key", value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// The secret is, or will be, in this block of fuses: `provision burn`.
    #[arg(long, group = "key", value_name = "0-5", value_parser = clap::value_parser!(u8).range(0..=5))]
    fuse_block: Option<u8>,
    /// The name of the Wi-Fi network.
    #[arg(long, value_name = "NAME")]
    wifi_name: String,
    /// A file with its password; without it, the network is open.
    #[arg(long, value_name = "FILE")]
    wifi_password_file: Option<PathBuf>,
    /// A file with the public key (PEM) of an author whose firmware is installed: one to four.
    #[arg(long = "author", required = true, value_name = "FILE")]
    authors: Vec<PathBuf>,
    /// Where the server is if nobody announces one: http://ADDRESS:PORT.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// The SHA-256 of the CA whose server is tried first, 64 hexadecimal digits.
    #[arg(long, value_name = "HEX")]
    ca_fingerprint: Option<String>,
    /// The file to make. It may hold the secret, and holds the password of the network.
    #[arg(long, value_name = "FILE", default_value = "provision.bin")]
    output: PathBuf,
    #[command(flatten)]
    board: Board,
    /// Write it to the board too.
    #[arg(long)]
    run: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let bytes = bytes(arguments)?;
    let path = &arguments.output;
    let shown = path.display();
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    let written = file.and_then(|mut file| file.write_all(&bytes));
    written.map_err(|error| format!("{shown}: {error}"))?;
    let board = &arguments.board;
    let line = Line::new(&["espflash", "write-bin", "--chip", board.chip.name()])
        .with_port(board.port.as_deref())
        .with(&[OFFSET, &path.to_string_lossy()]);
    println!("{shown}: {} bytes for {}", bytes.len(), arguments.id);
    println!("{line}");
    if arguments.run { line.run() } else { Ok(()) }
}

fn bytes(arguments: &Arguments) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let secret = arguments.secret_file.as_deref().map(line_of).transpose()?;
    let secret = match (&secret, arguments.fuse_block) {
        (Some(secret), _) => Secret::Stored(secret.as_bytes()),
        (None, Some(block)) => Secret::Fuses(block),
        (None, None) => return Err("either --secret-file or --fuse-block".into()),
    };
    let password = arguments
        .wifi_password_file
        .as_deref()
        .map(line_of)
        .transpose()?;
    let keys = arguments.authors.iter().map(|path| {
        let text =
            fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let key = PublicKey::from_spki_pem(&text);
        key.map(|key| key.to_sec1())
            .map_err(|error| format!("{}: {error}", path.display()))
    });
    let keys = keys.collect::<Result<Vec<_>, Failure>>()?;
    let mut authors = Authors::default();
    for (at, key) in keys.iter().enumerate() {
        if keys.iter().take(at).any(|other| other == key) {
            return Err(
                "the same author twice: the second key is for the day the first is lost".into(),
            );
        }
        if !authors.push(key) {
            return Err(format!("at most {} authors", Authors::MAX));
        }
    }
    if keys.len() == 1 {
        eprintln!("note: one author; if its key is lost, no firmware can ever be installed again");
    }
    let authority = arguments.ca_fingerprint.as_deref();
    let authority = authority
        .map(|text| Fingerprint::parse(text.as_bytes()))
        .transpose();
    let authority = authority.map_err(|error| format!("--ca-fingerprint: {error}"))?;
    let provisioning = Provisioning {
        id: arguments.id.clone(),
        secret,
        hardware: arguments.hardware.clone(),
        wifi_name: &arguments.wifi_name,
        wifi_password: password.as_ref().map_or("", |password| password.as_str()),
        authors,
        server: arguments.server.as_deref(),
        authority: authority.map(|fingerprint| *fingerprint.as_bytes()),
    };
    let mut buffer = Zeroizing::new(vec![0; Provisioning::MAX_LEN]);
    let length = provisioning
        .write(&mut buffer)
        .map_err(|fault| fault.to_string())?;
    // The chip's flash is programmed in words.
    buffer.resize(length.next_multiple_of(4), 0xff);
    Ok(buffer)
}

/// 192 bits in 32 characters: as many as the fuses hold.
pub(crate) fn secret() -> Result<Zeroizing<String>, Failure> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut random = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *random).map_err(|error| error.to_string())?;
    let letter = |byte: &u8| char::from(ALPHABET[usize::from(byte & 63)]);
    Ok(Zeroizing::new(random.iter().map(letter).collect()))
}
