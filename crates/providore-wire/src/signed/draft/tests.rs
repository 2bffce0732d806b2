extern crate alloc;
use alloc::{string::String, vec::Vec};

use proptest::{collection, option, prelude::*, sample::select};

use crate::{
    DeviceId, Method, ParseError, Signature, Target, Text, Timestamp,
    message_signatures::{Component, Derived, Draft, RequestParts, ResponseParts},
    signed::{
        ALGORITHM, Nonce, Question, REQUEST_FIELDS, REQUEST_TAG, RESPONSE_FIELDS, RESPONSE_TAG,
        RequestDraft, ResponseDraft, ResponseHead,
    },
};

const CREATED: i64 = 1_767_323_045;

type Fields<'a> = [(&'a str, &'a [u8])];

/// The base and the parameters, from the general drafts.
fn general(
    status: u16,
    question: &Question<'_>,
    fields: &Fields<'_>,
    device: &DeviceId,
) -> Result<(Vec<u8>, Text<512>), ParseError> {
    let has = |name: &&str| {
        fields
            .iter()
            .any(|(field, _)| field.eq_ignore_ascii_case(name))
    };
    let names = RESPONSE_FIELDS.iter().copied().filter(has);
    let mut components = Vec::from([Component::derived(Derived::Status)]);
    components.extend(names.map(Component::field));
    components.extend(question.components());
    let draft = Draft::new(&components)
        .created(CREATED)
        .algorithm(ALGORITHM)
        .key_id(device.as_str())
        .tag(RESPONSE_TAG);
    let parts = ResponseParts {
        status,
        fields: fields.iter().copied(),
        request: Some(question.parts()),
    };
    let mut base = Vec::new();
    parts.signature_base(&draft, |piece| {
        base.extend_from_slice(piece);
        Ok::<_, ParseError>(())
    })?;
    Ok((base, draft.to_text()?))
}

/// The same from the draft of the profile.
fn ours(draft: &ResponseDraft<'_>, device: &DeviceId) -> Result<(Vec<u8>, Text<512>), ParseError> {
    let created = Timestamp::from_unix(CREATED).unwrap();
    let parameters = draft.parameters(device, created)?;
    let mut base = Vec::new();
    draft.signature_base(parameters.as_str(), |piece| {
        base.extend_from_slice(piece);
        Ok::<_, ParseError>(())
    })?;
    Ok((base, parameters))
}

fn field() -> impl Strategy<Value = (String, Vec<u8>)> {
    let names = RESPONSE_FIELDS.map(String::from).to_vec();
    let value = prop_oneof![
        8 => "[ -~\t]{0,20}".prop_map(String::into_bytes),
        1 => collection::vec(any::<u8>(), 0..4),
    ];
    (
        prop_oneof![8 => select(names), 1 => "[A-Za-z-]{1,12}"],
        value,
    )
}

fn request_field() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    let value = prop_oneof![
        8 => "[ -~\t]{0,20}".prop_map(String::into_bytes),
        1 => collection::vec(any::<u8>(), 0..4),
    ];
    (select(REQUEST_FIELDS.to_vec()), value)
}

/// The base and the parameters of a request, from the general draft.
fn general_request(
    target: &Target<'_>,
    fields: &Fields<'_>,
    device: &DeviceId,
    window: Option<(Timestamp, Timestamp)>,
) -> Result<(Vec<u8>, Text<512>), ParseError> {
    let has = |name: &&str| fields.iter().any(|(field, _)| field == name);
    let names = REQUEST_FIELDS.iter().copied().filter(has);
    let derived = [Derived::Method, Derived::Path, Derived::Query];
    let mut components = Vec::from(derived.map(Component::derived));
    components.extend(names.map(Component::field));
    let mut draft = Draft::new(&components)
        .nonce("BwcHBwcHBwcHBwcHBwcHBw")
        .algorithm(ALGORITHM)
        .key_id(device.as_str())
        .tag(REQUEST_TAG);
    if let Some((created, expires)) = window {
        draft = draft.created(created.unix()).expires(expires.unix());
    }
    let parts = RequestParts {
        method: "GET",
        scheme: "",
        authority: "",
        path: target.path(),
        query: target.query(),
        fields: fields.iter().copied(),
    };
    let mut base = Vec::new();
    parts.signature_base(&draft, |piece| {
        base.extend_from_slice(piece);
        Ok::<_, ParseError>(())
    })?;
    Ok((base, draft.to_text()?))
}

