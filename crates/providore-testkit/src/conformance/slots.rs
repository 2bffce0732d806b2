//! The contract of `FirmwareSlot`.

use futures_lite::future::block_on;
use providore_client::{
    BorrowedHead, Device, Exchange, FirmwareDownload, FirmwareSlot, ImageCheck, Moment, Request,
    SlotState, VerifiedImage,
};
use providore_sign::{HeaderInstructions, SoftwareKey, signed};
use providore_wire::{
    Dialect, FirmwareVersion, Target, Timestamp,
    signed::{Challenge, RequestHead},
};
use sha2::{Digest as _, Sha256};

/// Runs the contract of [`FirmwareSlot`] over slots that have nothing in them but what runs, and
/// room for 4096 bytes. `restart` gives back the slot as it is after the power failed at that moment,
/// and was switched on again, with the new image started where one is on trial.
///
/// # Panics
/// Where the implementation differs from the contract.
pub fn firmware_slot<S: FirmwareSlot>(
    mut make: impl FnMut() -> S,
    mut restart: impl FnMut(S) -> S,
) {
    nothing_is_there(make(), &mut restart);
    an_image_is_switched_to_and_kept(make(), &mut restart);
    an_image_that_is_rolled_back_is_remembered(make(), &mut restart);
    a_download_is_resumed(make(), &mut restart);
    a_resumed_download_ends_as_a_whole_one(make(), &mut restart);
    what_does_not_fit_the_proof_is_not_switched_to(make(), &mut restart);
    nothing_is_written_out_of_order(make(), &mut restart);
    more_than_there_is_room_for_is_refused(make());
}

/// The proof for an image, as a device gets it from a server that it trusts.
///
/// # Panics
/// If `version` is none.
pub fn verified_image(version: &str, image: &[u8]) -> VerifiedImage {
    let version: FirmwareVersion = version.parse().expect("a version");
    let secret = b"the secret of a device of no interest";
    let key = SoftwareKey::new(secret).expect("a secret");
    let id: providore_wire::DeviceId = "dev1".parse().expect("an id");
    let mut device = Device::new(Dialect::Signed, id.clone(), version.clone(), key.clone())
        .expect("a software key");
    let operation = FirmwareDownload::new(version, ImageCheck::new(b"", 0, u64::MAX));
    let moment = Moment {
        clock: None,
        nonce: providore_wire::signed::Nonce::new([1; 16]),
    };
    let mut memory = [0; Request::MAX_LEN];
    let exchange = Exchange::ask(operation, &mut device, moment, &mut memory).expect("a question");
    let fields = answer_fields(&exchange, &id, key, image);
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_slice()))
        .collect();
    let head = BorrowedHead {
        status: 200,
        fields: &fields,
    };
    let mut receiving = exchange
        .receive_image(&mut device, &head, None)
        .expect("a good head");
    receiving.chunk(image).expect("an image");
    receiving.finish().expect("a good answer")
}

fn answer_fields(
    exchange: &Exchange<FirmwareDownload>,
    id: &providore_wire::DeviceId,
    mut key: SoftwareKey,
    image: &[u8],
) -> Vec<(String, Vec<u8>)> {
    let request = exchange.request();
    let target = Target::parse(request.target()).expect("a target");
    let sent: Vec<_> = request.fields().map(|(n, v)| (n, v.as_bytes())).collect();
    let asked = RequestHead::parse(request.method(), &target, sent.iter().copied());
    let asked = asked.expect("a request of the dialect");
    let answer = signed::ResponseToSign {
        device: id,
        status: 200,
        fields: [("content-type", &b"application/octet-stream"[..])],
        content_sha256: Some(Sha256::digest(image).into()),
        challenge: &Challenge::parse(&[b'A'; 64]).expect("a challenge"),
        created: Timestamp::from_unix(1_767_323_045).expect("a time"),
    };
    let keys = signed::Keys::derive(&mut key).expect("a software key");
    let mut memory = [0; HeaderInstructions::MAX_LEN];
    let signed =
        signed::sign_response(&keys, &asked.question(), &answer, &mut memory).expect("an answer");
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.as_bytes().to_vec());
    let mut fields: Vec<_> = signed.fields().map(own).collect();
    fields.push(("content-type".into(), b"application/octet-stream".to_vec()));
    fields
}

