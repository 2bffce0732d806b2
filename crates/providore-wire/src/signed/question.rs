//! The request as a response is bound to it.

use super::LABEL;
use crate::{
    Method, Signature, Text,
    message_signatures::{Component, Derived, RequestParts},
    structured::{MAX_KEY_LEN, is_key},
    text::split_once,
};

/// What of a request its response's signature covers.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    method: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    label: &'a str,
    /// The field `signature` with this one label.
    signature: Text<SIGNATURE_LEN>,
}

impl<'a> Question<'a> {
    /// The question that carries `signature` under `label`.
    #[must_use]
    pub fn new(
        (method, path, query): (&'a str, &'a str, Option<&'a str>),
        label: &'a str,
        signature: &Signature,
    ) -> Self {
        Self {
            method,
            path,
            query,
            label,
            signature: signature_field(label, signature.to_base64().as_str()),
        }
    }

    /// The question as this implementation sent it: with a target in origin form, and a signature of
    /// these digits under [`LABEL`].
    #[must_use]
    pub fn sent(method: Method, target: &'a str, digits: &str) -> Self {
        let (path, query) = match split_once(target, b'?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        Self {
            method: method.as_str(),
            path,
            query,
            label: LABEL,
            signature: member(LABEL, digits),
        }
    }

    /// The label of the request's signature.
    #[must_use]
    pub const fn label(&self) -> &'a str {
        self.label
    }

    /// Method, path and query as they are signed, the query without its question mark.
    pub(super) fn target(&self) -> (&'a str, &'a str, &'a str) {
        let path = if self.path.is_empty() { "/" } else { self.path };
        (self.method, path, self.query.unwrap_or_default())
    }

    /// Whether all of it can stand in a signature base.
    pub(super) fn is_visible(&self) -> bool {
        let (method, path, query) = self.target();
        let visible = |all, byte| all & matches!(byte, b' '..=b'~');
        let all = |all, part: &str| part.bytes().fold(all, visible);
        [method, path, query].into_iter().fold(true, all)
    }

    /// The member of the field `signature` under the label.
    pub(super) fn signature(&self) -> Option<&str> {
        let member = self.label.len().saturating_add(1);
        self.signature.as_str().get(member..)
    }

    /// The components that bind a response to this question, as the RFC writes them with `;req`.
    #[must_use]
    pub const fn components(&self) -> [Component<'a>; 4] {
        [
            Component::derived(Derived::Method).of_request(),
            Component::derived(Derived::Path).of_request(),
            Component::derived(Derived::Query).of_request(),
            Component::member(super::fields::SIGNATURE, self.label).of_request(),
        ]
    }

    /// The request, as far as those components look at it.
    #[must_use]
    pub fn parts(&self) -> RequestParts<'_, impl Iterator<Item = (&str, &[u8])> + Clone> {
        let signature = (super::fields::SIGNATURE, self.signature.as_str().as_bytes());
        RequestParts {
            method: self.method,
            scheme: "",
            authority: "",
            path: self.path,
            query: self.query,
            fields: core::iter::once(signature),
        }
    }
}

/// What is no label leaves the field out, and then no signature covers it.
fn signature_field(label: &str, digits: &str) -> Text<SIGNATURE_LEN> {
    if is_key(label) {
        member(label, digits)
    } else {
        Text::new()
    }
}

fn member(label: &str, digits: &str) -> Text<SIGNATURE_LEN> {
    // A label of this length and what follows it always fit, if these are 44 digits.
    Text::of_pieces(&[label, "=:", digits, ":"])
}

/// A label, an equals sign, and 44 digits between two colons.
const SIGNATURE_LEN: usize = MAX_KEY_LEN + 47;
