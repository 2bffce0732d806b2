//! The `Signed` dialect, which is what nobody has to ask for.

use alloc::sync::Arc;
use std::sync::Mutex;

use providore_pki::{
    Certificate, LocalCa, Profile, SoftwareKey as AuthorKey, VerifiedCsr,
    manifest::{ManifestBuilder, Release},
};
use providore_sign::{
    HeaderInstructions, Refusal, SoftwareKey,
    content_coding::{Encoder, RecordSize, Salt},
    signed::{ChallengeKey, Keys, RequestPolicy, ResponseToSign, sign_response, verify_request},
};
use providore_wire::{
    Target, Timestamp,
    signed::{Challenge, RequestHead},
};
use sha2::{Digest as _, Sha256};

use crate::{
    home::{Home, finish, is_there},
    server::{DEVICE, IMAGE, Reply, Request, SECRET, authority, issue_for, now, start},
};

const NEXT: &str = "the-next-secret-of-this-device";

/// A server with a configuration, firmware 2.0, a CA and perhaps a next secret.
pub(crate) struct Server {
    policy: RequestPolicy,
    ca: (LocalCa, String),
    secret: &'static str,
    next: Option<&'static str>,
    /// What the author says of firmware 2.0, if anybody did.
    pub(crate) manifest: Option<Vec<u8>>,
    /// How far its clock is from that of this machine, in seconds.
    ahead_s: i64,
    certificates: Arc<Mutex<Certificates>>,
    pub(crate) config: Vec<u8>,
    /// What was asked for, with what was reported.
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
}

/// What it knows of certificates.
#[derive(Default)]
pub(crate) struct Certificates {
    /// What it hands out.
    current: Option<Vec<u8>>,
    /// A key that it certifies no more.
    revoked_key: Option<Vec<u8>>,
    profile: Profile,
}

impl Certificates {
    /// Revokes what it hands out, and forbids its key if that is compromised.
    fn revoke(&mut self, compromised: bool) {
        let revoked = self.current.take().unwrap();
        let revoked = Certificate::first_of_pem(core::str::from_utf8(&revoked).unwrap()).unwrap();
        self.revoked_key = compromised.then(|| revoked.public_key_spki_der().to_vec());
    }

    fn answer(&mut self, ca: &LocalCa, csr: &[u8]) -> Reply {
        let device = DEVICE.parse().unwrap();
        let checked = VerifiedCsr::check(csr, &device).unwrap();
        if self.revoked_key.as_deref() == Some(checked.public_key_spki_der()) {
            return Reply::unsigned(409, b"");
        }
        let chain = issue_for(ca, csr, self.profile);
        self.current = Some(chain.clone());
        Reply::unsigned(200, &chain)
    }
}

impl Server {
    pub(crate) fn new() -> Self {
        let challenges = ChallengeKey::new(&[9; 32]).unwrap();
        Self {
            policy: RequestPolicy::new(challenges, Timestamp::MIN),
            ca: authority(),
            secret: SECRET,
            next: None,
            manifest: None,
            ahead_s: 0,
            certificates: Arc::default(),
            config: b"{\"interval\":60}".to_vec(),
            asked: Arc::default(),
        }
    }

    fn now(&self) -> Timestamp {
        now().saturating_add(self.ahead_s)
    }

    pub(crate) fn answer(&mut self, request: &Request) -> Reply {
        if request.target == "/certificates/ca.pem" {
            return Reply::unsigned(200, self.ca.1.as_bytes());
        }
        let told = String::from_utf8_lossy(&request.body);
        let line = format!("{} {told}", request.target);
        self.asked.lock().unwrap().push(line);
        let challenge = self.policy.challenges().issue(self.now(), [1; 8]).unwrap();
        if !self.admit(request) {
            return Reply::unsigned(401, b"").with("providore-challenge", challenge.as_str());
        }
        self.sign(request, &challenge, &self.content(request))
    }

    fn sign(&self, request: &Request, challenge: &Challenge, reply: &Reply) -> Reply {
        let head = head(request).unwrap();
        let digest = (!reply.body.is_empty()).then(|| Sha256::digest(&reply.body).into());
        let fields = reply.fields.iter();
        let response = ResponseToSign {
            device: &DEVICE.parse().unwrap(),
            status: reply.status,
            fields: fields.map(|(name, value)| (name.as_str(), value.as_bytes())),
            content_sha256: digest,
            challenge,
            created: self.now(),
        };
        let mut memory = [0; HeaderInstructions::MAX_LEN];
        let headers =
            sign_response(&keys(self.secret), &head.question(), &response, &mut memory).unwrap();
        let mut signed = Reply::unsigned(reply.status, &reply.body);
        signed.fields.clone_from(&reply.fields);
        for (name, value) in headers.fields() {
            signed = signed.with(name, value);
        }
        signed
    }

