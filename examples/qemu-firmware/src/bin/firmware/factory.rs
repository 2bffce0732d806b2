//! What the factory wrote into the board: who it is, where, and whose firmware it runs.
//!
//! Lines of a name and a value, up to the first byte that was not written:
//!
//! ```text
//! device qemu-lamp
//! secret Xm2…
//! address 10.77.0.2/24    without it, a DHCP server is asked
//! author 3059301306072a86…    the public key of an author of firmware, DER in hex; up to four
//! ```

use core::net::Ipv4Addr;

use embassy_net::Ipv4Cidr;
use providore_pki::{PublicKey, manifest::AuthorKeys};
use providore_wire::DeviceId;
use qemu_firmware::flash::{FACTORY, Flash};

/// Room for all lines.
pub const LEN: usize = 2048;

/// What all of it says.
pub struct Factory<'f> {
    pub device: DeviceId,
    pub secret: &'f [u8],
    pub address: Option<Ipv4Cidr>,
    lines: &'f str,
}

impl<'f> Factory<'f> {
    /// Reads it, if it is complete.
    pub fn read(buffer: &'f mut [u8; LEN]) -> Option<Self> {
        Flash.read_now(FACTORY.start, buffer).ok()?;
        let written = buffer.split(|byte| *byte == ERASED).next()?;
        let lines = str::from_utf8(written).ok()?;
        let value = |name| values(lines, name).next();
        Some(Self {
            device: value("device")?.parse().ok()?,
            secret: value("secret")?.as_bytes(),
            address: value("address").and_then(network),
            lines,
        })
    }

    /// The public keys of the author, as far as they are some.
    pub fn authors(&self) -> heapless::Vec<PublicKey, { AuthorKeys::MAX }> {
        let key = |hex| {
            let mut der = [0; PublicKey::SPKI_LEN];
            from_hex(hex, &mut der)?;
            PublicKey::from_spki_der(&der).ok()
        };
        let keys = values(self.lines, "author").filter_map(key);
        keys.take(AuthorKeys::MAX).collect()
    }
}

/// What flash holds before anything is written.
const ERASED: u8 = 0xFF;

fn network(text: &str) -> Option<Ipv4Cidr> {
    let (address, prefix) = text.split_once('/')?;
    let prefix = prefix.parse().ok().filter(|bits| *bits <= 32)?;
    Some(Ipv4Cidr::new(address.parse::<Ipv4Addr>().ok()?, prefix))
}

fn values<'l>(lines: &'l str, name: &str) -> impl Iterator<Item = &'l str> {
    let pairs = lines.lines().filter_map(|line| line.split_once(' '));
    pairs.filter_map(move |(key, value)| (key == name).then_some(value))
}

fn from_hex(hex: &str, bytes: &mut [u8]) -> Option<()> {
    let (pairs, []) = hex.as_bytes().as_chunks::<2>() else {
        return None;
    };
    if pairs.len() != bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(())
}
