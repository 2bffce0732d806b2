//! A request in, a response out.

mod authenticate;
mod authenticated;
mod authority;
mod body_cache;
mod certificate;
mod config;
mod epochs;
mod firmware;
mod report;
mod secrecy;
mod secret;
mod signing;

use alloc::{boxed::Box, string::String, vec::Vec};

use async_lock::Mutex;
use bytes::Bytes;
use core::sync::atomic::AtomicU64;
use providore_pki::{CertificateAuthority, ca::CaError};
use providore_sign::{
    KeyError, ReplayLimits, SoftwareKey,
    original::RequestPolicy,
    signed::{ChallengeKey, Keys},
};
use providore_wire::{Method, Route, Target};

use self::{
    authenticate::Admitted,
    authenticated::{Authenticated, Proof, Secret},
    authority::CrlCache,
    body_cache::BodyCache,
    epochs::Current,
};
use crate::{
    Admission, Audit, Body, CertificateLog, ConfigStore, DeviceStore, Event, FirmwareStore, Moment,
    Request, Response, Start, StoreError, Unheard, Unlimited, problem::Problem,
};

/// How a server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "settings are written as literals"
)]
pub struct Settings {
    /// Which requests of the `Original` dialect are accepted.
    pub original: RequestPolicy,
    /// How long an answer of the `Original` dialect counts, in seconds.
    pub answer_lifetime_s: u32,
    /// For how long a certificate stays good after its successor was issued, in seconds.
    pub overlap_s: u32,
    /// Whether the revocation list names certificates that were superseded, once the overlap is
    /// over. Their keys are in nobody else's hands, and with 100,000 devices they are megabytes.
    pub list_superseded: bool,
    /// For how long the same CSR gets the same certificate, in seconds. Not shorter than a request
    /// counts, or a replayed one could be executed twice; a shorter value is raised to that.
    pub same_csr_s: u32,
    /// How long a revocation list counts, in seconds; it is made anew after half of that.
    pub crl_lifetime_s: u32,
    /// How many requests are remembered: all of the `Signed` dialect, and those of the other that
    /// change something.
    pub replay: ReplayLimits,
}

impl Settings {
    /// Answers count for 15 minutes, which is what the first Providore meant to say; an hour of
    /// overlap and two for repeated CSRs, so that an agent that asks every hour finds its own;
    /// revocation lists of seven days.
    pub const DEFAULT: Self = Self {
        original: RequestPolicy {
            freshness: providore_sign::Freshness::DEFAULT,
            allow_unversioned: false,
        },
        answer_lifetime_s: 900,
        overlap_s: 3600,
        list_superseded: false,
        same_csr_s: 7200,
        crl_lifetime_s: 7 * 86_400,
        replay: ReplayLimits::DEFAULT,
    };
}

