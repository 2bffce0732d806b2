//! How many instructions it takes what a device does most: to be run with `-icount shift=0`, where
//! the processor counts one cycle for each.
#![no_std]
#![no_main]

use core::hint::black_box;

use providore_pki::{
    SoftwareKey as AuthorKey,
    manifest::{AuthorKeys, ChunkSize, Manifest, ManifestBuilder, Release},
};
use providore_sign::{
    HeaderInstructions, SoftwareKey,
    signed::{Keys, RequestToSign, ResponseVerifier, Validity, sign_request},
};
use providore_wire::{
    DeviceId, Method, Signature, Target, Timestamp,
    signed::{LABEL, Nonce, Question, ResponseHead},
};
use qemu_firmware::{memory, power};

/// An image of 1 MiB, in chunks of 8 KiB.
const IMAGE: [u8; 8192] = [0x5A; 8192];
const CHUNKS: u64 = 128;

#[riscv_rt::entry]
fn main() -> ! {
    memory::prepare();
    line("step", "instructions");
    line("---", "--:");
    exchange().expect("an exchange of the test vectors");
    firmware().expect("a manifest that was just made");
    power::off()
}

/// The vector config-clock-200, whose question is asked anew.
fn exchange() -> Option<()> {
    let mut secret = SoftwareKey::new(black_box(b"an example of a secret, 32 bytes")).ok()?;
    let keys = measure("derive the keys of a secret", || Keys::derive(&mut secret)).ok()?;
    let device: DeviceId = black_box("d8fa0180").parse().ok()?;
    let version = black_box("1.1.0").parse().ok()?;
    let target = Target::parse(black_box("/config")).ok()?;
    let request = RequestToSign::new(&device, Method::Get, target).version(&version);
    let window = Validity::window(Timestamp::from_unix(black_box(1_767_323_045))?, 60);
    let nonce = Nonce::new(black_box(NONCE));
    let mut memory = [0; HeaderInstructions::MAX_LEN];
    let headers = measure("sign a request", || {
        sign_request(&keys, &request, window, &nonce, &mut memory)
    });
    black_box(headers.ok()?);

    let signature = Signature::new(black_box(QUESTION));
    let question = Question::new(("GET", "/config", None), LABEL, &signature);
    measure("verify the answer", || {
        let head = ResponseHead::parse(200, &question, fields(RESPONSE)).ok()?;
        let mut verifier = ResponseVerifier::begin(&keys, &head, &question, &device).ok()?;
        verifier.update(black_box(CONTENT));
        verifier.finish().ok().map(drop)
    })
}

/// What an author signs, and a device checks.
fn firmware() -> Option<()> {
    let mut author = AuthorKey::from_scalar(black_box(&[0x42; 32])).ok()?;
    let release = Release::new("qemu-virt".parse().ok()?, "1.1.0".parse().ok()?, 2)
        .with_chunk_size(ChunkSize::new(IMAGE.len() as u64)?);
    let mut builder = ManifestBuilder::new(release).ok()?;
    for _ in 0..CHUNKS {
        builder.update(&IMAGE).ok()?;
    }
    let manifest = builder.sign(&mut author).ok()?;
    let keys = [author.public_key()];
    let keys = AuthorKeys::new(&keys).ok()?;
    let verified = measure("verify the manifest of an image of 1 MiB", || {
        let manifest = Manifest::parse(black_box(&manifest)).ok()?;
        keys.verify(manifest).ok()
    })?;
    let chunk = verified.chunk(7)?;
    measure("verify a chunk of 8 KiB", || {
        chunk.verify(black_box(&IMAGE)).is_ok()
    })
    .then_some(())?;
    let message = black_box([0; 256]);
    measure("sign with the key of the certificate", || {
        author.sign(&message).is_ok()
    })
    .then_some(())
}

fn measure<R>(step: &str, work: impl FnOnce() -> R) -> R {
    let start = riscv::register::mcycle::read64();
    let result = black_box(work());
    let end = riscv::register::mcycle::read64();
    line(step, end.saturating_sub(start));
    result
}

fn line(step: &str, instructions: impl core::fmt::Display) {
    qemu_firmware::uart::plain(format_args!("| {step} | {instructions} |"));
}

const NONCE: [u8; 16] = [
    0x15, 0x89, 0xf0, 0x84, 0xc0, 0xe7, 0x07, 0xa7, 0x66, 0x64, 0x7a, 0x30, 0x06, 0x5e, 0x17, 0x51,
];
/// The signature of the vector's request.
const QUESTION: [u8; 32] = [
    0xe4, 0x9e, 0x2d, 0x5b, 0x22, 0x14, 0x30, 0xd3, 0xcb, 0x47, 0xca, 0xa7, 0x31, 0xa6, 0xf0, 0xb9,
    0x5e, 0x28, 0x33, 0x5f, 0x31, 0x15, 0xe6, 0x4f, 0xbc, 0x32, 0xa9, 0xbd, 0xb0, 0x1b, 0x76, 0xa6,
];
const RESPONSE: &[u8] = include_bytes!(
    "../../../../crates/providore-testkit/vectors/signed/config-clock-200/response.http"
);
const CONTENT: &[u8] = include_bytes!(
    "../../../../crates/providore-testkit/vectors/signed/config-clock-200/ciphertext.bin"
);

/// The fields of a message.
fn fields(message: &[u8]) -> impl Iterator<Item = (&str, &[u8])> + Clone {
    let lines = message.split(|byte| *byte == b'\n').skip(1);
    lines.take_while(|line| line.len() > 1).filter_map(|line| {
        let (name, value) = str::from_utf8(line).ok()?.split_once(':')?;
        Some((name, value.trim().as_bytes()))
    })
}
