//! Textual encoding (RFC 7468).

use pem_rfc7468::LineEnding;

#[cfg(feature = "alloc")]
pub(crate) use reading::*;

pub(crate) const REQUEST: &str = "CERTIFICATE REQUEST";

/// Writes to the front of `buffer`; `None` if it is too small.
pub(crate) fn write<'a>(label: &str, der: &[u8], buffer: &'a mut [u8]) -> Option<&'a str> {
    let text = pem_rfc7468::encode(label, LineEnding::LF, der, buffer).ok()?;
    Some(text)
}

#[cfg(feature = "alloc")]
mod reading {
    use alloc::{string::String, vec::Vec};

    use pem_rfc7468::{Decoder, LineEnding};

    pub(crate) const CERTIFICATE: &str = "CERTIFICATE";
    pub(crate) const END_CERTIFICATE: &str = "-----END CERTIFICATE-----";
    pub(crate) const REVOCATION_LIST: &str = "X509 CRL";

    /// Encodes with LF line ends; `None` only for lengths that no certificate has.
    pub(crate) fn encode(label: &str, der: &[u8]) -> Option<String> {
        pem_rfc7468::encode_string(label, LineEnding::LF, der).ok()
    }

    /// Decodes one block which is all there is, apart from blanks after it.
    ///
    /// Lines may end in LF or CRLF and may be of any equal length.
    pub(crate) fn decode(text: &[u8]) -> Option<(&str, Vec<u8>)> {
        let text = text.trim_ascii();
        // RFC 7468, 5.2, lets explanatory text stand before a block; the decoder would skip it.
        if !text.starts_with(b"-----BEGIN ") || !text.ends_with(b"-----") {
            return None;
        }
        let mut decoder = Decoder::new_detect_wrap(text).ok()?;
        let mut der = Vec::new();
        decoder.decode_to_end(&mut der).ok()?;
        Some((decoder.type_label(), der))
    }

    /// Decodes every `CERTIFICATE` block and skips the text around them, as `openssl ca` writes it.
    ///
    /// `None` if there are more than `most` blocks, or one is not closed or not base64.
    pub(crate) fn decode_certificates(text: &str, most: usize) -> Option<Vec<Vec<u8>>> {
        const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
        const END: &str = END_CERTIFICATE;
        let mut blocks = Vec::new();
        let mut rest = text;
        while let Some((_, block)) = rest.split_once(BEGIN) {
            let (body, after) = block.split_once(END)?;
            let (_, der) = decode([BEGIN, body, END].concat().as_bytes())?;
            if blocks.len() >= most {
                return None;
            }
            blocks.push(der);
            rest = after;
        }
        Some(blocks)
    }
}