fn nothing_is_there<S: FirmwareSlot>(mut slot: S, restart: &mut impl FnMut(S) -> S) {
    for _ in 0..2 {
        assert!(slot.capacity() >= 4096);
        assert_eq!(state(&mut slot), SlotState::Settled);
        block_on(slot.confirm()).expect("nothing to confirm");
        assert!(block_on(slot.roll_back()).is_err(), "nothing to go back to");
        slot = restart(slot);
    }
}

fn an_image_is_switched_to_and_kept<S: FirmwareSlot>(
    mut slot: S,
    restart: &mut impl FnMut(S) -> S,
) {
    for version in ["1.1.0", "1.2.0", "1.3.0"] {
        let image = install(&mut slot, version);
        assert_eq!(state(&mut slot), SlotState::OnTrial);
        assert!(begin(&mut slot, version, 0).is_err(), "the only way back");
        slot = restart(slot);
        assert_eq!(state(&mut slot), SlotState::OnTrial);
        assert!(begin(&mut slot, version, 0).is_err(), "the only way back");
        for _ in 0..2 {
            block_on(slot.confirm()).expect("the trial ends");
            assert_eq!(state(&mut slot), SlotState::Settled);
        }
        assert!(block_on(slot.roll_back()).is_err(), "it is kept");
        slot = restart(slot);
        assert_eq!(state(&mut slot), SlotState::Settled);
        assert_ne!(read(&mut slot, image.len()), image, "it runs");
    }
}

fn an_image_that_is_rolled_back_is_remembered<S: FirmwareSlot>(
    mut slot: S,
    restart: &mut impl FnMut(S) -> S,
) {
    for version in ["1.1.0", "1.2.0"] {
        install(&mut slot, version);
        slot = restart(slot);
        block_on(slot.roll_back()).expect("on trial");
        for _ in 0..2 {
            assert_eq!(state(&mut slot), SlotState::RolledBack);
            assert!(block_on(slot.roll_back()).is_err(), "only once");
            block_on(slot.confirm()).expect("nothing to confirm");
            assert_eq!(state(&mut slot), SlotState::RolledBack);
            slot = restart(slot);
        }
        begin(&mut slot, version, 0).expect("settled");
        assert_eq!(state(&mut slot), SlotState::Settled);
        slot = restart(slot);
        assert_eq!(state(&mut slot), SlotState::Settled);
    }
}

fn a_download_is_resumed<S: FirmwareSlot>(mut slot: S, restart: &mut impl FnMut(S) -> S) {
    let image = image("1.1.0");
    assert_eq!(begin(&mut slot, "1.1.0", 0).expect("room"), 0);
    for part in image.chunks(700).take(3) {
        block_on(slot.write(part)).expect("room");
    }
    assert_eq!(read(&mut slot, 2100), image[..2100], "within the download");
    for keep in [2100, 1500, 700, 1] {
        slot = restart(slot);
        // What was not written may read as anything, what was is there; before `begin` and after.
        assert_eq!(read(&mut slot, 1).len(), 1);
        let from = begin(&mut slot, "1.1.0", keep).expect("room");
        assert!(from <= keep, "{from} of {keep}");
        let from = usize::try_from(from).expect("small");
        assert_eq!(read(&mut slot, from), image[..from], "what is kept");
        block_on(slot.write(&image[from..2100])).expect("room");
        assert_eq!(read(&mut slot, 2100), image[..2100]);
    }
    assert_eq!(begin(&mut slot, "1.2.0", 0).expect("room"), 0);
}

fn a_resumed_download_ends_as_a_whole_one<S: FirmwareSlot>(
    mut slot: S,
    restart: &mut impl FnMut(S) -> S,
) {
    let image = image("1.1.0");
    begin(&mut slot, "1.1.0", 0).expect("room");
    block_on(slot.write(&image[..1111])).expect("room");
    slot = restart(slot);
    let from = begin(&mut slot, "1.1.0", 1111).expect("room");
    let from = usize::try_from(from).expect("small");
    for part in image[from..].chunks(99) {
        block_on(slot.write(part)).expect("room");
    }
    let proof = verified_image("1.1.0", &image);
    block_on(slot.commit(proof)).expect("whole");
    assert_eq!(state(&mut slot), SlotState::OnTrial);
}

