//! Reading the body of an answer (RFC 9112, sections 6 and 7).

use core::fmt;

use embedded_hal_async::delay::DelayNs;
use embedded_io_async::Read;

use super::{broken, head::Delimiter, within};
use crate::{Body, TransportError};

/// The body of an answer: what arrived with the head, then what the connection brings.
pub struct NalBody<'t, C, D> {
    pub(super) connection: C,
    pub(super) ahead: &'t [u8],
    pub(super) framing: Framing,
    pub(super) delay: &'t mut D,
    pub(super) pause_ms: u32,
}

impl<C: Read, D: DelayNs> Body for NalBody<'_, C, D> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, TransportError> {
        loop {
            let wanted = self.framing.wants(buffer.len());
            let place = buffer.get_mut(..wanted).unwrap_or_default();
            if place.is_empty() {
                return self.framing.rest();
            }
            let length = self.fill(place).await?;
            if length == 0 {
                return self.framing.end();
            }
            let raw = place.get_mut(..length).unwrap_or_default();
            let content = self.framing.decode(raw)?;
            if content > 0 {
                return Ok(content);
            }
        }
    }
}

impl<C: Read, D: DelayNs> NalBody<'_, C, D> {
    /// The next bytes as they come, 0 at the end of the connection.
    async fn fill(&mut self, place: &mut [u8]) -> Result<usize, TransportError> {
        if self.ahead.is_empty() {
            let read = within(self.delay, self.pause_ms, self.connection.read(place));
            let length = read.await?.map_err(|error| broken(&error))?;
            return Ok(length.min(place.len()));
        }
        let length = self.ahead.len().min(place.len());
        let (now, later) = self.ahead.split_at(length);
        for (slot, byte) in place.iter_mut().zip(now) {
            *slot = *byte;
        }
        self.ahead = later;
        Ok(length)
    }
}

impl<C, D> fmt::Debug for NalBody<'_, C, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NalBody")
            .field("framing", &self.framing)
            .finish_non_exhaustive()
    }
}

/// Where in a body we are, and how much of it may still come.
#[derive(Debug)]
pub(super) struct Framing {
    place: Place,
    /// Bytes of content.
    allowed: u64,
    /// Bytes of a chunk's first line, or of all trailer fields.
    line: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Within a body of known length.
    Length(u64),
    /// Within a body that the end of the connection delimits.
    UntilClose,
    /// Before or within the number that begins a chunk.
    Size(Option<u64>),
    /// Behind it, in what servers may add.
    Extension(u64),
    /// Between the two ends of that line.
    SizeEnd(u64),
    Chunk(u64),
    ChunkCr,
    ChunkLf,
    /// At the beginning of a line after the last chunk.
    Trailer,
    TrailerField,
    TrailerFieldLf,
    LastLf,
    Done,
    Broken,
}

impl Framing {
    pub(super) fn new(delimiter: Delimiter, allowed: u64) -> Result<Self, TransportError> {
        let place = match delimiter {
            Delimiter::Length(0) => Place::Done,
            Delimiter::Length(length) if length > allowed => {
                return Err(TransportError::malformed());
            }
            Delimiter::Length(length) => Place::Length(length),
            Delimiter::Chunks => Place::Size(None),
            Delimiter::Close => Place::UntilClose,
        };
        Ok(Self {
            place,
            allowed,
            line: 0,
        })
    }

    /// How many bytes to read into a buffer of that length; none at the end.
    fn wants(&self, room: usize) -> usize {
        match self.place {
            Place::Length(left) => usize::try_from(left).map_or(room, |left| left.min(room)),
            Place::Done | Place::Broken => 0,
            _ => room,
        }
    }

    /// What reading means where nothing is wanted.
    fn rest(&self) -> Result<usize, TransportError> {
        match self.place {
            Place::Broken => Err(TransportError::malformed()),
            _ => Ok(0),
        }
    }

    /// The connection has ended.
    fn end(&mut self) -> Result<usize, TransportError> {
        match self.place {
            Place::UntilClose => self.place = Place::Done,
            _ => return Err(TransportError::interrupted()),
        }
        Ok(0)
    }

    /// Moves the content among `bytes` to their front and says how long it is.
    fn decode(&mut self, bytes: &mut [u8]) -> Result<usize, TransportError> {
        let (mut from, mut to) = (0_usize, 0_usize);
        while let Some(byte) = bytes.get(from) {
            let run = bytes.len().saturating_sub(from);
            let length = match self.place {
                Place::Done => break,
                Place::Length(left) | Place::Chunk(left) => {
                    usize::try_from(left).map_or(run, |left| left.min(run))
                }
                Place::UntilClose => run,
                place => {
                    self.place = self.step(place, *byte).unwrap_or(Place::Broken);
                    if self.place == Place::Broken {
                        return Err(TransportError::malformed());
                    }
                    from = from.saturating_add(1);
                    continue;
                }
            };
            let end = from.saturating_add(length);
            bytes.copy_within(from..end, to);
            self.take(length as u64)?;
            (from, to) = (end, to.saturating_add(length));
        }
        Ok(to)
    }

    /// So much of the content has come.
    fn take(&mut self, length: u64) -> Result<(), TransportError> {
        let Some(allowed) = self.allowed.checked_sub(length) else {
            self.place = Place::Broken;
            return Err(TransportError::malformed());
        };
        self.allowed = allowed;
        self.place = match self.place {
            Place::Length(left) if left > length => Place::Length(left.saturating_sub(length)),
            Place::Length(_) => Place::Done,
            Place::Chunk(left) if left > length => Place::Chunk(left.saturating_sub(length)),
            Place::Chunk(_) => Place::ChunkCr,
            place => place,
        };
        Ok(())
    }

    /// One byte of what is around chunks (RFC 9112, section 7.1); `None` if it does not belong
    /// there.
    fn step(&mut self, place: Place, byte: u8) -> Option<Place> {
        self.line = self.line.checked_add(1)?;
        Some(match (place, byte) {
            (Place::Size(Some(size)) | Place::Extension(size), b'\r') => Place::SizeEnd(size),
            (Place::Size(Some(size)), b';') => Place::Extension(size),
            (Place::Size(size), digit) => {
                let digit = char::from(digit).to_digit(16)?;
                let size = size.unwrap_or(0).checked_mul(16)?;
                Place::Size(Some(size.checked_add(digit.into())?))
            }
            (Place::Extension(size), other) if other != b'\n' => Place::Extension(size),
            (Place::SizeEnd(size), b'\n') if size <= self.allowed => {
                self.line = 0;
                if size == 0 {
                    Place::Trailer
                } else {
                    Place::Chunk(size)
                }
            }
            (Place::ChunkCr, b'\r') => Place::ChunkLf,
            (Place::ChunkLf, b'\n') => {
                self.line = 0;
                Place::Size(None)
            }
            (Place::Trailer, b'\r') => Place::LastLf,
            (Place::TrailerField, b'\r') => Place::TrailerFieldLf,
            (Place::Trailer | Place::TrailerField, other) if other != b'\n' => Place::TrailerField,
            (Place::TrailerFieldLf, b'\n') => Place::Trailer,
            (Place::LastLf, b'\n') => Place::Done,
            _ => return None,
        })
    }
}
