//! What the author of firmware does: a key pair, manifests, and checking them. No server is asked.

mod progress;

use std::{
    fs::{self, File},
    io::{self, Read, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use providore_pki::{
    PublicKey, SoftwareKey,
    key::{EncryptionEntropy, KeyFileError},
    manifest::{AuthorKeys, ChunkSize, Contents, KeyId, Manifest, ManifestBuilder, Release},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{
    author::progress::Progress,
    cli::{FirmwareAction, SignArgs},
    exit::Failure,
    files,
    keys::{generate, unreadable, unwritable},
    output::Output,
    settings::variable,
};

/// Runs a command to its end.
pub(crate) fn run(action: FirmwareAction, output: Output) -> Result<(), Failure> {
    match action {
        FirmwareAction::Keygen { output: path } => keygen(&path, output),
        FirmwareAction::Sign(arguments) => sign(*arguments, output),
        FirmwareAction::Verify {
            image,
            manifest,
            authors,
        } => verify(&image, &manifest, &authors, output),
        FirmwareAction::Inspect { manifest } => inspect(&manifest, output),
    }
}

fn keygen(path: &Path, output: Output) -> Result<(), Failure> {
    let public_path = path.with_extension("pub.pem");
    for path in [path, &public_path] {
        if path.symlink_metadata().is_ok() {
            let place = path.display();
            return Err(Failure::usage(format!(
                "{place} is there, and a key is never replaced: move it or take another name"
            )));
        }
    }
    let key = generate()?;
    let not_encoded = |error| Failure::local("the new key cannot be written", error);
    let pem = encode(&key)?;
    let public_pem = key.public_key().to_spki_pem().map_err(not_encoded)?;
    let written = files::create_new(path).and_then(|mut file| {
        file.write_all(pem.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| unwritable(path, error))?;
    write_public(&public_path, public_pem.as_bytes())?;
    let id = KeyId::of(&key.public_key()).to_string();
    let sentence = format!(
        "Key {id} in {}, its public half for devices in {}",
        path.display(),
        public_path.display()
    );
    let object = json!({"event": "author_key", "key_id": id, "path": path, "public": public_path});
    output.result(&sentence, &object);
    Ok(())
}

/// Under the password of the environment, if there is one.
fn encode(key: &SoftwareKey) -> Result<Zeroizing<String>, Failure> {
    let not_encoded = |error| Failure::local("the new key cannot be written", error);
    let Some(password) = variable(PASSWORD_VARIABLE).map(Zeroizing::new) else {
        return key.to_pkcs8_pem().map_err(not_encoded);
    };
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    for bytes in [&mut salt, &mut iv] {
        getrandom::fill(bytes)
            .map_err(|error| Failure::local("the system gives no random numbers", error))?;
    }
    let entropy = EncryptionEntropy::new(salt, iv);
    let pem = key.to_encrypted_pkcs8_pem(password.as_bytes(), &entropy);
    pem.map(Zeroizing::new).map_err(not_encoded)
}

fn sign(arguments: SignArgs, output: Output) -> Result<(), Failure> {
    let path = arguments
        .output
        .unwrap_or_else(|| files::beside(&arguments.image, ".manifest"));
    if !arguments.force && path.symlink_metadata().is_ok() {
        let place = path.display();
        return Err(Failure::usage(format!(
            "{place} is there: --force replaces it"
        )));
    }
    let mut author = author_key(&arguments.key)?;
    let (mut image, length) = open_image(&arguments.image)?;
    let chunk_size = arguments.chunk_size.or(ChunkSize::for_image(length));
    let release = Release::new(arguments.hardware, arguments.version, arguments.sequence)
        .with_minimum_sequence(arguments.min_sequence)
        .with_chunk_size(chunk_size.unwrap_or_default());
    let unusable = |error| Failure::local("the manifest cannot be signed", error);
    let mut builder = ManifestBuilder::new(release).map_err(unusable)?;
    let mut progress = Progress::new("signing", length);
    let mut piece = vec![0; PIECE_LEN];
    loop {
        let read = read_up_to(&mut image, &mut piece)
            .map_err(|error| unreadable(&arguments.image, error))?;
        let read = piece.get(..read).unwrap_or_default();
        if read.is_empty() {
            break;
        }
        builder.update(read).map_err(unusable)?;
        progress.advance(read.len());
    }
    progress.end();
    let manifest = builder.sign(&mut author).map_err(unusable)?;
    write_public(&path, &manifest)?;
    let manifest =
        Manifest::parse(&manifest).map_err(|error| Failure::local("not a manifest", error))?;
    let sentence = format!(
        "Manifest in {}, signed by {}",
        path.display(),
        manifest.key_id()
    );
    output.result(&sentence, &described("signed", &manifest, Some(&path)));
    Ok(())
}

fn verify(
    image_path: &Path,
    manifest_path: &Path,
    authors: &[PathBuf],
    output: Output,
) -> Result<(), Failure> {
    let keys = authors.iter().map(|path| public_key(path));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    let keys = AuthorKeys::new(&keys).map_err(|error| Failure::usage(error.to_string()))?;
    let bytes = read_manifest(manifest_path)?;
    let manifest = parse(manifest_path, &bytes)?;
    let object = described("verified", &manifest, None);
    let place = manifest_path.display();
    let verified = keys
        .verify(manifest)
        .map_err(|error| Failure::not_verified(format!("{place} is not verified"), error))?;
    let (mut image, _) = open_image(image_path)?;
    let wrong = |error: Box<dyn core::error::Error + Send + Sync>| {
        let place = image_path.display();
        Failure::not_verified(format!("{place} is not the image that was signed"), error)
    };
    let contents = verified.contents();
    let mut progress = Progress::new("verifying", contents.image_len());
    let mut whole = Sha256::new();
    let mut buffer = vec![0; contents.chunk_size().bytes() as usize];
    for chunk in verified.chunks() {
        let room = buffer.get_mut(..chunk.length() as usize);
        let room = room.unwrap_or_default();
        let read = read_up_to(&mut image, room).map_err(|error| unreadable(image_path, error))?;
        let bytes = room.get(..read).unwrap_or_default();
        let chunk = chunk.verify(bytes).map_err(|error| wrong(error.into()))?;
        whole.update(chunk.bytes());
        progress.advance(read);
    }
    progress.end();
    let rest = read_up_to(&mut image, &mut [0]).map_err(|error| unreadable(image_path, error))?;
    if rest > 0 {
        return Err(wrong("it is longer than the manifest says".into()));
    }
    if whole.finalize().as_slice() != contents.image_sha256() {
        return Err(wrong("it has another digest as a whole".into()));
    }
    let sentence = format!(
        "{} is firmware {} (release {}) for {}, signed by {}",
        image_path.display(),
        contents.version(),
        contents.sequence(),
        contents.hardware(),
        verified.key_id()
    );
    output.result(&sentence, &object);
    Ok(())
}

fn inspect(path: &Path, output: Output) -> Result<(), Failure> {
    let bytes = read_manifest(path)?;
    let manifest = parse(path, &bytes)?;
    let contents = manifest.unverified_contents();
    let upgrade = match contents.minimum_sequence() {
        0 => String::from("any release"),
        minimum => format!("release {minimum} or later"),
    };
    let sentence = format!(
        "hardware      {}\nversion       {}\nrelease       {}\nupgrades      {upgrade}\n\
         image         {} bytes\nSHA-256       {}\nchunks        {} of {} bytes\n\
         author's key  {} (named, not verified: `firmware verify` does)",
        contents.hardware(),
        contents.version(),
        contents.sequence(),
        contents.image_len(),
        hex(contents.image_sha256()),
        contents.chunk_count(),
        contents.chunk_size().bytes(),
        manifest.key_id()
    );
    output.result(&sentence, &described("manifest", &manifest, None));
    Ok(())
}

fn described(event: &str, manifest: &Manifest<'_>, path: Option<&Path>) -> Value {
    let contents: &Contents<'_> = manifest.unverified_contents();
    let mut object = json!({
        "event": event,
        "verified": event != "manifest",
        "type": contents.hardware().as_str(),
        "version": contents.version().as_str(),
        "sequence": contents.sequence(),
        "min_sequence": contents.minimum_sequence(),
        "size": contents.image_len(),
        "sha256": hex(contents.image_sha256()),
        "chunk_size": contents.chunk_size().bytes(),
        "chunks": contents.chunk_count(),
        "key_id": manifest.key_id().to_string(),
    });
    if let (Some(path), Some(object)) = (path, object.as_object_mut()) {
        object.insert(String::from("path"), json!(path));
    }
    object
}

/// The private key; its password, if it needs one, is in the environment: a flag would show in `ps`.
fn author_key(path: &Path) -> Result<SoftwareKey, Failure> {
    let text = Zeroizing::new(read_text(path)?);
    let place = path.display();
    let unusable = |error| Failure::local(format!("{place} is not an author's key"), error);
    match SoftwareKey::from_pkcs8_pem(&text) {
        Err(KeyFileError::UnexpectedLabel) if text.contains("ENCRYPTED PRIVATE KEY") => {
            let password = variable(PASSWORD_VARIABLE).map(Zeroizing::new);
            let password = password.ok_or_else(|| {
                Failure::usage(format!(
                    "{place} is encrypted: give its password in {PASSWORD_VARIABLE}"
                ))
            })?;
            SoftwareKey::from_encrypted_pkcs8_pem(&text, password.as_bytes()).map_err(unusable)
        }
        read => read.map_err(unusable),
    }
}

/// The public key in a file.
pub(crate) fn public_key(path: &Path) -> Result<PublicKey, Failure> {
    let text = read_text(path)?;
    let place = path.display();
    PublicKey::from_spki_pem(&text)
        .map_err(|error| Failure::local(format!("{place} is not an author's public key"), error))
}

fn read_text(path: &Path) -> Result<String, Failure> {
    let content = files::read(path, KEY_LEN)
        .and_then(|content| content.ok_or_else(|| io::ErrorKind::NotFound.into()))
        .and_then(|content| String::from_utf8(content).map_err(io::Error::other));
    content.map_err(|error| unreadable(path, error))
}

fn read_manifest(path: &Path) -> Result<Vec<u8>, Failure> {
    // One byte more than it may have: the reader says so better than the file system.
    let file = File::open(path).map_err(|error| unreadable(path, error))?;
    let mut bytes = Vec::new();
    let limit = (Manifest::MAX_LEN as u64).saturating_add(1);
    let read = file.take(limit).read_to_end(&mut bytes);
    read.map_err(|error| unreadable(path, error))?;
    Ok(bytes)
}

fn parse<'a>(path: &Path, bytes: &'a [u8]) -> Result<Manifest<'a>, Failure> {
    let place = path.display();
    Manifest::parse(bytes)
        .map_err(|error| Failure::not_verified(format!("{place} is not a manifest"), error))
}

fn open_image(path: &Path) -> Result<(File, u64), Failure> {
    let opened = File::open(path).and_then(|file| {
        let length = file.metadata()?.len();
        Ok((file, length))
    });
    opened.map_err(|error| unreadable(path, error))
}

/// Fills the buffer as far as the file goes.
fn read_up_to(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0_usize;
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        match file.read(room) {
            Ok(0) => break,
            Ok(read) => filled = filled.saturating_add(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// In one step, and for everybody to read.
fn write_public(path: &Path, content: &[u8]) -> Result<(), Failure> {
    files::replace(path, content)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o644)))
        .map_err(|error| unwritable(path, error))
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// The variable that holds the password of the author's key.
const PASSWORD_VARIABLE: &str = "PROVIDORE_AUTHOR_PASSWORD";

const PIECE_LEN: usize = 256 * 1024;

// An encrypted P-256 key in PEM takes half a KiB.
const KEY_LEN: u64 = 64 * 1024;