fn what_does_not_fit_the_proof_is_not_switched_to<S: FirmwareSlot>(
    mut slot: S,
    restart: &mut impl FnMut(S) -> S,
) {
    let image = image("1.1.0");
    let mut flipped = image.clone();
    flipped[1234] ^= 1;
    let longer = [&image[..], b"\0"].concat();
    let shorter = image[..image.len() - 1].to_vec();
    for written in [&flipped, &longer, &shorter, &Vec::new()] {
        begin(&mut slot, "1.1.0", 0).expect("room");
        block_on(slot.write(written)).expect("room");
        let outcome = block_on(slot.commit(verified_image("1.1.0", &image)));
        assert!(outcome.is_err_and(|error| error.is_mismatch()));
        assert_eq!(state(&mut slot), SlotState::Settled);
        slot = restart(slot);
        assert_eq!(state(&mut slot), SlotState::Settled);
    }
}

fn nothing_is_written_out_of_order<S: FirmwareSlot>(mut slot: S, restart: &mut impl FnMut(S) -> S) {
    let image = image("1.1.0");
    let out_of_order = |outcome: Result<(), providore_client::StoreError>| {
        outcome.is_err_and(|error| error.is_out_of_order())
    };
    assert!(out_of_order(block_on(slot.write(&image))));
    let proof = verified_image("1.1.0", &image);
    assert!(out_of_order(block_on(slot.commit(proof))));
    begin(&mut slot, "1.1.0", 0).expect("room");
    block_on(slot.write(&image)).expect("room");
    slot = restart(slot);
    assert!(out_of_order(block_on(slot.write(&image))));
    let proof = verified_image("1.1.0", &image);
    assert!(out_of_order(block_on(slot.commit(proof))));
    begin(&mut slot, "1.1.0", 0).expect("room");
    block_on(slot.abort()).expect("the download ends");
    assert!(out_of_order(block_on(slot.write(&image))));
    assert_eq!(state(&mut slot), SlotState::Settled);
}

fn more_than_there_is_room_for_is_refused<S: FirmwareSlot>(mut slot: S) {
    let capacity = slot.capacity();
    // A slot whose end is far away is not written to it.
    if capacity > 1 << 20 {
        return;
    }
    begin(&mut slot, "1.1.0", 0).expect("room");
    let part = [0x5a; 256];
    let whole = capacity.div_euclid(256);
    for _ in 0..whole {
        block_on(slot.write(&part)).expect("room");
    }
    let outcome = block_on(slot.write(&part));
    assert!(outcome.is_err_and(|error| error.is_full()));
}

fn install(slot: &mut impl FirmwareSlot, version: &str) -> Vec<u8> {
    let image = image(version);
    begin(slot, version, 0).expect("room");
    for part in image.chunks(512) {
        block_on(slot.write(part)).expect("room");
    }
    let proof = verified_image(version, &image);
    block_on(slot.commit(proof)).expect("whole");
    image
}

fn begin(
    slot: &mut impl FirmwareSlot,
    version: &str,
    keep: u64,
) -> Result<u64, providore_client::StoreError> {
    let version = version.parse().expect("a version");
    block_on(slot.begin(&version, keep))
}

fn state(slot: &mut impl FirmwareSlot) -> SlotState {
    block_on(slot.state()).expect("a slot that works")
}

/// The first bytes of what lies in the slot that does not run, read in parts.
fn read(slot: &mut impl FirmwareSlot, length: usize) -> Vec<u8> {
    let mut content = Vec::new();
    let mut part = [0; 300];
    while content.len() < length {
        let wanted = (length - content.len()).min(part.len());
        let place = &mut part[..wanted];
        let read = block_on(slot.read(content.len() as u64, place)).expect("a slot that works");
        if read == 0 {
            break;
        }
        content.extend_from_slice(&part[..read]);
    }
    content
}

/// No two versions have the same, and no part is like another.
fn image(version: &str) -> Vec<u8> {
    let blocks = (0_u8..96).flat_map(|block| {
        let digest = Sha256::new().chain_update(version).chain_update([block]);
        digest.finalize()
    });
    blocks.take(3000).collect()
}
