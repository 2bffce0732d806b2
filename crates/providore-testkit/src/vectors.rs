//! What the first Providore signs, recorded by running its own code; and what the `Signed` dialect
//! signs, for other implementations.
//!
//! `vectors/providore-original.json` holds requests and answers of nine versions of the deployed
//! servers, each with its canonical string, so that a port in another language can see at which
//! stage it differs. Binary values are base64 there and bytes here.

extern crate alloc;

use alloc::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, de::Error as _};

mod signed;

pub use signed::{
    About, Check, ContentCoding, Hex, MadeChallenge, Refused, ServerState, Signed, SignedVector,
    SubKeys, signed, signed_folder,
};

/// The vectors of the `Original` dialect.
///
/// # Panics
/// If the file in the repository is damaged.
#[must_use]
pub fn original() -> Original {
    let text = include_str!("../vectors/providore-original.json");
    serde_json::from_str(text).expect("vectors/providore-original.json")
}

/// The file.
#[derive(Debug, Deserialize)]
#[non_exhaustive]
pub struct Original {
    /// Signed requests.
    pub requests: Vec<RequestVector>,
    /// Signed answers.
    pub responses: Vec<ResponseVector>,
    /// What an attacker makes of them.
    pub weaknesses: Weaknesses,
}

/// A request, as a server received and accepted it.
#[derive(Debug, Deserialize)]
#[non_exhaustive]
pub struct RequestVector {
    /// What is special about it; unique for each server.
    pub name: String,
    /// The version of the server that accepted it.
    pub server: String,
    /// The device id in `authorization`.
    pub device_id: String,
    /// The secret.
    #[serde(rename = "key_b64", deserialize_with = "base64")]
    pub key: Vec<u8>,
    /// The method.
    pub method: String,
    /// The request target.
    pub target: String,
    /// The part of it that is signed.
    pub path: String,
    /// The header `x-firmware-version` as sent, blanks included.
    #[serde(rename = "firmware_version_header_b64", deserialize_with = "base64")]
    pub firmware_version: Vec<u8>,
    /// The header `created-at`.
    pub created_at: String,
    /// The header `expiry`.
    pub expiry: String,
    /// The body.
    #[serde(rename = "body_b64", default, deserialize_with = "optional_base64")]
    pub body: Option<Vec<u8>>,
    /// The bytes that are signed.
    #[serde(rename = "canonical_b64", deserialize_with = "base64")]
    pub canonical: Vec<u8>,
    /// The signature in base64.
    pub signature: String,
    /// The header `authorization`.
    pub authorization: String,
}

/// An answer, as a server signed it.
#[derive(Debug, Deserialize)]
#[non_exhaustive]
pub struct ResponseVector {
    /// What is special about it; unique for each server.
    pub name: String,
    /// The version of the server that signed it.
    pub server: String,
    /// The secret.
    pub key: String,
    /// The body as sent.
    #[serde(rename = "payload_b64", deserialize_with = "base64")]
    pub payload: Vec<u8>,
    /// The headers as sent.
    pub headers: BTreeMap<String, String>,
    /// The bytes that are signed.
    #[serde(rename = "canonical_b64", deserialize_with = "base64")]
    pub canonical: Vec<u8>,
    /// The signature in base64.
    pub signature: String,
    /// Whether the body that is signed is the body that is sent.
    pub signs_exact_payload: bool,
}

/// Attacks on the dialect that were carried out with the deployed code.
#[derive(Debug, Deserialize)]
#[non_exhaustive]
pub struct Weaknesses {
    /// A signed request that is also a signed answer.
    pub reflection: Reflection,
}

/// A request and an answer with the same bytes under the signature.
#[derive(Debug, Deserialize)]
#[non_exhaustive]
pub struct Reflection {
    /// What is signed for the answer.
    pub response_canonical: String,
    /// The signature that the client made, in base64.
    pub signature: String,
}

fn base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD.decode(text).map_err(D::Error::custom)
}

fn optional_base64<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<u8>>, D::Error> {
    Option::<String>::deserialize(deserializer)?
        .map(|text| STANDARD.decode(text).map_err(D::Error::custom))
        .transpose()
}
