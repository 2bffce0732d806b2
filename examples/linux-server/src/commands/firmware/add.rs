//! `firmware add`: the image first, durable; then the records that offer it, all or none.

use std::{
    io::{self, ErrorKind, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
};

use clap::Args;
use providore_server_core::{
    FileName,
    json_files::{DeviceEdit, JsonStore},
};
use providore_wire::{DeviceId, FirmwareVersion};
use serde_json::{Map, Value, json};

use crate::{
    Common,
    commands::{
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
  providore-server firmware add --type esp32s3-lamp --version 1.1.0 lamp.bin --all
  providore-server firmware add --type esp32s3-lamp --version 1.1.0 lamp.bin --device kitchen-lamp

The bytes of a version never change; the same image may be added again, for more devices. A
device that runs the version it had as its last one is told of the new one.")]
pub(crate) struct AddArgs {
    /// The hardware type.
    #[arg(long, value_name = "TYPE")]
    r#type: FirmwareVersion,
    /// The version.
    #[arg(long, value_name = "VERSION")]
    version: FirmwareVersion,
    /// The image.
    file: PathBuf,
    /// Offer it to this device; may be given several times.
    #[arg(long = "device", value_name = "ID", conflicts_with = "all")]
    devices: Vec<DeviceId>,
    /// Offer it to all devices whose last version is of this type.
    #[arg(long)]
    all: bool,
}

pub(super) fn run(common: &Common, args: &AddArgs) -> Outcome {
    let folder = common.folder();
    let name = files::plain_name(files::name_of(&args.file)).ok_or_else(|| {
        Failure::new(format!(
            "an image cannot have the name of {}",
            args.file.display()
        ))
        .hint("rename the file: no dot in front, no control characters")
    })?;
    let store = folder.store()?;
    for id in &args.devices {
        records::find(&store, id)?;
    }
    let (name, sum) = put_image(&folder, args, &name)?;
    let offered = offer(&store, args, &name)?;
    if common.json {
        return say_json(&json!({
            "type": args.r#type.as_str(),
            "version": args.version.as_str(),
            "file": name.as_str(),
            "size": sum.size,
            "sha256": sum.hex(),
            "devices": offered,
        }));
    }
    let outcome = match (offered.as_slice(), args.all || !args.devices.is_empty()) {
        ([], true) => "no device is of this type; offered to none".into(),
        ([], false) => "offered to no device yet: say --all or --device ID".into(),
        (offered, _) => format!("offered to {}", offered.join(", ")),
    };
    say(&format!(
        "{} {}: {} bytes, SHA-256 {}\n{outcome}\n",
        args.r#type,
        args.version,
        sum.size,
        sum.hex()
    ))
}

/// Puts the image in place, or finds the same bytes there; the name under which they lie.
fn put_image(folder: &DataFolder, args: &AddArgs, name: &FileName) -> Outcome<(FileName, Sum)> {
    let root = &folder.layout.firmware;
    let shown = args.file.display();
    // Next to the types and not in the folder of the version: a server that takes the only file
    // in that folder never sees two.
    let staged = Staged::copy(&args.file, root, progress(&args.file))
        .or_fail(format!("copy the image {shown}"))?;
    if staged.sum.size == 0 {
        return Err(Failure::new(format!("the image {shown} is empty")));
    }
    let sum = staged.sum;
    let _lock = files::lock(root).or_fail("lock the folder of images")?;
    let place = root.join(args.r#type.as_str()).join(args.version.as_str());
    let listing = || format!("look into {}", place.display());
    let present = files::listing(&place).or_fail(listing())?;
    for path in present.iter().filter(|path| path.is_file()) {
        if Sum::of(path).or_fail(listing())? == sum
            && let Some(name) = files::plain_name(files::name_of(path))
        {
            return Ok((name, sum));
        }
    }
    let path = place.join(name.as_str());
    if !present.is_empty() {
        return Err(taken(args));
    }
    match staged.place(&path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(taken(args)),
        outcome => outcome.or_fail(format!("write {}", path.display())),
    }?;
    Ok((name.clone(), sum))
}

fn taken(args: &AddArgs) -> Failure {
    let (hardware, version) = (&args.r#type, &args.version);
    Failure::new(format!(
        "version {version} of {hardware} is there already, with other bytes"
    ))
    .hint("give the new image a new version: devices that have this one would not fetch it again")
}

/// Adds the release to the chosen devices and says to which.
fn offer(store: &JsonStore, args: &AddArgs, file: &FileName) -> Outcome<Vec<String>> {
    if args.devices.is_empty() && !args.all {
        return Ok(Vec::new());
    }
    store.edit(|entries: &mut DeviceEdit| {
        // Chosen under the lock: a device that was added meanwhile is not forgotten.
        let ids: Vec<DeviceId> = if args.all {
            let ids = entries
                .iter()
                .filter(|entry| last_type(entry.1) == Some(args.r#type.as_str()));
            ids.filter_map(|entry| entry.0.parse().ok()).collect()
        } else {
            args.devices.clone()
        };
        for id in &ids {
            append(entries, id, args, file)?;
        }
        Ok(ids.iter().map(ToString::to_string).collect())
    })
}

fn last_type(entry: &Value) -> Option<&str> {
    let firmware = entry.get("firmware")?;
    let last = firmware.as_array().map_or(Some(firmware), |all| all.last());
    field(last?, "type")
}

fn field<'a>(release: &'a Value, name: &str) -> Option<&'a str> {
    release.get(name)?.as_str()
}

fn append(entries: &mut DeviceEdit, id: &DeviceId, args: &AddArgs, file: &FileName) -> Outcome {
    let (hardware, version) = (args.r#type.as_str(), args.version.as_str());
    let releases = records::releases(records::entry(entries, id)?, id)?;
    if let Some(same) = releases
        .iter_mut()
        .find(|release| field(release, "version") == Some(version))
    {
        return settle(same, id, args, file);
    }
    let mut release = Map::new();
    release.insert("type".into(), hardware.into());
    release.insert("version".into(), version.into());
    if let Some(last) = releases.last_mut().and_then(Value::as_object_mut) {
        if last.get("type").and_then(Value::as_str) != Some(hardware) {
            return Err(other_hardware(id, args));
        }
        last.insert("next".into(), version.into());
        if let Some(config) = last.get("config") {
            release.insert("config".into(), config.clone());
        }
    }
    release.insert("file".into(), file.as_str().into());
    releases.push(release.into());
    Ok(())
}

/// The device has this version: nothing to do, unless its record names another image for it.
fn settle(release: &mut Value, id: &DeviceId, args: &AddArgs, file: &FileName) -> Outcome {
    if field(release, "type") != Some(args.r#type.as_str()) {
        return Err(other_hardware(id, args));
    }
    match field(release, "file") {
        Some(named) if named != file.as_str() => Err(Failure::new(format!(
            "{id} has version {} with the file {named}",
            args.version
        ))
        .hint("give the new image a new version")),
        Some(_) => Ok(()),
        None => {
            if let Some(release) = release.as_object_mut() {
                release.insert("file".into(), file.as_str().into());
            }
            Ok(())
        }
    }
}

fn other_hardware(id: &DeviceId, args: &AddArgs) -> Failure {
    Failure::new(format!("{id} is not of the type {}", args.r#type)).hint(format!(
        "its image could leave the device dead; see what it is: providore-server device show {id}"
    ))
}

/// Counts on the terminal while a large image is copied.
fn progress(source: &Path) -> impl FnMut(u64) + use<> {
    let size = source.metadata().map_or(0, |found| found.len());
    let shown = size > LARGE && io::stderr().is_terminal();
    let mut last = None;
    move |done| {
        let percent = done.saturating_mul(100).checked_div(size);
        if !shown || percent == last {
            return;
        }
        last = percent;
        let end = if done >= size { "\n" } else { "" };
        let _ = write!(io::stderr(), "\rcopied {} %{end}", percent.unwrap_or(100));
    }
}
