//! What signing asks the application to do: set these headers.

use core::fmt;

use heapless::{String, Vec};
use providore_wire::{Signature, message_signatures::signature_field};

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

    /// The most text in the parameters of a signature: a response with all fields of the profile,
    /// to a question with the longest label, from a device with the longest name.
    pub(crate) const MAX_PARAMETERS: usize = 512;

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

    /// The fields, their values as bytes.
    pub(crate) fn bytes(&self) -> impl Iterator<Item = (&str, &[u8])> + Clone {
        let fields = self.fields();
        fields.map(|(name, value)| (name, value.as_bytes()))
    }

    /// Appends `signature-input` and `signature`.
    pub(crate) fn push_signature(
        &mut self,
        label: &str,
        parameters: &str,
        signature: &Signature,
    ) -> Result<(), KeyError> {
        for part in [label, "=", parameters] {
            self.text.push_str(part).map_err(|_| KeyError::Message)?;
        }
        let _ = self.fields.push(("signature-input", self.text.len()));
        let value = signature_field::<64>(label, signature.as_bytes())?;
        self.push("signature", value.as_str());
        Ok(())
    }

    /// Appends a field. What does not fit is left out, and a message without it is refused by any
    /// verifier; the dialects' own limits keep within [`Self::MAX_TEXT`].
    pub(crate) fn push(&mut self, name: &'static str, value: &str) {
        if self.text.push_str(value).is_ok() {
            let _ = self.fields.push((name, self.text.len()));
        }
    }
}

impl fmt::Debug for HeaderInstructions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.fields()).finish()
    }
}
