//! The `Signed` dialect over loopback, encryption on, and what its replay guard holds.

use std::{fs, time::Duration};

use providore_sign::{
    BoundedReplayGuard, HeaderInstructions, ReplayGuard as _, ReplayLimits, SoftwareKey, Use,
    signed::{
        ChallengeKey, Keys, RequestPolicy, RequestToSign, Validity, sign_request, verify_request,
    },
};
use providore_wire::{
    DeviceId, FirmwareVersion, Method, Target, Timestamp,
    signed::{Challenge, Nonce, RequestHead},
};

use crate::{
    Outcome,
    http::{CONFIG_LEN, Pair, ROUNDS, middle, resident_mb_of},
    load::{ask_each, download, fetch_head},
    report::Report,
};

/// So many that the guard has room for what each of them asks.
const DEVICES: usize = 900;

/// More than a second brings.
const QUESTIONS: usize = 60_000;

/// `GET /config`, signed and encrypted, beside a handler with the same bytes in clear.
pub(crate) fn config(report: &mut Report) -> Outcome {
    let pair = Pair::start_with(&devices(), config_files)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let fleet = Fleet::new()?;
    let (mut ours, mut ceilings, mut worst) = (Vec::new(), Vec::new(), Duration::ZERO);
    for round in 0..ROUNDS {
        let challenge = runtime.block_on(challenge(pair.port))?;
        let questions = fleet.questions(&challenge, round, "/config", QUESTIONS)?;
        let length = Duration::from_secs(1);
        let load = runtime.block_on(ask_each(pair.port, questions.clone(), 64, length))?;
        ours.push(load.per_second);
        worst = worst.max(load.p99);
        let plain = runtime.block_on(ask_each(pair.ceiling_port, questions, 64, length))?;
        ceilings.push(plain.per_second);
    }
    let (ours, ceiling) = (middle(ours), middle(ceilings));
    let share = ours / ceiling;
    report.add(
        "`GET /config` of 2 KiB in `Signed`, encrypted, 64 connections",
        &format!("{ours:.0}/s, {:.0} %", share * 100.0),
        &format!("{ceiling:.0}/s, axum with the same bytes unsigned and in clear"),
        ("at least 45 %", share >= 0.45),
    );
    report.add(
        "the same, p99 (worst of five runs)",
        &format!("{:.1} ms", worst.as_secs_f64() * 1e3),
        "none",
        ("below 10 ms", worst < Duration::from_millis(10)),
    );
    firmware(report, &pair, &fleet, &runtime)
}

/// The first download of a device: no device-specific state has to be made for it.
fn firmware(
    report: &mut Report,
    pair: &Pair,
    fleet: &Fleet,
    runtime: &tokio::runtime::Runtime,
) -> Outcome {
    let (mut ours, mut ceilings) = (Vec::new(), Vec::new());
    let plain = "GET /firmware.bin HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for round in 0..ROUNDS {
        let challenge = runtime.block_on(challenge(pair.port))?;
        let questions =
            fleet.questions(&challenge, ROUNDS.saturating_add(round), "/firmware", 1)?;
        let question = questions.first().ok_or("no question")?;
        let time = runtime.block_on(download(pair.port, std::str::from_utf8(question)?))?;
        ours.push(time.as_secs_f64());
        let time = runtime.block_on(download(pair.ceiling_port, plain))?;
        ceilings.push(time.as_secs_f64());
    }
    let speed = |seconds: f64| crate::http::IMAGE_LEN as f64 / seconds / 1e6;
    let (ours, ceiling) = (speed(middle(ours)), speed(middle(ceilings)));
    let share = ours / ceiling;
    report.add(
        "64 MiB image in `Signed`",
        &format!("{ours:.0} MB/s, {:.0} %", share * 100.0),
        &format!("{ceiling:.0} MB/s, tower-http with the same file"),
        ("at least 60 %", share >= 0.6),
    );
    Ok(())
}

/// What a guard holds for 100,000 devices.
pub(crate) fn guard(report: &mut Report) -> Outcome {
    const FLEET: usize = 100_000;
    let now = Timestamp::from_unix(1_767_323_045).ok_or("time")?;
    let keys = Keys::derive(&mut SoftwareKey::new(SECRET)?)?;
    let started = now.saturating_add(-3600);
    let policy = RequestPolicy::new(ChallengeKey::new(&[9; 32])?, started);
    let mut guard = BoundedReplayGuard::new(ReplayLimits::DEFAULT);
    let before = resident_mb_of(std::process::id())?;
    for (round, each) in [(0, 1_usize), (1, 3)] {
        for number in 0..FLEET {
            let device = format!("device-{number:06}").parse()?;
            for count in 0..each {
                let nonce = nonce(round, number.saturating_mul(4).saturating_add(count));
                let mut memory = [0; HeaderInstructions::MAX_LEN];
                let headers = sign(&keys, &device, &nonce, now, &mut memory)?;
                remember(&mut guard, &keys, &policy, &headers, now)?;
            }
        }
        let held = resident_mb_of(std::process::id())? - before;
        let tokens = guard.len();
        report.add(
            &format!("replay guard: 100,000 devices, {tokens} nonces"),
            &format!(
                "{held:.1} MB, {:.0} bytes a device",
                held * 1e6 / FLEET as f64
            ),
            "none",
            ("below 64 MB", held < 64.0),
        );
    }
    Ok(())
}

