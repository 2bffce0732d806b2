//! What to ask when, and whom to try next: without I/O.

use core::{fmt::Write as _, net::SocketAddr};

use providore_wire::{
    Text,
    dns_sd::{Fingerprint, PORT, Response},
};

use super::candidates::{Candidates, PLACES};
use crate::{Entropy, ServerAddress, retry::below};

/// The search for a server, as a state machine.
///
/// In rounds, each of which tries the address that was good last, what is announced, and the
/// fallback. Within a round it listens for 7 s and until the next question is due. The first
/// question goes out after 20 to 120 ms, the next ones after 1, 2, 4 … seconds (RFC 6762
/// section 5.2), up to 25 % more that differ from device to device. The interval grows from round to
/// round up to a minute, until [`confirm`](Self::confirm) or [`restart`](Self::restart).
///
/// ```
/// use providore_client::{Search, SearchStep};
///
/// let mut search = Search::new(&mut || 0).with_fallback("http://192.0.2.1:3000".parse()?);
/// let mut questions = 0;
/// let address = loop {
///     match search.step() {
///         SearchStep::Listen { within_ms } => search.passed(within_ms), // or `heard`
///         SearchStep::Ask { .. } => {
///             questions += 1;
///             search.asked();
///         }
///         SearchStep::Try(address) => break address,
///         SearchStep::RoundEnded => unreachable!("there is a fallback"),
///     }
/// };
/// assert_eq!((address.as_str(), questions), ("http://192.0.2.1:3000", 3));
/// # Ok::<(), providore_client::AddressError>(())
/// ```
#[derive(Debug)]
pub struct Search {
    remembered: Option<Remembered>,
    fallback: Option<ServerAddress>,
    expected: Option<Fingerprint>,
    candidates: Candidates,
    stage: Stage,
    /// Until the next question may go out.
    due_ms: u64,
    /// From that to the one after it.
    interval_ms: u64,
    first_interval_ms: u64,
    /// In this round.
    listened_ms: u64,
    /// Since the first candidate that waits was heard.
    gathered_ms: u64,
    has_asked: bool,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever drives a search has to do each of them"
)]
#[expect(
    clippy::large_enum_variant,
    reason = "without an allocator an address takes what it takes, and only one is alive"
)]
pub enum SearchStep {
    /// Try this address. Another call of [`Search::step`] means that it was not good.
    Try(ServerAddress),
    /// Send a [`Query`](providore_wire::dns_sd::Query), then call [`Search::asked`].
    Ask {
        /// Whether it is the first one since the start.
        first: bool,
    },
    /// Listen: [`Search::passed`] for the time, [`Search::heard`] for what was heard.
    Listen {
        /// In milliseconds.
        within_ms: u64,
    },
    /// Everything was tried. The next call begins the next round.
    RoundEnded,
}

/// An address that was good. Only what was announced or configured can be: no text is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remembered {
    Announced(SocketAddr),
    Fallback,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begin,
    Network,
    Fallback,
    End,
}

impl Search {
    /// How many announced addresses a round tries at most.
    pub const CANDIDATES: usize = PLACES;

    /// A search that has not begun.
    #[must_use]
    pub fn new(entropy: &mut (impl Entropy + ?Sized)) -> Self {
        let mut search = Self {
            remembered: None,
            fallback: None,
            expected: None,
            candidates: Candidates::default(),
            stage: Stage::Begin,
            due_ms: 0,
            interval_ms: 0,
            first_interval_ms: 0,
            listened_ms: 0,
            gathered_ms: 0,
            has_asked: false,
        };
        search.restart(entropy);
        search
    }

    /// Tries this address when nobody else was found.
    #[must_use]
    pub fn with_fallback(mut self, address: ServerAddress) -> Self {
        self.fallback = Some(address);
        self
    }

    /// Tries servers that announce this CA before others. Others are tried all the same: a
    /// fingerprint is anybody's to announce, so that to insist on it would keep no attacker away,
    /// but a device whose server has another CA by now.
    #[must_use]
    pub fn with_fingerprint(mut self, fingerprint: Fingerprint) -> Self {
        self.expected = Some(fingerprint);
        self
    }

    /// Begins anew, with short intervals: the network has just come up.
    pub fn restart(&mut self, entropy: &mut (impl Entropy + ?Sized)) {
        self.due_ms = below(100, entropy).saturating_add(20);
        self.first_interval_ms = below(250, entropy).saturating_add(1_000);
        self.interval_ms = self.first_interval_ms;
        self.has_asked = false;
        self.begin_round();
    }

    /// What to do next.
    pub fn step(&mut self) -> SearchStep {
        loop {
            match self.stage {
                Stage::Begin => {
                    self.stage = Stage::Network;
                    if let Some(address) = self.begin_with_the_remembered() {
                        return SearchStep::Try(address);
                    }
                }
                Stage::Network => match self.step_on_the_network() {
                    Some(step) => return step,
                    None => self.stage = Stage::Fallback,
                },
                Stage::Fallback => {
                    self.stage = Stage::End;
                    let tried = self.remembered == Some(Remembered::Fallback);
                    if let Some(address) = self.fallback.clone().filter(|_| !tried) {
                        return SearchStep::Try(address);
                    }
                }
                Stage::End => {
                    self.begin_round();
                    return SearchStep::RoundEnded;
                }
            }
        }
    }

