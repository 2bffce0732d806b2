//! Text that people and their tools write: what editors add to it is taken off, and what cannot be
//! meant is refused at once.
//!
//! ```
//! use providore_wire::written;
//!
//! // As Notepad saves it.
//! assert_eq!(written::secret(b"\xef\xbb\xbfcorrect horse\r\n"), Ok("correct horse"));
//! let error = written::secret(b"'correct horse'\n").unwrap_err();
//! assert_eq!(error.to_string(), "quotes around it (byte 0): remove them, they would count as part of it");
//! ```

/// The bytes without a UTF-8 byte order mark in front, which Windows programs write.
///
/// RFC 8259 section 8.1 lets a parser of JSON ignore it.
#[must_use]
pub fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BOM).unwrap_or(bytes)
}

/// The secret in a file or a line of input: without a byte order mark, without line ends at the end,
/// and without blanks around it.
///
/// # Errors
/// [`SecretTextError`]: what is left holds what nobody means to have in a secret. Positions count from 0,
/// in the bytes as they were given.
pub fn secret(written: &[u8]) -> Result<&str, SecretTextError> {
    if written.starts_with(b"\xff\xfe") || written.starts_with(b"\xfe\xff") {
        return Err(SecretTextError::Utf16);
    }
    let text = without_bom(written);
    let marked = written.len().saturating_sub(text.len());
    let text = text.trim_ascii_end();
    let whole = text.len();
    let text = text.trim_ascii_start();
    let skipped = marked.saturating_add(whole.saturating_sub(text.len()));
    let text = exact_secret(text).map_err(|error| error.moved(skipped))?;
    for quote in ['"', '\'', '`'] {
        if text.len() > 1 && text.starts_with(quote) && text.ends_with(quote) {
            return Err(SecretTextError::Quoted { at: skipped });
        }
    }
    Ok(text)
}

/// A secret that was given as it is, as a value of YAML or one word of a command line: nothing is taken
/// off.
///
/// # Errors
/// [`SecretTextError`], but quotes are allowed: whoever writes them here means them.
pub fn exact_secret(given: &[u8]) -> Result<&str, SecretTextError> {
    let text = core::str::from_utf8(given).map_err(|error| SecretTextError::NotUtf8 {
        at: error.valid_up_to(),
    })?;
    for (at, char) in text.char_indices() {
        match char {
            '\r' | '\n' => return Err(SecretTextError::LineEnd { at }),
            '\u{feff}' => return Err(SecretTextError::ByteOrderMark { at }),
            char if char.is_control() => {
                let code = char.into();
                return Err(SecretTextError::Control { at, code });
            }
            _ => {}
        }
    }
    if text.is_empty() {
        return Err(SecretTextError::Empty);
    }
    Ok(text)
}

/// Why a text is no secret. It shows no part of the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretTextError {
    /// Nothing is there.
    #[error("it is empty")]
    Empty,
    /// The other encoding of Windows programs.
    #[error("it is in UTF-16: save it as UTF-8")]
    Utf16,
    /// Not text.
    #[error("byte {at} is not UTF-8")]
    NotUtf8 {
        /// Where.
        at: usize,
    },
    /// A second line.
    #[error("a line end inside it (byte {at}): only the secret may be there, in one line")]
    LineEnd {
        /// Where.
        at: usize,
    },
    /// A byte order mark that is not in front, which is left when files are joined.
    #[error("a byte order mark inside it (byte {at})")]
    ByteOrderMark {
        /// Where.
        at: usize,
    },
    /// A control character.
    #[error("the control character U+{code:04X} in it (byte {at})")]
    Control {
        /// Where.
        at: usize,
        /// The character.
        code: u32,
    },
    /// The same quote at both ends.
    #[error("quotes around it (byte {at}): remove them, they would count as part of it")]
    Quoted {
        /// Where they begin.
        at: usize,
    },
}

impl SecretTextError {
    fn moved(self, by: usize) -> Self {
        let add = |at: usize| at.saturating_add(by);
        match self {
            Self::NotUtf8 { at } => Self::NotUtf8 { at: add(at) },
            Self::LineEnd { at } => Self::LineEnd { at: add(at) },
            Self::ByteOrderMark { at } => Self::ByteOrderMark { at: add(at) },
            Self::Control { at, code } => Self::Control { at: add(at), code },
            Self::Quoted { at } => Self::Quoted { at: add(at) },
            same @ (Self::Empty | Self::Utf16) => same,
        }
    }
}

const BOM: &[u8] = b"\xef\xbb\xbf";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_editors_add_to_a_secret_is_taken_off() {
        for written in [
            "a secret",
            "a secret\n",
            "a secret\r\n",
            "a secret\n\n\r\n",
            "\u{feff}a secret",
            "\u{feff} a secret\t \r\n",
            "\t a secret",
        ] {
            assert_eq!(secret(written.as_bytes()), Ok("a secret"), "{written:?}");
        }
        for kept in ["it's", "\"", "\"a' b", "ä b", "'a\" 'b"] {
            assert_eq!(secret(kept.as_bytes()), Ok(kept));
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name_and_byte() {
        use SecretTextError as E;
        let bom = b"\xef\xbb\xbf";
        for (written, expected) in [
            (&b""[..], E::Empty),
            (bom, E::Empty),
            (b" \r\n", E::Empty),
            (b"\xff\xfea\0b\0", E::Utf16),
            (b" ab\xff", E::NotUtf8 { at: 3 }),
            (b"\xef\xbb\xbfab\r\ncd\n", E::LineEnd { at: 5 }),
            (b"ab\ncd", E::LineEnd { at: 2 }),
            (b"ab\xef\xbb\xbfcd", E::ByteOrderMark { at: 2 }),
            (b"ab\tcd", E::Control { at: 2, code: 9 }),
            (b"a\0b", E::Control { at: 1, code: 0 }),
            (b" \"ab\"\n", E::Quoted { at: 1 }),
            (b"'ab'", E::Quoted { at: 0 }),
            (b"''", E::Quoted { at: 0 }),
        ] {
            assert_eq!(secret(written), Err(expected), "{written:?}");
        }
    }

    #[test]
    fn a_secret_that_was_given_exactly_is_not_changed() {
        assert_eq!(exact_secret(b" 'a b' "), Ok(" 'a b' "));
        assert_eq!(
            exact_secret(b"a\n"),
            Err(SecretTextError::LineEnd { at: 1 })
        );
        assert_eq!(exact_secret(b""), Err(SecretTextError::Empty));
    }

    #[test]
    fn one_mark_in_front_is_taken_off() {
        assert_eq!(without_bom(b"\xef\xbb\xbf{}"), b"{}");
        assert_eq!(without_bom(b"{}"), b"{}");
        assert_eq!(without_bom(b""), b"");
    }
}
