//! The examples.

use std::sync::LazyLock;

use providore_sign::{Refusal, subkeys::Purpose};
use providore_testkit::{RequestMessage, vectors::Check};
use providore_wire::{
    FirmwareVersion, Method,
    message_signatures::signature_field,
    signed::{HeadError, LABEL},
};

use crate::{
    look,
    make::{
        DEVICE, Example, Files, Fresh, NOW, digest, says, sign_request_anew, sign_response_anew,
    },
};

const CONFIG: &[u8] = br#"{"wifi":{"ssid":"kitchen","password":"correct horse"}}"#;
/// Opaque to the device; what a server makes of this secret and configuration (a test compares).
const CONFIG_TAG: &str = "W/\"ead5e880d184067a5fd32fcd3ffeb61ccf4450f9fcc816e568d0d0aa9095e731\"";
const IMAGE_TAG: &str = "\"40aff2e9d2d8922e47afd4648e6967497158785fbd1da870e7110266bf944880\"";
const REPORT: &[u8] = br#"{"what":"firmware","outcome":"healthy","version":"1.2.0"}"#;
const NEXT_SECRET: &[u8] = b"another secret of 32 characters.";
const REQUEST_PEM: &[u8] = include_bytes!("../../../providore-pki/tests/data/p256.pem");
const CERTIFICATE_PEM: &[u8] = include_bytes!("../../../providore-pki/tests/data/certificate.pem");
const JSON: (&str, &str) = ("content-type", "application/json");
const GET_CONFIG: (Method, &str) = (Method::Get, "/config");
const NO_CONTENT: (u16, &str) = (204, "No Content");

