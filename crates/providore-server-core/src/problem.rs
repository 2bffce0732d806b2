//! Errors as problem details (RFC 9457).

use alloc::{format, string::String};

use bytes::Bytes;

use crate::{Body, Response};

/// What went wrong, as far as the peer may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    /// One face for every failure of authentication.
    Unauthorized,
    NotFound,
    MethodNotAllowed,
    TooLarge,
    BadTarget,
    UnsupportedMediaType,
    UnusableCsr,
    KeyRevoked,
    UnsupportedReport,
    UnusableReport,
    TooManyRequests,
    Unavailable,
    RangeNotSatisfiable,
}

impl Problem {
    const fn parts(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::BadTarget => (400, "bad-request", "The request target is malformed."),
            Self::Unauthorized => (401, "unauthorized", "The request is not authenticated."),
            Self::NotFound => (404, "not-found", "There is nothing here for this device."),
            Self::MethodNotAllowed => (405, "method", "This resource does not have this method."),
            Self::TooLarge => (413, "too-large", "The body is too large."),
            Self::UnsupportedMediaType => (
                415,
                "media-type",
                "Send PKCS#10 as text/plain or application/pkcs10.",
            ),
            Self::UnsupportedReport => (415, "media-type", "Send a report as application/json."),
            Self::UnusableReport => (422, "unusable-report", "Send one JSON object in one line."),
            Self::RangeNotSatisfiable => (416, "range", "The range lies outside the image."),
            Self::UnusableCsr => (
                422,
                "unusable-csr",
                "Send a PKCS#10 request, signed by its own key, whose one common name is the \
                 device id.",
            ),
            Self::KeyRevoked => (
                409,
                "key-revoked",
                "The key of the request was revoked: make a new one.",
            ),
            Self::TooManyRequests => (429, "too-many-requests", "Wait, then sign and ask anew."),
            Self::Unavailable => (503, "unavailable", "Try again later."),
        }
    }

    /// The answer. Its body always begins with the same bytes, so that a client can tell a problem
    /// document from a configuration even where the status is not signed.
    pub(crate) fn response<I>(self) -> Response<I> {
        let (status, name, title) = self.parts();
        let body = format!(
            r#"{{"type":"urn:providore:problem:{name}","title":"{title}","status":{status}}}"#
        );
        Self::document(status, body)
    }

    fn document<I>(status: u16, body: String) -> Response<I> {
        Response::new(status, Body::Bytes(Bytes::from(body)))
            .with("content-type", "application/problem+json")
    }

    /// The answer with the reason (`detail`), for a device that has authenticated itself.
    pub(crate) fn detailed<I>(self, detail: &str) -> Response<I> {
        let (status, name, title) = self.parts();
        let detail = serde_json::Value::from(detail);
        let body = format!(
            r#"{{"type":"urn:providore:problem:{name}","title":"{title}","status":{status},"detail":{detail}}}"#
        );
        Self::document(status, body)
    }

    /// The answer, with the seconds after which to try again.
    pub(crate) fn retry_after<I>(self, seconds: u32) -> Response<I> {
        self.response().with("retry-after", format!("{seconds}"))
    }
}