    fn admit(&mut self, request: &Request) -> bool {
        let verify = |secret: &str| {
            let head = head(request).ok_or(Refusal::WrongSignature)?;
            verify_request(head, &request.body, &keys(secret), &self.policy, self.now()).map(|_| ())
        };
        if request
            .field("signature-input")
            .is_none_or(|input| !input.contains(DEVICE))
        {
            return false;
        }
        if let Some(next) = self.next
            && verify(next).is_ok()
        {
            (self.secret, self.next) = (next, None);
            return true;
        }
        verify(self.secret).is_ok()
    }

    fn content(&self, request: &Request) -> Reply {
        let version = request.field("x-firmware-version");
        match (request.target.as_str(), self.next) {
            ("/config", _) if self.config.is_empty() => Reply::unsigned(404, b""),
            ("/config", _) => self.encrypted(&self.config),
            ("/firmware/check", _) if version == Some("2.0") => Reply::unsigned(204, b""),
            ("/firmware/check", _) if self.manifest.is_some() => {
                let manifest = self.manifest.as_deref().unwrap_or_default();
                Reply::unsigned(200, manifest)
                    .with("content-type", "application/cose; cose-type=\"cose-sign1\"")
                    .with("location", "/firmware?version=2.0")
            }
            ("/firmware/check", _) => {
                Reply::unsigned(302, b"").with("location", "/firmware?version=2.0")
            }
            ("/firmware?version=2.0", _) => {
                let tag = providore_client::EntityTag::of_image(&Sha256::digest(IMAGE).into());
                Reply::unsigned(200, IMAGE).with("etag", tag.as_str())
            }
            ("/certificate", _) => match &self.certificates.lock().unwrap().current {
                Some(chain) => Reply::unsigned(200, chain),
                None => Reply::unsigned(404, b""),
            },
            ("/certificates/request", _) => {
                let mut certificates = self.certificates.lock().unwrap();
                certificates.answer(&self.ca.0, &request.body)
            }
            ("/time" | "/report", _) | ("/secret", None) => Reply::unsigned(204, b""),
            ("/secret", Some(next)) => self.encrypted(next.as_bytes()),
            _ => Reply::unsigned(404, b""),
        }
    }

    fn encrypted(&self, mut plain: &[u8]) -> Reply {
        let keys = keys(self.secret);
        let mut lent = [0; RecordSize::DEFAULT.get()];
        let salt = Salt::take(&mut [7; 16]).unwrap();
        let (size, key) = (RecordSize::DEFAULT, keys.content_key());
        let (header, mut encoder) = Encoder::begin(&key, salt, size, &mut lent).unwrap();
        let mut coded = header.as_bytes().to_vec();
        while let Some(record) = encoder.update(&mut plain).unwrap() {
            coded.extend_from_slice(record);
        }
        coded.extend_from_slice(encoder.finish().unwrap());
        Reply::unsigned(200, &coded).with("content-encoding", "aes128gcm")
    }
}

/// A manifest of the image, by an author whose key has this number.
pub(crate) fn manifest(author: u8, sequence: u64) -> Vec<u8> {
    let (hardware, version) = ("gateway-2".parse().unwrap(), "2.0".parse().unwrap());
    let release = Release::new(hardware, version, sequence);
    let mut builder = ManifestBuilder::new(release).unwrap();
    builder.update(IMAGE).unwrap();
    builder.sign(&mut author_key(author)).unwrap()
}

fn author_key(number: u8) -> AuthorKey {
    AuthorKey::from_scalar(&[number; 32]).unwrap()
}

/// Installs firmware with two authors, 1 and 2, whom the machine trusts.
pub(crate) fn install(home: &Home, more: &[&str], code: i32) -> (String, String) {
    let folder = home.path("firmware");
    let mut arguments = vec!["firmware", "--firmware-dir", folder.to_str().unwrap()];
    let files = [1, 2].map(|number| {
        let pem = author_key(number).public_key().to_spki_pem().unwrap();
        home.write(&format!("author-{number}.pub.pem"), &pem)
    });
    for file in &files {
        arguments.extend(["--author-key", file]);
    }
    arguments.extend(["--hardware", "gateway-2"]);
    arguments.extend(more);
    home.check(&arguments, code)
}

