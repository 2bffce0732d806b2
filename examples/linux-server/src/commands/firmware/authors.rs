//! `firmware trust`, `authors` and `distrust`: the public keys with which published manifests are
//! checked.
//!
//! Devices check for themselves, with keys of their own. That the server checks as well spares the
//! operator a release that no device installs.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use clap::Args;
use providore_pki::{
    PublicKey,
    manifest::{AuthorKeys, KeyId, Manifest},
};
use providore_server_core::json_files::write_private;
use serde_json::json;

use crate::{
    Common,
    commands::{
        files,
        print::{say, say_json},
    },
    data::DataFolder,
    failure::{Failure, OrFail as _, Outcome},
};

/// A key in PEM is far shorter.
const MAX_KEY_FILE: usize = 16 * 1024;

/// Whose key to trust.
#[derive(Debug, Args)]
#[command(after_help = "\
Example: providore-server firmware trust author.pub.pem

The key pair is made offline: providore-device firmware keygen author.pem. Its private half never
comes near a server. From the first key on, a manifest that is signed with none
of them is refused.")]
pub(crate) struct TrustArgs {
    /// The author's public key, in PEM.
    key: PathBuf,
}

/// Whose key to trust no more.
#[derive(Debug, Args)]
#[command(after_help = "\
Example: providore-server firmware distrust 0123456789abcdef

What was published stays published. Devices trust the keys that are in their firmware.")]
pub(crate) struct DistrustArgs {
    /// The name of the key, as `firmware authors` shows it.
    key_id: String,
}

pub(super) fn trust(common: &Common, args: &TrustArgs) -> Outcome {
    let (id, key) = read(&args.key)?;
    let pem = key.to_spki_pem().or_fail("write the key down")?;
    let path = file_of(&common.folder(), &id.to_string());
    write_private(&path, pem.as_bytes()).or_fail(format!("write {}", path.display()))?;
    if common.json {
        return say_json(&json!({"key_id": id.to_string(), "trusted": true}));
    }
    say(&format!(
        "The author {id} is trusted: what this key signed can be published.\n"
    ))
}

pub(super) fn list(common: &Common) -> Outcome {
    let authors = Authors::read(&common.folder())?;
    let ids = authors.0.iter().map(|(id, _)| id.to_string());
    if common.json {
        return say_json(&ids.map(|id| json!({"key_id": id})).collect());
    }
    if authors.0.is_empty() {
        return say("no author is known: providore-server firmware trust KEY.pub.pem\n");
    }
    say(&ids.map(|id| id + "\n").collect::<String>())
}

pub(super) fn distrust(common: &Common, args: &DistrustArgs) -> Outcome {
    let unknown = || {
        Failure::new(format!("there is no author {}", args.key_id))
            .hint("see which there are: providore-server firmware authors")
    };
    let is_id = args.key_id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_id {
        return Err(unknown());
    }
    let path = file_of(&common.folder(), &args.key_id);
    match fs::remove_file(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(unknown()),
        outcome => outcome.or_fail(format!("remove {}", path.display()))?,
    }
    if common.json {
        return say_json(&json!({"key_id": args.key_id, "trusted": false}));
    }
    say(&format!("The author {} is trusted no more.\n", args.key_id))
}

/// The authors that this server knows.
pub(super) struct Authors(Vec<(KeyId, PublicKey)>);

impl Authors {
    /// Reads the folder of keys. One that cannot be read ends it: an author who is not seen would
    /// be refused, or all of them accepted.
    pub(super) fn read(folder: &DataFolder) -> Outcome<Self> {
        let listing = files::listing(&folder.authors);
        let paths = listing.or_fail(format!("list {}", folder.authors.display()))?;
        let keys = paths
            .iter()
            .filter(|path| path.extension().is_some_and(|end| end == "pem"));
        keys.map(|path| read(path))
            .collect::<Outcome<_>>()
            .map(Self)
    }

    /// Whether one of them signed the manifest: false if there are none to ask.
    pub(super) fn verify(&self, manifest: &[u8]) -> Outcome<bool> {
        if self.0.is_empty() {
            return Ok(false);
        }
        let manifest = Manifest::parse(manifest).or_fail("read the manifest")?;
        let id = manifest.key_id();
        let known = self.0.iter().find(|(known, _)| *known == id);
        let Some((_, key)) = known else {
            return Err(Failure::new(format!(
                "the manifest is signed by {id}, which is no author that this server trusts"
            ))
            .hint("if it is an author of yours: providore-server firmware trust KEY.pub.pem"));
        };
        let keys = [*key];
        let keys = AuthorKeys::new(&keys).or_fail("use the author's key")?;
        let _verified = keys
            .verify(manifest)
            .or_fail(format!("verify that {id} signed the manifest"))?;
        Ok(true)
    }
}

fn read(path: &Path) -> Outcome<(KeyId, PublicKey)> {
    let shown = path.display();
    let bytes = files::read_bounded(path, MAX_KEY_FILE).or_fail(format!("read {shown}"))?;
    let text = String::from_utf8(bytes).unwrap_or_default();
    let key = PublicKey::from_spki_pem(&text)
        .or_fail(format!("use {shown} as an author's public key"))
        .map_err(|failure| {
            failure.hint("it is the .pub.pem beside the key that firmware keygen made")
        })?;
    Ok((KeyId::of(&key), key))
}

fn file_of(folder: &DataFolder, key_id: &str) -> PathBuf {
    folder.authors.join(format!("{key_id}.pem"))
}
