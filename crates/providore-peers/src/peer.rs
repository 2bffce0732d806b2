//! What is asked of an implementation.

use providore_testkit::{RequestMessage, ResponseMessage};

/// A message that is signed.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_enums, reason = "HTTP has these two")]
pub enum Message<'m> {
    /// A request.
    Request(&'m RequestMessage),
    /// A response, and the request that it answers.
    Response(&'m ResponseMessage, &'m RequestMessage),
}

impl<'m> Message<'m> {
    /// The fields of the message itself.
    #[must_use]
    pub fn fields(&self) -> &'m [(String, String)] {
        match self {
            Self::Request(request) => &request.fields,
            Self::Response(response, _) => &response.fields,
        }
    }
}

/// The signature that a peer is to make.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "tests write it as a literal")]
pub struct Wanted<'w> {
    /// The label.
    pub label: &'w str,
    /// The components with their parameters, as they are written in `Signature-Input`.
    pub components: Vec<String>,
    /// The parameter `created`.
    pub created: Option<i64>,
    /// The parameter `expires`.
    pub expires: Option<i64>,
    /// The parameter `nonce`.
    pub nonce: Option<&'w str>,
    /// The parameter `keyid`.
    pub key_id: &'w str,
    /// The parameter `tag`.
    pub tag: &'w str,
}

/// An implementation of RFC 9421 with HMAC-SHA-256.
pub trait Peer {
    /// Adds a signature: the fields that the message has then, other signatures included.
    fn sign(
        &mut self,
        message: &Message<'_>,
        key: &[u8],
        wanted: &Wanted<'_>,
    ) -> Vec<(String, String)>;

    /// The base of the signature with this tag.
    fn base(&mut self, message: &Message<'_>, tag: &str) -> String;

    /// Verifies the signature with this tag, its time aside.
    ///
    /// # Errors
    /// Why it is refused, in the words of the implementation.
    fn verify(&mut self, message: &Message<'_>, key: &[u8], tag: &str) -> Result<(), String>;
}
