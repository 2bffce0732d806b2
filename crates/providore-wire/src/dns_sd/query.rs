//! The one question: which servers are there?

use super::{
    ANY, CLASS_IN, TOP_BIT, TYPE_PTR,
    cursor::{Cursor, HEADER_LEN},
};
use crate::ParseError;

/// Asks all servers to announce themselves: a question for PTR records of
/// [`SERVICE`](super::SERVICE) (RFC 6762 section 5, RFC 6763 section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    unicast: bool,
}

impl Query {
    /// The length of the question in bytes.
    pub const LEN: usize = HEADER_LEN + 23 + 4;

    /// The answer is to go to everybody. For hosts that share port 5353 with other programs.
    #[must_use]
    pub const fn multicast() -> Self {
        Self { unicast: false }
    }

    /// The answer is to go to the one who asks, if that suits the server (RFC 6762 section 5.4): for
    /// a device that has port 5353 for itself, and its first question.
    #[must_use]
    pub const fn unicast() -> Self {
        Self { unicast: true }
    }

    /// Whether the answer may go to the one who asks.
    #[must_use]
    pub const fn wants_unicast(&self) -> bool {
        self.unicast
    }

    /// The packet.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let top_bit = if self.unicast { TOP_BIT } else { 0 };
        let class = (CLASS_IN | top_bit).to_be_bytes();
        let mut packet = *b"\0\0\0\0\0\x01\0\0\0\0\0\0\x0a_providore\x04_tcp\x05local\0\0\x0c\0\0";
        for (place, byte) in packet.iter_mut().rev().zip(class.into_iter().rev()) {
            *place = byte;
        }
        packet
    }

    /// Reads a packet; `None` if it asks for something else, or is no question.
    ///
    /// # Errors
    /// [`ParseError`], if it is not a packet of multicast DNS.
    pub fn parse(packet: &[u8]) -> Result<Option<Self>, ParseError> {
        let (header, mut cursor) = Cursor::begin(packet)?;
        let mut found = None;
        for _ in 0..header.questions {
            let name = cursor.name()?;
            let (kind, class) = (cursor.number()?, cursor.number()?);
            let asked = name.is_the_service()
                && [TYPE_PTR, ANY].contains(&kind)
                && [CLASS_IN, ANY].contains(&(class & !TOP_BIT));
            if asked && !header.is_response {
                let unicast = class & TOP_BIT != 0;
                found = found.or(Some(Self { unicast }));
            }
        }
        // What the asker knows already, and what it wants to claim.
        for _ in 0..header.records {
            super::response::Record::read(&mut cursor)?;
        }
        cursor.end()?;
        Ok(found)
    }
}