    /// The question has been sent.
    pub fn asked(&mut self) {
        self.due_ms = self.interval_ms;
        self.interval_ms = self.interval_ms.saturating_mul(2).min(LONGEST_INTERVAL_MS);
        self.has_asked = true;
    }

    /// So much time was spent listening, and nothing was heard.
    pub fn passed(&mut self, milliseconds: u64) {
        self.due_ms = self.due_ms.saturating_sub(milliseconds);
        self.listened_ms = self.listened_ms.saturating_add(milliseconds);
        if self.candidates.are_waiting() {
            self.gathered_ms = self.gathered_ms.saturating_add(milliseconds);
        }
    }

    /// A datagram was heard, after so many milliseconds of listening. What is no announcement of a
    /// server is not remembered.
    pub fn heard(
        &mut self,
        datagram: &[u8],
        source: SocketAddr,
        waited_ms: u64,
        entropy: &mut (impl Entropy + ?Sized),
    ) {
        self.passed(waited_ms);
        if waited_ms == 0 {
            // So that a flood ends, too: it may take the time to the next question, but not that in
            // which other servers answer.
            self.due_ms = self.due_ms.saturating_sub(1);
            self.listened_ms = self.listened_ms.saturating_add(1);
        }
        // RFC 6762 section 6: from another port it is no answer.
        if source.port() != PORT {
            return;
        }
        let Ok(response) = Response::parse(datagram) else {
            return;
        };
        let zone = match source {
            SocketAddr::V6(v6) => v6.scope_id(),
            SocketAddr::V4(_) => 0,
        };
        let source = (source.ip().to_canonical(), zone);
        for announced in response.announcements().flatten() {
            self.candidates
                .hear(&announced, source, self.expected.as_ref(), entropy);
        }
    }

    /// The network is down: this round goes on without it.
    pub fn deaf(&mut self) {
        self.stage = Stage::Fallback;
    }

    /// An address was good before the last restart. It is tried first, if it can have been announced
    /// or is the fallback: one that was configured once, and is no more, is not.
    pub fn recall(&mut self, address: &ServerAddress) {
        self.remembered = self.known(address);
    }

    /// A server at this address has proved itself. Whether that is another one than before.
    pub fn confirm(&mut self, address: &ServerAddress) -> bool {
        self.interval_ms = self.first_interval_ms;
        self.begin_round();
        let before = self.remembered;
        self.remembered = self.known(address);
        self.remembered != before
    }

    fn known(&self, address: &ServerAddress) -> Option<Remembered> {
        if self.fallback.as_ref() == Some(address) {
            return Some(Remembered::Fallback);
        }
        let http = address.as_str().strip_prefix("http://")?;
        http.parse().ok().map(Remembered::Announced)
    }

    fn begin_round(&mut self) {
        self.stage = Stage::Begin;
        self.candidates.forget();
        self.listened_ms = 0;
        self.gathered_ms = 0;
    }

    fn begin_with_the_remembered(&mut self) -> Option<ServerAddress> {
        match self.remembered? {
            Remembered::Fallback => self.fallback.clone(),
            Remembered::Announced(address) => {
                self.candidates.skip(address);
                http(address)
            }
        }
    }

    /// `None` when nobody is left to be tried, and it has been listened long enough.
    fn step_on_the_network(&mut self) -> Option<SearchStep> {
        let gather_ms = if self.candidates.are_waiting() {
            GATHER_MS.saturating_sub(self.gathered_ms)
        } else {
            self.gathered_ms = 0;
            u64::MAX
        };
        let within_ms = self.due_ms.min(gather_ms);
        if within_ms > 0 {
            return Some(SearchStep::Listen { within_ms });
        }
        if let Some(address) = self.candidates.next().and_then(http) {
            return Some(SearchStep::Try(address));
        }
        let first = !self.has_asked;
        (self.listened_ms < ROUND_MS).then_some(SearchStep::Ask { first })
    }
}

fn http(address: SocketAddr) -> Option<ServerAddress> {
    let mut text = Text::<80>::new();
    match address {
        // A zone is written as RFC 6874 has it.
        SocketAddr::V6(v6) if v6.scope_id() != 0 => {
            let (ip, zone, port) = (v6.ip(), v6.scope_id(), v6.port());
            write!(text, "http://[{ip}%25{zone}]:{port}").ok()?;
        }
        other => write!(text, "http://{other}").ok()?,
    }
    text.as_str().parse().ok()
}

/// A server waits up to 120 ms before it answers (RFC 6762 section 6): once the first has answered,
/// the others get this long.
const GATHER_MS: u64 = 250;

/// The intervals before the fourth question.
const ROUND_MS: u64 = 7_000;

/// RFC 6762 section 5.2 lets the interval grow to an hour. A device whose server was away for a day
/// should not have to wait so long.
const LONGEST_INTERVAL_MS: u64 = 60_000;
