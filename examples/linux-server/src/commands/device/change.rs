//! Changes to one device: disable, enable, remove, config.

use std::{
    fs,
    io::{self, ErrorKind, IsTerminal as _},
    path::{Path, PathBuf},
};

use clap::Args;
use futures_lite::future::block_on;
use providore_server_core::{ConfigStore as _, FileName, json_files::DeviceEdit};
use providore_wire::DeviceId;
use serde_json::json;

use super::ConfigArgs;
use crate::{
    Common,
    commands::{
        arguments,
        configs::{self, Config},
        print::{note, say, say_json},
        records,
    },
    data::DataFolder,
    failure::{Failure, OrFail as _, Outcome},
};

/// Which device to forget.
#[derive(Debug, Args)]
#[command(after_help = "\
Example: providore-server device remove kitchen-lamp --yes

Certificates that it has stay valid until they end: revoke them with cert revoke --device ID,
before or afterwards.")]
pub(crate) struct RemoveArgs {
    /// The name of the device.
    #[arg(value_parser = arguments::device)]
    id: DeviceId,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    /// Leave its configurations and its certificate file where they are.
    #[arg(long)]
    keep_files: bool,
}

pub(super) fn set_enabled(common: &Common, id: &DeviceId, enabled: bool) -> Outcome {
    let folder = common.folder();
    folder.require()?;
    folder.store()?.edit(|entries: &mut DeviceEdit| {
        let entry = records::entry(entries, id)?;
        if enabled {
            // Not `remove`, which may put the last member in its place.
            entry.retain(|key, _| key != "disabled");
        } else {
            entry.insert("disabled".into(), true.into());
        }
        Outcome::Ok(())
    })?;
    if common.json {
        return say_json(&json!({"id": id.as_str(), "enabled": enabled}));
    }
    if enabled {
        return say(&format!("{id} is let in again.\n"));
    }
    say(&format!(
        "{id} is refused from now on. Certificates that it has stay valid until they end or are\n\
         revoked: providore-server cert revoke --device {id}\n"
    ))
}

pub(super) fn remove(common: &Common, args: &RemoveArgs) -> Outcome {
    let folder = common.folder();
    folder.require()?;
    let store = folder.store()?;
    records::find(&store, &args.id)?;
    if !args.yes {
        confirm(&args.id)?;
    }
    store.edit(|entries: &mut DeviceEdit| {
        let before = entries.len();
        entries.retain(|id, _| id != args.id.as_str());
        if entries.len() == before {
            return Err(records::unknown(&args.id));
        }
        Ok(())
    })?;
    // Of no use to anybody, and in the way of another device of that name.
    remove_folder(&folder.layout.failure_folder(&args.id))?;
    if !args.keep_files {
        remove_files(&folder, &args.id)?;
    }
    if common.json {
        return say_json(&json!({"id": args.id.as_str(), "removed": true}));
    }
    say(&format!("{} is forgotten.\n", args.id))
}

/// Asks a person; a program has to say `--yes`.
fn confirm(id: &DeviceId) -> Outcome {
    let refused = || Failure::new("nothing was removed");
    if !io::stdin().is_terminal() {
        return Err(refused().hint("say so with --yes where nobody can be asked"));
    }
    note(&format!(
        "Forget {id}, its secret and its configurations? Type yes:"
    ));
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .or_fail("read the answer")?;
    match answer.trim() {
        "y" | "yes" => Ok(()),
        _ => Err(refused()),
    }
}

fn remove_files(folder: &DataFolder, id: &DeviceId) -> Outcome {
    remove_folder(&folder.layout.config_folder(id))?;
    let certificate = folder.layout.certificates.join(format!("{id}.cert.pem"));
    remove_file(&certificate)
}

fn remove_folder(path: &Path) -> Outcome {
    // A link is removed as such; nothing behind it is touched.
    if !fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()) {
        return Ok(());
    }
    fs::remove_dir_all(path).or_fail(format!(
        "remove {} (the device itself is forgotten)",
        path.display()
    ))
}

fn remove_file(path: &Path) -> Outcome {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error).or_fail(format!(
            "remove {} (the device itself is forgotten)",
            path.display()
        )),
        _ => Ok(()),
    }
}

pub(super) fn configure(common: &Common, args: &ConfigArgs) -> Outcome {
    let folder = common.folder();
    folder.require()?;
    configs::check_folder_name(&folder.layout, &args.id)?;
    let store = folder.store()?;
    let device = records::find(&store, &args.id)?;
    let release = match &args.version {
        None => device.releases.last(),
        Some(version) => Some(device.release(version).ok_or_else(|| {
            Failure::new(format!("{} has no version {version}", args.id)).hint(format!(
                "see what it has: providore-server device show {}",
                args.id
            ))
        })?),
    };
    let Some(source) = &args.file else {
        let config = block_on(store.config(&device, release)).or_fail("read the configuration")?;
        let config = config.ok_or_else(|| {
            Failure::new(format!("{} has no configuration", args.id)).hint(format!(
                "give it one: providore-server device config {} FILE",
                args.id
            ))
        })?;
        return say(&String::from_utf8_lossy(config.bytes()));
    };
    let file = release.and_then(|release| release.config.as_ref());
    Config::read(source)?.put(&folder.layout, &args.id, file)?;
    let name = file.map_or(configs::DEFAULT, FileName::as_str);
    let path: PathBuf = folder.layout.config_folder(&args.id).join(name);
    if common.json {
        let file = path.display().to_string();
        return say_json(&json!({"id": args.id.as_str(), "file": file}));
    }
    say(&format!(
        "{} has a new configuration: {}\n",
        args.id,
        path.display()
    ))
}
