//! The server: its files and its front door.

use std::{
    fs,
    path::{Component, Path, PathBuf},
    sync::LazyLock,
};

use futures_lite::future::block_on;
use providore_server_core::{
    Body, Device, DeviceStore as _, Dialect, FileName, MemoryStore, Moment, Release, Request,
    Response, Server, Settings, Start,
    json_files::{JsonStore, Layout, LoadError},
};
use providore_sign::{
    HeaderInstructions, SoftwareKey,
    original::{RequestToSign, ResponsePolicy, ResponseVerifier, sign_request},
};
use providore_wire::{
    DeviceId, FirmwareVersion, Method, Route, Target, Timestamp, original::ResponseHead,
};

use crate::{
    certificates::{CA, NOW_UNIX},
    fields::{fields, head_and_body},
};

/// Names of files: whatever is accepted stays below the folder it is joined to.
pub fn file_name(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    match text.parse::<FileName>() {
        Ok(name) => {
            assert_eq!(name.as_str(), text);
            let mut parts = Path::new(name.as_str()).components();
            assert!(
                parts.all(|part| matches!(part, Component::Normal(_))),
                "{text:?}"
            );
            assert!(
                Path::new("folder")
                    .join(name.as_str())
                    .starts_with("folder")
            );
        }
        Err(error) => assert!(error.offset() <= data.len()),
    }
}

/// A folder of this process, in memory where there is one: every run writes a file.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let base = if memory.is_dir() {
        memory.into()
    } else {
        std::env::temp_dir()
    };
    base.join(format!("providore-fuzz-{}", std::process::id()))
});

/// A devices file: every entry becomes a device of that name, and a file that is edited keeps every
/// device and every member that we do not know.
pub fn devices_json(data: &[u8]) {
    let layout = Layout::below(&FOLDER);
    let folder = layout.devices.parent().expect("a folder");
    fs::create_dir_all(folder).expect("a folder");
    fs::write(&layout.devices, data).expect("a file");
    let outcome = JsonStore::open(layout.clone());
    if let Ok(store) = &outcome {
        let before: serde_json::Map<_, _> = serde_json::from_slice(data).expect("an object");
        let devices = || {
            before.keys().map(|id| {
                let id: DeviceId = id.parse().expect("a device id");
                let device = block_on(store.device(&id)).expect("in memory");
                let device = device.expect("a device for each entry");
                assert_eq!(device.id, id);
                format!("{device:?}")
            })
        };
        let shown: Vec<_> = devices().collect();
        let edited = store.edit(|entries| {
            assert_eq!(*entries, before);
            Ok::<_, LoadError>(())
        });
        edited.expect("an edit that changes nothing");
        let written = fs::read(&layout.devices).expect("a file");
        let after: serde_json::Map<_, _> = serde_json::from_slice(&written).expect("an object");
        assert_eq!(after, before);
        assert!(devices().eq(shown));
    }
    let _ = fs::remove_dir_all(FOLDER.as_path());
}

type Answer = Response<providore_server_core::MemoryImage>;

const SECRET: &[u8] = b"the device's secret";

/// A request: `METHOD target`, header lines, an empty line, a body.
///
/// As it stands nobody signed it with our key: no way in. Signed, it is never taken for a
/// stranger's, and every answer to it can be verified by the device.
pub fn server_handle(data: &[u8]) {
    let (head, body) = head_and_body(data);
    let Some(line) = head.split(|byte| *byte == b'\n').next() else {
        return;
    };
    let Some((method, target)) = core::str::from_utf8(line)
        .ok()
        .and_then(|l| l.split_once(' '))
    else {
        return;
    };
    let fields = fields(head);
    let server = server();
    let unsigned = Request {
        method,
        target,
        fields: &fields,
        body,
        peer: None,
    };
    let answer = handle(&server, &unsigned);
    let route = Target::parse(target).map(|target| Route::of(target.path()));
    match route {
        Err(_) => assert_eq!(answer.status, 400),
        Ok(Some(route)) if route.is_public() => {
            assert!(matches!(answer.status, 200 | 405), "{}", answer.status);
        }
        Ok(_) if body.len() > Request::MAX_BODY => assert_eq!(answer.status, 413),
        Ok(_) => assert_refused(&server, &answer, method),
    }
    if let (Ok(method), Ok(None | Some(_))) = (method.parse(), route)
        && !matches!(route, Ok(Some(route)) if route.is_public())
    {
        ask_signed(&server, method, &unsigned);
    }
}

