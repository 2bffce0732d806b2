//! Signing and verifying in the `Original` dialect.
//!
//! A server goes [`verify_request`] → [`VerifiedRequest`], then [`ResponseSigner`]; a client goes
//! [`sign_request`], then [`ResponseVerifier`] → [`VerifiedResponse`].

mod request;
mod response;

pub use request::{RequestPolicy, RequestToSign, VerifiedRequest, sign_request, verify_request};
pub use response::{
    ResponseDates, ResponsePolicy, ResponseSigner, ResponseVerifier, VerifiedResponse,
};
