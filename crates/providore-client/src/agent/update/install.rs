//! From what the server describes to an image that lies whole and proven in the slot, and runs next.

use providore_pki::manifest::{AdmittedManifest, Chunk, Installed, Manifest};
use providore_sign::MacKey;
use providore_wire::{FirmwareVersion, Timestamp};

use super::{Authors, FirmwareFault, Update};
use crate::{
    AgentError, Body, Clock as _, Device, Error, Event, Exchange, FirmwarePart, FirmwareSlot,
    FirmwareStep, Head, ImageCheck, Locator as _, Outcome, Parts, Transport as _, TransportError,
    VerifiedImage,
    agent::{
        Agent,
        ask::{Approached, Asking, Line, Pending, Repetitions, moment},
    },
    firmware::{Offer, OfferCheck},
};

impl<K: MacKey, P: Parts> Agent<'_, K, P> {
    /// Asks, and if an author has signed what waits, brings it into the slot and switches to it.
    ///
    /// One function, since the manifest lies in the document buffer and is borrowed to the end.
    #[expect(
        clippy::too_many_lines,
        reason = "the manifest is borrowed to the end; parts of it would be futures of their own"
    )]
    pub(super) async fn install(&mut self, _: &Approached) -> Result<FirmwareStep, AgentError> {
        let Self {
            device,
            platform,
            settings,
            buffers,
            report,
            update,
            offered,
            on_trial,
            moved,
            ..
        } = self;
        let chunk = &mut *buffers.chunk;
        let line = Line { device, platform };
        let mut pending = Pending::of(OfferCheck(offered));
        line.ask(&mut pending, chunk, buffers.document).await?;
        let offer = pending.into_outcome()?;
        let version = match (offer, offered.as_ref()) {
            (Offer::Described(_), Some(version)) => version,
            (Offer::Bare, Some(version)) if version != device.version() => {
                return Err(FirmwareFault::NoManifest.into());
            }
            _ => {
                *offered = None;
                say(report, &Event::FirmwareUpToDate);
                return Ok(FirmwareStep::UpToDate);
            }
        };
        let parts = platform.parts();
        let limits = Limits {
            slot: parts.slot.capacity(),
            chunk: chunk.len(),
            image: &settings.image,
        };
        let admitted = update.admit(version, &offer, &limits)?;
        let manifest = admitted.manifest();
        let contents = manifest.contents();
        if update.state.gave_up(contents.sequence()) {
            say(report, &Event::FirmwareSkipped(version));
            return Ok(FirmwareStep::Skipped);
        }
        say(report, &Event::FirmwareOffered(version));
        let has_room = parts.slot.check_room(contents.image_len()).await;
        has_room.map_err(AgentError::Slot)?;

        // Whole chunks that are there already, each as its author signed it, stay.
        let (length, mut kept) = (contents.image_len(), 0);
        for piece in manifest.chunks() {
            let buffer = room(chunk, piece.length());
            if !read_back(&mut parts.slot, piece.offset(), buffer).await
                || piece.verify(buffer).is_err()
            {
                break;
            }
            check_first(&piece, buffer, &limits, version)?;
            kept = end_of(&piece);
        }
        let from = parts.slot.begin(version, kept).await;
        // A slot that kept more than it was told to would have a hole.
        let from = from.map_err(AgentError::Slot)?.min(kept);
        if kept > 0 {
            say(report, &Event::FirmwareResumed { kept: from });
        }

        // The rest, from the chunk on that holds the byte `from`.
        let mut index = 0_usize;
        while manifest.chunk(index).is_some_and(|it| end_of(&it) <= from) {
            index = index.saturating_add(1);
        }
        let mut repetitions = Repetitions::of(device);
        let mut loses_ranges = false;
        while let Some(first) = manifest.chunk(index) {
            // In a scope of its own: nothing of the question is kept while the image comes.
            let (mut answer, mut before) = {
                let (digest, start) = (contents.image_sha256(), first.offset());
                let mut part = FirmwarePart::new(version, digest, length, start);
                if loses_ranges {
                    part = part.without_range();
                }
                let exchange = Exchange::ask(Asking(&part), device, moment::<P>(parts), chunk)?;
                let server = parts.locator.current().ok_or(AgentError::NoServer)?;
                let answer = parts.transport.send(server, &exchange.request()).await?;
                let clock = parts.clock.now();
                let before = match hear(&exchange, &part, device, &answer.head, clock) {
                    Err(error) if repetitions.allow(&error) => continue,
                    // A field that a proxy has dropped makes the signature wrong, and so would a wrong
                    // secret: it costs one more question to tell them apart.
                    Err(error) if start > 0 && !loses_ranges && error.is_unauthorized() => {
                        loses_ranges = true;
                        repetitions = Repetitions::of(device);
                        continue;
                    }
                    before => before?,
                };
                (answer, before)
            };
            while let Some(piece) = manifest.chunk(index) {
                let dropped = u32::try_from(before)
                    .unwrap_or(u32::MAX)
                    .min(limits.chunk32());
                let buffer = room(chunk, if dropped > 0 { dropped } else { piece.length() });
                fill(&mut answer.body, buffer).await?;
                // Of what nobody asked for.
                if dropped > 0 {
                    before = before.saturating_sub(dropped.into());
                    continue;
                }
                let verified = piece.verify(buffer).map_err(FirmwareFault::Chunk)?;
                check_first(&piece, verified.bytes(), &limits, version)?;
                // The beginning of the first one may have been kept.
                let there = from.saturating_sub(piece.offset());
                let there = usize::try_from(there).unwrap_or(usize::MAX);
                let new = verified.bytes().get(there..).unwrap_or_default();
                parts.slot.write(new).await.map_err(AgentError::Slot)?;
                *moved = true;
                let written = end_of(&piece);
                say(report, &Event::FirmwareProgress { written });
                index = index.saturating_add(1);
            }
        }

        // The record, then the slot: a switch without the record would be a trial of nobody knows what.
        update.change().trying(contents.sequence(), version);
        update.keep(&mut parts.storage).await?;
        let created = device.server_time().now(parts.clock.now());
        let image = VerifiedImage::of_author(&admitted, created.unwrap_or(Timestamp::MIN));
        match parts.slot.commit(image).await {
            Ok(()) => {
                *on_trial = true;
                say(report, &Event::FirmwareCommitted(version));
                Ok(FirmwareStep::OnTrial)
            }
            Err(error) => {
                if error.is_mismatch() {
                    // Each chunk is right and the whole is not: its author has signed two images.
                    let _ = parts.slot.abort().await;
                    let reason = "the whole image differs from the manifest";
                    update.change().ended(Outcome::Failed, reason);
                    update.keep(&mut parts.storage).await?;
                }
                Err(AgentError::Slot(error))
            }
        }
    }
}