#[test]
fn firmware_of_a_trusted_author_is_installed_once_and_remembered() {
    for author in [1, 2] {
        let home = home(|server| server.manifest = Some(manifest(author, 7)));
        let (out, log) = install(&home, &[], 0);
        assert!(out.starts_with("Firmware 2.0 installed in "), "{out}");
        assert!(log.contains("firmware 2.0 stays"), "{log}");
        assert_eq!(std::fs::read(home.path("firmware/current")).unwrap(), IMAGE);
        assert_eq!(home.mode("state/update"), 0o600);
        let (out, _) = install(&home, &[], 0);
        assert_eq!(out, "Firmware is current\n");
        // The same release under another name is not newer.
        let (_, log) = install(&home, &["--firmware-version", "1.9"], 4);
        assert!(
            log.contains("release 7 is not newer than release 7"),
            "{log}"
        );
    }
}

#[test]
fn firmware_that_no_trusted_author_signed_is_not_installed() {
    let cases = [
        (None, &[][..], "without a manifest"),
        (Some(manifest(9, 7)), &[], "is not that of a trusted author"),
        (
            Some(manifest(1, 7)),
            &["--hardware", "gateway-3"],
            "other hardware",
        ),
        (
            Some(manifest(1, 7)),
            &["--firmware-sequence", "7"],
            "not newer",
        ),
    ];
    for (manifest, more, why) in cases {
        let home = home(|server| server.manifest = manifest);
        let (_, log) = install(&home, more, 4);
        assert!(log.contains(why), "{log}");
        assert!(!is_there(&home.path("firmware")));
    }
}

#[test]
fn an_author_needs_to_know_the_hardware_and_the_dialect() {
    let home = home(|_| {});
    let pem = author_key(1).public_key().to_spki_pem().unwrap();
    let file = home.write("author.pub.pem", &pem);
    let firmware = ["firmware", "--firmware-dir", "x", "--author-key", &file];
    let (_, log) = home.check(&firmware, 2);
    assert!(log.contains("no hardware: set --hardware"), "{log}");
    let more = ["--hardware", "a", "--dialect", "original"];
    let (_, log) = home.check(&[&firmware[..], &more].concat(), 2);
    assert!(log.contains("hands out no manifests"), "{log}");
    let twice = ["--hardware", "a", "--author-key", &file];
    home.check(&[&firmware[..], &twice].concat(), 2);
}

#[test]
fn a_hook_that_fails_takes_an_authors_firmware_back_and_the_server_is_told() {
    let home = home(|server| server.manifest = Some(manifest(1, 7)));
    for _ in 0..3 {
        install(&home, &["--hook", &home.hook(1)], 5);
        assert!(!is_there(&home.path("firmware/current")));
    }
    // Tried three times in all, also if it is offered again.
    let (out, log) = install(&home, &["--hook", &home.hook(0)], 0);
    assert_eq!(out, "Firmware is current\n");
    assert!(
        log.contains("firmware 2.0 waits, but did not work before"),
        "{log}"
    );
}

fn keys(secret: &str) -> Keys {
    Keys::derive(&mut SoftwareKey::new(secret.as_bytes()).unwrap()).unwrap()
}

fn head(request: &Request) -> Option<RequestHead<'_>> {
    let target = Target::parse(&request.target).ok()?;
    let fields = request.fields.iter();
    let fields = fields.map(|(name, value)| (name.as_str(), value.as_bytes()));
    RequestHead::parse(request.method, &target, fields).ok()
}

pub(crate) fn home(change: impl FnOnce(&mut Server)) -> Home {
    let mut server = Server::new();
    change(&mut server);
    Home::speaking("signed", start(move |request| server.answer(request)))
}

#[test]
fn it_is_spoken_without_being_asked_for() {
    let mut server = Server::new();
    let address = start(move |request| server.answer(request));
    let home = Home::new(String::new());
    let secret = home.write("secret", SECRET);
    let mut command = home.bare();
    command.args(["config", "--server", &address, "--device-id", DEVICE]);
    finish(command.args(["--secret-file", &secret]), 0);
    let stored = home.read(".local/state/providore-client/config.json");
    assert_eq!(stored, "{\"interval\":60}");
}

#[test]
fn everything_is_fetched_and_stored() {
    let home = home(|_| {});
    let folder = home.path("firmware");
    let arguments = ["firmware", "--firmware-dir", folder.to_str().unwrap()];
    home.check(&["certificate"], 0);
    home.check(&["config"], 0);
    home.check(&arguments, 0);
    assert!(
        home.read("state/cert.pem")
            .starts_with("-----BEGIN CERTIFICATE-----")
    );
    assert_eq!(home.read("state/config.json"), "{\"interval\":60}");
    assert_eq!(std::fs::read(home.path("firmware/current")).unwrap(), IMAGE);
    let (out, _) = home.check(&["certificate"], 0);
    assert_eq!(out, "Certificate does not need renewing\n");
}

