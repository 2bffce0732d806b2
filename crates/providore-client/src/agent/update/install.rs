//! From what the server describes to an image that lies whole and proven in the slot.

use providore_pki::manifest::{AdmittedManifest, Chunk, Installed, Manifest};
use providore_sign::MacKey;
use providore_wire::{FirmwareVersion, Timestamp};

use super::{Authors, FirmwareFault};
use crate::{
    AgentError, Body, Clock as _, Device, Event, Exchange, FirmwareCheck, FirmwareOutcome,
    FirmwarePart, FirmwareSlot, ImageCheck, Parts, ServerAddress, Transport as _, TransportError,
    UpdateState, VerifiedImage,
    agent::ask::{Line, Repetitions, moment},
    update::Release,
};

/// Everything that one installation works with, beside the buffer that holds the manifest.
pub(super) struct Installation<'i, 'b, K, P> {
    pub(super) device: &'i mut Device<K>,
    pub(super) platform: &'i mut P,
    pub(super) server: &'i ServerAddress,
    pub(super) authors: Authors<'b>,
    pub(super) state: &'i UpdateState,
    pub(super) image: ImageCheck,
    pub(super) chunk: &'i mut [u8],
    pub(super) report: &'i mut Option<&'b mut dyn FnMut(&Event<'_>)>,
    /// Whether anything was written: an attempt that brought the image on was not in vain.
    pub(super) moved: &'i mut bool,
}

/// What the server has for the device.
pub(super) enum Found {
    UpToDate,
    Skipped(FirmwareVersion),
    Refused(FirmwareVersion, FirmwareFault),
    Ready(Release, VerifiedImage),
}

impl<K: MacKey, P: Parts> Installation<'_, '_, K, P> {
    /// Asks, and if an author has signed what waits, brings it into the slot.
    pub(super) async fn run(mut self, document: &mut [u8]) -> Result<Found, AgentError> {
        let line = Line {
            device: &mut *self.device,
            platform: &mut *self.platform,
            server: self.server,
        };
        let outcome = line.ask(FirmwareCheck::new(), self.chunk, document).await?;
        let (version, manifest) = match outcome {
            FirmwareOutcome::UpToDate => return Ok(Found::UpToDate),
            FirmwareOutcome::Offered(version) if version == *self.device.version() => {
                return Ok(Found::UpToDate);
            }
            FirmwareOutcome::Offered(version) => {
                let fault = FirmwareFault::NoManifest;
                return Ok(Found::Refused(version, fault));
            }
            FirmwareOutcome::Described { version, manifest } => (version, manifest),
        };
        let admitted = match self.admit(&version, manifest) {
            Ok(admitted) => admitted,
            Err(fault) => return Ok(Found::Refused(version, fault)),
        };
        let sequence = admitted.manifest().contents().sequence();
        if self.state.gave_up(sequence) {
            return Ok(Found::Skipped(version));
        }
        self.say(&Event::FirmwareOffered(&version));
        match self.bring(&version, &admitted).await {
            Err(AgentError::Firmware(fault @ FirmwareFault::Image(_))) => {
                Ok(Found::Refused(version, fault))
            }
            brought => {
                brought?;
                let clock = self.platform.parts().clock.now();
                let created = self.device.server_time().now(clock);
                let created = created.unwrap_or(Timestamp::MIN);
                let image = VerifiedImage::of_author(&admitted, created);
                Ok(Found::Ready(Release { sequence, version }, image))
            }
        }
    }

