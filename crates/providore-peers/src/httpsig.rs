//! The crate `httpsig`.

use httpsig::prelude::{
    AlgorithmName, HttpSignatureBase, HttpSignatureHeaders, HttpSignatureParams, SharedKey,
    message_component::{
        DerivedComponentName, HttpMessageComponent, HttpMessageComponentId,
        HttpMessageComponentName, HttpMessageComponentParam,
    },
};
use providore_testkit::RequestMessage;

use crate::{Message, Peer, Wanted};

/// The crate `httpsig`. It looks at the clock of the machine: what is to be verified must not have
/// expired.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing to hold")]
pub struct Httpsig;

const MALFORMED: &str = "httpsig does not read this";

impl Peer for Httpsig {
    fn sign(
        &mut self,
        message: &Message<'_>,
        key: &[u8],
        wanted: &Wanted<'_>,
    ) -> Vec<(String, String)> {
        let ids = wanted.components.iter();
        let ids = ids.map(|id| HttpMessageComponentId::try_from(id.as_str()));
        let ids: Vec<_> = ids.collect::<Result<_, _>>().expect(MALFORMED);
        let mut parameters = HttpSignatureParams::try_new(&ids).expect(MALFORMED);
        // It has written the time of the machine.
        parameters.created = None;
        let seconds = |unix| u64::try_from(unix).expect("a time after 1970");
        if let Some(created) = wanted.created {
            parameters.set_created(seconds(created));
        }
        if let Some(expires) = wanted.expires {
            parameters.set_expires(seconds(expires));
        }
        if let Some(nonce) = wanted.nonce {
            parameters.set_nonce(nonce);
        }
        parameters.set_alg(&AlgorithmName::HmacSha256);
        parameters.set_keyid(wanted.key_id).set_tag(wanted.tag);
        let base = base(message, &parameters).expect(MALFORMED);
        let key = SharedKey::HmacSha256(key.into());
        let made = base.build_signature_headers(&key, Some(wanted.label));
        let made = made.expect(MALFORMED);
        let mut fields = message.fields().to_vec();
        for (name, value) in [
            ("Signature-Input", made.signature_input_header_value()),
            ("Signature", made.signature_header_value()),
        ] {
            fields.push((name.into(), value));
        }
        fields
    }

    fn base(&mut self, message: &Message<'_>, tag: &str) -> String {
        let found = find(message, tag).expect(MALFORMED);
        let base = base(message, found.signature_params());
        base.expect(MALFORMED).to_string()
    }

    fn verify(&mut self, message: &Message<'_>, key: &[u8], tag: &str) -> Result<(), String> {
        let found = find(message, tag)?;
        let key = SharedKey::HmacSha256(key.into());
        let verified =
            base(message, found.signature_params())?.verify_signature_headers(&key, &found);
        verified.map_err(|error| error.to_string())
    }
}

fn find(message: &Message<'_>, tag: &str) -> Result<HttpSignatureHeaders, String> {
    let joined = |name| lines(message.fields(), name).join(", ");
    let all = HttpSignatureHeaders::try_parse(&joined("signature"), &joined("signature-input"));
    let all = all.map_err(|error| error.to_string())?;
    let tagged = |it: &HttpSignatureHeaders| it.signature_params().tag.as_deref() == Some(tag);
    let mut found = all.into_values().filter(tagged);
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(format!("not one signature with the tag {tag}")),
    }
}

fn base(
    message: &Message<'_>,
    parameters: &HttpSignatureParams,
) -> Result<HttpSignatureBase, String> {
    let components = parameters.covered_components.iter();
    let components = components.map(|id| {
        let of_request = id.params.0.contains(&HttpMessageComponentParam::Req);
        let values = values(message, id, of_request);
        HttpMessageComponent::try_from((id, values.as_slice())).map_err(|error| error.to_string())
    });
    let components: Vec<_> = components.collect::<Result<_, _>>()?;
    HttpSignatureBase::try_new(&components, parameters).map_err(|error| error.to_string())
}

/// What the crate leaves to its user.
fn values(message: &Message<'_>, id: &HttpMessageComponentId, of_request: bool) -> Vec<String> {
    let request = match message {
        Message::Request(request) => Some(*request),
        Message::Response(_, request) => of_request.then_some(*request),
    };
    match &id.name {
        HttpMessageComponentName::HttpField(name) => {
            let fields = request.map(|request| &request.fields[..]);
            lines(fields.unwrap_or(message.fields()), name)
        }
        HttpMessageComponentName::Derived(DerivedComponentName::Status) => match message {
            Message::Response(response, _) => vec![response.status.to_string()],
            Message::Request(_) => vec![],
        },
        HttpMessageComponentName::Derived(derived) => request
            .and_then(|request| part(request, derived))
            .into_iter()
            .collect(),
    }
}

fn part(request: &RequestMessage, derived: &DerivedComponentName) -> Option<String> {
    let (path, query) = match request.target.split_once('?') {
        Some((path, query)) => (path, query),
        None => (request.target.as_str(), ""),
    };
    match derived {
        DerivedComponentName::Method => Some(request.method.clone()),
        DerivedComponentName::Path => Some(path.into()),
        DerivedComponentName::Query => Some(format!("?{query}")),
        _ => None,
    }
}

fn lines(fields: &[(String, String)], name: &str) -> Vec<String> {
    let lines = fields
        .iter()
        .filter(|(field, _)| field.eq_ignore_ascii_case(name));
    lines.map(|(_, value)| value.clone()).collect()
}