/// Every folder, by name.
pub(crate) fn all() -> Vec<(&'static str, Files)> {
    let mut all: Vec<(&'static str, Files)> = Vec::new();
    let mut add = |name, example: Example| all.push((name, example.files()));
    add("config-clock-200", config_by_clock());
    add("config-challenge-200", config_by_challenge());
    add("config-304", config_unchanged());
    add("secret-200", secret());
    add("firmware-check-204", nothing_waits());
    add("firmware-check-302", a_version_waits());
    add("firmware-206", a_part_of_an_image());
    add("certificate-request-200", certificate());
    add("time-204", time_of_the_server());
    add("report-204", report());
    add("unsigned-401", refused_without_signature());
    add("other-implementation", of_another_implementation());
    add("refused-wrong-tag", wrong_tag());
    add("refused-missing-component", missing_component());
    add("refused-unknown-component", unknown_component());
    add("refused-flipped-bit", flipped_bit());
    add("refused-changed-body", changed_body());
    add("refused-expired", expired());
    add("refused-old-challenge", old_challenge());
    add("refused-reflected-key", reflected_key());
    add("refused-other-question", other_question());
    all
}

static VERSION: LazyLock<FirmwareVersion> = LazyLock::new(|| "1.1.0".parse().unwrap());

fn config(about: &str, fresh: &Fresh) -> Example {
    Example::ask(about, GET_CONFIG, fresh, |it| it.version(&VERSION), b"")
}

fn report_with(about: &str) -> Example {
    Example::ask(
        about,
        (Method::Post, "/report"),
        &Fresh::Clock(0),
        |it| it.content("application/json", REPORT),
        REPORT,
    )
}

fn config_by_clock() -> Example {
    let about = "A device with a clock asks for its configuration; the answer is encrypted.";
    config(about, &Fresh::Clock(0)).answer_encrypted(&[JSON, ("etag", CONFIG_TAG)], CONFIG)
}

fn config_by_challenge() -> Example {
    let about = "A device without a clock asks with the challenge of the answer before.";
    config(about, &Fresh::Challenge(5)).answer_encrypted(&[JSON, ("etag", CONFIG_TAG)], CONFIG)
}

fn config_unchanged() -> Example {
    let about = "A device that has the configuration learns that it is still the same.";
    let request = Example::ask(
        about,
        GET_CONFIG,
        &Fresh::Clock(-3),
        |it| it.version(&VERSION).if_none_match(CONFIG_TAG),
        b"",
    );
    request.answer((304, "Not Modified"), &[("etag", CONFIG_TAG)], b"")
}

fn secret() -> Example {
    let about = "A device fetches the secret that is to replace its own; the answer is encrypted.";
    let target = (Method::Get, "/secret");
    let request = Example::ask(about, target, &Fresh::Clock(0), |it| it, b"");
    request.answer_encrypted(&[("content-type", "text/plain")], NEXT_SECRET)
}

fn firmware_check(about: &str) -> Example {
    let target = (Method::Get, "/firmware/check");
    Example::ask(
        about,
        target,
        &Fresh::Clock(0),
        |it| it.version(&VERSION),
        b"",
    )
}

fn nothing_waits() -> Example {
    firmware_check("No other firmware waits.").answer(NO_CONTENT, &[], b"")
}

fn a_version_waits() -> Example {
    let location = "/firmware?version=1.2.0";
    let fields = [
        ("content-type", "text/plain; charset=utf-8"),
        ("location", location),
    ];
    let body = format!("Found. Redirecting to {location}");
    firmware_check("Another firmware waits.").answer((302, "Found"), &fields, body.as_bytes())
}

fn a_part_of_an_image() -> Example {
    let image: Vec<u8> = (0..=255).collect();
    let part = &image[64..128];
    let about =
        "A part of an image, as long as it is still the same image. Its bytes are 0 to 255.";
    let request = Example::ask(
        about,
        (Method::Get, "/firmware?version=1.2.0"),
        &Fresh::Clock(0),
        |it| {
            it.version(&VERSION)
                .range("bytes=64-127")
                .if_range(IMAGE_TAG)
        },
        b"",
    );
    let whole = digest(&image);
    let fields = [
        ("content-type", "application/octet-stream"),
        ("accept-ranges", "bytes"),
        ("content-range", "bytes 64-127/256"),
        ("etag", IMAGE_TAG),
        ("repr-digest", whole.as_str()),
    ];
    request.answer((206, "Partial Content"), &fields, part)
}

fn certificate() -> Example {
    let about = "A device sends a certificate request and receives a certificate.";
    let request = Example::ask(
        about,
        (Method::Post, "/certificates/request"),
        &Fresh::Clock(0),
        |it| it.content("application/x-pem-file", REQUEST_PEM),
        REQUEST_PEM,
    );
    let pem = [("content-type", "application/x-pem-file")];
    request.answer((200, "OK"), &pem, CERTIFICATE_PEM)
}

fn time_of_the_server() -> Example {
    let about = "A device learns the time, which is the `created` of the answer.";
    let target = (Method::Get, "/time");
    Example::ask(about, target, &Fresh::Challenge(60), |it| it, b"").answer(NO_CONTENT, &[], b"")
}

fn report() -> Example {
    report_with("A device reports that its new firmware is healthy.").answer(NO_CONTENT, &[], b"")
}

const ACCEPTED: &str =
    r#"providore=("@method" "@path" "@query");created;expires;alg="hmac-sha256";tag="providore-2""#;

fn refused_without_signature() -> Example {
    let about = "A device whose clock is a day ahead gets a challenge to ask with.";
    let body = br#"{"type":"urn:providore:problem:unauthorized","title":"The request is not authenticated.","status":401}"#;
    let problem = [
        ("content-type", "application/problem+json"),
        ("www-authenticate", "Hmac"),
        ("accept-signature", ACCEPTED),
    ];
    let refusal = Refusal::FromTheFuture { ahead_s: 86_370 };
    config(about, &Fresh::Clock(86_400))
        .refused(Check::Freshness, &says(refusal))
        .unsigned_answer((401, "Unauthorized"), &problem, body)
}

/// As the Python package `http-message-signatures` writes them: `providore-peers` has it do so.
const OF_ANOTHER: &str = r#"("content-digest" "@query" "content-type" "@path" "@method")"#;

fn of_another_implementation() -> Example {
    let about = "Another implementation chose the label, the order of components and of parameters; \
                 a proxy added a signature of its own to each message.";
    let parameters = |components: &str, more: &str, tag: &str| {
        format!(
            r#"{components};created={NOW};keyid="{DEVICE}";alg="hmac-sha256"{more};tag="{tag}""#
        )
    };
    let more = format!(r#";expires={};nonce="AQIDBAUGBwgJCgsMDQ4PEA""#, NOW + 60);
    let asked = parameters(OF_ANOTHER, &more, "providore-2");
    let answered = parameters(
        r#"("signature";req;key="pyhms" "@query";req "@path";req "providore-challenge" "@method";req "@status")"#,
        "",
        "providore-2-response",
    );
    let mut asked_with = None;
    let by_proxy = |fields: &mut Vec<(String, String)>, component: &str| {
        let input = format!(r#"proxy=("{component}");created={NOW};keyid="gateway";tag="trace""#);
        let signature = "proxy=:c2lnbmVkIGJ5IGEgcHJveHkuLi4=:";
        fields.insert(1, ("Signature-Input".into(), input));
        fields.push(("Signature".into(), signature.into()));
    };
    let request = report_with(about).with_request(|request| {
        sign_request_anew(request, "pyhms", &asked, Purpose::Request);
        by_proxy(&mut request.fields, "@method");
        asked_with = Some(request.clone());
    });
    let asked_with: RequestMessage = asked_with.unwrap();
    let response = request.answer(NO_CONTENT, &[], b"");
    response.with_response(|response| {
        let messages = (&mut *response, &asked_with);
        sign_response_anew(messages, "answer", &answered, Purpose::Response);
        by_proxy(&mut response.fields, "@status");
    })
}

/// The value of `signature-input` behind its label.
fn parameters(fields: &[(String, String)]) -> String {
    let input = fields.iter().find(|(name, _)| name == "signature-input");
    input.unwrap().1.split_once('=').unwrap().1.into()
}

/// Signs a report anew, with other parameters than our own.
fn signed_otherwise(
    about: &str,
    change: impl FnOnce(String) -> String,
    error: HeadError,
) -> Example {
    let request = report_with(about).with_request(|request| {
        let changed = change(parameters(&request.fields));
        sign_request_anew(request, LABEL, &changed, Purpose::Request);
    });
    request.refused(Check::Head, &error.to_string())
}

fn wrong_tag() -> Example {
    signed_otherwise(
        "The signature is right, but made for another version of the protocol.",
        |it| it.replace("providore-2", "providore-3"),
        HeadError::Unsigned,
    )
}

fn missing_component() -> Example {
    let component = &"content-digest";
    signed_otherwise(
        "The signature is right, but does not cover the digest of the body.",
        |it| it.replace(" \"content-digest\"", ""),
        HeadError::NotCovered { component },
    )
}

fn unknown_component() -> Example {
    signed_otherwise(
        "The signature is right, but covers a field that the profile does not know.",
        |it| it.replace("\"content-type\"", "\"content-type\" \"user-agent\""),
        HeadError::UnknownComponent,
    )
}

fn flipped_bit() -> Example {
    let request = report_with("One bit of the signature is another.");
    let request = request.with_request(|request| {
        let mut signature = look::signature(&request.fields, LABEL);
        signature[0] ^= 1;
        let value = signature_field::<256>(LABEL, &signature).unwrap();
        let mut fields = request.fields.iter_mut();
        let field = fields.find(|(name, _)| name == "signature").unwrap();
        field.1 = value.as_str().into();
    });
    request.refused(Check::Signature, &says(Refusal::WrongSignature))
}

fn changed_body() -> Example {
    let request = report_with("The head is as it was signed; the body is another.");
    let request = request.with_request(|request| request.body[9] ^= 0x20);
    request.refused(Check::Content, &says(Refusal::WrongDigest))
}

fn expired() -> Example {
    let request = config("The request arrives a second too late.", &Fresh::Clock(-61));
    request.refused(Check::Freshness, &says(Refusal::Expired { ago_s: 1 }))
}

fn old_challenge() -> Example {
    let request = config("The challenge is a second too old.", &Fresh::Challenge(61));
    let refusal = Refusal::OldChallenge { age_s: 61 };
    request.refused(Check::Freshness, &says(refusal))
}

fn reflected_key() -> Example {
    let about = "The answer is signed with the sub-key for requests: whoever makes a device or a \
                 server sign something cannot use it in the other direction.";
    let target = (Method::Get, "/firmware/check");
    let mut asked = None;
    let request = Example::ask(about, target, &Fresh::Clock(0), |it| it, b"");
    let request = request.with_request(|request| asked = Some(request.clone()));
    let asked = asked.unwrap();
    let response = request
        .answer(NO_CONTENT, &[], b"")
        .with_response(|response| {
            let parameters = parameters(&response.fields);
            let messages = (&mut *response, &asked);
            sign_response_anew(messages, LABEL, &parameters, Purpose::Request);
        });
    response.response_refused(Check::Signature, &says(Refusal::WrongSignature))
}

fn other_question() -> Example {
    let target = (Method::Get, "/firmware/check");
    let ask = |about, fresh| Example::ask(about, target, &fresh, |it| it, b"");
    let about = "The answer was given to the same question an hour ago.";
    let mut earlier = None;
    let _ = ask("An earlier question.", Fresh::Clock(-3600)).with_request(|request| {
        earlier = Some(request.clone());
    });
    let earlier = earlier.unwrap();
    let response = ask(about, Fresh::Clock(0)).answer(NO_CONTENT, &[], b"");
    let response = response.with_response(|response| {
        let parameters = parameters(&response.fields);
        let hour_ago = (NOW - 3600).to_string();
        let parameters = parameters.replace(&NOW.to_string(), &hour_ago);
        let messages = (&mut *response, &earlier);
        sign_response_anew(messages, LABEL, &parameters, Purpose::Response);
    });
    response.response_refused(Check::Signature, &says(Refusal::WrongSignature))
}