impl Default for Settings {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The server: everything but sockets, clocks and files.
///
/// Shared between requests; any number of them may be in [`handle`](Self::handle) at once.
#[must_use]
pub struct Server<S> {
    store: S,
    authority: Box<dyn CertificateAuthority>,
    settings: Settings,
    audit: Box<dyn Audit>,
    admission: Box<dyn Admission>,
    /// Verify what claims to come from nobody we know, so that it takes the same time.
    stranger: SoftwareKey,
    strangers_keys: Keys,
    epoch: Mutex<Current>,
    salts: AtomicU64,
    /// One lock for every few devices: a device's requests for certificates come one at a time.
    issuing: Vec<Mutex<()>>,
    bodies: Mutex<BodyCache>,
    crl: Mutex<Option<CrlCache>>,
}

/// How many certificate requests can be in hand at once. More than any machine has cores.
const ISSUING_LOCKS: usize = 64;

impl<S> Server<S>
where
    S: DeviceStore + ConfigStore + FirmwareStore + CertificateLog,
{
    /// A server over a store and a certificate authority.
    ///
    /// It remembers nothing from before `start`: requests of the `Signed` dialect that may be older
    /// are answered with a challenge.
    ///
    /// # Errors
    /// [`KeyError`] never happens with 32 bytes.
    pub fn new(
        store: S,
        authority: impl CertificateAuthority + 'static,
        settings: Settings,
        start: &Start,
    ) -> Result<Self, KeyError> {
        let window = settings.original.freshness;
        let countable = window
            .max_window_s
            .saturating_add(window.max_skew_s.saturating_mul(2));
        let settings = Settings {
            same_csr_s: settings.same_csr_s.max(countable),
            ..settings
        };
        let mut stranger = SoftwareKey::new(&start.stranger)?;
        let challenges = ChallengeKey::new(&start.challenges)?;
        Ok(Self {
            store,
            authority: Box::new(authority),
            settings,
            audit: Box::new(Unheard),
            admission: Box::new(Unlimited),
            strangers_keys: Keys::derive(&mut stranger)?,
            stranger,
            epoch: Mutex::new(Current::new(challenges, start.at, settings.replay)),
            salts: AtomicU64::new(0),
            issuing: (0..ISSUING_LOCKS).map(|_| Mutex::new(())).collect(),
            bodies: Mutex::new(BodyCache::default()),
            crl: Mutex::new(None),
        })
    }

    /// Tells `audit` what happens.
    pub fn with_audit(mut self, audit: impl Audit + 'static) -> Self {
        self.audit = Box::new(audit);
        self
    }

    /// Lets `admission` say how often a device may ask.
    pub fn with_admission(mut self, admission: impl Admission + 'static) -> Self {
        self.admission = Box::new(admission);
        self
    }

    /// The store.
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// Answers a request. Never fails: every fault is a status for the peer and an event for the
    /// operator.
    pub async fn handle(&self, request: &Request<'_>, moment: &Moment) -> Response<S::Image> {
        let target = match Target::parse(request.target) {
            Ok(target) => target,
            Err(error) => {
                let peer = request.peer;
                self.audit.record(&Event::BadTarget { peer, error });
                return finish(Problem::BadTarget.response(), false);
            }
        };
        let route = Route::of(target.path());
        if let Some(route) = route.filter(|route| route.is_public()) {
            let answer = self.public(route, request.method, moment.now).await;
            return finish(answer, request.method == "HEAD");
        }
        if request.body.len() > Request::MAX_BODY {
            return self.body_too_large();
        }
        match self.authenticate(request, &target, moment).await {
            Ok(admitted) => self.answer(admitted, route, &target, moment).await,
            Err(refusal) => finish(refusal, request.method == "HEAD"),
        }
    }

    /// The answer to a request whose body is longer than [`Request::MAX_BODY`], for an adapter that
    /// stops reading there. It is not signed: nobody looked at who asks.
    pub fn body_too_large(&self) -> Response<S::Image> {
        finish(Problem::TooLarge.response(), false)
    }

    /// The signed answer to a device.
    async fn answer(
        &self,
        admitted: Admitted<'_>,
        route: Option<Route>,
        target: &Target<'_>,
        moment: &Moment,
    ) -> Response<S::Image> {
        let (asked, wait_s) = match admitted {
            Admitted::Fresh(asked) => {
                let admission = self.admission.admit(&asked.device().id, moment.now);
                (asked, admission.err())
            }
            Admitted::NoRoom(asked, wait_s) => (asked, Some(wait_s)),
        };
        let device = &asked.device().id;
        let answer = match wait_s {
            None => self.route(&asked, route, target, moment).await,
            Some(retry_after_s) => {
                self.audit.record(&Event::Limited {
                    device,
                    retry_after_s,
                });
                Ok(Problem::TooManyRequests.retry_after(retry_after_s))
            }
        };
        let answer = answer.unwrap_or_else(|error| self.fault(&error));
        let answer = match self.sign(&asked, answer, moment).await {
            Ok(answer) => answer,
            // The image could not be read to its end. What is said instead is signed as well.
            Err(error) => {
                let signed = self.sign(&asked, self.fault(&error), moment).await;
                signed.unwrap_or_else(|error| self.fault(&error))
            }
        };
        self.audit.record(&Event::Answered {
            device,
            route,
            status: answer.status,
            version: asked.firmware_version().as_ref(),
        });
        finish(answer, asked.method() == Method::Head)
    }

    /// The answer to a device, before it is signed.
    async fn route(
        &self,
        asked: &Authenticated<'_>,
        route: Option<Route>,
        target: &Target<'_>,
        moment: &Moment,
    ) -> Result<Response<S::Image>, StoreError> {
        let known = route.filter(|route| asked.dialect() >= route.dialect());
        let Some(route) = known else {
            return Ok(Problem::NotFound.response());
        };
        match (route, asked.method()) {
            (Route::CertificateRequest, Method::Post) => self.issue(asked, moment).await,
            (Route::Report, Method::Post) => self.report(asked, moment).await,
            (Route::CertificateRequest | Route::Report, _) => Ok(method_not_allowed("POST")),
            (_, Method::Options) => Ok(Response::empty(204).with("allow", "GET, HEAD")),
            (_, method) if !matches!(method, Method::Get | Method::Head) => {
                Ok(method_not_allowed("GET, HEAD"))
            }
            (Route::Config, _) => self.config(asked, moment).await,
            (Route::FirmwareCheck, _) => self.firmware_check(asked).await,
            (Route::Firmware, _) => self.firmware(asked, target).await,
            (Route::Certificate, _) => self.certificate(asked).await,
            (Route::Time, _) => Ok(Response::empty(204)),
            (Route::Secret, _) => self.next_secret(asked, moment),
            _ => Ok(Problem::NotFound.response()),
        }
    }
}

impl<S> Server<S> {
    fn fault<I>(&self, error: &StoreError) -> Response<I> {
        self.audit.record(&Event::Fault { error });
        Problem::Unavailable.retry_after(FAULT_RETRY_S)
    }
}

/// What a device is told to wait after a fault of ours, in seconds.
const FAULT_RETRY_S: u32 = 30;

/// Adds `content-length`, and drops the body where the method is HEAD.
fn finish<I>(answer: Response<I>, head: bool) -> Response<I> {
    let length = answer.content_length();
    let mut answer = match answer.status {
        204 | 304 => answer,
        _ => answer.with("content-length", alloc::format!("{length}")),
    };
    if head {
        answer.body = Body::Empty;
    }
    answer
}

fn method_not_allowed<I>(allowed: &'static str) -> Response<I> {
    Problem::MethodNotAllowed.response().with("allow", allowed)
}

/// A strong entity tag: the quoted hex of a digest.
fn etag(sha256: &[u8; 32]) -> String {
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or('0');
    let mut tag = String::with_capacity(66);
    tag.push('"');
    for byte in sha256 {
        tag.push(digit(byte >> 4));
        tag.push(digit(byte & 15));
    }
    tag.push('"');
    tag
}

fn ca_fault(error: CaError) -> StoreError {
    StoreError::new("certificate authority", error)
}

fn text<I>(status: u16, content_type: &'static str, text: impl Into<Bytes>) -> Response<I> {
    Response::new(status, Body::Bytes(text.into())).with("content-type", content_type)
}

impl<S: core::fmt::Debug> core::fmt::Debug for Server<S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Server")
            .field("store", &self.store)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