fn text(good: &'static str) -> impl Strategy<Value = String> {
    prop_oneof![12 => good, 1 => "[ -~]{0,3}", 1 => ".{0,3}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_request_is_the_draft_of_its_components(
        target in "/[a-z]{0,8}([?][a-z=&]{0,9})?",
        fields in collection::vec(request_field(), 0..5),
        times in option::of((any::<i32>(), any::<u32>())),
        device in "[a-zA-Z0-9~:+@_-]{1,64}",
    ) {
        let target = Target::parse(&target).unwrap();
        let device: DeviceId = device.parse().unwrap();
        let fields = fields.iter().map(|(name, value)| (*name, value.as_slice()));
        let fields: Vec<_> = fields.collect();
        let window = times.map(|(created, lifetime)| {
            let created = Timestamp::from_unix(created.into()).unwrap();
            (created, created.saturating_add(lifetime.into()))
        });
        if let Ok(draft) = RequestDraft::new(Method::Get, target, fields.iter().copied()) {
            let parameters: Text<512> =
                draft.parameters(&device, &Nonce::new([7; 16]), window).unwrap();
            let mut base = Vec::new();
            let written = draft.signature_base(parameters.as_str(), |piece| {
                base.extend_from_slice(piece);
                Ok::<_, ParseError>(())
            });
            let made = written.map(|()| (base, parameters));
            let expected = general_request(&target, &fields, &device, window);
            prop_assert_eq!(made.ok(), expected.ok());
        }
    }

    #[test]
    fn a_response_is_the_draft_of_its_components(
        status in prop_oneof![8 => 100..=999_u16, 1 => any::<u16>()],
        (method, path) in (text("GET|POST"), text("(/[a-z]{1,8}){0,2}")),
        (query, label) in (option::of(text("[a-z=&]{0,9}")), text("[a-z*][a-z0-9_.*-]{0,63}")),
        fields in collection::vec(field(), 0..5),
        device in "[a-zA-Z0-9~:+@_-]{1,64}",
    ) {
        let question = (method.as_str(), path.as_str(), query.as_deref());
        let question = Question::new(question, &label, &Signature::new([7; 32]));
        let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
        let fields: Vec<_> = fields.collect();
        let device: DeviceId = device.parse().unwrap();
        let Ok(draft) = ResponseDraft::new(status, &question, fields.iter().copied()) else {
            let repeated = |name: &&str| {
                fields.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name)).count() > 1
            };
            prop_assert!(RESPONSE_FIELDS.iter().any(repeated));
            return Ok(());
        };
        let expected = general(status, &question, &fields, &device);
        let made = ours(&draft, &device);
        prop_assert_eq!(made.as_ref().ok(), expected.as_ref().ok());
        if let Ok((base, parameters)) = made {
            let mut input = String::from("r=");
            input.push_str(parameters.as_str());
            let ours = [("signature-input", input.as_bytes()), ("signature", SIGNATURE)];
            let all = fields.iter().copied().chain(ours);
            // A value may be no digest or no challenge.
            if let Ok(head) = ResponseHead::parse(status, &question, all) {
                let mut read = Vec::new();
                let written = head.signature_base(&question, |piece| {
                    read.extend_from_slice(piece);
                    Ok::<_, ParseError>(())
                });
                prop_assert_eq!(written, Ok(()));
                prop_assert_eq!(read, base);
            }
        }
    }
}

const SIGNATURE: &[u8] = b"r=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:";
