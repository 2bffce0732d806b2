//! What signing asks the application to do: set these headers.

use core::fmt;

use heapless::{String, Vec};

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
    /// The most fields that a message is asked to carry: four in the `Original` dialect.
    pub const MAX_FIELDS: usize = 4;

    /// The most text in all values together: authorization, two dates and a version.
    pub const MAX_TEXT: usize = 256;

    /// The fields: name in lower case, value.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let mut start = 0;
        self.fields.iter().map(move |&(name, end)| {
            let value = self.text.get(start..end).unwrap_or_default();
            start = end;
            (name, value)
        })
    }

    /// The value of one field.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.fields()
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value)
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
