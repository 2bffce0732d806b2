//! What signing asks the application to do: set these headers.

use core::fmt;

use providore_wire::Signature;

use crate::KeyError;

/// Header fields to be set on a message, in order, in memory that the caller lent.
///
/// Signing never touches an HTTP type: an adapter applies these to whatever library is in use. Who
/// writes HTTP himself writes [`lines`](Self::lines) as they are.
///
/// ```
/// # use providore_sign::{HeaderInstructions, original, SoftwareKey};
/// # use providore_wire::{Method, Timestamp};
/// # let mut key = SoftwareKey::new(b"secret").unwrap();
/// # let request = original::RequestToSign {
/// #     device: &"dev1".parse().unwrap(), method: Method::Get, path: "/config",
/// #     version: &"1.0.0".parse().unwrap(), body: b"",
/// # };
/// # let now = Timestamp::from_unix(1_767_323_045).unwrap();
/// let mut memory = [0; HeaderInstructions::MAX_LEN];
/// let headers = original::sign_request(&mut key, &request, now, 900, &mut memory).unwrap();
/// let mut message = String::from("GET /config HTTP/1.1\r\n");
/// for (name, value) in headers.fields() {
///     message.push_str(&format!("{name}: {value}\r\n"));
/// }
/// assert_eq!(message.strip_prefix("GET /config HTTP/1.1\r\n"), Some(headers.lines()));
/// ```
#[derive(Clone)]
pub struct HeaderInstructions<'m> {
    lines: &'m str,
    signature: Signature,
}

impl<'m> HeaderInstructions<'m> {
    /// The most fields that a message is asked to carry: what a request of the `Signed` dialect
    /// can cover, its signature and that signature's input.
    pub const MAX_FIELDS: usize = 9;

    /// How much memory is always enough, in bytes: for a request of the `Signed` dialect with a
    /// version, a challenge and all that [`RequestToSign`](crate::signed::RequestToSign) can have,
    /// each as long as it may be.
    pub const MAX_LEN: usize = 960;

    /// The fields as they stand in a message: each a name in lower case, a colon, a blank, a value,
    /// and CR LF.
    #[must_use]
    pub const fn lines(&self) -> &'m str {
        self.lines
    }

    /// The fields: name in lower case, value.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &'m str)> + Clone + use<'m> {
        Self::fields_in(self.lines)
    }

    /// The fields in such [`lines`](Self::lines).
    pub fn fields_in(
        lines: &'m str,
    ) -> impl Iterator<Item = (&'static str, &'m str)> + Clone + use<'m> {
        lines.split('\n').filter_map(|line| {
            let line = line.strip_suffix('\r')?;
            let colon = line.bytes().position(|byte| byte == b':')?;
            let (name, value) = line.split_at_checked(colon)?;
            let name = NAMES.iter().find(|known| **known == name)?;
            Some((*name, value.strip_prefix(": ")?))
        })
    }

    /// The digits of the signature in such [`lines`](Self::lines) of the `Signed` dialect, where it
    /// is the last; nothing of what is shorter.
    #[must_use]
    pub fn digits_in(lines: &str) -> &str {
        let end = lines.len().saturating_sub(":\r\n".len());
        let start = end.saturating_sub(Signature::TEXT_LEN);
        lines.get(start..end).unwrap_or_default()
    }

    /// The value of one field.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&'m str> {
        self.fields()
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value)
    }

    /// The signature among them.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }
}

impl fmt::Debug for HeaderInstructions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.fields()).finish()
    }
}

/// Every field that signing sets, or a request has beside.
const NAMES: [&str; 12] = [
    "content-type",
    "content-digest",
    "x-firmware-version",
    "providore-challenge",
    "range",
    "if-range",
    "if-none-match",
    "signature-input",
    "signature",
    "authorization",
    "created-at",
    "expiry",
];

/// Lines on their way into lent memory.
///
/// What does not fit is counted and not written, and nothing follows it: the end tells.
pub(crate) struct Lines<'m> {
    memory: &'m mut [u8],
    length: usize,
}

impl<'m> Lines<'m> {
    pub(crate) const fn new(memory: &'m mut [u8]) -> Self {
        Self { memory, length: 0 }
    }

    /// Appends a field.
    pub(crate) fn push(&mut self, name: &str, value: &str) {
        self.put(name);
        self.put(": ");
        self.put(value);
        self.put("\r\n");
    }

    /// Appends `signature-input`: the parameters that `write` makes, which are returned.
    ///
    /// # Errors
    /// [`KeyError::Memory`] if they do not fit.
    pub(crate) fn push_input(
        &mut self,
        label: &str,
        write: impl FnOnce(&mut dyn FnMut(&str)),
    ) -> Result<&str, KeyError> {
        self.put("signature-input: ");
        self.put(label);
        self.put("=");
        let start = self.length;
        write(&mut |piece| self.put(piece));
        let end = self.length;
        self.put("\r\n");
        text(self.memory, start, end)
    }

    /// Appends `signature`, which is the last.
    ///
    /// # Errors
    /// [`KeyError::Memory`] if it does not fit.
    pub(crate) fn push_signature(
        mut self,
        label: &str,
        signature: Signature,
    ) -> Result<HeaderInstructions<'m>, KeyError> {
        self.put("signature: ");
        self.put(label);
        self.put("=:");
        self.put(signature.to_base64().as_str());
        self.put(":\r\n");
        self.end(signature)
    }

    /// The lines as they are.
    ///
    /// # Errors
    /// [`KeyError::Memory`] if they did not fit.
    pub(crate) fn end(self, signature: Signature) -> Result<HeaderInstructions<'m>, KeyError> {
        let lines = text(self.memory, 0, self.length)?;
        Ok(HeaderInstructions { lines, signature })
    }

    // Inlined, each of the many pieces would bring its own copying.
    #[inline(never)]
    fn put(&mut self, piece: &str) {
        let end = self.length.saturating_add(piece.len());
        if let Some(room) = self.memory.get_mut(self.length..end) {
            room.copy_from_slice(piece.as_bytes());
        }
        self.length = end;
    }
}

/// A part of memory that was written as text.
fn text(memory: &[u8], start: usize, end: usize) -> Result<&str, KeyError> {
    let written = memory.get(start..end).ok_or(KeyError::Memory)?;
    core::str::from_utf8(written).map_err(|_| KeyError::Message)
}
