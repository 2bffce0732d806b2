//! How an image begins, and how it is started.
//!
//! ```text
//!  0  magic "qemuvirt"
//!  8  length of the image in bytes, with this header; little endian
//! 12  zero
//! 16  version as text, filled up with zeros
//! 32  code; its first instruction starts the program
//! ```
//!
//! The linker puts it there: layout/firmware.x.

use core::fmt;

use providore_client::flash::{BootImage, Slot};
use sha2::{Digest as _, Sha256};

use crate::flash::{FIRMWARE, Flash};

/// What every image begins with.
pub const MAGIC: &[u8] = b"qemuvirt";
/// The shortest thing that could be an image.
pub const MIN_LEN: u64 = 1024;
/// The longest: what a slot holds.
pub const MAX_LEN: u64 = 2 * 1024 * 1024;

/// The length of a version in the header.
pub const VERSION_LEN: usize = 16;
const HEADER_LEN: usize = 32;
/// Where an image runs.
const PLACE: usize = 0x8010_0000;

/// A version as the header has it.
#[must_use]
pub const fn version_field(version: &str) -> [u8; VERSION_LEN] {
    let mut field = [0; VERSION_LEN];
    let (start, _) = field.split_at_mut(version.len());
    start.copy_from_slice(version.as_bytes());
    field
}

/// An image in a slot.
#[derive(Debug)]
pub struct Image {
    start: u32,
    length: u32,
    version: [u8; VERSION_LEN],
}

impl Image {
    /// The image in a slot, if something that looks like one is there.
    #[must_use]
    pub fn find(slot: Slot) -> Option<Self> {
        let start = FIRMWARE.slot(slot).start;
        let mut header = [0; HEADER_LEN];
        Flash.read_now(start, &mut header).ok()?;
        let rest = header.strip_prefix(MAGIC)?;
        let (length, rest) = rest.split_first_chunk()?;
        let (_, version) = rest.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length);
        (MIN_LEN..=MAX_LEN)
            .contains(&u64::from(length))
            .then_some(Self {
                start,
                length,
                version: version.try_into().ok()?,
            })
    }

    /// Whether it is what was committed, byte by byte. Of what the factory wrote nothing is known.
    #[must_use]
    pub fn is(&self, committed: &BootImage) -> bool {
        if committed.length == 0 {
            return true;
        }
        let mut digest = Sha256::new();
        let mut part = [0; 256];
        let (mut at, mut left) = (self.start, self.length as usize);
        while left > 0 {
            let (part, _) = part.split_at_mut(left.min(256));
            if Flash.read_now(at, part).is_err() {
                return false;
            }
            digest.update(&*part);
            (at, left) = (at.saturating_add(256), left.saturating_sub(part.len()));
        }
        self.length == committed.length && *digest.finalize() == committed.sha256
    }

    /// Copies the image to where it runs, and runs it.
    ///
    /// # Panics
    /// If the image is longer than its slot, which one that was found is not.
    ///
    /// # Safety
    /// The program that calls this must lie elsewhere.
    pub unsafe fn start(&self) -> ! {
        let place = PLACE as *mut u8;
        // SAFETY: memory of the board that the calling program has no use for.
        let memory = unsafe { core::slice::from_raw_parts_mut(place, self.length as usize) };
        Flash
            .read_now(self.start, memory)
            .expect("a slot is as long as an image can be");
        riscv::asm::fence_i();
        // SAFETY: the first instruction of an image is behind its header, and takes nothing.
        unsafe {
            let code = place.add(HEADER_LEN);
            core::mem::transmute::<*mut u8, extern "C" fn() -> !>(code)()
        }
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = str::from_utf8(&self.version).unwrap_or("?");
        f.pad(text.trim_end_matches('\0'))
    }
}
