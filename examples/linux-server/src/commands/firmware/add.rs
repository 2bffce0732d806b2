//! `firmware add`: the image first, durable; then its manifest; then the records that offer both,
//! all or none.

use std::{
    io::{self, ErrorKind, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
};

use clap::Args;
use providore_pki::manifest::Manifest;
use providore_server_core::{
    FileName,
    json_files::{MANIFEST_FILE, named, write_private},
};
use providore_wire::{DeviceId, FirmwareVersion};
use serde_json::json;

use super::{
    authors::Authors,
    fit::Fit,
    offer::{Offer, Offered, offer},
    published::{self, Published},
};
use crate::{
    Common,
    commands::{
        arguments,
        files::{self, Staged, Sum},
        print::{say, say_json},
        records,
    },
    data::DataFolder,
    failure::{Failure, OrFail as _, Outcome},
};

/// Images above this many bytes take long enough for a person to want to see progress.
const LARGE: u64 = 32 * 1024 * 1024;

/// The image to add.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  providore-server firmware add lamp.bin --manifest lamp.bin.manifest --all
  providore-server firmware add --type esp32s3-lamp --version 1.1.0 lamp.bin --device kitchen-lamp

The author of the firmware makes the manifest, offline: providore-device firmware sign. Type and
version come from it. Devices get the newest release that follows on theirs, one after the other if
need be.

The bytes of a version never change; the same image may be added again, for more devices. Without
manifests, a device that runs the version it had as its last one is told of the new one.")]
pub(crate) struct AddArgs {
    /// The hardware type; that of the manifest, if there is one.
    #[arg(long, value_name = "TYPE", required_unless_present = "manifest", value_parser = arguments::name)]
    r#type: Option<FirmwareVersion>,
    /// The version; that of the manifest, if there is one.
    #[arg(long, value_name = "VERSION", required_unless_present = "manifest", value_parser = arguments::name)]
    version: Option<FirmwareVersion>,
    /// What its author signed about the image.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// The image.
    file: PathBuf,
    /// Offer it to this device; may be given several times.
    #[arg(long = "device", value_name = "ID", conflicts_with = "all", value_parser = arguments::device)]
    devices: Vec<DeviceId>,
    /// Offer it to all devices whose last version is of this type.
    #[arg(long)]
    all: bool,
}

/// A release that is published, durably.
struct Added {
    file: FileName,
    sum: Sum,
    signed: Option<Published>,
    /// Whether an author that this server trusts has signed it.
    is_verified: bool,
    /// All that its type has with manifests.
    all: Vec<Published>,
}

pub(super) fn run(common: &Common, args: &AddArgs) -> Outcome {
    let folder = common.folder();
    let name = files::plain_name(files::name_of(&args.file))
        .filter(|name| name.as_str() != MANIFEST_FILE)
        .ok_or_else(|| {
            Failure::new(format!(
                "an image cannot have the name of {}",
                args.file.display()
            ))
            .hint(format!(
                "rename the file: no dot in front, no control characters, not {MANIFEST_FILE}"
            ))
        })?;
    let signed = args.manifest.as_deref().map(read_manifest).transpose()?;
    let (hardware, version) = title(args, signed.as_ref())?;
    let store = folder.store()?;
    for id in &args.devices {
        records::find(&store, id)?;
    }
    let added = publish(&folder, args, name, (&hardware, &version), signed)?;
    let chosen = (args.all || !args.devices.is_empty()).then_some(args.devices.as_slice());
    let release = Offer {
        hardware: &hardware,
        version: &version,
        file: &added.file,
        order: added.signed.as_ref().map(|signed| signed.order),
        published: &added.all,
    };
    let offered = match chosen {
        Some(devices) => offer(&store, devices, &release)?,
        None => Offered::default(),
    };
    let title = (&hardware, &version);
    if common.json {
        return say_as_json(title, &added, &offered);
    }
    say_as_text(title, &added, &offered, chosen.is_some())
}

fn read_manifest(path: &Path) -> Outcome<Published> {
    let shown = path.display();
    let bytes = files::read_bounded(path, Manifest::MAX_LEN)
        .or_fail(format!("read the manifest {shown}"))?;
    Published::of(bytes)
        .map_err(|failure| failure.hint(format!("{shown} is what firmware sign wrote?")))
}

/// Type and version, as the manifest has them and the flags repeat them, or as the flags have them.
fn title(
    args: &AddArgs,
    signed: Option<&Published>,
) -> Outcome<(FirmwareVersion, FirmwareVersion)> {
    let agreed =
        |what: &str, said: Option<&FirmwareVersion>, signed: Option<&FirmwareVersion>| match (
            said, signed,
        ) {
            (Some(said), Some(signed)) if said != signed => Err(Failure::new(format!(
                "the manifest is for the {what} {signed}, and --{what} says {said}"
            ))
            .hint(format!("leave out --{what}, or take the right manifest"))),
            (_, Some(name)) | (Some(name), None) => Ok(name.clone()),
            (None, None) => Err(Failure::new(format!("--{what} is missing"))),
        };
    let hardware = signed.map(|signed| &signed.hardware);
    let version = signed.map(|signed| &signed.version);
    Ok((
        agreed("type", args.r#type.as_ref(), hardware)?,
        agreed("version", args.version.as_ref(), version)?,
    ))
}

/// Puts image and manifest in place, or finds the same there.
fn publish(
    folder: &DataFolder,
    args: &AddArgs,
    name: FileName,
    (hardware, version): (&FirmwareVersion, &FirmwareVersion),
    signed: Option<Published>,
) -> Outcome<Added> {
    let root = &folder.layout.firmware;
    let staged = stage(args, root, signed.as_ref())?;
    let sum = staged.sum;
    // From here to the end: two who publish at once do not both get the same sequence number.
    let _lock = files::lock(root).or_fail("lock the folder of images")?;
    let mut all = published::all(root, hardware.as_str())?;
    let known = all.iter().find(|known| known.version == *version).cloned();
    match (&signed, &known) {
        (Some(signed), _) => published::check_signed(signed, &all)?,
        // Again, for more devices: what was signed about it is here.
        (None, Some(known)) if known.is_of(&sum) => {}
        (None, Some(_)) => return Err(taken(hardware, version)),
        (None, None) => published::check_unsigned(version, &all, hardware.as_str())?,
    }
    let is_verified = match signed.as_ref().or(known.as_ref()) {
        Some(signed) => Authors::read(folder)?.verify(signed.manifest())?,
        None => false,
    };
    let place = named(&named(root, hardware.as_str()), version.as_str());
    let file = put_image(&place, staged, name)?.ok_or_else(|| taken(hardware, version))?;
    if let (Some(signed), None) = (&signed, &known) {
        let path = place.join(MANIFEST_FILE);
        write_private(&path, signed.manifest()).or_fail(format!("write {}", path.display()))?;
        all.push(signed.clone());
    }
    let signed = known.or(signed);
    Ok(Added {
        file,
        sum,
        signed,
        is_verified,
        all,
    })
}

/// Copies the image next to where it is to be, and compares it on the way with its manifest.
fn stage(args: &AddArgs, root: &Path, signed: Option<&Published>) -> Outcome<Staged> {
    let shown = args.file.display();
    let mut progress = progress(&args.file);
    // Next to the types and not in the folder of the version: a server that takes the only file
    // in that folder never sees two.
    let copying = format!("copy the image {shown}");
    let Some(signed) = signed else {
        let staged = Staged::copy(&args.file, root, progress).or_fail(copying)?;
        if staged.sum.size == 0 {
            return Err(Failure::new(format!("the image {shown} is empty")));
        }
        return Ok(staged);
    };
    let manifest = Manifest::parse(signed.manifest()).or_fail("read the manifest")?;
    let mut fit = Fit::new(manifest.unverified_contents());
    let staged = Staged::copy(&args.file, root, |bytes| {
        progress(bytes);
        fit.update(bytes);
    })
    .or_fail(copying)?;
    fit.finish(&staged.sum).map_err(|misfit| {
        Failure::new(format!(
            "{shown} is not the image that was signed: {misfit}"
        ))
        .hint("take the image and the manifest of one release, or sign the image anew")
    })?;
    Ok(staged)
}

/// Puts the image in place, or finds the same bytes there; the name under which they lie, unless
/// others do.
fn put_image(place: &Path, staged: Staged, name: FileName) -> Outcome<Option<FileName>> {
    let listing = || format!("look into {}", place.display());
    let mut present = files::listing(place).or_fail(listing())?;
    present.retain(|path| files::name_of(path) != MANIFEST_FILE);
    for path in present.iter().filter(|path| path.is_file()) {
        if Sum::of(path).or_fail(listing())? == staged.sum
            && let Some(name) = files::plain_name(files::name_of(path))
        {
            return Ok(Some(name));
        }
    }
    if !present.is_empty() {
        return Ok(None);
    }
    let path = place.join(name.as_str());
    match staged.place(&path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(None),
        outcome => {
            outcome.or_fail(format!("write {}", path.display()))?;
            Ok(Some(name))
        }
    }
}

fn taken(hardware: &FirmwareVersion, version: &FirmwareVersion) -> Failure {
    Failure::new(format!(
        "version {version} of {hardware} is there already, with other bytes"
    ))
    .hint("give the new image a new version: devices that have this one would not fetch it again")
}

fn say_as_json(
    (hardware, version): (&FirmwareVersion, &FirmwareVersion),
    added: &Added,
    offered: &Offered,
) -> Outcome {
    let mut object = json!({
        "type": hardware.as_str(),
        "version": version.as_str(),
        "file": added.file.as_str(),
        "size": added.sum.size,
        "sha256": added.sum.hex(),
        "devices": offered.devices,
    });
    if let (Some(signed), Some(object)) = (&added.signed, object.as_object_mut()) {
        object.insert("sequence".into(), signed.order.sequence().into());
        object.insert("min_sequence".into(), signed.order.minimum().into());
        object.insert("key_id".into(), signed.author.to_string().into());
        object.insert("verified".into(), added.is_verified.into());
        object.insert("steps".into(), json!(offered.steps));
    }
    say_json(&object)
}

fn say_as_text(
    (hardware, version): (&FirmwareVersion, &FirmwareVersion),
    added: &Added,
    offered: &Offered,
    is_asked: bool,
) -> Outcome {
    let mut lines = vec![format!(
        "{hardware} {version}: {} bytes, SHA-256 {}",
        added.sum.size,
        added.sum.hex()
    )];
    if let Some(signed) = &added.signed {
        let sequence = signed.order.sequence();
        let from = match signed.order.minimum() {
            0 => "from any release".into(),
            minimum => format!("from release {minimum} on"),
        };
        let checked = if added.is_verified {
            "an author that this server trusts"
        } else {
            "not verified here; devices verify it (firmware trust has the server verify it, too)"
        };
        lines.push(format!(
            "release {sequence}, {from}; signed by {}: {checked}",
            signed.author
        ));
    }
    lines.push(match (offered.devices.as_slice(), is_asked) {
        ([], true) => "no device is of this type; offered to none".into(),
        ([], false) => "offered to no device yet: say --all or --device ID".into(),
        (devices, _) => format!("offered to {}", devices.join(", ")),
    });
    if !offered.steps.is_empty() {
        let steps = offered.steps.join(", ");
        lines.push(format!("on the way there, some are offered {steps} first"));
    }
    say(&(lines.join("\n") + "\n"))
}

/// Counts on the terminal while a large image is copied.
fn progress(source: &Path) -> impl FnMut(&[u8]) + use<> {
    let size = source.metadata().map_or(0, |found| found.len());
    let shown = size > LARGE && io::stderr().is_terminal();
    let (mut done, mut last) = (0_u64, None);
    move |bytes| {
        done = done.saturating_add(bytes.len() as u64);
        let percent = done.saturating_mul(100).checked_div(size);
        if !shown || percent == last {
            return;
        }
        last = percent;
        let end = if done >= size { "\n" } else { "" };
        let _ = write!(io::stderr(), "\rcopied {} %{end}", percent.unwrap_or(100));
    }
}
