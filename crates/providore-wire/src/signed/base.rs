//! What is signed, in the order in which this implementation writes it.
//!
//! All of it goes through one kind of sink, which cannot fail: a device has this code once, and not
//! once for each key that may be behind it.

use super::{Found, Nonce, Question, fields::There};
use crate::{Method, ParseError, Text, Timestamp, text::split_once, text::write_digits};

/// Where the pieces of a signature base go.
pub(super) type Sink<'s> = &'s mut dyn FnMut(&[u8]);

/// Where the pieces of parameters go, which are text.
pub(super) type TextSink<'s> = &'s mut dyn FnMut(&str);

/// Hands the pieces to a sink that can fail; its first error ends it.
pub(super) fn fallible<E>(
    mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    write: impl FnOnce(Sink<'_>),
) -> Result<(), E> {
    let mut outcome = Ok(());
    write(&mut |piece| {
        if outcome.is_ok() {
            outcome = sink(piece);
        }
    });
    outcome
}

/// The pieces as one text.
pub(super) fn text<const N: usize>(
    write: impl FnOnce(TextSink<'_>),
) -> Result<Text<N>, ParseError> {
    let mut text = Text::new();
    let mut outcome = Ok(());
    write(&mut |piece| {
        if outcome.is_ok() {
            outcome = text.push_str(piece);
        }
    });
    outcome.map(|()| text)
}

/// The parameters of a request's signature.
pub(super) fn write_request_list(
    fields: &Found<'_, 7>,
    device: &str,
    nonce: &Nonce,
    window: Option<(Timestamp, Timestamp)>,
    sink: TextSink<'_>,
) {
    write_request_components(fields, sink);
    if let Some((created, expires)) = window {
        sink(";created=");
        write_number(created.unix(), sink);
        sink(";expires=");
        write_number(expires.unix(), sink);
    }
    let last = r#";nonce="$";alg="hmac-sha256";keyid="$";tag="providore-2""#;
    write(last, &[nonce.to_text().as_str(), device], sink);
}

/// The covered components of a request.
pub(super) fn write_request_components(fields: &Found<'_, 7>, sink: TextSink<'_>) {
    sink(r#"("@method" "@path" "@query""#);
    write_names(fields.iter(), sink);
    sink(")");
}

/// The covered components of a response to a question under this label.
pub(super) fn write_response_components(fields: &Found<'_, 9>, label: &str, sink: TextSink<'_>) {
    sink("(\"@status\"");
    write_names(fields.iter(), sink);
    let binding = r#" "@method";req "@path";req "@query";req "signature";req;key="$")"#;
    write(binding, &[label], sink);
}

/// The signature base of a request of which the values have been checked.
pub(super) fn write_request_base(
    (method, path, query): (Method, &str, Option<&str>),
    fields: &Found<'_, 7>,
    list: &str,
    sink: Sink<'_>,
) {
    let derived = "\"@method\": $\n\"@path\": $\n\"@query\": ?$";
    let values = [method.as_str(), path, query.unwrap_or_default()];
    write(derived, &values, &mut |piece| sink(piece.as_bytes()));
    write_lines(fields.iter(), sink);
    write(LAST, &[list], &mut |piece| sink(piece.as_bytes()));
}

/// The signature base of a response of which the values have been checked, to a question that has
/// this signature.
pub(super) fn write_response_base(
    status: u16,
    (question, asked): (&Question<'_>, &str),
    fields: &Found<'_, 9>,
    list: &str,
    sink: Sink<'_>,
) {
    let (method, path, query) = question.target();
    sink(b"\"@status\": ");
    write_number(i64::from(status), &mut |digits| sink(digits.as_bytes()));
    write_lines(fields.iter(), sink);
    let binding = "\n\"@method\";req: $\n\"@path\";req: $\n\"@query\";req: ?$\n\"signature\";req;key=\"$\": $";
    let values = [method, path, query, question.label(), asked];
    write(binding, &values, &mut |piece| sink(piece.as_bytes()));
    write(LAST, &[list], &mut |piece| sink(piece.as_bytes()));
}

/// How every signature base ends.
const LAST: &str = "\n\"@signature-params\": $";

/// A form in which each dollar sign stands for the next of the values. The text around them in
/// calls of its own would be half of a device's code of this module.
#[cfg_attr(not(feature = "any-spelling"), inline(never))]
fn write(form: &str, values: &[&str], sink: TextSink<'_>) {
    let mut rest = form;
    for value in values {
        let (text, behind) = split_once(rest, b'$').unwrap_or_default();
        sink(text);
        sink(value);
        rest = behind;
    }
    sink(rest);
}

#[cfg_attr(not(feature = "any-spelling"), inline(never))]
pub(super) fn write_number(number: i64, sink: TextSink<'_>) {
    if number < 0 {
        sink("-");
    }
    let mut room = [0; 20];
    let digits = write_digits(number.unsigned_abs(), &mut room);
    sink(core::str::from_utf8(digits).unwrap_or_default());
}

#[cfg_attr(not(feature = "any-spelling"), inline(never))]
fn write_names(fields: There<'_>, sink: TextSink<'_>) {
    for (name, _) in fields {
        write(" \"$\"", &[name], sink);
    }
}

#[cfg_attr(not(feature = "any-spelling"), inline(never))]
fn write_lines(fields: There<'_>, sink: Sink<'_>) {
    for (name, value) in fields {
        write("\n\"$\": ", &[name], &mut |piece| sink(piece.as_bytes()));
        sink(value);
    }
}
