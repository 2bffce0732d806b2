//! A server made with `providore-sign`, and a device that asks it.
use providore_client::{BorrowedHead, BufferedOperation, Device, Error, Exchange, Moment, Request};
use providore_sign::{HeaderInstructions, SoftwareKey, original};
use providore_wire::{Dialect, Method, Target, Timestamp, original::RequestHead};

pub(crate) const SECRET: &[u8] = b"the device's secret";
pub(crate) const NOW: i64 = 1_767_323_045;

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(NOW).unwrap().saturating_add(seconds)
}

pub(crate) fn device() -> Device<SoftwareKey> {
    let key = SoftwareKey::new(SECRET).unwrap();
    let id = "d8fa0180".parse().unwrap();
    Device::new(Dialect::Original, id, "1.0.0".parse().unwrap(), key).unwrap()
}

/// A moment of the `Original` dialect, which has no use for a nonce.
pub(crate) fn moment(seconds: i64) -> Moment {
    Moment {
        clock: Some(at(seconds)),
        nonce: providore_wire::signed::Nonce::new([0; 16]),
    }
}

/// An answer before it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn unsigned(status: u16, body: &[u8]) -> Self {
        Self {
            status,
            fields: Vec::new(),
            body: body.to_vec(),
        }
    }

    pub(crate) fn signed(status: u16, body: &[u8]) -> Self {
        Self::signed_at(at(0), status, body)
    }

    pub(crate) fn signed_at(created: Timestamp, status: u16, body: &[u8]) -> Self {
        let key = SoftwareKey::new(SECRET).unwrap();
        let mut signer = original::ResponseSigner::begin(key).unwrap();
        signer.update(body).unwrap();
        let mut memory = [0; HeaderInstructions::MAX_LEN];
        let headers = signer.finish(created, 900, &mut memory).unwrap();
        let mut reply = Self::unsigned(status, body);
        for (name, value) in headers.fields() {
            reply = reply.with(name, value);
        }
        reply
    }

    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.into(), value.as_bytes().to_vec()));
        self
    }

    pub(crate) fn fields(&self) -> Vec<(&str, &[u8])> {
        self.fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice()))
            .collect()
    }
}

/// Asks at 0 s, receives `reply` at `arrives_s` in chunks of 5 bytes into `limit` bytes.
pub(crate) fn receive<O: BufferedOperation>(
    operation: O,
    reply: &Reply,
    (arrives_s, limit): (i64, usize),
    read: impl FnOnce(O::Outcome<'_>) -> String,
) -> Result<String, Error> {
    let mut device = device();
    let mut memory = [0; Request::MAX_LEN];
    let exchange = Exchange::ask(operation, &mut device, moment(0), &mut memory).unwrap();
    let fields = reply.fields();
    let head = BorrowedHead {
        status: reply.status,
        fields: &fields,
    };
    let mut buffer = vec![0; limit];
    let mut receiving = exchange.receive(&mut device, &head, &mut buffer, Some(at(arrives_s)))?;
    for chunk in reply.body.chunks(5) {
        receiving.chunk(chunk)?;
    }
    receiving.finish().map(read)
}

/// What a server makes of a request: it must be authentic.
pub(crate) fn verify(method: Method, target: &str, fields: &[(String, String)], body: &[u8]) {
    let target = Target::parse(target).unwrap();
    let bytes = fields.iter().map(|(n, v)| (n.as_str(), v.as_bytes()));
    let head = RequestHead::parse(method, target.path(), bytes).unwrap();
    let mut key = SoftwareKey::new(SECRET).unwrap();
    let policy = original::RequestPolicy::default();
    let verified = original::verify_request(head, body, &mut key, &policy, at(0));
    assert_eq!(verified.unwrap().device().as_str(), "d8fa0180");
}