fn sign<'m>(
    keys: &Keys,
    device: &DeviceId,
    nonce: &Nonce,
    now: Timestamp,
    memory: &'m mut [u8],
) -> Outcome<HeaderInstructions<'m>> {
    let request = RequestToSign::new(device, Method::Get, Target::parse("/config")?);
    Ok(sign_request(
        keys,
        &request,
        Validity::window(now, 300),
        nonce,
        memory,
    )?)
}

fn remember(
    guard: &mut BoundedReplayGuard,
    keys: &Keys,
    policy: &RequestPolicy,
    headers: &HeaderInstructions<'_>,
    now: Timestamp,
) -> Outcome {
    let fields = headers.fields();
    let fields = fields.map(|(name, value)| (name, value.as_bytes()));
    let head = RequestHead::parse(Method::Get, &Target::parse("/config")?, fields)?;
    let verified = verify_request(head, b"", keys, policy, now)?;
    match guard.first_use(&verified.replay_token(), now) {
        Use::First => Ok(()),
        other => Err(format!("the guard says {other:?}").into()),
    }
}

const SECRET: &[u8] = b"a secret of all devices of the benchmark";

/// Devices that speak `Signed`, with one secret and a file of their own for each.
fn devices() -> String {
    let secret = String::from_utf8_lossy(SECRET);
    let entries: Vec<_> = (0..DEVICES)
        .map(|number| {
            format!(
                r#""bench-{number}":{{"secretKey":"{secret}","dialect":"signed","firmware":[{{"type":"board","version":"1.0.0","file":"firmware.bin","config":"config.json"}}]}}"#
            )
        })
        .collect();
    format!("{{{}}}", entries.join(","))
}

fn config_files(folder: &std::path::Path) -> Outcome {
    let filler = "x".repeat(CONFIG_LEN.saturating_sub(10));
    for number in 0..DEVICES {
        let device = folder.join(format!("configStore/bench-{number}"));
        fs::create_dir_all(&device)?;
        fs::write(
            device.join("config.json"),
            format!("{{\"pad\":\"{filler}\"}}"),
        )?;
    }
    Ok(())
}

/// What signs for all of them.
struct Fleet {
    keys: Keys,
    ids: Vec<DeviceId>,
    version: FirmwareVersion,
}

impl Fleet {
    fn new() -> Outcome<Self> {
        let ids = (0..DEVICES).map(|number| format!("bench-{number}").parse());
        Ok(Self {
            keys: Keys::derive(&mut SoftwareKey::new(SECRET)?)?,
            ids: ids.collect::<Result<_, _>>()?,
            version: "1.0.0".parse()?,
        })
    }

    /// Requests over one challenge, each with a nonce of its own.
    fn questions(
        &self,
        challenge: &Challenge,
        round: usize,
        target: &str,
        count: usize,
    ) -> Outcome<std::sync::Arc<Vec<Vec<u8>>>> {
        let parsed = Target::parse(target)?;
        let mut questions = Vec::with_capacity(count);
        for (number, device) in self.ids.iter().cycle().take(count).enumerate() {
            let request = RequestToSign::new(device, Method::Get, parsed).version(&self.version);
            let validity = Validity::Challenge(challenge);
            let mut memory = [0; HeaderInstructions::MAX_LEN];
            let headers = sign_request(
                &self.keys,
                &request,
                validity,
                &nonce(round, number),
                &mut memory,
            )?;
            let mut text = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n");
            for (name, value) in headers.fields() {
                text.extend([name, ": ", value, "\r\n"]);
            }
            text.push_str("\r\n");
            questions.push(text.into_bytes());
        }
        Ok(questions.into())
    }
}

fn nonce(round: usize, number: usize) -> Nonce {
    let mut nonce = [0; 16];
    let counts = round.to_be_bytes().into_iter().chain(number.to_be_bytes());
    for (slot, byte) in nonce.iter_mut().zip(counts) {
        *slot = byte;
    }
    Nonce::new(nonce)
}

/// A challenge, as a refusal carries it.
async fn challenge(port: u16) -> Outcome<Challenge> {
    let head = fetch_head(port, "GET /time HTTP/1.1\r\nhost: localhost\r\n\r\n").await?;
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let value = lines.find(|(name, _)| *name == "providore-challenge");
    let (_, value) = value.ok_or("a refusal without a challenge")?;
    Ok(Challenge::parse(value.trim().as_bytes())?)
}
