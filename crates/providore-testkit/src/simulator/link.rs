//! The link between a device and the server, and what goes wrong on it.

use core::fmt;

use providore_client::{
    Answer, Request, ServerAddress, Transport, TransportError,
    memory::{MemoryAnswer, MemoryBody, MemoryHead, MemoryTransport},
};

use super::{Prng, World};
use crate::parties::Message;

/// How long a device waits for the head of an answer.
pub const TIMEOUT_MS: u64 = 30_000;

/// How long a byte takes in one direction when nothing goes wrong.
const LATENCY_MS: u64 = 20;

/// What can go wrong with one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The request never arrives.
    RequestLost,
    /// The server answers, and nobody hears it.
    AnswerLost,
    /// The request takes so long, and the answer; a request over [`TIMEOUT_MS`] still arrives.
    Delayed {
        /// To the server.
        out_ms: u64,
        /// Back to the device.
        back_ms: u64,
    },
    /// The server sees the request twice; the device hears the second answer.
    Duplicated,
    /// The body of the answer ends after so many bytes, as if that were all.
    Truncated(usize),
    /// A bit of the answer flips: of its field values, one after the other, and then its body.
    Flipped {
        /// Which byte; one past the end flips nothing.
        byte: usize,
        /// Which bit of it, 0 to 7.
        bit: u8,
    },
    /// In place of the answer comes the one before it, or one so many before that.
    Replayed(usize),
    /// The connection breaks after so many bytes, those of the request first.
    Reset(usize),
    /// The server restarts before the request arrives.
    RestartBefore,
    /// The server restarts after it has handled the request, before it has answered.
    RestartAfter,
    /// This part of the store fails meanwhile: see [`SharedStore`](crate::SharedStore).
    StoreFails(&'static str),
}

/// Says what goes wrong with the n-th exchange, counted from 0.
pub struct Weather(Box<dyn FnMut(usize) -> Vec<Fault>>);

impl Weather {
    /// As `faults` says.
    #[must_use]
    pub fn new(faults: impl FnMut(usize) -> Vec<Fault> + 'static) -> Self {
        Self(Box::new(faults))
    }

    /// Nothing goes wrong.
    #[must_use]
    pub fn fair() -> Self {
        Self::new(|_| Vec::new())
    }

    /// One fault for each of the first exchanges, and then none.
    #[must_use]
    pub fn script(faults: &[Fault]) -> Self {
        let faults = faults.to_vec();
        Self::new(move |index| faults.get(index).copied().into_iter().collect())
    }

    /// These faults at this exchange, and no others.
    #[must_use]
    pub fn at(exchange: usize, faults: &[Fault]) -> Self {
        let faults = faults.to_vec();
        Self::new(move |index| {
            let now = faults.iter().filter(|_| index == exchange);
            now.copied().collect()
        })
    }

    /// Something goes wrong with `permille` of all exchanges; all take up to two seconds.
    #[must_use]
    pub fn storm(seed: u64, permille: u64) -> Self {
        let prng = Prng::new(seed);
        Self::new(move |_| {
            let (out_ms, back_ms) = (prng.below(1_000), prng.below(1_000));
            let delay = Fault::Delayed { out_ms, back_ms };
            let fault = (prng.below(1000) < permille).then(|| any_fault(&prng));
            // Of two delays the first counts.
            fault.into_iter().chain([delay]).collect()
        })
    }
}

impl fmt::Debug for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Weather(..)")
    }
}

