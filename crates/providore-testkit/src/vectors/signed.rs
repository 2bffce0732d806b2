//! Messages of the `Signed` dialect, each with all that is needed to check it.
//!
//! `vectors/signed/README.md` describes the folders.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{RequestMessage, ResponseMessage};

/// Every vector of the `Signed` dialect, by name.
///
/// # Panics
/// If a file in the repository is damaged.
#[must_use]
pub fn signed() -> Vec<SignedVector> {
    let entries = fs::read_dir(signed_folder()).expect("vectors/signed");
    let entries = entries.map(|entry| entry.expect("an entry").path());
    let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders.iter().map(|folder| read(folder)).collect()
}

/// Where they lie.
#[must_use]
pub fn signed_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/signed")
}

/// A request, and mostly the response to it.
#[derive(Debug)]
#[non_exhaustive]
pub struct SignedVector {
    /// The name of the folder.
    pub name: String,
    /// `vector.json`.
    pub about: About,
    /// `request.http`.
    pub request: RequestMessage,
    /// `request-base.txt`.
    pub request_base: String,
    /// `response.http`.
    pub response: Option<ResponseMessage>,
    /// `response-base.txt`; a response that is not signed has none.
    pub response_base: Option<String>,
    /// `plain.bin`.
    pub plain: Option<Vec<u8>>,
    /// `ciphertext.bin`.
    pub ciphertext: Option<Vec<u8>>,
}

/// `vector.json`: what is not in the messages, and what is to come out.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the test that writes the vectors makes them as literals"
)]
pub struct About {
    /// What happens, in a sentence.
    pub about: String,
    /// The device that asks.
    pub device: String,
    /// Its secret.
    pub secret: Hex,
    /// What is derived from the secret.
    pub sub_keys: SubKeys,
    /// The server that is asked.
    pub server: ServerState,
    /// The challenges in the messages: how the server made them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub challenges: Vec<MadeChallenge>,
    /// The request's signature.
    pub request: Signed,
    /// The response's signature, if there is a response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<Signed>,
    /// How the response's content is encrypted, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_coding: Option<ContentCoding>,
}

/// The sub-keys of the device's secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "as `About`")]
pub struct SubKeys {
    /// For signatures of requests.
    pub request: Hex,
    /// For signatures of responses.
    pub response: Hex,
    /// For encrypted content.
    pub content: Hex,
}

/// What a server knows when it checks the request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "as `About`")]
pub struct ServerState {
    /// When it started, in seconds since 1970.
    pub started: i64,
    /// When the request arrives.
    pub now: i64,
    /// What it drew at its start to make challenges with.
    pub challenge_key: Hex,
}

/// A challenge and what it is made of.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "as `About`")]
pub struct MadeChallenge {
    /// The value of the field.
    pub text: String,
    /// When it was made.
    pub issued: i64,
    /// The eight random bytes.
    pub random: Hex,
}

/// What is to be found in one message, and what is to come out.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "as `About`")]
pub struct Signed {
    /// The label of the signature of this profile; none if there is no such signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The parameter `created`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<i64>,
    /// The parameter `expires`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<i64>,
    /// The bytes of the parameter `nonce`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Hex>,
    /// The value of `providore-challenge`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub challenge: Option<String>,
    /// The SHA-256 in `content-digest`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_sha256: Option<Hex>,
    /// The signature in the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<Hex>,
    /// If it is refused, at which check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
}

/// Why a message is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "as `About`")]
pub struct Refused {
    /// The first check that fails.
    pub check: Check,
    /// What this implementation says.
    pub reason: String,
}

/// The checks, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Check {
    /// One signature of the profile, with its parameters, over what it must cover.
    Head,
    /// The signature itself.
    Signature,
    /// The content and its digest.
    Content,
    /// The window or the challenge.
    Freshness,
}

/// How content is encrypted.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "as `About`")]
pub struct ContentCoding {
    /// The salt.
    pub salt: Hex,
    /// The length of a record.
    pub record_size: u32,
}

/// Bytes that are hexadecimal digits in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "it is its bytes")]
pub struct Hex(pub Vec<u8>);

impl Hex {
    /// The digits.
    #[must_use]
    pub fn to_text(&self) -> String {
        base16ct::lower::encode_string(&self.0)
    }

    /// As many bytes as are wanted.
    ///
    /// # Panics
    /// If there are more or fewer.
    #[must_use]
    pub fn array<const N: usize>(&self) -> [u8; N] {
        self.0.as_slice().try_into().expect("another length")
    }
}

impl<T: AsRef<[u8]> + ?Sized> From<&T> for Hex {
    fn from(bytes: &T) -> Self {
        Self(bytes.as_ref().to_vec())
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text())
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = base16ct::lower::decode_vec(text);
        bytes.map(Self).map_err(D::Error::custom)
    }
}

fn read(folder: &Path) -> SignedVector {
    let optional = |name: &str| fs::read(folder.join(name)).ok();
    let text = |name| optional(name).map(|bytes| String::from_utf8(bytes).expect("a text"));
    let about = text("vector.json").expect("vector.json");
    let name = folder.file_name().expect("a name").to_string_lossy();
    SignedVector {
        about: serde_json::from_str(&about).expect(&name),
        name: name.into_owned(),
        request: RequestMessage::parse(&optional("request.http").expect("request.http")),
        request_base: text("request-base.txt").expect("request-base.txt"),
        response: optional("response.http").map(|bytes| ResponseMessage::parse(&bytes)),
        response_base: text("response-base.txt"),
        plain: optional("plain.bin"),
        ciphertext: optional("ciphertext.bin"),
    }
}