    fn admit<'m>(
        &mut self,
        version: &FirmwareVersion,
        bytes: &'m [u8],
    ) -> Result<AdmittedManifest<'m>, FirmwareFault> {
        let Authors { keys, hardware } = &self.authors;
        let manifest = Manifest::parse(bytes).and_then(|manifest| keys.verify(manifest));
        let manifest = manifest.map_err(FirmwareFault::Manifest)?;
        if manifest.contents().version().as_str() != version.as_str() {
            return Err(FirmwareFault::OtherVersion);
        }
        let capacity = self.platform.parts().slot.capacity();
        let installed = Installed::new(hardware, self.state.floor(), capacity);
        let admitted = manifest.admit(&installed);
        let admitted = admitted.map_err(FirmwareFault::NotAdmitted)?;
        let contents = admitted.manifest().contents();
        let size = contents.chunk_size().bytes();
        let longest = contents.image_len().min(u64::from(size));
        if longest > self.chunk.len() as u64 {
            return Err(FirmwareFault::ChunkTooLarge {
                needed: size,
                available: self.chunk.len(),
            });
        }
        let length = self.image.check_length(contents.image_len());
        length.map_err(FirmwareFault::Image)?;
        Ok(admitted)
    }

    /// Brings all of the image into the slot: what of it is there stays.
    async fn bring(
        &mut self,
        version: &FirmwareVersion,
        admitted: &AdmittedManifest<'_>,
    ) -> Result<(), AgentError> {
        let length = admitted.manifest().contents().image_len();
        let kept = self.look_back(version, admitted).await?;
        let slot = &mut self.platform.parts().slot;
        let from = slot.begin(version, kept).await.map_err(AgentError::Slot)?;
        // A slot that kept more than it was told to would have a hole.
        let from = from.min(kept);
        if kept > 0 {
            self.say(&Event::FirmwareResumed { kept: from });
        }
        if from >= length {
            return Ok(());
        }
        self.download(version, admitted, from).await
    }

    /// How many bytes of the image are in the slot: of whole chunks, each compared with what its
    /// author signed.
    async fn look_back(
        &mut self,
        version: &FirmwareVersion,
        admitted: &AdmittedManifest<'_>,
    ) -> Result<u64, AgentError> {
        let mut kept = 0;
        for chunk in admitted.manifest().chunks() {
            let buffer = room(self.chunk, &chunk);
            let slot = &mut self.platform.parts().slot;
            if !read_back(slot, chunk.offset(), buffer).await || chunk.verify(buffer).is_err() {
                break;
            }
            self.image.check_first(&chunk, buffer, version)?;
            kept = chunk.offset().saturating_add(u64::from(chunk.length()));
        }
        Ok(kept)
    }

    /// Fetches the image from the chunk on that holds the byte `from`, and writes from there on.
    async fn download(
        &mut self,
        version: &FirmwareVersion,
        admitted: &AdmittedManifest<'_>,
        from: u64,
    ) -> Result<(), AgentError> {
        let manifest = admitted.manifest();
        let contents = manifest.contents();
        let needed =
            |chunk: &Chunk<'_>| chunk.offset().saturating_add(u64::from(chunk.length())) > from;
        let start = manifest.chunks().find(needed).map_or(0, |it| it.offset());
        let (digest, length) = (contents.image_sha256(), contents.image_len());
        let mut operation = FirmwarePart::new(version.clone(), digest, length, start);
        let parts = self.platform.parts();
        let mut repetitions = Repetitions::of(self.device);
        loop {
            let exchange = Exchange::ask(operation, self.device, moment::<P>(parts))?;
            let request = exchange.request();
            let mut answer = parts.transport.send(self.server, &request).await?;
            let clock = parts.clock.now();
            let before = match exchange.receive_part(self.device, &answer.head, clock) {
                Err(error) if repetitions.allow(&error) => {
                    operation = exchange.into_operation();
                    continue;
                }
                before => before?,
            };
            skip(&mut answer.body, before, self.chunk).await?;
            for chunk in manifest.chunks().filter(needed) {
                let buffer = room(self.chunk, &chunk);
                fill(&mut answer.body, buffer).await?;
                let verified = chunk.verify(buffer).map_err(FirmwareFault::Chunk)?;
                self.image.check_first(&chunk, verified.bytes(), version)?;
                // The beginning of the first one may have been kept.
                let there = from.saturating_sub(chunk.offset());
                let there = usize::try_from(there).unwrap_or(usize::MAX);
                let new = verified.bytes().get(there..).unwrap_or_default();
                parts.slot.write(new).await.map_err(AgentError::Slot)?;
                *self.moved = true;
                if let Some(report) = self.report {
                    let end = chunk.offset().saturating_add(u64::from(chunk.length()));
                    report(&Event::FirmwareProgress { written: end });
                }
            }
            return Ok(());
        }
    }

    fn say(&mut self, event: &Event<'_>) {
        if let Some(report) = self.report {
            report(event);
        }
    }
}

/// The place for a chunk; as long as it, which [`Installation::admit`] has made sure of.
fn room<'c>(buffer: &'c mut [u8], chunk: &Chunk<'_>) -> &'c mut [u8] {
    let length = usize::try_from(chunk.length()).unwrap_or(usize::MAX);
    buffer.get_mut(..length).unwrap_or_default()
}

/// Fills a buffer from what lies in the slot; false if there is less, or it cannot be read.
async fn read_back(slot: &mut impl FirmwareSlot, offset: u64, buffer: &mut [u8]) -> bool {
    let mut filled = 0_usize;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match slot.read(offset.saturating_add(filled as u64), rest).await {
            Ok(length) if length > 0 => filled = filled.saturating_add(length),
            _ => return false,
        }
    }
    true
}

/// Fills a buffer from a body that must not end before.
async fn fill(body: &mut impl Body, buffer: &mut [u8]) -> Result<(), TransportError> {
    let mut filled = 0_usize;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let length = body.read(rest).await?;
        if length == 0 {
            return Err(TransportError::interrupted());
        }
        filled = filled.saturating_add(length);
    }
    Ok(())
}

/// Reads what nobody asked for, and drops it.
async fn skip(
    body: &mut impl Body,
    mut before: u64,
    buffer: &mut [u8],
) -> Result<(), TransportError> {
    while before > 0 {
        let most = usize::try_from(before)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let part = buffer.get_mut(..most).unwrap_or_default();
        let length = body.read(part).await?;
        if length == 0 {
            return Err(TransportError::interrupted());
        }
        before = before.saturating_sub(length as u64);
    }
    Ok(())
}

impl ImageCheck {
    /// Looks at the first chunk of an image, as the application wants it.
    fn check_first(
        &self,
        chunk: &Chunk<'_>,
        bytes: &[u8],
        version: &FirmwareVersion,
    ) -> Result<(), FirmwareFault> {
        if chunk.index() > 0 {
            return Ok(());
        }
        self.check_opening(bytes, version)
            .map_err(FirmwareFault::Image)
    }
}
