//! `GET /secret`.

use core::fmt;

use providore_wire::Route;
use zeroize::Zeroizing;

use crate::{
    BodyFault, BufferedOperation, Error, Operation,
    exchange::{SignedAnswer, Target, sealed::Question},
    firmware::target_of,
};

/// Asks whether another secret is to replace the device's own.
///
/// The answer is encrypted, and one in clear is refused. The outcome is the next secret, or `None`
/// if none waits. Store it beside the present one, then [`Device::set_next_secret`]; the
/// [`Agent`](crate::Agent) does both. Only in the `Signed` dialect.
///
/// [`Device::set_next_secret`]: crate::Device::set_next_secret
#[derive(Debug, Clone, Copy, Default)]
#[must_use]
#[non_exhaustive]
pub struct NextSecret;

impl NextSecret {
    /// Asks.
    pub const fn new() -> Self {
        Self
    }
}

/// A secret that came from the server, encrypted, unchanged and now. Erased when dropped, not
/// printable.
///
/// Only [`Receiving::finish`](crate::Receiving::finish) makes one.
///
/// ```compile_fail
/// let forged = providore_client::VerifiedSecret { length: 32 };
/// ```
#[must_use]
pub struct VerifiedSecret {
    bytes: Zeroizing<[u8; Self::MAX_LEN]>,
    length: usize,
}

impl VerifiedSecret {
    /// The shortest secret in bytes.
    pub const MIN_LEN: usize = 16;

    /// The longest secret in bytes: more adds no strength.
    pub const MAX_LEN: usize = 64;

    /// The characters of the secret.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn read(text: &[u8]) -> Result<Self, BodyFault> {
        // What an editor adds to a line would end up in the key.
        let control = |byte: &u8| byte.is_ascii_control();
        if !(Self::MIN_LEN..=Self::MAX_LEN).contains(&text.len()) || text.iter().any(control) {
            return Err(BodyFault::NotSecret);
        }
        let mut bytes = Zeroizing::new([0; Self::MAX_LEN]);
        for (slot, byte) in bytes.iter_mut().zip(text) {
            *slot = *byte;
        }
        Ok(Self {
            bytes,
            length: text.len(),
        })
    }
}

impl fmt::Debug for VerifiedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifiedSecret(..)")
    }
}

impl Question for NextSecret {
    fn target(&self) -> Target<'_> {
        target_of(Route::Secret)
    }

    fn is_signed_only(&self) -> bool {
        true
    }

    fn is_secret(&self) -> bool {
        true
    }
}

impl Operation for NextSecret {}

impl BufferedOperation for NextSecret {
    type Outcome<'b> = Option<VerifiedSecret>;

    fn conclude(self, answer: SignedAnswer<'_, '_>) -> Result<Option<VerifiedSecret>, Error> {
        match answer.told.status {
            200 => Ok(Some(answer.erased_after(VerifiedSecret::read)?)),
            204 => {
                answer.without_body()?;
                Ok(None)
            }
            _ => Err(answer.declined()),
        }
    }
}
