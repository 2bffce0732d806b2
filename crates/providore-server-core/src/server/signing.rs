//! The signature of an answer, in the dialect of its question.

use alloc::string::String;

use providore_sign::{
    HeaderInstructions, KeyError, SoftwareKey,
    original::ResponseSigner,
    signed::{Keys, ResponseToSign, VerifiedRequest, sign_response},
};
use providore_wire::{Timestamp, digest_fields::DigestField};
use sha2::{Digest as _, Sha256};

use super::{Authenticated, Proof, Server, body_cache};
use crate::{
    Body, CertificateLog, ConfigStore, Device, DeviceStore, FirmwareStore, Image as _, Moment,
    Response, StoreError,
};

/// How much of an image is hashed at a time: long enough that a read costs less than its hash,
/// short enough that other requests wait for less than a millisecond.
const HASH_CHUNK: usize = 256 * 1024;

impl<S> Server<S>
where
    S: DeviceStore + ConfigStore + FirmwareStore + CertificateLog,
{
    /// Signs an answer with the device's key and completes its fields.
    pub(super) async fn sign(
        &self,
        asked: &Authenticated<'_>,
        mut answer: Response<S::Image>,
        moment: &Moment,
    ) -> Result<Response<S::Image>, StoreError> {
        let mut memory = [0; HeaderInstructions::MAX_LEN];
        let headers = match (asked.proof(), asked.keys()) {
            (Proof::Signed(verified, _), Some(keys)) => {
                if let Body::Image { image, .. } = &answer.body {
                    let digest = DigestField::write_sha256(&image.sha256());
                    answer = answer.with("repr-digest", String::from(digest.as_str()));
                }
                self.sign_bound((keys, verified), &answer, moment, &mut memory)
                    .await?
            }
            _ => {
                self.sign_original(asked.device(), &answer, moment.now, &mut memory)
                    .await?
            }
        };
        for (name, value) in headers.fields() {
            answer = answer.with(name, String::from(value));
        }
        Ok(answer.with("cache-control", "no-store"))
    }

    /// In the `Signed` dialect: the head with a digest of the content, bound to the question.
    async fn sign_bound<'m>(
        &self,
        (keys, question): (&Keys, &VerifiedRequest<'_>),
        answer: &Response<S::Image>,
        moment: &Moment,
        memory: &'m mut [u8],
    ) -> Result<HeaderInstructions<'m>, StoreError> {
        let content_sha256 = match &answer.body {
            Body::Empty => None,
            Body::Bytes(bytes) => Some(Sha256::digest(bytes).into()),
            Body::Image {
                image,
                start,
                length,
            } => Some(digest_of_part(image, *start, *length).await?),
        };
        let challenge = self.challenge(moment).await?;
        let fields = answer.fields.iter();
        let response = ResponseToSign {
            device: question.device(),
            status: answer.status,
            fields: fields.map(|(name, value)| (*name, value.as_bytes())),
            content_sha256,
            challenge: &challenge,
            created: moment.now,
        };
        sign_response(keys, &question.question(), &response, memory).map_err(fault)
    }

    /// In the `Original` dialect: the body and two dates.
    async fn sign_original<'m>(
        &self,
        device: &Device,
        answer: &Response<S::Image>,
        now: Timestamp,
        memory: &'m mut [u8],
    ) -> Result<HeaderInstructions<'m>, StoreError> {
        let lifetime_s = self.settings.answer_lifetime_s;
        if let Body::Image { image, .. } = &answer.body {
            let signer = self.image_signer(device, image).await?;
            return signer.finish(now, lifetime_s, memory).map_err(fault);
        }
        let mut signer = ResponseSigner::begin(device.key().share()).map_err(fault)?;
        if let Body::Bytes(bytes) = &answer.body {
            signer.update(bytes).map_err(fault)?;
        }
        signer.finish(now, lifetime_s, memory).map_err(fault)
    }

    /// The MAC state behind a whole image, from the cache or by reading the image once.
    ///
    /// What is kept is about the image of that digest and no other: a file that is overwritten
    /// while it is read would otherwise spoil every later answer.
    async fn image_signer(
        &self,
        device: &Device,
        image: &S::Image,
    ) -> Result<ResponseSigner<SoftwareKey>, StoreError> {
        let name = body_cache::Name::new(device, image.sha256());
        if let Some(signer) = self.bodies.lock().await.find(&name) {
            return Ok(signer);
        }
        let mut signer = ResponseSigner::begin(device.key().clone()).map_err(fault)?;
        let mut hash = Sha256::new();
        read_part(image, 0, image.size(), |chunk| {
            hash.update(chunk);
            signer.update(chunk).map_err(fault)
        })
        .await?;
        if *hash.finalize() != image.sha256() {
            return Err(StoreError::message("image changed while it was read"));
        }
        self.bodies.lock().await.remember(name, signer.clone());
        Ok(signer)
    }
}

/// The SHA-256 of a part; of the whole it is known.
async fn digest_of_part(
    image: &impl crate::Image,
    start: u64,
    length: u64,
) -> Result<[u8; 32], StoreError> {
    if (start, length) == (0, image.size()) {
        return Ok(image.sha256());
    }
    let mut hash = Sha256::new();
    read_part(image, start, length, |chunk| {
        hash.update(chunk);
        Ok(())
    })
    .await?;
    Ok(hash.finalize().into())
}

async fn read_part(
    image: &impl crate::Image,
    start: u64,
    length: u64,
    mut take: impl FnMut(&[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut left = length;
    while left > 0 {
        let offset = start.saturating_add(length.saturating_sub(left));
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(HASH_CHUNK);
        let chunk = image.read(offset, wanted).await?;
        if chunk.is_empty() {
            return Err(StoreError::message("image ends before its size"));
        }
        take(&chunk)?;
        left = left.saturating_sub(chunk.len() as u64);
    }
    Ok(())
}

fn fault(error: KeyError) -> StoreError {
    StoreError::new("sign an answer", error)
}
