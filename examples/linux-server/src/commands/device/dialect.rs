//! `device dialect`: the weakest dialect that is accepted from a device.

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use providore_server_core::{Device, Dialect, json_files::DeviceEdit};
use providore_wire::DeviceId;
use serde_json::{Value, json};

use crate::{
    Common,
    commands::{
        arguments,
        print::{note, say, say_json},
        records,
    },
    failure::{Failure, Outcome},
};

/// Which device, and what is accepted from it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  providore-server device dialect kitchen-lamp
  providore-server device dialect kitchen-lamp signed

A device that is set to original and speaks signed is set to signed by its first request, for good.
Setting it to original again is for a device that went back to the firmware of a first Providore.")]
pub(crate) struct DialectArgs {
    /// The name of the device.
    #[arg(value_parser = arguments::device)]
    id: DeviceId,
    /// The weakest dialect to accept from now on; without it the present one is shown.
    #[arg(value_parser = names())]
    dialect: Option<Dialect>,
}

/// The names of the dialects, for help and error messages.
pub(super) fn names() -> impl TypedValueParser<Value = Dialect> {
    let all = [Dialect::Original, Dialect::Signed].map(Dialect::as_str);
    PossibleValuesParser::new(all).try_map(|name| name.parse::<Dialect>())
}

pub(super) fn run(common: &Common, args: &DialectArgs) -> Outcome {
    let folder = common.folder();
    folder.require()?;
    let store = folder.store()?;
    let id = &args.id;
    let before = records::find(&store, id)?.dialect;
    if let Some(dialect) = args.dialect {
        store.edit(|entries: &mut DeviceEdit| set(entries, id, dialect))?;
        if dialect < before {
            note(
                "warning: whoever listens on plain HTTP can read what this device is sent, and \
                 give it an older answer for a newer one.",
            );
        }
    }
    let dialect = args.dialect.unwrap_or(before);
    if common.json {
        return say_json(&json!({"id": id.as_str(), "dialect": dialect.as_str()}));
    }
    if args.dialect.is_none() {
        return say(&format!("{dialect}\n"));
    }
    say(&match dialect {
        Dialect::Original => {
            format!("{id} may speak the original dialect, until it has spoken a stronger one.\n")
        }
        _ => {
            format!("{id} is held to the dialect {dialect}: nothing weaker is accepted from it.\n")
        }
    })
}

fn set(entries: &mut DeviceEdit, id: &DeviceId, dialect: Dialect) -> Outcome {
    let entry = records::entry(entries, id)?;
    let secret = entry.get("secretKey").and_then(Value::as_str);
    let length = secret.map_or(0, str::len);
    if dialect != Dialect::Original && !Device::SIGNED_SECRET_LEN.contains(&length) {
        return Err(Failure::new(format!(
            "the secret of {id} has {length} bytes, and the dialect {dialect} takes 16 to 64"
        ))
        .hint(format!(
            "give it another one first: providore-server device rotate-secret {id} --now"
        )));
    }
    entry.insert("dialect".into(), dialect.as_str().into());
    Ok(())
}
