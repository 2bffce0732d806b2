//! Whether an image is the one that a manifest describes.

use std::fmt;

use providore_pki::manifest::Contents;
use sha2::{Digest as _, Sha256};

use crate::commands::files::Sum;

/// Takes an image in pieces, as it is copied, and remembers its first wrong chunk.
pub(super) struct Fit<'m> {
    contents: &'m Contents<'m>,
    chunk: Sha256,
    in_chunk: usize,
    chunks: usize,
    wrong: Option<usize>,
}

/// Where an image is not what its manifest describes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    Length { said: u64, found: u64 },
    Chunk { index: usize, offset: u64 },
    Whole,
}

impl<'m> Fit<'m> {
    pub(super) fn new(contents: &'m Contents<'m>) -> Self {
        Self {
            contents,
            chunk: Sha256::new(),
            in_chunk: 0,
            chunks: 0,
            wrong: None,
        }
    }

    /// The next piece, of any length.
    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        let size = self.contents.chunk_size().bytes() as usize;
        while !bytes.is_empty() {
            let room = size.saturating_sub(self.in_chunk);
            let (piece, rest) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
            self.chunk.update(piece);
            self.in_chunk = self.in_chunk.saturating_add(piece.len());
            bytes = rest;
            if self.in_chunk >= size {
                self.end_chunk();
            }
        }
    }

    fn end_chunk(&mut self) {
        let digest = self.chunk.finalize_reset();
        let said = self.contents.chunk_digests().get(self.chunks);
        if self.wrong.is_none() && said.is_none_or(|said| *said != *digest) {
            self.wrong = Some(self.chunks);
        }
        self.chunks = self.chunks.saturating_add(1);
        self.in_chunk = 0;
    }

    /// The verdict on the whole image.
    pub(super) fn finish(mut self, sum: &Sum) -> Result<(), Misfit> {
        if self.in_chunk > 0 {
            self.end_chunk();
        }
        let said = self.contents.image_len();
        if sum.size != said {
            return Err(Misfit::Length {
                said,
                found: sum.size,
            });
        }
        if let Some(index) = self.wrong {
            let size = u64::from(self.contents.chunk_size().bytes());
            let offset = size.saturating_mul(index as u64);
            return Err(Misfit::Chunk { index, offset });
        }
        if sum.sha256 != *self.contents.image_sha256() {
            return Err(Misfit::Whole);
        }
        Ok(())
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { said, found } => {
                write!(f, "it has {found} bytes, and the manifest is for {said}")
            }
            Self::Chunk { index, offset } => {
                write!(
                    f,
                    "its chunk {index}, from byte {offset} on, is not the one that was signed"
                )
            }
            Self::Whole => f.write_str("as a whole it has another SHA-256 than was signed"),
        }
    }
}