fn ask_signed(server: &Server<MemoryStore>, method: Method, request: &Request<'_>) {
    let covers_body = matches!(method, Method::Post | Method::Put);
    let body = if covers_body { request.body } else { b"" };
    if body.len() > Request::MAX_BODY {
        return;
    }
    let now = now();
    let to_sign = RequestToSign {
        device: &device(),
        method,
        path: Target::parse(request.target).expect("parsed before").path(),
        version: &"1.0.0".parse().expect("a version"),
        body,
    };
    let mut key = SoftwareKey::new(SECRET).expect("a key");
    let mut memory = [0; HeaderInstructions::MAX_LEN];
    let headers = sign_request(&mut key, &to_sign, now, 900, &mut memory).expect("signs");
    let mut fields: Vec<(&str, &[u8])> = headers
        .fields()
        .map(|(name, value)| (name, value.as_bytes()))
        .collect();
    let ours = |name: &str| headers.value(&name.to_ascii_lowercase()).is_some();
    fields.extend(request.fields.iter().filter(|(name, _)| !ours(name)));
    let signed = Request {
        fields: &fields,
        body,
        peer: None,
        ..*request
    };
    let answer = handle(server, &signed);
    let known = [200, 204, 206, 302, 304, 404, 405, 415, 416, 422];
    assert!(known.contains(&answer.status), "{}", answer.status);
    if method != Method::Head {
        assert_verifies(&answer, now);
    }
}

/// The answer that every failure of authentication has, to the byte.
fn assert_refused(server: &Server<MemoryStore>, answer: &Answer, method: &str) {
    let request = Request {
        method,
        target: "/config",
        fields: &[],
        body: b"",
        peer: None,
    };
    let plain = handle(server, &request);
    assert_eq!((answer.status, plain.status), (401, 401));
    assert_eq!(answer.fields, plain.fields);
    assert_eq!(bytes(answer), bytes(&plain));
}

fn bytes(answer: &Answer) -> &[u8] {
    match &answer.body {
        Body::Empty => &[],
        Body::Bytes(bytes) => bytes,
        _ => panic!("an image for a stranger"),
    }
}

fn assert_verifies(answer: &Answer, now: Timestamp) {
    let fields = answer
        .fields
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()));
    let head = ResponseHead::parse(fields).expect("a signed answer");
    let key = SoftwareKey::new(SECRET).expect("a key");
    let policy = ResponsePolicy::default();
    let mut verifier = ResponseVerifier::begin(key, head, &policy, now, now).expect("fresh");
    match &answer.body {
        Body::Empty => {}
        Body::Bytes(bytes) => verifier.update(bytes).expect("takes data"),
        // A part is signed as the whole image, so that a device can put parts together.
        _ => verifier.update(IMAGE).expect("takes data"),
    }
    let verified = verifier.finish().expect("a genuine answer");
    if let (200, Some(length)) = (answer.status, answer.field("content-length")) {
        assert_eq!(length, verified.length().to_string());
    }
}

pub(crate) const IMAGE: &[u8] = b"an image of some length";

pub(crate) static AUTHORITY: LazyLock<providore_pki::LocalCa> = LazyLock::new(|| {
    let (key, chain) = (CA.issuer_key().clone(), CA.chain_pem());
    providore_pki::LocalCa::open(key, chain, NOW_UNIX).expect("our own chain")
});

/// Two releases for one board: from 1.0.0 the way leads to 2.0.0.
pub(crate) fn releases() -> Vec<Release> {
    let name = |text: &str| text.parse::<FirmwareVersion>().expect("a version");
    let release = |version, next: Option<&str>| Release {
        hardware: name("board"),
        version: name(version),
        file: None,
        config: None,
        next: next.map(name),
        order: None,
    };
    vec![release("1.0.0", Some("2.0.0")), release("2.0.0", None)]
}

fn server() -> Server<MemoryStore> {
    let store = MemoryStore::default();
    let mut record = Device::new(device(), SECRET, Dialect::Original).expect("a device");
    record.releases = releases();
    let newest = record.releases.last().expect("two").clone();
    block_on(async {
        store.put_device(record).await;
        store
            .put_config(device(), None, &b"{\"interval\":60}"[..])
            .await;
        let (hardware, version) = (newest.hardware, newest.version);
        store.put_image(hardware, version, IMAGE).await;
    });
    let start = Start {
        at: now(),
        stranger: [9; 32],
        challenges: [8; 32],
    };
    Server::new(store, &*AUTHORITY, Settings::DEFAULT, &start).expect("a server")
}

fn handle(server: &Server<MemoryStore>, request: &Request<'_>) -> Answer {
    let moment = Moment {
        now: now(),
        entropy: [3; Moment::ENTROPY_LEN],
    };
    block_on(server.handle(request, &moment))
}

fn device() -> DeviceId {
    "d8fa0180".parse().expect("an id")
}

pub(crate) fn now() -> Timestamp {
    i64::try_from(NOW_UNIX)
        .ok()
        .and_then(Timestamp::from_unix)
        .expect("a date")
}