#[test]
fn a_clock_that_is_wrong_is_no_trouble() {
    for ahead_s in [-1_000_000_000, -600, 600, 1_000_000_000] {
        let home = home(|server| server.ahead_s = ahead_s);
        home.check(&["config"], 0);
        assert_eq!(home.read("state/config.json"), "{\"interval\":60}");
    }
}

#[test]
fn a_secret_is_replaced_and_read_by_nobody_else() {
    let home = home(|server| server.next = Some(NEXT));
    let (out, _) = home.check(&["secret"], 0);
    assert_eq!(out, "New secret stored\n");
    assert_eq!(home.mode("state/rotated-secret"), 0o600);
    assert!(home.read("state/rotated-secret").ends_with(NEXT));
    assert!(!is_there(&home.path("state/next-secret")));
    // The settings still name the first one.
    home.check(&["config"], 0);
    let (out, log) = home.check(&["secret", "--json"], 0);
    assert_eq!(out, "{\"event\":\"secret\",\"changed\":false}\n");
    assert!(!log.contains(NEXT), "{log}");
}

#[test]
fn a_device_that_is_not_accepted_is_told_what_may_be_wrong() {
    let home = home(|_| {});
    let (_, log) = home.check(&["config", "--device-id", "unknown"], 3);
    assert!(
        log.contains("a first Providore needs --dialect original"),
        "{log}"
    );
}

#[test]
fn what_is_not_verified_changes_nothing() {
    let strangers: [fn(&Request) -> Reply; 3] = [
        |_| Reply::unsigned(200, b"{}"),
        |_| Reply::signed(200, b"{}"),
        |request| {
            let mut stranger = Server::new();
            stranger.secret = NEXT;
            let challenge = Challenge::parse(&[b'A'; 64]).unwrap();
            stranger.sign(request, &challenge, &stranger.encrypted(b"{}"))
        },
    ];
    for stranger in strangers {
        let home = Home::speaking("signed", start(stranger));
        home.check(&["config"], 4);
        assert!(!is_there(&home.path("state/config.json")));
    }
}

/// A device with a certificate, and what its server knows of it.
fn certified(profile: Profile) -> (Home, Arc<Mutex<Certificates>>) {
    let certificates = Arc::new(Mutex::new(Certificates {
        profile,
        ..Certificates::default()
    }));
    let theirs = Arc::clone(&certificates);
    let home = home(|server| server.certificates = theirs);
    let (out, _) = home.check(&["certificate"], 0);
    assert_eq!(out, "New Certificate created!\n");
    (home, certificates)
}

#[test]
fn a_revoked_certificate_is_replaced_at_the_next_look() {
    let (home, certificates) = certified(Profile::Client);
    let key = home.read("state/key.pem");
    let (out, _) = home.check(&["certificate"], 0);
    assert_eq!(out, "Certificate does not need renewing\n");
    certificates.lock().unwrap().revoke(false);
    let (out, _) = home.check(&["certificate"], 0);
    assert_eq!(out, "New Certificate created!\n");
    assert_eq!(
        home.read("state/key.pem"),
        key,
        "the key was not compromised"
    );
}

#[test]
fn a_compromised_key_is_replaced_together_with_its_certificate() {
    let (home, certificates) = certified(Profile::Client);
    let key = home.read("state/key.pem");
    certificates.lock().unwrap().revoke(true);
    let (out, log) = home.check(&["certificate"], 0);
    assert_eq!(out, "New Certificate created!\n");
    assert!(log.contains("the key was revoked"), "{log}");
    assert_ne!(home.read("state/key.pem"), key);
    assert_eq!(home.read("state/key.pem.old"), key);
    let (out, _) = home.check(&["certificate"], 0);
    assert_eq!(out, "Certificate does not need renewing\n");
}

#[test]
fn two_machines_of_one_id_do_not_have_certificates_issued_for_ever() {
    let (home, _) = certified(Profile::Client);
    let other = home.path("other");
    let second = ["--state-dir", other.to_str().unwrap(), "certificate"];
    let (out, _) = home.check(&second, 0);
    assert_eq!(out, "New Certificate created!\n");
    for arguments in [&["certificate"][..], &second] {
        let (out, _) = home.check(arguments, 0);
        assert_eq!(out, "Certificate does not need renewing\n");
    }
}

#[test]
fn a_certificate_is_renewed_by_hand() {
    let (home, _) = certified(Profile::Client);
    let (out, _) = home.check(&["certificate", "--renew"], 0);
    assert_eq!(out, "New Certificate created!\n");
}

#[test]
fn a_certificate_is_accepted_for_what_the_servers_record_says() {
    for profile in [Profile::Client, Profile::Server, Profile::Both] {
        let (home, _) = certified(profile);
        let (out, _) = home.check(&["certificate"], 0);
        assert_eq!(out, "Certificate does not need renewing\n", "{profile:?}");
    }
}
