//! The fields of a response, as they come.

use super::{Found, RESPONSE_FIELDS, canonical};

/// Those fields of a response that this profile looks at.
///
/// ```
/// use providore_wire::signed::ResponseFields;
///
/// let mut fields = ResponseFields::new();
/// for (name, value) in [("Date", &b"now"[..]), ("ETag", b"\"1\""), ("etag", b"\"2\"")] {
///     fields.push(name, value);
/// }
/// let there: Vec<_> = fields.values().iter().flatten().collect();
/// assert_eq!(there, [b"\"1\""]);
/// ```
#[derive(Debug, Clone)]
pub struct ResponseFields<'a> {
    pub(super) covered: Found<'a, 9>,
    pub(super) ours: Found<'a, 2>,
    pub(super) is_repeated: bool,
    /// All of them, as the grammar is to read them.
    #[cfg(feature = "any-spelling")]
    pub(super) lines: heapless::Vec<(&'a str, &'a [u8]), MAX_LINES>,
    #[cfg(feature = "any-spelling")]
    pub(super) is_full: bool,
}

/// Each field of the profile and our signature, and those of others.
#[cfg(feature = "any-spelling")]
const MAX_LINES: usize = 20;

impl<'a> ResponseFields<'a> {
    /// Before any field was looked at.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            covered: Found::none(&RESPONSE_FIELDS),
            ours: Found::none(&canonical::FIELDS),
            is_repeated: false,
            #[cfg(feature = "any-spelling")]
            lines: heapless::Vec::new(),
            #[cfg(feature = "any-spelling")]
            is_full: false,
        }
    }

    /// Looks at the next field; names in any case.
    // It is there once for any transport.
    #[inline(never)]
    pub fn push(&mut self, name: &'a str, value: &'a [u8]) {
        let covered = self.covered.note(name, value).is_ok();
        self.is_repeated |= !covered || self.ours.note(name, value).is_err();
        #[cfg(feature = "any-spelling")]
        if is_known(name) {
            self.is_full |= self.lines.push((name, value)).is_err();
        }
    }

    /// The first of each name, in the place that it has in [`RESPONSE_FIELDS`], whoever wrote it.
    #[must_use]
    pub const fn values(&self) -> &[Option<&'a [u8]>; RESPONSE_FIELDS.len()] {
        self.covered.values()
    }
}

impl Default for ResponseFields<'_> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "any-spelling")]
fn is_known(name: &str) -> bool {
    let mut names = canonical::FIELDS.iter().chain(&RESPONSE_FIELDS);
    names.any(|known| known.eq_ignore_ascii_case(name))
}
