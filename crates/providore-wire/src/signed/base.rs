//! What is signed, in the order in which this implementation writes it.
//!
//! All of it goes through one kind of sink, which cannot fail: a device has this code once, and not
//! once for each key that may be behind it.

use super::{Found, Nonce, Question};
use crate::{Method, ParseError, Text, Timestamp, structured::write_integer};

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
    sink(";nonce=\"");
    sink(nonce.to_text().as_str());
    sink("\";alg=\"hmac-sha256\";keyid=\"");
    sink(device);
    sink("\";tag=\"providore-2\"");
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
    sink(r#" "@method";req "@path";req "@query";req "signature";req;key=""#);
    sink(label);
    sink("\")");
}

/// The signature base of a request of which the values have been checked.
pub(super) fn write_request_base(
    (method, path, query): (Method, &str, Option<&str>),
    fields: &Found<'_, 7>,
    list: &str,
    sink: Sink<'_>,
) {
    sink(b"\"@method\": ");
    sink(method.as_str().as_bytes());
    sink(b"\n\"@path\": ");
    sink(path.as_bytes());
    sink(b"\n\"@query\": ?");
    sink(query.unwrap_or_default().as_bytes());
    write_fields(fields.iter(), sink);
    write_last(list, sink);
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
    write_fields(fields.iter(), sink);
    sink(b"\n\"@method\";req: ");
    sink(method.as_bytes());
    sink(b"\n\"@path\";req: ");
    sink(path.as_bytes());
    sink(b"\n\"@query\";req: ?");
    sink(query.as_bytes());
    sink(b"\n\"signature\";req;key=\"");
    sink(question.label().as_bytes());
    sink(b"\": ");
    sink(asked.as_bytes());
    write_last(list, sink);
}

pub(super) fn write_number(number: i64, sink: TextSink<'_>) {
    let _ = write_integer(number, &mut |piece: &[u8]| {
        sink(core::str::from_utf8(piece).unwrap_or_default());
        Ok::<_, core::convert::Infallible>(())
    });
}

fn write_names<'f>(fields: impl Iterator<Item = (&'f str, &'f [u8])>, sink: TextSink<'_>) {
    for (name, _) in fields {
        sink(" \"");
        sink(name);
        sink("\"");
    }
}

fn write_fields<'f>(fields: impl Iterator<Item = (&'f str, &'f [u8])>, sink: Sink<'_>) {
    for (name, value) in fields {
        sink(b"\n\"");
        sink(name.as_bytes());
        sink(b"\": ");
        sink(value);
    }
}

fn write_last(list: &str, sink: Sink<'_>) {
    sink(b"\n\"@signature-params\": ");
    sink(list.as_bytes());
}
