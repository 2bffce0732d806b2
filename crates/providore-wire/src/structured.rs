//! Structured fields (RFC 9651, before it RFC 8941): the part that signatures and digests need.
//!
//! ```text
//! sf-dictionary = dict-member *( OWS "," OWS dict-member )
//! dict-member   = member-key ( parameters / ( "=" ( sf-item / inner-list ) ) )
//! inner-list    = "(" *SP [ sf-item *( 1*SP sf-item ) *SP ] ")" parameters
//! sf-item       = bare-item parameters
//! parameters    = *( ";" *SP param-key [ "=" bare-item ] )
//! key           = ( lcalpha / "*" ) *( lcalpha / DIGIT / "_" / "-" / "." / "*" )
//! ```
//!
//! A value is checked as a whole by [`Dictionary::parse`] or [`InnerList::parse`]; after that,
//! members, items and parameters are views of the caller's bytes that cannot fail. Nesting ends
//! with the items of an inner list, so nothing recurses. Writing is canonical (RFC 9651
//! section 4.1) and in pieces.
//!
//! Of a repeated key the last value counts, at the place of the first, as section 4.2.2 says;
//! [`Dictionary::repeated_key`] and [`Parameters::repeated_key`] let a profile refuse it instead.
//!
//! Decimals, dates and display strings are refused with
//! [`UnsupportedType`](crate::ParseErrorKind::UnsupportedType): no field here has one. Lists at
//! the top level are not read for the same reason.
//!
//! A field on several lines is one value, joined by `", "` (section 4.2). Without an allocator
//! that is for the caller, who owns the buffer; [`find_last`] and [`find_only`] look into the lines
//! one by one, which is the same for every value whose lines are well formed by themselves.
//!
//! ```
//! use providore_wire::structured::{BareItem, Dictionary, Member};
//!
//! let value = Dictionary::parse(b"a=1;q,  b=(\"x\"  y );z=:aGk=:, c")?;
//! let Some(Member::InnerList(list)) = value.get("b") else { panic!() };
//! assert_eq!(list.items().nth(1).unwrap().bare(), BareItem::Token("y"));
//! let Some(BareItem::Bytes(bytes)) = list.parameters().get("z") else { panic!() };
//! assert!(bytes.iter().eq(*b"hi"));
//! assert_eq!(value.to_text::<64>()?.as_str(), "a=1;q, b=(\"x\" y);z=:aGk=:, c");
//! # Ok::<(), providore_wire::ParseError>(())
//! ```

mod bytes;
mod class;
mod cursor;
mod dictionary;
mod item;
mod lines;
mod list;
mod string;

pub use bytes::ByteSequence;
pub use dictionary::{Dictionary, Member, Members};
pub use item::{BareItem, Item, Parameters, ParametersIter};
pub use lines::{find_last, find_only};
pub use list::{InnerList, Items};
pub use string::QuotedString;

pub(crate) use bytes::write_bytes;
pub(crate) use class::{FIELD_NAME, is};
pub(crate) use cursor::is_key;
pub(crate) use item::{MAX_DIGITS, write_integer};

/// The longest value in bytes: half of the 8 KiB that common servers accept for a whole head.
pub const MAX_VALUE_LEN: usize = 4096;

/// The most members of a dictionary, repeated ones included. A message has one signature from
/// its sender and one from each proxy on its way.
pub const MAX_MEMBERS: usize = 32;

/// The most items of an inner list: twice the components that the longest signature here covers.
pub const MAX_ITEMS: usize = 32;

/// The most parameters of one item or inner list, repeated ones included. RFC 9421 registers six
/// for a signature.
pub const MAX_PARAMETERS: usize = 16;

/// The longest key in bytes. Section 3.1.2 asks for at least 64.
pub const MAX_KEY_LEN: usize = 64;

#[cfg(test)]
mod tests;
