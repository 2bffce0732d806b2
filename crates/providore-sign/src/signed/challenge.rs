//! Challenges that a server accepts without remembering them.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use providore_wire::{Signature, Timestamp, signed::Challenge};

use crate::{ComputedTag, KeyError, MacKey as _, Refusal, SoftwareKey, refusal::seconds};

/// Makes challenges and knows its own again.
///
/// ```text
/// challenge = base64url( time || random || HMAC-SHA-256(key, "providore/2 challenge" || 0x00 || time || random) )
/// time      = seconds since 1970, 8 bytes, big endian
/// random    = 8 bytes
/// ```
///
/// # Security
/// The key is drawn when the server starts and lives as long as the server remembers nonces: a
/// challenge from before a restart is then nobody's.
#[derive(Debug, Clone)]
pub struct ChallengeKey(SoftwareKey);

impl ChallengeKey {
    /// How long a challenge counts, in seconds. Enough for a device on a slow link to ask once more.
    pub const MAX_AGE_S: u32 = 60;

    /// A key from 32 random bytes.
    ///
    /// # Errors
    /// [`KeyError`] never happens with 32 bytes.
    pub fn new(random: &[u8; 32]) -> Result<Self, KeyError> {
        SoftwareKey::new(random).map(Self)
    }

    /// The key that follows on this one, when the server has forgotten its nonces though it was not
    /// restarted. Challenges made under this one are nobody's then.
    ///
    /// # Errors
    /// What the key reports.
    pub fn next(&self) -> Result<Self, KeyError> {
        let mut key = self.0.share();
        key.begin()?;
        key.update(NEXT)?;
        Self::new(key.finish()?.publish().as_bytes())
    }

    /// A challenge made now. `random` tells it from others of this second.
    ///
    /// # Errors
    /// What the key reports.
    pub fn issue(&self, now: Timestamp, random: [u8; 8]) -> Result<Challenge, KeyError> {
        let mut token = [0; TOKEN_LEN];
        let tag = self.tag(now.unix().to_be_bytes(), random)?.publish();
        let parts = now.unix().to_be_bytes();
        let parts = parts.iter().chain(&random).chain(tag.as_bytes());
        for (slot, byte) in token.iter_mut().zip(parts) {
            *slot = *byte;
        }
        let mut text = [0; Challenge::MAX_LEN];
        let length = URL_SAFE_NO_PAD.encode_slice(token, &mut text).ok();
        let text = length.and_then(|length| text.get(..length));
        // 48 bytes always take 64 characters.
        text.and_then(|text| Challenge::parse(text).ok())
            .ok_or(KeyError::NotStarted)
    }

    /// When this challenge was made, if it was made here and still counts.
    ///
    /// # Errors
    /// [`Refusal::ForeignChallenge`], [`Refusal::OldChallenge`], or that the key failed.
    pub fn check(&self, challenge: &Challenge, now: Timestamp) -> Result<Timestamp, Refusal> {
        let mut token = [0; TOKEN_LEN];
        let decoded = URL_SAFE_NO_PAD.decode_slice(challenge.as_str(), &mut token);
        if decoded != Ok(TOKEN_LEN) {
            return Err(Refusal::ForeignChallenge);
        }
        let [t0, t1, t2, t3, t4, t5, t6, t7, rest @ ..] = token;
        let [r0, r1, r2, r3, r4, r5, r6, r7, tag @ ..] = rest;
        let time = [t0, t1, t2, t3, t4, t5, t6, t7];
        let random = [r0, r1, r2, r3, r4, r5, r6, r7];
        if !self.tag(time, random)?.matches(&Signature::new(tag)) {
            return Err(Refusal::ForeignChallenge);
        }
        let issued = Timestamp::from_unix(i64::from_be_bytes(time));
        let issued = issued.ok_or(Refusal::ForeignChallenge)?;
        let age_s = now.seconds_since(issued);
        // One from the future was made before our own clock was set back.
        if age_s < 0 || age_s > i64::from(Self::MAX_AGE_S) {
            return Err(Refusal::OldChallenge {
                age_s: seconds(age_s),
            });
        }
        Ok(issued)
    }

    fn tag(&self, time: [u8; 8], random: [u8; 8]) -> Result<ComputedTag, KeyError> {
        let mut key = self.0.share();
        key.begin()?;
        key.update(DOMAIN)?;
        key.update(&time)?;
        key.update(&random)?;
        key.finish()
    }
}

/// No challenge is made over this: it has another length.
const NEXT: &[u8] = b"providore/2 next challenge key\0";

const DOMAIN: &[u8] = b"providore/2 challenge\0";

/// Time, randomness, tag.
const TOKEN_LEN: usize = 8 + 8 + 32;
