//! Messages from fixed inputs, and the files that they become.

use alloc::collections::BTreeMap;
use std::sync::LazyLock;

use providore_sign::{
    HeaderInstructions, MacKey as _, Refusal, SoftwareKey,
    content_coding::{Encoder, RecordSize, Salt},
    signed::{
        ChallengeKey, Keys, RequestPolicy, RequestToSign, ResponseToSign, Validity, sign_request,
        sign_response,
    },
    subkeys::{self, Purpose},
};
use providore_testkit::{
    RequestMessage, ResponseMessage,
    vectors::{About, Check, ContentCoding, MadeChallenge, Refused, ServerState, Signed, SubKeys},
};
use providore_wire::{
    DeviceId, Method, Signature, Target, Timestamp,
    digest_fields::DigestField,
    message_signatures::{SignatureParameters, signature_field},
    signed::{Challenge, HeadError, Nonce, Question},
};
use sha2::{Digest as _, Sha256};

use crate::look;

pub(crate) const DEVICE: &str = "d8fa0180";
static DEVICE_ID: LazyLock<DeviceId> = LazyLock::new(|| DEVICE.parse().unwrap());
const SECRET: &[u8] = b"an example of a secret, 32 bytes";
const CHALLENGE_KEY: [u8; 32] = [0x5e; 32];
const STARTED: i64 = 1_767_320_000;

/// When requests arrive.
pub(crate) const NOW: i64 = 1_767_323_045;

/// The files of one folder.
pub(crate) type Files = BTreeMap<&'static str, Vec<u8>>;

/// One example in the making.
pub(crate) struct Example {
    about: About,
    request: RequestMessage,
    response: Option<ResponseMessage>,
    plain: Option<Vec<u8>>,
}

/// What a request proves its freshness with.
pub(crate) enum Fresh {
    /// A clock, so many seconds after that of the server.
    Clock(i64),
    /// A challenge that was made so many seconds ago.
    Challenge(i64),
}

fn keys() -> Keys {
    Keys::derive(&mut SoftwareKey::new(SECRET).unwrap()).unwrap()
}

fn sub_key(purpose: Purpose) -> Vec<u8> {
    let mut secret = SoftwareKey::new(SECRET).unwrap();
    subkeys::derive(&mut secret, purpose)
        .unwrap()
        .expose()
        .to_vec()
}

fn time(unix: i64) -> Timestamp {
    Timestamp::from_unix(unix).unwrap()
}

fn policy() -> RequestPolicy {
    RequestPolicy::new(ChallengeKey::new(&CHALLENGE_KEY).unwrap(), time(STARTED))
}

/// Bytes that stand for random ones: another `seed`, other bytes.
fn drawn<const N: usize>(seed: &str) -> [u8; N] {
    let digest = Sha256::digest(seed);
    digest[..N].try_into().unwrap()
}