fn any_fault(prng: &Prng) -> Fault {
    const PARTS: [&str; 7] = [
        "device", "config", "image", "read", "tear", "append", "issued",
    ];
    match prng.below(11) {
        0 => Fault::RequestLost,
        1 => Fault::AnswerLost,
        2 => Fault::Delayed {
            out_ms: prng.below(4 * TIMEOUT_MS),
            back_ms: prng.below(2 * TIMEOUT_MS),
        },
        3 => Fault::Duplicated,
        4 => Fault::Truncated(prng.index(1_500)),
        5 => Fault::Flipped {
            byte: prng.index(2_000),
            bit: u8::try_from(prng.below(8)).unwrap_or(0),
        },
        6 => Fault::Replayed(prng.index(8)),
        7 => Fault::Reset(prng.index(3_000)),
        8 => Fault::RestartBefore,
        9 => Fault::RestartAfter,
        _ => Fault::StoreFails(PARTS[prng.index(PARTS.len())]),
    }
}

/// An exchange in which the server was heard or could have been.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Recorded {
    /// What was asked.
    pub request: Message,
    /// What the server answered, before anything happened to it.
    pub answer: MemoryAnswer,
    /// When the device sent the request, in milliseconds of virtual time.
    pub sent_ms: u64,
}

impl Recorded {
    /// How many bytes the exchange has, as HTTP/1.1.
    #[must_use]
    pub fn wire_len(&self) -> usize {
        request_len(&self.request) + head_len(&self.answer) + self.answer.body.len()
    }

    /// How many bytes [`Fault::Flipped`] can hit: the field values and the body.
    #[must_use]
    pub fn answer_len(&self) -> usize {
        let values = self.answer.fields.iter().map(|(_, value)| value.len());
        values.sum::<usize>() + self.answer.body.len()
    }

    /// The value of a field of the answer, as text.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.answer.fields.iter();
        let (_, value) = fields.find(|(field, _)| field == name)?;
        core::str::from_utf8(value).ok()
    }
}

/// A transport straight into the server, through the weather.
#[derive(Debug)]
pub struct Link {
    world: World,
    weather: Weather,
    tried: usize,
    log: Vec<Recorded>,
}

impl Link {
    /// A link into a world.
    #[must_use]
    pub const fn new(world: World, weather: Weather) -> Self {
        Self {
            world,
            weather,
            tried: 0,
            log: Vec::new(),
        }
    }

    /// Changes the weather; its count of exchanges begins anew.
    pub fn set_weather(&mut self, weather: Weather) {
        self.weather = weather;
        self.tried = 0;
    }

    /// How many exchanges there were since the weather changed.
    #[must_use]
    pub const fn tried(&self) -> usize {
        self.tried
    }

    /// Every request that reached the server while the device waited, and its answer.
    #[must_use]
    pub fn log(&self) -> &[Recorded] {
        &self.log
    }

    async fn exchange(&mut self, request: Message) -> Result<MemoryAnswer, TransportError> {
        let faults = (self.weather.0)(self.tried);
        self.tried += 1;
        let world = self.world.clone();
        let time = world.timeline();
        let started_ms = time.now_ms();
        let (out_ms, back_ms) = delays(&faults);
        let has = |fault: Fault| faults.contains(&fault);
        if has(Fault::RequestLost) || out_ms >= TIMEOUT_MS {
            if !has(Fault::RequestLost) {
                world.send_late(request, out_ms);
            }
            time.sleep_ms(TIMEOUT_MS).await;
            return Err(TransportError::timed_out());
        }
        time.sleep_ms(out_ms).await;
        let request_len = request_len(&request);
        let reset = faults.iter().find_map(|fault| match fault {
            Fault::Reset(at) => Some(*at),
            _ => None,
        });
        if reset.is_some_and(|at| at < request_len) {
            return Err(TransportError::interrupted());
        }
        let mut answer = self.serve(&request, &faults, started_ms);
        if has(Fault::RestartAfter) {
            world.restart();
            return Err(TransportError::interrupted());
        }
        if has(Fault::AnswerLost) || out_ms.saturating_add(back_ms) >= TIMEOUT_MS {
            time.sleep_ms(TIMEOUT_MS.saturating_sub(out_ms)).await;
            return Err(TransportError::timed_out());
        }
        time.sleep_ms(back_ms).await;
        for fault in &faults {
            self.damage(&mut answer, *fault);
        }
        let Some(at) = reset.map(|at| at - request_len) else {
            return Ok(answer);
        };
        let at = at.checked_sub(head_len(&answer));
        let at = at.ok_or_else(TransportError::interrupted)?;
        answer.breaks_after = Some(at).filter(|at| *at < answer.body.len());
        Ok(answer)
    }