/// Says what happens, if anybody listens.
#[inline(never)] // Six callers.
fn say(report: &mut Option<&mut dyn FnMut(&Event<'_>)>, event: &Event<'_>) {
    if let Some(report) = report {
        report(event);
    }
}

/// How many bytes of the body come before the first that was asked for, if the head is the server's.
#[inline(never)] // Its frame is not to last as long as the download.
fn hear<K: MacKey>(
    exchange: &Exchange<'_, Asking<'_>>,
    part: &FirmwarePart<'_>,
    device: &mut Device<K>,
    head: &impl Head,
    clock: Option<Timestamp>,
) -> Result<u64, Error> {
    part.bytes_before(&exchange.open(device, head, clock)?.told)
}

/// What an image has to fit.
struct Limits<'i> {
    slot: u64,
    chunk: usize,
    image: &'i ImageCheck,
}

impl Limits<'_> {
    fn chunk32(&self) -> u32 {
        u32::try_from(self.chunk).unwrap_or(u32::MAX)
    }
}

impl Update<'_> {
    /// Whether an author has signed the manifest, and this device may install what it describes.
    #[inline(never)] // Its frame is not to last as long as the download.
    fn admit<'m>(
        &self,
        version: &FirmwareVersion,
        offer: &Offer<'m>,
        limits: &Limits<'_>,
    ) -> Result<AdmittedManifest<'m>, FirmwareFault> {
        let (Offer::Described(bytes), Some(authors)) = (offer, &self.authors) else {
            return Err(FirmwareFault::NoManifest);
        };
        let Authors { keys, hardware } = authors;
        let manifest = Manifest::parse(bytes).and_then(|manifest| keys.verify(manifest));
        let manifest = manifest.map_err(FirmwareFault::Manifest)?;
        if manifest.contents().version().as_str() != version.as_str() {
            return Err(FirmwareFault::OtherVersion);
        }
        let installed = Installed::new(hardware, self.state.floor(), limits.slot);
        let admitted = manifest.admit(&installed);
        let admitted = admitted.map_err(FirmwareFault::NotAdmitted)?;
        let contents = admitted.manifest().contents();
        let size = contents.chunk_size().bytes();
        let longest = contents.image_len().min(u64::from(size));
        if longest > limits.chunk as u64 {
            return Err(FirmwareFault::ChunkTooLarge {
                needed: size,
                available: u32::try_from(limits.chunk).unwrap_or(u32::MAX),
            });
        }
        let length = limits.image.check_length(contents.image_len());
        length.map_err(FirmwareFault::Image)?;
        Ok(admitted)
    }
}

/// Looks at the first chunk of an image, as the application wants it.
#[inline(never)] // Two callers.
fn check_first(
    chunk: &Chunk<'_>,
    bytes: &[u8],
    limits: &Limits<'_>,
    version: &FirmwareVersion,
) -> Result<(), FirmwareFault> {
    if chunk.index() > 0 {
        return Ok(());
    }
    let checked = limits.image.check_opening(bytes, version);
    checked.map_err(FirmwareFault::Image)
}

/// The first byte behind a chunk.
fn end_of(chunk: &Chunk<'_>) -> u64 {
    chunk.offset().saturating_add(u64::from(chunk.length()))
}

/// The place for so many bytes, which is long enough for a chunk: [`Update::admit`] has made sure.
fn room(buffer: &mut [u8], length: u32) -> &mut [u8] {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
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