impl Example {
    /// A request of the device, as `request` fills it in.
    pub(crate) fn ask(
        about: &str,
        (method, target): (Method, &'static str),
        fresh: &Fresh,
        request: impl FnOnce(RequestToSign<'static>) -> RequestToSign<'static>,
        body: &[u8],
    ) -> Self {
        let mut example = Self {
            about: about_it(about),
            request: RequestMessage {
                method: method.as_str().into(),
                target: target.into(),
                fields: vec![
                    ("Host".into(), "192.0.2.1:3000".into()),
                    ("User-Agent".into(), "example/1".into()),
                ],
                body: body.into(),
            },
            response: None,
            plain: None,
        };
        let challenge;
        let validity = match fresh {
            Fresh::Clock(ahead_s) => Validity::window(time(NOW + ahead_s), 60),
            Fresh::Challenge(ago_s) => {
                challenge = example.challenge(NOW - ago_s);
                Validity::Challenge(&challenge)
            }
        };
        let to_sign = RequestToSign::new(&DEVICE_ID, method, Target::parse(target).unwrap());
        let nonce = Nonce::new(drawn(about));
        let mut memory = [0; HeaderInstructions::MAX_LEN];
        let headers =
            sign_request(&keys(), &request(to_sign), validity, &nonce, &mut memory).unwrap();
        let headers = headers.fields();
        let headers = headers.map(|(name, value)| (name.into(), value.into()));
        example.request.fields.extend(headers);
        if !body.is_empty() {
            let length = ("Content-Length".into(), body.len().to_string());
            example.request.fields.push(length);
        }
        example
    }

    /// A challenge of the server's, which `vector.json` will explain.
    fn challenge(&mut self, issued: i64) -> Challenge {
        let random: [u8; 8] = drawn(&format!("challenge {issued}"));
        let challenge = policy().challenges().issue(time(issued), random).unwrap();
        self.about.challenges.push(MadeChallenge {
            text: challenge.as_str().into(),
            issued,
            random: (&random).into(),
        });
        challenge
    }

    /// Lets somebody work on the request before it is delivered.
    pub(crate) fn with_request(mut self, change: impl FnOnce(&mut RequestMessage)) -> Self {
        change(&mut self.request);
        self
    }

    /// Lets somebody work on the response before it is delivered.
    pub(crate) fn with_response(mut self, change: impl FnOnce(&mut ResponseMessage)) -> Self {
        change(self.response.as_mut().unwrap());
        self
    }

    /// The request is refused with this error.
    pub(crate) fn refused(mut self, check: Check, reason: &str) -> Self {
        let reason = reason.into();
        self.about.request.refused = Some(Refused { check, reason });
        self
    }

    /// The response is refused with this error.
    pub(crate) fn response_refused(mut self, check: Check, reason: &str) -> Self {
        let reason = reason.into();
        self.about.response.as_mut().unwrap().refused = Some(Refused { check, reason });
        self
    }

    /// The response that the server makes to the request.
    pub(crate) fn answer(
        mut self,
        (status, reason): (u16, &str),
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> Self {
        let label = &look::our_label(&self.request.fields).unwrap();
        let challenge = self.challenge(NOW);
        let target = Target::parse(&self.request.target).unwrap();
        let signature = look::signature(&self.request.fields, label);
        let place = (self.request.method.as_str(), target.path(), target.query());
        let question = Question::new(place, label, &Signature::new(signature));
        let to_sign = ResponseToSign {
            device: &DEVICE_ID,
            status,
            fields: fields.iter().map(|(name, value)| (*name, value.as_bytes())),
            content_sha256: (!body.is_empty()).then(|| Sha256::digest(body).into()),
            challenge: &challenge,
            created: time(NOW),
        };
        let mut memory = [0; HeaderInstructions::MAX_LEN];
        let headers = sign_response(&keys(), &question, &to_sign, &mut memory).unwrap();
        let mut response = plain_response(status, reason, fields, body);
        let headers = headers.fields();
        let headers = headers.map(|(name, value)| (name.into(), value.into()));
        response.fields.extend(headers);
        self.response = Some(response);
        self.about.response = Some(Signed::default());
        self
    }

    /// As [`answer`](Self::answer), with encrypted content.
    pub(crate) fn answer_encrypted(mut self, fields: &[(&str, &str)], plain: &[u8]) -> Self {
        let mut salt = drawn(&self.about.about.replace(' ', "+"));
        self.about.content_coding = Some(ContentCoding {
            salt: (&salt).into(),
            record_size: 4096,
        });
        let salt = Salt::take(&mut salt).unwrap();
        let size = RecordSize::DEFAULT;
        let mut lent = vec![0; size.get()];
        let keys = keys();
        let (header, mut encoder) =
            Encoder::begin(&keys.content_key(), salt, size, &mut lent).unwrap();
        assert_eq!(encoder.update(&mut { plain }).unwrap(), None);
        let body = [header.as_bytes(), encoder.finish().unwrap()].concat();
        self.plain = Some(plain.into());
        let coded = [fields, &[("content-encoding", "aes128gcm")]].concat();
        self.answer((200, "OK"), &coded, &body)
    }

    /// A response that nobody signed; it carries a challenge all the same.
    pub(crate) fn unsigned_answer(
        mut self,
        (status, reason): (u16, &str),
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> Self {
        let challenge = self.challenge(NOW);
        let fields = [fields, &[("providore-challenge", challenge.as_str())]].concat();
        self.response = Some(plain_response(status, reason, &fields, body));
        self.about.response = Some(Signed::default());
        let reason = HeadError::Unsigned.to_string();
        self.response_refused(Check::Head, &reason)
    }

    /// The files of the folder.
    pub(crate) fn files(mut self) -> Files {
        let mut files = Files::new();
        let keep = |signed: &Signed| signed.refused.clone();
        let refused = keep(&self.about.request);
        self.about.request = look::found(&self.request.fields, &self.request.body);
        self.about.request.refused = refused;
        let base = look::request_base(&self.request);
        files.insert("request-base.txt", base.unwrap().into());
        files.insert("request.http", self.request.to_bytes());
        if let (Some(response), Some(signed)) = (&self.response, &mut self.about.response) {
            let refused = keep(signed);
            *signed = look::found(&response.fields, &response.body);
            signed.refused = refused;
            if let Some(base) = look::response_base(response, &self.request) {
                files.insert("response-base.txt", base.into());
            }
            files.insert("response.http", response.to_bytes());
        }
        if let (Some(plain), Some(response)) = (self.plain, self.response) {
            files.insert("plain.bin", plain);
            files.insert("ciphertext.bin", response.body);
        }
        let about = serde_json::to_string_pretty(&self.about).unwrap();
        files.insert("vector.json", format!("{about}\n").into());
        files
    }
}

fn about_it(about: &str) -> About {
    About {
        about: about.into(),
        device: DEVICE.into(),
        secret: SECRET.into(),
        sub_keys: SubKeys {
            request: (&sub_key(Purpose::Request)).into(),
            response: (&sub_key(Purpose::Response)).into(),
            content: (&sub_key(Purpose::Content)).into(),
        },
        server: ServerState {
            started: STARTED,
            now: NOW,
            challenge_key: (&CHALLENGE_KEY).into(),
        },
        challenges: Vec::new(),
        request: Signed::default(),
        response: None,
        content_coding: None,
    }
}

fn plain_response(
    status: u16,
    reason: &str,
    fields: &[(&str, &str)],
    body: &[u8],
) -> ResponseMessage {
    let mut all = vec![("Date", String::from("Fri, 02 Jan 2026 03:04:05 GMT"))];
    all.extend(fields.iter().map(|(name, value)| (*name, (*value).into())));
    if !matches!(status, 204 | 304) {
        all.push(("Content-Length", body.len().to_string()));
    }
    let fields = all.into_iter().map(|(name, value)| (name.into(), value));
    ResponseMessage {
        status,
        reason: reason.into(),
        fields: fields.collect(),
        body: body.into(),
    }
}

/// Replaces the signature of ours by another over what `parameters` say, with the key for `purpose`.
pub(crate) fn sign_request_anew(
    request: &mut RequestMessage,
    label: &str,
    parameters: &str,
    purpose: Purpose,
) {
    look::drop_signature(&mut request.fields);
    let input = ("signature-input".into(), format!("{label}={parameters}"));
    request.fields.push(input);
    let parameters = SignatureParameters::parse(parameters.as_bytes()).unwrap();
    let base = look::base_of_request(request, &parameters);
    request.fields.push(signature(label, &base, purpose));
}

/// As [`sign_request_anew`], a response.
pub(crate) fn sign_response_anew(
    (response, request): (&mut ResponseMessage, &RequestMessage),
    label: &str,
    parameters: &str,
    purpose: Purpose,
) {
    look::drop_signature(&mut response.fields);
    let input = ("signature-input".into(), format!("{label}={parameters}"));
    response.fields.push(input);
    let parameters = SignatureParameters::parse(parameters.as_bytes()).unwrap();
    let base = look::base_of_response(response, request, &parameters);
    response.fields.push(signature(label, &base, purpose));
}

fn signature(label: &str, base: &str, purpose: Purpose) -> (String, String) {
    let mut key = SoftwareKey::new(&sub_key(purpose)).unwrap();
    key.begin().unwrap();
    key.update(base.as_bytes()).unwrap();
    let tag = key.finish().unwrap().publish();
    let value = signature_field::<256>(label, tag.as_bytes()).unwrap();
    ("signature".into(), value.as_str().into())
}

/// The value of a digest field.
pub(crate) fn digest(content: &[u8]) -> String {
    let digest = Sha256::digest(content).into();
    DigestField::write_sha256(&digest).as_str().into()
}

/// What a refusal says.
pub(crate) fn says(refusal: Refusal) -> String {
    refusal.to_string()
}