    /// The server's side of an exchange.
    fn serve(&mut self, request: &Message, faults: &[Fault], sent_ms: u64) -> MemoryAnswer {
        let mut times = 1;
        for fault in faults {
            match fault {
                Fault::RestartBefore => self.world.restart(),
                Fault::StoreFails(what) => self.world.store().fail(what),
                Fault::Duplicated => times = 2,
                _ => {}
            }
        }
        for _ in 0..times {
            let answer = self.world.ask(request);
            let own = |(name, value): (&str, String)| (String::from(name), value.into_bytes());
            self.log.push(Recorded {
                request: request.clone(),
                answer: MemoryAnswer {
                    status: answer.status,
                    fields: answer.fields.into_iter().map(own).collect(),
                    body: answer.body,
                    breaks_after: None,
                },
                sent_ms,
            });
        }
        self.world.store().heal();
        let last = self.log.last().expect("asked at least once");
        last.answer.clone()
    }

    fn damage(&self, answer: &mut MemoryAnswer, fault: Fault) {
        match fault {
            Fault::Truncated(length) => answer.body.truncate(length),
            Fault::Flipped { byte, bit } => {
                let values = answer.fields.iter_mut().flat_map(|(_, value)| value);
                if let Some(byte) = values.chain(&mut answer.body).nth(byte) {
                    *byte ^= 1_u8 << (bit % 8);
                }
            }
            Fault::Replayed(before) => {
                if let Some(earlier) = self.log.iter().rev().nth(before + 1) {
                    *answer = earlier.answer.clone();
                }
            }
            _ => {}
        }
    }
}

impl Transport for Link {
    type Head<'t>
        = MemoryHead
    where
        Self: 't;
    type Body<'t>
        = MemoryBody
    where
        Self: 't;

    async fn send(
        &mut self,
        server: &ServerAddress,
        request: &Request<'_>,
    ) -> Result<Answer<MemoryHead, MemoryBody>, TransportError> {
        let fields = request.fields();
        let message = Message {
            method: request.method().as_str().into(),
            target: request.target().into(),
            fields: fields
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            body: request.body().into(),
        };
        let mut outcome = Some(self.exchange(message).await);
        let arrived = |_| outcome.take().unwrap_or(Err(TransportError::request()));
        MemoryTransport::new(arrived).send(server, request).await
    }
}

fn delays(faults: &[Fault]) -> (u64, u64) {
    let delay = faults.iter().find_map(|fault| match fault {
        Fault::Delayed { out_ms, back_ms } => Some((*out_ms, *back_ms)),
        _ => None,
    });
    delay.unwrap_or((LATENCY_MS, LATENCY_MS))
}

/// `POST /x HTTP/1.1`, fields, an empty line and the body. The fields that a transport adds stand
/// for a few bytes more.
pub(super) fn request_len(request: &Message) -> usize {
    let fields = request.fields.iter();
    let fields: usize = fields.map(|(n, v)| n.len() + v.len() + 4).sum();
    let line = request.method.len() + request.target.len() + " HTTP/1.1".len() + 3;
    line + fields + 2 + request.body.len()
}

/// `HTTP/1.1 200`, fields, and an empty line.
pub(super) fn head_len(answer: &MemoryAnswer) -> usize {
    let fields = answer.fields.iter();
    let fields: usize = fields.map(|(n, v)| n.len() + v.len() + 4).sum();
    "HTTP/1.1 200 ".len() + 2 + fields + 2
}
