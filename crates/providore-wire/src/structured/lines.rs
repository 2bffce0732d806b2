//! One member of a field that may stand on several lines.

use super::dictionary::{Dictionary, Member};
use crate::{ParseError, ParseErrorKind};

/// The member with this key in the lines of a dictionary field, the last one if it is repeated.
///
/// Each line is a dictionary by itself, or empty. Stricter than RFC 9651 section 4.2, where a
/// string could begin on one line and end on the next; no sender writes that.
///
/// # Errors
/// What [`Dictionary::parse`] refuses in any of the lines; its offset counts within that line.
///
/// ```
/// use providore_wire::structured::{BareItem, Member, find_last};
///
/// let lines = [&b"a=1, b=2"[..], b"a=3"];
/// let Some(Member::Item(item)) = find_last(lines, "a")? else { panic!() };
/// assert_eq!(item.bare(), BareItem::Integer(3));
/// # Ok::<(), providore_wire::ParseError>(())
/// ```
pub fn find_last<'a>(
    lines: impl IntoIterator<Item = &'a [u8]>,
    key: &str,
) -> Result<Option<Member<'a>>, ParseError> {
    let mut found = None;
    for line in lines {
        Dictionary::visit(line, &mut |name, member| {
            if name == key {
                found = Some(*member);
            }
        })?;
    }
    Ok(found)
}

/// The member with this key in the lines of a dictionary field, of which there must not be two.
///
/// # Errors
/// [`ParseErrorKind::Duplicate`] if any line repeats a key, or if two lines have this one; else
/// as [`find_last`].
///
/// ```
/// use providore_wire::structured::find_only;
///
/// assert!(find_only([&b"a=1"[..], b"b=2"], "a")?.is_some());
/// assert!(find_only([&b"a=1"[..], b"a=2"], "a").is_err());
/// # Ok::<(), providore_wire::ParseError>(())
/// ```
pub fn find_only<'a>(
    lines: impl IntoIterator<Item = &'a [u8]>,
    key: &str,
) -> Result<Option<Member<'a>>, ParseError> {
    let mut found = None;
    for line in lines {
        let mut member = None;
        let line = Dictionary::visit(line, &mut |name, found| {
            if name == key {
                member = Some(*found);
            }
        })?;
        if line.repeated_key().is_some() || (found.is_some() && member.is_some()) {
            return Err(ParseError::new(ParseErrorKind::Duplicate, 0));
        }
        found = member.or(found);
    }
    Ok(found)
}
