//! What signing asks the application to do: set these headers.

use core::fmt;

use heapless::{String, Vec};
use providore_wire::Signature;

use crate::KeyError;

/// Header fields to be set on a message, in order, as text.
///
/// Signing never touches an HTTP type: an adapter applies these to whatever library is in use.
///
/// ```
/// # use providore_sign::{original, SoftwareKey};
/// # use providore_wire::{Method, Timestamp};
/// # let mut key = SoftwareKey::new(b"secret").unwrap();
/// # let request = original::RequestToSign {
/// #     device: &"dev1".parse().unwrap(), method: Method::Get, path: "/config",
/// #     version: &"1.0.0".parse().unwrap(), body: b"",
/// # };
/// # let now = Timestamp::from_unix(1_767_323_045).unwrap();
/// # let instructions = original::sign_request(&mut key, &request, now, 900).unwrap();
/// let mut message = String::from("GET /config HTTP/1.1\r\n");
/// for (name, value) in instructions.fields() {
///     message.push_str(&format!("{name}: {value}\r\n"));
/// }
/// ```
#[derive(Clone, Default)]
pub struct HeaderInstructions {
    text: String<{ Self::MAX_TEXT }>,
    fields: Vec<(&'static str, usize), { Self::MAX_FIELDS }>,
}

impl HeaderInstructions {
    /// The most fields that a message is asked to carry: what a request of the `Signed` dialect
    /// can cover, its signature and that signature's input.
    pub const MAX_FIELDS: usize = 9;

    /// The most text in all values together: two entity tags, a range, a type, a digest, a
    /// challenge, a version, and a signature input with all of them.
    pub const MAX_TEXT: usize = 1024;

    /// The fields: name in lower case, value.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> + Clone {
        (0..self.fields.len()).filter_map(|index| {
            let start = match index.checked_sub(1) {
                None => 0,
                Some(before) => self.fields.get(before)?.1,
            };
            let &(name, end) = self.fields.get(index)?;
            Some((name, self.text.get(start..end)?))
        })
    }

    /// The value of one field.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.fields()
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value)
    }

    /// Appends `signature-input`: the parameters that `write` makes, which are returned.
    pub(crate) fn push_input(
        &mut self,
        label: &str,
        write: impl FnOnce(&mut dyn FnMut(&str)),
    ) -> Result<&str, KeyError> {
        let start = self.text.len().saturating_add(label.len());
        let mut fits = true;
        let mut push = |piece: &str| fits &= self.text.push_str(piece).is_ok();
        push(label);
        push("=");
        write(&mut push);
        if !fits {
            return Err(KeyError::Message);
        }
        self.end("signature-input")?;
        Ok(self.text.get(start.saturating_add(1)..).unwrap_or_default())
    }

    /// Appends `signature`.
    pub(crate) fn push_signature(
        &mut self,
        label: &str,
        signature: &Signature,
    ) -> Result<(), KeyError> {
        let digits = signature.to_base64();
        for part in [label, "=:", digits.as_str(), ":"] {
            self.text.push_str(part).map_err(|_| KeyError::Message)?;
        }
        self.end("signature")
    }

    /// Appends a field.
    ///
    /// # Errors
    /// [`KeyError::Message`] if it does not fit; the dialects' own limits keep within
    /// [`Self::MAX_TEXT`].
    pub(crate) fn push(&mut self, name: &'static str, value: &str) -> Result<(), KeyError> {
        self.text.push_str(value).map_err(|_| KeyError::Message)?;
        self.end(name)
    }

    /// The text so far ends with the value of this field.
    fn end(&mut self, name: &'static str) -> Result<(), KeyError> {
        let field = (name, self.text.len());
        self.fields.push(field).map_err(|_| KeyError::Message)
    }
}

impl fmt::Debug for HeaderInstructions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.fields()).finish()
    }
}
