//! What is published for a type of hardware, and what may be published next.

use std::path::Path;

use providore_pki::manifest::{KeyId, Manifest};
use providore_server_core::{
    Order,
    json_files::{MANIFEST_FILE, named},
};
use providore_wire::FirmwareVersion;

use crate::{
    commands::files::{self, Sum},
    failure::{Failure, OrFail as _, Outcome},
};

/// A release that was published with a manifest.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub(crate) hardware: FirmwareVersion,
    pub(crate) version: FirmwareVersion,
    pub(crate) order: Order,
    pub(crate) author: KeyId,
    manifest: Vec<u8>,
}

impl Published {
    /// What a manifest says of its release.
    pub(super) fn of(manifest: Vec<u8>) -> Outcome<Self> {
        let parsed = Manifest::parse(&manifest).or_fail("read the manifest")?;
        let contents = parsed.unverified_contents();
        let order = Order::new(contents.sequence(), contents.minimum_sequence());
        Ok(Self {
            hardware: contents.hardware().into(),
            version: contents.version().into(),
            order: order.ok_or_else(|| Failure::new("the manifest has no order of releases"))?,
            author: parsed.key_id(),
            manifest,
        })
    }

    /// The manifest beside an image; `None` if its author signed none.
    pub(crate) fn beside(folder: &Path) -> Outcome<Option<Self>> {
        let path = folder.join(MANIFEST_FILE);
        if !path.exists() {
            return Ok(None);
        }
        let reading = format!("use {}", path.display());
        let bytes = files::read_bounded(&path, Manifest::MAX_LEN).or_fail(reading)?;
        Self::of(bytes)
            .map(Some)
            .map_err(|failure| failure.hint(format!("mend or remove {}", path.display())))
    }

    /// Whether an image is the one that was signed, by its size and digest.
    pub(super) fn is_of(&self, sum: &Sum) -> bool {
        Manifest::parse(&self.manifest).is_ok_and(|manifest| {
            let contents = manifest.unverified_contents();
            (contents.image_len(), *contents.image_sha256()) == (sum.size, sum.sha256)
        })
    }

    /// The bytes that were signed, with their signature.
    pub(super) fn manifest(&self) -> &[u8] {
        &self.manifest
    }
}

/// All releases of a type that were published with a manifest, oldest first.
pub(super) fn all(root: &Path, hardware: &str) -> Outcome<Vec<Published>> {
    let folder = named(root, hardware);
    let paths = files::listing(&folder).or_fail(format!("list {}", folder.display()))?;
    let mut published = Vec::new();
    for path in paths.iter().filter(|path| path.is_dir()) {
        published.extend(Published::beside(path)?);
    }
    published.sort_by_key(|release| release.order.sequence());
    Ok(published)
}

/// Refuses what no device could install, or what would be two releases under one name.
pub(super) fn check_signed(candidate: &Published, all: &[Published]) -> Outcome {
    let hardware = &candidate.hardware;
    let (version, order) = (&candidate.version, candidate.order);
    if let Some(same) = all.iter().find(|known| known.version == *version) {
        if same.manifest == candidate.manifest {
            return Ok(());
        }
        return Err(Failure::new(format!(
            "version {version} of {hardware} is published already, with another manifest"
        ))
        .hint("give the new release a new version and a higher sequence number"));
    }
    if let Some(newest) = all.last()
        && newest.order.sequence() >= order.sequence()
    {
        return Err(Failure::new(format!(
            "{version} is release {} of {hardware}, and {} is release {} already",
            order.sequence(),
            newest.version,
            newest.order.sequence()
        ))
        .hint(format!(
            "devices never go back: sign it with a sequence number above {}",
            newest.order.sequence()
        )));
    }
    if order.minimum() > 0 && !all.iter().any(|known| leads_to(known.order, order)) {
        return Err(unreachable(candidate, all));
    }
    Ok(())
}

/// Refuses unsigned firmware for hardware whose devices may have learnt to want a signature.
pub(super) fn check_unsigned(
    version: &FirmwareVersion,
    all: &[Published],
    hardware: &str,
) -> Outcome {
    let Some(newest) = all.last() else {
        return Ok(());
    };
    Err(Failure::new(format!(
        "firmware for {hardware} is signed: {} is release {}, and {version} comes without a manifest",
        newest.version,
        newest.order.sequence()
    ))
    .hint("sign it: providore-device firmware sign, then --manifest FILE"))
}

/// What has to be offered to a device beside `candidate`, so that it gets there: the newest release
/// from which it goes on directly, and what that needs in turn. `has` is what it is offered already.
pub(super) fn steps(candidate: Order, has: &[Order], all: &[Published]) -> Vec<Published> {
    let mut steps: Vec<Published> = Vec::new();
    let mut goal = candidate;
    while goal.minimum() > 0 && !has.iter().any(|known| leads_to(*known, goal)) {
        let before = all.iter().rev().find(|known| leads_to(known.order, goal));
        let Some(before) = before else { break };
        goal = before.order;
        steps.push(before.clone());
    }
    steps.reverse();
    steps
}

/// Whether a device that has one release may install the other next.
fn leads_to(has: Order, next: Order) -> bool {
    next.may_follow(has.sequence())
}

fn unreachable(candidate: &Published, all: &[Published]) -> Failure {
    let hardware = &candidate.hardware;
    let (minimum, sequence) = (candidate.order.minimum(), candidate.order.sequence());
    let named: Vec<String> = all
        .iter()
        .map(|known| format!("{} ({})", known.order.sequence(), known.version))
        .collect();
    let there = match named.as_slice() {
        [] => "none is published".into(),
        _ => format!("published are {}", named.join(", ")),
    };
    let last = sequence.saturating_sub(1);
    let between = if minimum == last {
        format!("release {minimum}")
    } else {
        format!("a release from {minimum} to {last}")
    };
    Failure::new(format!(
        "no device can reach release {sequence} of {hardware}: it needs release {minimum} or a later \
         one first, and {there}"
    ))
    .hint(format!(
        "publish {between} first (also one that devices have from the factory), or sign this one \
         with a lower --min-sequence"
    ))
}
